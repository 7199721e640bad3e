//! Queries over HTTP: what Grafana asks, limits, and the same requests to a real Prometheus.

use std::{io::Read as _, time::Duration};

use model::{Labels, Value as Sample};
use remote::{Encoder, Protocol};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Folder, Server,
    http::{Http, send},
    prometheus::Prometheus,
    remote_writer::now,
};

const STEP_MS: i64 = 10_000;

/// Some series over the last ten minutes, as a request of remote write.
fn samples(end: i64, series: usize) -> Vec<u8> {
    let labels: Vec<Labels> = (0..series)
        .map(|number| {
            Labels::from_pairs([
                ("__name__", "requests_total".to_owned()),
                ("instance", number.to_string()),
                ("job", ["api", "web"][number % 2].to_owned()),
            ])
        })
        .collect();
    let mut encoder = Encoder::new(Protocol::V1);
    for step in 0..60_i32 {
        let at = end - i64::from(60 - step) * STEP_MS;
        for labels in &labels {
            encoder.push(labels, at, &Sample::Float(f64::from(step * 5)), None);
        }
    }
    remote::pack(&encoder.finish()).unwrap()
}

async fn write(http: &Http, body: &[u8]) {
    let request = http
        .request(Method::POST, "/api/v1/write")
        .header("content-type", Protocol::V1.content_type())
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .body(body.to_owned());
    let answer = send(request).await;
    assert!(answer.status / 100 == 2, "{} {}", answer.status, answer.text);
}

async fn server(folder: &Folder, series: usize, environment: &[(&str, &str)]) -> (Server, i64) {
    let token = folder.token("tests", "admin").await;
    let server = Server::start_with(folder, environment, &token).await;
    let end = now() / STEP_MS * STEP_MS;
    write(&server.http, &samples(end, series)).await;
    (server, end / 1000)
}

/// What Grafana's data source for Prometheus asks for, and what it reads from each answer.
fn calls_of_grafana(end: i64) -> Vec<(&'static str, String, &'static str, Value)> {
    let start = end - 600;
    let span = format!("start={start}&end={end}");
    vec![
        ("health check", format!("query=1%2B1&time={end}"), "/api/v1/query", json!("2")),
        ("kind of server", String::new(), "/api/v1/status/buildinfo", Value::Null),
        ("names of metrics", span.clone(), "/api/v1/label/__name__/values", Value::Null),
        (
            "names of metrics of a job",
            format!("{span}&match[]=%7Bjob%3D%22api%22%7D&limit=40000"),
            "/api/v1/label/__name__/values",
            json!(["requests_total"]),
        ),
        (
            "labels of a metric",
            format!("{span}&match[]=requests_total"),
            "/api/v1/labels",
            json!(["__name__", "instance", "job"]),
        ),
        (
            "values of a label",
            format!("{span}&match[]=requests_total"),
            "/api/v1/label/job/values",
            json!(["api", "web"]),
        ),
        ("series", format!("{span}&match[]=requests_total"), "/api/v1/series", Value::Null),
        ("metadata", "limit=40000".to_owned(), "/api/v1/metadata", Value::Null),
        ("metadata of one", "metric=requests_total".to_owned(), "/api/v1/metadata", json!({})),
        ("exemplars", format!("query=requests_total&{span}"), "/api/v1/query_exemplars", json!([])),
        ("rules", String::new(), "/api/v1/rules", Value::Null),
        ("alerts", String::new(), "/api/v1/alerts", Value::Null),
        (
            "panel",
            format!("query=sum(rate(requests_total[1m]))&{span}&step=15"),
            "/api/v1/query_range",
            Value::Null,
        ),
        ("flags", String::new(), "/api/v1/status/flags", Value::Null),
        ("configuration", String::new(), "/api/v1/status/config", Value::Null),
        ("process", String::new(), "/api/v1/status/runtimeinfo", Value::Null),
        (
            "tree",
            "query=sum by (job) (rate(requests_total[1m]))".replace(' ', "+"),
            "/api/v1/parse_query",
            Value::Null,
        ),
        ("features", String::new(), "/api/v1/features", Value::Null),
        ("targets", "state=active".to_owned(), "/api/v1/targets", Value::Null),
    ]
}

#[tokio::test]
async fn the_calls_of_grafana_are_answered() {
    let folder = Folder::new();
    let (server, end) = server(&folder, 4, &[]).await;
    for (name, parameters, path, expected) in calls_of_grafana(end) {
        let answer = server.http.get(&format!("{path}?{parameters}")).await.ok();
        assert_eq!(answer["status"], "success", "{name}");
        match expected {
            Value::Null => assert!(!answer["data"].is_null(), "{name}: {answer}"),
            Value::String(text) => assert_eq!(answer["data"]["result"][1], text, "{name}"),
            data => assert_eq!(answer["data"], data, "{name}"),
        }
    }
}

#[tokio::test]
async fn a_large_answer_is_streamed_and_packed_for_those_who_accept_it() {
    let folder = Folder::new();
    let (server, end) = server(&folder, 200, &[]).await;
    let path =
        format!("/api/v1/query_range?query=requests_total&start={}&end={end}&step=1", end - 500);
    let plain = server.http.get(&path).await;
    assert_eq!(plain.header("content-length"), "", "its length is not known beforehand");
    let series = plain.ok()["data"]["result"].as_array().unwrap().len();
    assert_eq!(series, 200);
    let request = server.http.request(Method::GET, &path).header("accept-encoding", "gzip");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let packed = answer.bytes().await.unwrap();
    assert!(packed.len() * 5 < plain.text.len(), "{} bytes", packed.len());
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&*packed).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.text);
}

#[tokio::test]
async fn an_answer_from_the_cache_is_the_same_and_is_counted() {
    let folder = Folder::new();
    let (server, end) = server(&folder, 4, &[]).await;
    let path = format!(
        "/api/v1/query_range?query=sum(rate(requests_total[1m]))&start={}&end={end}&step=10",
        end - 300
    );
    let first = server.http.get(&path).await.text;
    let second = server.http.get(&path).await.text;
    let without = server.http.get(&format!("{path}&nocache=1")).await.text;
    assert_eq!((&first, &first), (&second, &without));
    assert_eq!(server.own_metric("bellwether_query_cache_hits_total").await, 1.0);
    // A sample that comes late is in the next answer.
    write(&server.http, &samples(end * 1000 - 5_000, 5)).await;
    let third = server.http.get(&path).await.text;
    assert_ne!(first, third);
    assert_eq!(third, server.http.get(&format!("{path}&nocache=1")).await.text);
}

/// Takes minutes when nobody stops it.
fn endless(end: i64) -> String {
    let query = "stddev_over_time(requests_total[10m:1s])";
    format!("/api/v1/query_range?query={query}&start={}&end={end}&step=0.06", end - 600)
}

#[tokio::test]
async fn a_query_ends_when_its_client_goes_or_its_time_is_up() {
    let folder = Folder::new();
    let one = [("BELLWETHER_QUERY__MAX_CONCURRENT", "1")];
    let (server, end) = server(&folder, 400, &one).await;
    let request = server.http.request(Method::GET, &endless(end));
    assert!(request.timeout(Duration::from_millis(300)).send().await.is_err());
    // Only one may run at a time, so the answer to this one shows that the other has ended.
    assert_eq!(server.value("vector(1)").await, Some(1.0));
    let late = server.http.get(&format!("{}&timeout=200ms", endless(end))).await;
    assert_eq!(late.status, 503);
    assert_eq!(late.json()["errorType"], "timeout");
}

#[tokio::test]
async fn a_query_that_needs_too_much_is_refused() {
    let folder = Folder::new();
    let few = [("BELLWETHER_QUERY__MAX_SAMPLES", "500")];
    let (server, end) = server(&folder, 20, &few).await;
    let path = format!("/api/v1/query?query=requests_total[10m]&time={end}");
    let answer = server.http.get(&path).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["errorType"], "execution");
    assert!(answer.text.contains("too many samples"), "{}", answer.text);
}

#[tokio::test]
async fn a_slow_query_is_logged_with_what_its_parts_did() {
    let folder = Folder::new();
    let always = [("BELLWETHER_QUERY__SLOW", "1ms")];
    let (server, end) = server(&folder, 300, &always).await;
    let query = "sum(rate(requests_total[5m]))";
    let path = format!("query={query}&start={}&end={end}&step=1", end - 500);
    server.http.get(&format!("/api/v1/query_range?{path}")).await.ok();
    server.logged("a query took long").await;
    assert!(server.log().contains("rate: 300 rows, 300 series and"), "{}", server.log());
    assert!(server.own_metric("bellwether_query_slow_total").await >= 1.0);
    let explained = server.http.get(&format!("/api/v1/query_range?{path}&explain=1")).await.ok();
    let plan = explained["data"]["stats"]["plan"].as_array().unwrap();
    let parts: Vec<&str> = plan.iter().map(|part| part["what"].as_str().unwrap()).collect();
    assert_eq!(parts, ["sum", "rate", "requests_total[5m]"]);
    assert_eq!(plan[1]["series"], 300);
    assert!(plan[1]["seconds"].as_f64().unwrap() > 0.0);
    let stats = &explained["data"]["stats"];
    assert!(stats["timings"]["execTotalTime"].as_f64().unwrap() > 0.0);
    assert_eq!(stats["cache"]["steps"], 501);
    // What a flush brought meanwhile may have changed the last steps.
    assert!(stats["cache"]["kept"].as_u64().unwrap() > 400, "asked for without `explain`: {stats}");
    assert_eq!(stats["limits"]["series"], 500_000);
    let instant = server.http.get("/api/v1/query?query=up&explain=1").await.ok();
    assert_eq!(instant["data"]["stats"]["cache"], Value::Null, "only range queries are kept");
}

/// The form of a value: its keys and types, with the first element of a list for all.
fn form(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("text"),
        Value::Array(all) => all.iter().take(1).map(form).collect(),
        Value::Object(all) => all.iter().map(|(key, value)| (key.clone(), form(value))).collect(),
    }
}

#[tokio::test]
async fn answers_are_those_of_prometheus() {
    let folder = Folder::new();
    let Some(peer) = Prometheus::start(&folder, "").await else { return };
    let (server, end) = server(&folder, 6, &[]).await;
    write(&peer.http, &samples(end * 1000, 6)).await;
    let start = end - 590;
    let span = format!("start={start}&end={end}");
    // No sample lies on the border of a window: there version 2 and 3 differ.
    let same = [
        "query?query=1%2B1".to_owned(),
        "query?query=requests_total".to_owned(),
        "query?query=topk(2,requests_total)".to_owned(),
        "query?query=requests_total[63s]".to_owned(),
        "query?query=%22text%22".to_owned(),
        "query?query=absent(nothing)".to_owned(),
        "query?query=1e21".to_owned(),
        "query?query=vector(1e21)".to_owned(),
        "query?query=vector(0.00000015)".to_owned(),
        format!("query_range?query=sum by (job)(rate(requests_total[63s]))&{span}&step=15"),
        format!("query_range?query=requests_total%3E100&{span}&step=15"),
        format!("query_range?query=time()&{span}&step=30s"),
        format!("query_range?query=-1e21&{span}&step=30s"),
        format!("series?match[]=requests_total&{span}"),
        format!("labels?{span}&match[]=requests_total"),
        format!("label/job/values?{span}"),
        format!("label/nothing/values?{span}"),
        format!("query_exemplars?query=requests_total&{span}"),
        "format_query?query=sum(rate(x[5m]))by(a)".to_owned(),
        "alertmanagers".to_owned(),
        "targets/metadata".to_owned(),
        "alerts".to_owned(),
        "metadata?limit=0".to_owned(),
    ];
    for path in &same {
        let path =
            format!("/api/v1/{path}{}time={end}", if path.contains('?') { '&' } else { '?' });
        let (ours, theirs) = (server.http.get(&path).await, peer.http.get(&path).await);
        assert_eq!(ours.status, theirs.status, "{path}: {} {}", ours.text, theirs.text);
        let mut ours = ours.json();
        // Remarks came with later versions.
        ours.as_object_mut().unwrap().remove("infos");
        assert_eq!(sorted(ours), sorted(theirs.json()), "{path}");
    }
    for path in [
        format!("query?query=requests_total&time={end}&stats=all"),
        format!("query_range?query=rate(requests_total[63s])&{span}&step=60&stats=all"),
    ] {
        let path = format!("/api/v1/{path}");
        let (ours, theirs) = (server.http.get(&path).await.ok(), peer.http.get(&path).await.ok());
        let stats = |answer: &Value| answer["data"]["stats"].clone();
        assert_eq!(form(&stats(&ours)), form(&stats(&theirs)), "{path}");
    }
    for path in [
        "query?query=sum(".to_owned(),
        "query?query=1&time=yesterday".to_owned(),
        "query?query=1&timeout=never".to_owned(),
        "query".to_owned(),
        format!("query_range?query=1&start={end}&end={start}&step=1"),
        format!("query_range?query=1&{span}&step=0"),
        format!("query_range?query=1&{span}&step=0.001"),
        format!("query_range?query=x[5m]&{span}&step=15"),
        "series".to_owned(),
        "series?match[]={}".to_owned(),
        "labels?match[]=1%2B1".to_owned(),
        "query?query=requests_total*on()requests_total".to_owned(),
        "format_query?query=(".to_owned(),
    ] {
        let path = format!("/api/v1/{path}");
        let (ours, theirs) = (server.http.get(&path).await, peer.http.get(&path).await);
        assert_eq!(ours.status, theirs.status, "{path}: {} {}", ours.text, theirs.text);
        let (ours, theirs) = (ours.json(), theirs.json());
        assert_eq!(ours["errorType"], theirs["errorType"], "{path}");
        assert_eq!(ours["status"], "error", "{path}");
    }
}

/// Series in one order, which Prometheus does not promise for instant queries.
fn sorted(mut answer: Value) -> Value {
    if let Some(Value::Array(result)) = answer.pointer_mut("/data/result") {
        result.sort_by_key(ToString::to_string);
    }
    answer
}
