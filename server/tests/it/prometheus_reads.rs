//! What a Prometheus gets from the server: by scraping `/federate`, and by remote read.

use ::import::prometheus::{Samples, decode_chunk};
use reqwest::Method;
use serde_json::Value;

use crate::support::{
    Folder, Server, eventually,
    http::{Http, send},
    prometheus::Prometheus,
    remote_writer::{now, write},
};

/// The value that a Prometheus has at a time.
async fn value(peer: &Http, query: &str, at: i64) -> Value {
    let path = format!("/api/v1/query?query={query}&time={}", at as f64 / 1e3);
    peer.get(&path).await.ok()["data"]["result"][0]["value"][1].clone()
}

#[tokio::test]
async fn a_prometheus_scrapes_the_newest_samples() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let at = now();
    let rows = [("queue_length", at - 5_000, 3.0), ("queue_length", at, 7.5), ("other", at, 1.0)];
    assert!(write(&server.http, &rows).await);
    let answer = server.http.get("/federate?match[]=queue_length&match[]=nothing").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let line = format!("queue_length{{instance=\"\"}} 7.5 {at}\n");
    assert_eq!(answer.text, format!("# TYPE queue_length untyped\n{line}"));
    assert_eq!(server.http.get("/federate").await.text, "");
    assert_eq!(server.http.get("/federate?match[]=1%2B1").await.status, 400);
    assert_eq!(server.stranger().get("/federate?match[]=queue_length").await.status, 401);

    let viewer = folder.token("prometheus", "viewer").await;
    let target = server.http.base().trim_start_matches("http://").to_owned();
    let config = format!(
        "scrape_configs:\n- job_name: bellwether\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  \
         metrics_path: /federate\n  honor_labels: true\n  params: {{'match[]': ['queue_length']}}\n  \
         authorization: {{credentials: '{viewer}'}}\n  static_configs: [{{targets: ['{target}']}}]\n"
    );
    let Some(peer) = Prometheus::start(&folder, &config).await else { return };
    eventually("it is scraped", async || match value(&peer.http, "queue_length", at).await {
        Value::String(value) if value == "7.5" => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    // The empty label says that there is none, so Prometheus adds none of its own.
    let query = "count(%7Bjob%3D%22bellwether%22,instance%3D%22%22%7D)";
    assert_eq!(value(&peer.http, query, at).await, "1");
}

#[tokio::test]
async fn a_prometheus_reads_what_is_stored_here() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let end = now() / 10_000 * 10_000;
    let rows: Vec<_> = (0..60_i32)
        .map(|step| ("orders_total", end - i64::from(59 - step) * 10_000, f64::from(step * 3)))
        .collect();
    assert!(write(&server.http, &rows).await);
    let viewer = folder.token("prometheus", "viewer").await;
    let config = format!(
        "remote_read:\n- url: {}/api/v1/read\n  read_recent: true\n  \
         authorization: {{credentials: '{viewer}'}}\n",
        server.http.base()
    );
    let Some(peer) = Prometheus::start(&folder, &config).await else { return };
    for query in
        ["orders_total", "increase(orders_total[283s])", "count_over_time(orders_total[5m5s])"]
    {
        let ours = value(&server.http, query, end).await;
        assert!(ours.is_string(), "{query}: {ours}");
        assert_eq!(value(&peer.http, query, end).await, ours, "{query}");
    }
}

/// A number and what comes after it.
fn varint(bytes: &[u8]) -> (u64, &[u8]) {
    let length = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
    let (number, rest) = bytes.split_at(length);
    (number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)), rest)
}

/// What the fields of a number hold that have a length.
fn content(mut message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while !message.is_empty() {
            let (tag, rest) = varint(message);
            let (value, rest) = varint(rest);
            message = rest;
            if tag & 7 == 2 {
                let (inside, rest) = message.split_at(value as usize);
                message = rest;
                if tag >> 3 == number {
                    return Some(inside);
                }
            }
        }
        None
    })
}

#[tokio::test]
async fn a_client_that_prefers_chunks_gets_them() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let end = now();
    let rows: Vec<_> = (0..250).map(|step| ("ticks", end - 250 + step, step as f64)).collect();
    assert!(write(&server.http, &rows).await);
    let field = |number: u8, content: &[u8]| {
        [&[number << 3 | 2, content.len() as u8][..], content].concat()
    };
    // From 0 to far away: the number of bits that a varint of nine bytes has.
    let matcher = field(3, &[field(2, b"__name__"), field(3, b"ticks")].concat());
    let until = [&[0x10][..], &[0xff; 8], &[0x7f]].concat();
    let question = field(1, &[until, matcher].concat());
    let ask = async |accepted: &[u8]| {
        let body = remote::pack(&[&question[..], accepted].concat()).unwrap();
        let request = server.http.request(Method::POST, "/api/v1/read");
        let request = request.header("content-type", "application/x-protobuf");
        request.header("content-encoding", "snappy").body(body).send().await.unwrap()
    };
    let chunks = ask(&[0x12, 2, 1, 0]).await;
    assert_eq!(
        chunks.headers()["content-type"],
        "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
    );
    let frames = chunks.bytes().await.unwrap();
    let (length, rest) = varint(&frames);
    let message = &rest[4..];
    assert_eq!(message.len() as u64, length, "all of it is one frame");
    let series = content(message, 1).next().unwrap();
    let mut decoded = Samples::default();
    let mut sizes = Vec::new();
    for chunk in content(series, 2) {
        let before = decoded.floats.len();
        decode_chunk(1, content(chunk, 4).next().unwrap(), &mut decoded).unwrap();
        sizes.push(decoded.floats.len() - before);
    }
    assert_eq!(sizes, [120, 120, 10]);
    let expected: Vec<_> = rows.iter().map(|(_, at, value)| (*at, *value)).collect();
    assert_eq!(decoded.floats, expected);
    let samples = ask(&[]).await;
    assert_eq!(samples.headers()["content-type"], "application/x-protobuf");
    assert!(frames.len() < samples.bytes().await.unwrap().len(), "chunks are smaller");
    let bad = server.http.request(Method::POST, "/api/v1/read").body("no snappy");
    assert_eq!(send(bad).await.status, 400);
}
