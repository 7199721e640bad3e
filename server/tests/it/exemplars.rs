//! Exemplars: in by remote write, out by `/api/v1/query_exemplars`.

use remote::Protocol;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Folder, Server,
    http::{Http, send},
    prometheus::Prometheus,
    remote_writer::now,
};

/// A field with a length of a protocol buffer message.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    assert!(length < 1 << 14, "a length of two bytes at most");
    let mut out = vec![number << 3 | 2];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        out.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
    }
    out.extend_from_slice(content);
    out
}

/// The value and the time of a sample or an exemplar, under these numbers of fields.
fn reading(value: (u8, f64), time: (u8, i64)) -> Vec<u8> {
    let mut out = vec![value.0 << 3 | 1];
    out.extend(value.1.to_le_bytes());
    out.push(time.0 << 3);
    let mut rest = time.1 as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

/// A trace, a value and a time.
type Row<'a> = (&'a str, f64, i64);

/// A request with a sample of the series `took{job}` and exemplars.
fn body(protocol: Protocol, job: &str, rows: &[Row<'_>]) -> Vec<u8> {
    let at = rows.last().map_or(0, |row| row.2);
    let sample = field(2, &reading((1, 1.0), (2, at)));
    let message = match protocol {
        Protocol::V1 => {
            let label = |name: &str, value: &str| {
                field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat())
            };
            let exemplar = |(trace, value, at): &Row<'_>| {
                field(3, &[label("trace_id", trace), reading((2, *value), (3, *at))].concat())
            };
            let mut series = [label("__name__", "took"), label("job", job), sample].concat();
            for row in rows {
                series.extend(exemplar(row));
            }
            field(1, &series)
        }
        Protocol::V2 => {
            let mut symbols = vec!["", "__name__", "took", "job", job, "trace_id"];
            symbols.extend(rows.iter().map(|row| row.0));
            let mut series = [field(1, &[1, 2, 3, 4]), sample].concat();
            for (number, (_, value, at)) in rows.iter().enumerate() {
                let labels = field(1, &[5, 6 + number as u8]);
                series.extend(field(4, &[labels, reading((2, *value), (3, *at))].concat()));
            }
            let mut message: Vec<u8> =
                symbols.iter().flat_map(|symbol| field(4, symbol.as_bytes())).collect();
            message.extend(field(5, &series));
            message
        }
    };
    remote::pack(&message).unwrap()
}

async fn write(http: &Http, protocol: Protocol, body: Vec<u8>) -> Answer {
    let request = http
        .request(Method::POST, "/api/v1/write")
        .header("content-type", protocol.content_type())
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .body(body);
    let answer = send(request).await;
    assert!(answer.status / 100 == 2, "{} {}", answer.status, answer.text);
    answer
}

/// The job of each series and its traces.
fn traces(answer: &Value) -> Value {
    let series = answer["data"].as_array().unwrap().iter();
    series
        .map(|series| {
            let traces = series["exemplars"].as_array().unwrap().iter();
            let traces: Value = traces.map(|e| e["labels"]["trace_id"].clone()).collect();
            json!([series["seriesLabels"]["job"], traces])
        })
        .collect()
}

#[tokio::test]
async fn exemplars_of_both_protocols_are_answered_until_a_restart() {
    const ASK: &str = "/api/v1/query_exemplars?query=rate(took[5m])%2Btook%7Bjob%3D%22c%22%7D";
    let folder = Folder::new();
    let few = [("BELLWETHER_REMOTE_WRITE__MAX_EXEMPLARS", "4")];
    let token = folder.token("tests", "admin").await;
    let server = Server::start_with(&folder, &few, &token).await;
    let at = now() / 1000 * 1000 - 10_000;
    let first = body(Protocol::V1, "b", &[("t1", 0.25, at), ("t2", 0.5, at + 1)]);
    assert_eq!(write(&server.http, Protocol::V1, first.clone()).await.status, 204);
    let second = body(Protocol::V2, "a", &[("t3", 1.5, at + 2)]);
    let answer = write(&server.http, Protocol::V2, second).await;
    assert_eq!(answer.header("x-prometheus-remote-write-exemplars-written"), "1");
    // Sent once more, and one that comes late.
    write(&server.http, Protocol::V1, first).await;
    let late = body(Protocol::V2, "a", &[("t0", 1.5, at)]);
    let answer = write(&server.http, Protocol::V2, late).await;
    assert_eq!(answer.header("x-prometheus-remote-write-exemplars-written"), "0");

    let all = server.http.get(ASK).await.ok();
    assert_eq!(traces(&all), json!([["a", ["t3"]], ["b", ["t1", "t2"]]]));
    let exact = json!({ "labels": { "trace_id": "t1" }, "value": "0.25", "timestamp": at / 1000 });
    assert_eq!(all["data"][1]["exemplars"][0], exact);
    assert_eq!(all["data"][1]["seriesLabels"], json!({ "__name__": "took", "job": "b" }));
    let seconds = |ms: i64| ms as f64 / 1e3;
    let span = format!("{ASK}&start={}&end={}", seconds(at + 1), seconds(at + 1));
    assert_eq!(traces(&server.http.get(&span).await.ok()), json!([["b", ["t2"]]]));

    // The oldest give way.
    let more = body(Protocol::V1, "c", &[("t4", 1.0, at + 3), ("t5", 1.0, at + 4)]);
    write(&server.http, Protocol::V1, more).await;
    let left = traces(&server.http.get(ASK).await.ok());
    assert_eq!(left, json!([["a", ["t3"]], ["b", ["t2"]], ["c", ["t4", "t5"]]]));
    for (reason, count) in [("overwritten", 1.0), ("out_of_order", 2.0)] {
        let name = format!("bellwether_exemplars_dropped_total{{reason=\"{reason}\"}}");
        assert_eq!(server.own_metric(&name).await, count, "{reason}");
    }

    server.kill_9().await;
    let server = Server::start_with(&folder, &few, &token).await;
    assert_eq!(server.http.get(ASK).await.ok()["data"], json!([]));
    assert_eq!(server.value("count(took)").await, Some(3.0), "samples are there");
}

#[tokio::test]
async fn exemplars_are_answered_as_by_prometheus() {
    let folder = Folder::new();
    let Some(peer) = Prometheus::start(&folder, "").await else { return };
    let server = Server::start(&folder).await;
    let at = now() - 10_000;
    let rows = [("t1", 0.25, at), ("t2", 1e21, at + 1), ("t3", f64::INFINITY, at + 1_500)];
    for http in [&server.http, &peer.http] {
        for job in ["b", "a"] {
            write(http, Protocol::V1, body(Protocol::V1, job, &rows)).await;
        }
    }
    let seconds = |ms: i64| ms as f64 / 1e3;
    for query in [
        "query=took".to_owned(),
        "query=sum(rate(took[5m]))".to_owned(),
        "query=took%7Bjob%3D%22a%22%7D-other".to_owned(),
        "query=other".to_owned(),
        format!("query=took&start={}", seconds(at + 1)),
        format!("query=took&end={}", seconds(at)),
        format!("query=took&start={}&end={}", seconds(at), seconds(at - 1)),
        "query=sum(".to_owned(),
    ] {
        let path = format!("/api/v1/query_exemplars?{query}");
        let (ours, theirs) = (server.http.get(&path).await, peer.http.get(&path).await);
        assert_eq!(ours.status, theirs.status, "{query}: {} {}", ours.text, theirs.text);
        let (ours, theirs) = (ours.json(), theirs.json());
        assert_eq!(ours["data"], theirs["data"], "{query}");
        assert_eq!(ours["errorType"], theirs["errorType"], "{query}");
    }
}
