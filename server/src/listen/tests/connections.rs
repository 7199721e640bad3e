use std::{io, task::Poll};

use ingest::SourceId;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::listen::stream::Connection;

/// A connection without a socket: what the sender holds, and the reader.
struct Pipe {
    sender: DuplexStream,
    listener: Arc<Listener>,
    stop: CancellationToken,
    reader: JoinHandle<()>,
}

#[expect(clippy::disallowed_methods, reason = "a test waits for its own task")]
fn pipe(framing: Framing) -> Pipe {
    let options = options("tcp://127.0.0.1:0");
    let stream = StreamOptions { framing, ..options.stream };
    let listener = Arc::new(listener(&options));
    let (sender, receiver) = tokio::io::duplex(1 << 20);
    let stop = CancellationToken::new();
    let connection =
        Connection { listener: Arc::clone(&listener), source: SourceId(1), options: stream };
    let reader = tokio::spawn(connection.run(receiver, stop.clone()));
    Pipe { sender, listener, stop, reader }
}

#[tokio::test]
async fn a_last_line_without_an_end_counts_when_the_sender_closed() {
    let mut pipe = pipe(Framing::Newline);
    pipe.sender.write_all(b"a:1|c\nb:1|c\nc:1|c").await.unwrap();
    drop(pipe.sender);
    pipe.reader.await.unwrap();
    let tally = taken(&pipe.listener);
    assert_eq!((tally.accepted, tally.truncated), (3, 0));
}

#[tokio::test]
async fn what_has_arrived_is_read_before_the_end_of_the_process() {
    let mut pipe = pipe(Framing::Newline);
    pipe.sender.write_all(&b"a:1|c\n".repeat(10_000)).await.unwrap();
    pipe.sender.write_all(b"b:1|").await.unwrap();
    pipe.stop.cancel();
    pipe.reader.await.unwrap();
    let tally = taken(&pipe.listener);
    assert_eq!((tally.accepted, tally.truncated, tally.lines), (10_000, 1, 10_001));
    assert_eq!(pipe.listener.lost(Loss::Truncated), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_and_counted() {
    let mut pipe = pipe(Framing::Auto);
    pipe.sender.write_all(b"a:1|c\nb:1").await.unwrap();
    pipe.reader.await.unwrap();
    let tally = taken(&pipe.listener);
    assert_eq!((tally.accepted, tally.truncated), (1, 1));
    assert_eq!(pipe.listener.lost(Loss::IdleTimeout), 1);
    assert!(pipe.sender.write_all(b"c:1|c\n").await.is_err());
}

#[tokio::test]
async fn a_line_or_payload_beyond_the_bound_closes_the_connection() {
    let long = [b"a:1|c\n", &vec![b'x'; 70_000][..], b"\nb:1|c\n"].concat();
    let huge = [&5_u32.to_le_bytes()[..], b"a:1|c", &65_537_u32.to_le_bytes(), b"b:1|c\n"].concat();
    for (framing, stream, loss) in
        [(Framing::Newline, long, Loss::LineTooLong), (Framing::Length, huge, Loss::FrameTooLong)]
    {
        let mut pipe = pipe(framing);
        // The reader may be gone before everything is written.
        drop(pipe.sender.write_all(&stream).await);
        pipe.reader.await.unwrap();
        let tally = taken(&pipe.listener);
        assert_eq!((tally.accepted, pipe.listener.lost(loss)), (1, 1), "{loss:?}");
    }
}

#[tokio::test]
async fn a_payload_that_is_cut_keeps_its_whole_lines() {
    let mut pipe = pipe(Framing::Auto);
    pipe.sender.write_all(b"\x20\0\0\0a:1|c\nb:1|c\nc:1").await.unwrap();
    drop(pipe.sender);
    pipe.reader.await.unwrap();
    let tally = taken(&pipe.listener);
    assert_eq!((tally.accepted, tally.truncated), (2, 1));
}

/// A listener with its acceptor, running.
struct Server {
    listener: Arc<Listener>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "a test waits for its own task")]
    fn start(options: &ListenerOptions) -> Self {
        let opened = open(options, &common()).unwrap();
        let Sockets::Stream(acceptor) = opened.sockets else { panic!("no connections") };
        let stop = CancellationToken::new();
        let task = tokio::spawn(acceptor.run(Arc::clone(&opened.listener), stop.clone()));
        Self { listener: opened.listener, stop, task }
    }

    /// Lets other tasks run until something holds.
    async fn until(&self, is_met: impl Fn(&Listener) -> bool) {
        let work = std::future::poll_fn(|cx| {
            if is_met(&self.listener) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        tokio::time::timeout(Duration::from_secs(30), work).await.expect("the condition is met");
    }
}

#[tokio::test]
async fn connections_over_tcp_are_read_up_to_the_limit() {
    let server = Server::start(&options("tcp://127.0.0.1:0"));
    let Endpoint::Tcp(address) = server.listener.endpoint else { panic!("not TCP") };
    let mut first = TcpStream::connect(address).await.unwrap();
    let second = TcpStream::connect(address).await.unwrap();
    server.until(|listener| listener.connections() == 2).await;
    let mut third = TcpStream::connect(address).await.unwrap();
    let closed: io::Result<usize> = third.read(&mut [0; 1]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    assert_eq!(server.listener.lost(Loss::ConnectionLimit), 1);

    first.write_all(b"a:1|c\nb:1|c\n").await.unwrap();
    drop((first, second));
    server.until(|listener| listener.connections() == 0).await;
    assert_eq!((taken(&server.listener).accepted, server.listener.accepted()), (2, 2));

    let mut fourth = TcpStream::connect(address).await.unwrap();
    fourth.write_all(b"c:1|c\n").await.unwrap();
    server.until(|listener| listener.connections() == 1).await;
    server.stop.cancel();
    server.task.await.unwrap();
    assert_eq!(taken(&server.listener).accepted, 1);
}

#[tokio::test]
async fn both_framings_work_on_one_socket_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let server = Server::start(&options(&format!("unix://{}", path.display())));
    for stream in [&b"a:1|c\nb:1|c\n"[..], b"\x0b\0\0\0a:1|c\nb:1|c"] {
        let mut sender = UnixStream::connect(&path).await.unwrap();
        sender.write_all(stream).await.unwrap();
    }
    server.until(|listener| listener.accepted() == 2 && listener.connections() == 0).await;
    assert_eq!(taken(&server.listener).accepted, 4);
    assert!(path.exists());
    server.stop.cancel();
    server.task.await.unwrap();
    assert!(!path.exists());
}
