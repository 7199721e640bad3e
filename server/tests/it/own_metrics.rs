//! What the server and its host say of themselves, and how it stops.

use std::net::UdpSocket;

use crate::support::{Folder, Server, eventually};

#[tokio::test]
async fn the_host_and_the_server_are_seen_without_any_setting() {
    let folder = Folder::new();
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    folder.write("bellwether.toml", &settings.replace("enabled = false", "enabled = true"));
    let server = Server::start(&folder).await;
    for metric in [
        "host_memory_total_bytes",
        "host_load1",
        "host_cpu_time_seconds",
        "host_uptime_seconds",
        "bellwether_flush_total{service=\"bellwether\"}",
        "bellwether_ingest_lines_total",
        "bellwether_store_active_series",
    ] {
        eventually(metric, async || match server.value(&format!("sum({metric})")).await {
            Some(value) if value > 0.0 => Ok(()),
            other => {
                let names = server.http.get("/api/v1/label/__name__/values").await.text;
                Err(format!("{other:?} of {names}"))
            }
        })
        .await;
    }
    let requests = "sum(bellwether_http_requests{service=\"bellwether\", route=\"/api/v1/query\", \
                    method=\"POST\", status=\"200\"})";
    eventually("the own requests", async || {
        server.value(requests).await.filter(|n| *n > 0.0).ok_or("none".to_owned())
    })
    .await;
    let seconds = server.value("histogram_count(sum(bellwether_http_duration))").await;
    assert!(seconds.is_some_and(|count| count > 0.0), "{seconds:?}");
    let overview = server.http.get("/api/app/overview").await.ok();
    let names: Vec<_> =
        overview["services"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(names, ["bellwether"], "services are found by themselves: {overview}");
    assert_eq!(overview["hosts"].as_array().map(Vec::len), Some(1), "{overview}");
}

#[tokio::test]
async fn the_last_window_is_stored_when_the_server_is_asked_to_stop() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.send("orders:1|c");
    server.flushed().await;
    // Most of these are still in the socket when the signal comes.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..200 {
        socket.send_to(b"orders:1|c", server.statsd).unwrap();
    }
    let (status, log) = server.terminate().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("the last flush") && log.contains("\"stopped\""), "{log}");
    assert!(!log.contains("did not end in time") && !log.contains("ERROR"), "{log}");

    let server = Server::start(&folder).await;
    assert_eq!(server.value("orders").await, Some(201.0));
}

#[tokio::test]
async fn charts_are_drawn_as_pictures() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.send("depth:5|g");
    server.flushed().await;
    let png = server.http.get("/render/chart.png?query=depth&threshold=4&theme=dark").await;
    assert_eq!((png.status, png.header("content-type")), (200, "image/png"));
    let svg = server.http.get("/render/chart.svg?query=depth&width=800&height=300").await;
    assert_eq!((svg.status, svg.header("content-type")), (200, "image/svg+xml"));
    assert!(svg.text.starts_with("<svg") && svg.text.contains("</svg>"), "{}", svg.text);
    for (query, code) in [
        ("query=depth(", "bad_query"),
        ("query=depth&width=100000", "bad_size"),
        ("query=depth&theme=blue", "bad_theme"),
        ("query=depth&start=10&end=5", "bad_range"),
    ] {
        let answer = server.http.get(&format!("/render/chart.png?{query}")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &code.into()), "{query}");
    }
}
