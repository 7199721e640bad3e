//! Lines over connections and socket files, and what ends a connection.

use std::{
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::support::{Folder, Server, eventually};

const LISTENERS: &str = r#"
[[statsd.listener]]
address = "tcp://127.0.0.1:0"
max_connections = 2
idle_timeout = "1s"
[[statsd.listener]]
address = "unixgram://datagrams.sock"
prefix = "team."
labels = { env = "test" }
[[statsd.listener]]
address = "unix://stream.sock"
max_connections = 8
idle_timeout = "5m"
"#;

async fn start(folder: &Folder) -> Server {
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    folder.write("bellwether.toml", &(settings + LISTENERS));
    Server::start(folder).await
}

/// What `/connections` says of the listener with this transport.
async fn listener(server: &Server, transport: &str) -> Value {
    let connections = server.http.get("/connections").await.ok();
    let listeners = connections["listeners"].as_array().unwrap();
    let found = listeners.iter().find(|listener| listener["transport"] == transport);
    found.unwrap_or_else(|| panic!("{connections}")).clone()
}

/// Waits until so much was lost at a listener for a reason.
async fn expect_lost(server: &Server, transport: &str, reason: &str, expected: u64) {
    eventually(reason, async || {
        let found = listener(server, transport).await;
        let lost = &found["losses"][reason];
        if lost == expected { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

async fn tcp(server: &Server) -> TcpStream {
    let found = listener(server, "tcp").await;
    TcpStream::connect(found["address"].as_str().unwrap()).await.unwrap()
}

/// Reads until the other side closes.
async fn closed(stream: &mut (impl AsyncReadExt + Unpin)) {
    // A close with bytes unread arrives as an error.
    let _end = timeout(Duration::from_mins(1), stream.read(&mut [0; 1])).await.unwrap();
}

fn socket(folder: &Folder, name: &str) -> PathBuf {
    folder.path(name)
}

#[tokio::test]
async fn every_transport_brings_lines_with_its_listeners_prefix_and_labels() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let mut stream = tcp(&server).await;
    stream.write_all(b"over_tcp:1|c\r\nover_tcp:2|c\nover_tcp:4|c").await.unwrap();
    drop(stream);
    server.expect_value("over_tcp", 7.0).await;

    let datagrams = UnixDatagram::unbound().unwrap();
    datagrams.send_to(b"sent:1|c\nsent:2|c", socket(&folder, "datagrams.sock")).unwrap();
    server.expect_value("team_sent{env=\"test\"}", 3.0).await;

    let connect = async |path: &Path| UnixStream::connect(path).await.unwrap();
    let path = socket(&folder, "stream.sock");
    let mut lines = connect(&path).await;
    lines.write_all(b"by_line:1|c\nby_line:2|c\n").await.unwrap();
    let mut payloads = connect(&path).await;
    for payload in [&b"by_length:1|c\nby_length:2|c"[..], b"by_length:4|c"] {
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        payloads.write_all(&[&length[..], payload].concat()).await.unwrap();
    }
    server.expect_value("by_line", 3.0).await;
    server.expect_value("by_length", 7.0).await;
    assert_eq!(listener(&server, "unix").await["connections"], 2);

    let (status, _) = server.terminate().await;
    assert!(status.success());
    assert!(!path.exists() && !socket(&folder, "datagrams.sock").exists());
}

#[tokio::test]
async fn a_connection_that_breaks_a_limit_is_closed_and_counted_with_the_reason() {
    let folder = Folder::new();
    let server = start(&folder).await;

    // A line longer than 64 KiB; what came before it counts.
    let mut long = tcp(&server).await;
    let line = [b"before:1|c\n", &vec![b'x'; 70_000][..], b"\n"].concat();
    long.write_all(&line).await.unwrap();
    closed(&mut long).await;
    expect_lost(&server, "tcp", "line_too_long", 1).await;
    server.expect_value("before", 1.0).await;

    // A payload that says it is longer, behind one that tells the framing.
    let mut huge = UnixStream::connect(socket(&folder, "stream.sock")).await.unwrap();
    huge.write_all(b"\x0a\0\0\0framed:1|c\x01\0\x01\0".as_slice()).await.unwrap();
    closed(&mut huge).await;
    expect_lost(&server, "unix", "frame_too_long", 1).await;
    server.expect_value("framed", 1.0).await;

    // Silence. Two silent ones fill the listener, and one more is closed at once.
    let (mut first, mut second) = (tcp(&server).await, tcp(&server).await);
    eventually("both are open", async || {
        let open = listener(&server, "tcp").await["connections"].clone();
        if open == 2 { Ok(()) } else { Err(open.to_string()) }
    })
    .await;
    closed(&mut tcp(&server).await).await;
    expect_lost(&server, "tcp", "connection_limit", 1).await;
    closed(&mut first).await;
    closed(&mut second).await;
    expect_lost(&server, "tcp", "idle_timeout", 2).await;

    // A datagram that was cut keeps its whole lines.
    let datagrams = UnixDatagram::unbound().unwrap();
    let cut = [b"whole:1|c\n", &vec![b'x'; 70_000][..]].concat();
    datagrams.send_to(&cut, socket(&folder, "datagrams.sock")).unwrap();
    server.expect_value("team_whole", 1.0).await;
    expect_lost(&server, "unixgram", "truncated", 1).await;
}
