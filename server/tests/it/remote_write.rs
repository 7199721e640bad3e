//! Remote write, in from real requests and out to another server.

mod endpoint;

use model::{Labels, Timestamp, Value};
use remote::{Encoder, Protocol};
use reqwest::Method;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use self::endpoint::{Script, ScriptedEndpoint};
use crate::support::{Answer, Folder, Server, eventually, http};

fn now() -> Timestamp {
    jiff::Timestamp::now().as_millisecond()
}

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name), ("job", "shop")])
}

/// A request body.
fn body(protocol: Protocol, rows: &[(&str, Timestamp, f64)]) -> Vec<u8> {
    let rows: Vec<_> = rows.iter().map(|(name, at, value)| (labels(name), *at, *value)).collect();
    let mut encoder = Encoder::new(protocol);
    for (labels, at, value) in &rows {
        encoder.push(labels, *at, &Value::Float(*value), None);
    }
    remote::pack(&encoder.finish()).unwrap()
}

async fn write(http: &http::Http, protocol: Protocol, body: Vec<u8>) -> Answer {
    let request = http
        .request(Method::POST, "/api/v1/write")
        .header("content-type", protocol.content_type())
        .header("content-encoding", "snappy")
        .body(body);
    http::send(request).await
}

fn written(answer: &Answer) -> [&str; 3] {
    ["samples", "histograms", "exemplars"]
        .map(|kind| answer.header(&format!("x-prometheus-remote-write-{kind}-written")))
}

#[tokio::test]
async fn what_is_written_is_there_at_once_and_after_kill_9() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let at = now();
    let first = write(&server.http, Protocol::V1, body(Protocol::V1, &[("one", at, 1.5)])).await;
    assert_eq!((first.status, written(&first)), (204, ["", "", ""]), "{}", first.text);
    let rows = [("one", at + 1, 2.5), ("two", at, 7.0)];
    let second = write(&server.http, Protocol::V2, body(Protocol::V2, &rows)).await;
    assert_eq!((second.status, written(&second)), (204, ["2", "0", "0"]), "{}", second.text);
    assert_eq!(server.value("one").await, Some(2.5));
    assert_eq!(server.value("two").await, Some(7.0));

    server.kill_9().await;
    let server = Server::start(&folder).await;
    assert_eq!(server.value("count_over_time(one[1m])").await, Some(2.0));
    assert_eq!(server.value("two").await, Some(7.0));
}

#[tokio::test]
async fn every_refusal_has_its_status_and_says_why() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let at = now();
    let good = || body(Protocol::V1, &[("m", at, 1.0)]);
    let post = |kind: &'static str, encoding: &'static str, body: Vec<u8>| {
        let request = server.http.request(Method::POST, "/api/v1/write");
        let request = request.header("content-type", kind).header("content-encoding", encoding);
        http::send(request.body(body))
    };
    let v1 = Protocol::V1.content_type();
    let huge = remote::pack(&vec![0; (32 << 20) + 1]).unwrap();
    let old = body(Protocol::V1, &[("m", at, 1.0), ("m", at - 90_000_000, 1.0)]);
    for (name, answer, status, text) in [
        ("type", post("text/plain", "snappy", good()).await, 415, "`text/plain` is not supported"),
        ("encoding", post(v1, "gzip", good()).await, 415, "`gzip` is not supported"),
        ("snappy", post(v1, "snappy", vec![1, 2, 3]).await, 400, "not in snappy's block format"),
        (
            "protobuf",
            post(v1, "snappy", remote::pack(&[7; 9]).unwrap()).await,
            400,
            "the message cannot be read",
        ),
        ("size", post(v1, "snappy", huge).await, 413, "33554433 bytes"),
        ("time", post(v1, "snappy", old).await, 400, "(1 too_old) and 1 written"),
    ] {
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        assert!(answer.text.contains(text), "{name}: {}", answer.text);
    }
    let reader = server.http.with_token(&folder.token("reader", "viewer").await);
    assert_eq!(write(&reader, Protocol::V1, good()).await.status, 403);
    assert_eq!(write(&server.stranger(), Protocol::V1, good()).await.status, 401);

    let metrics = server.http.get("/metrics").await.text;
    for line in [
        r#"bellwether_remote_write_requests_total{protocol="1.0",code="400"} 3"#,
        r#"bellwether_remote_write_requests_total{protocol="unknown",code="415"} 2"#,
        r#"bellwether_remote_write_refused_samples_total{reason="too_old"} 1"#,
        "bellwether_remote_write_samples_total 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let connections = server.http.get("/connections").await.ok();
    assert_eq!(connections["remote_writers"][0]["name"], "tests");
    assert_eq!(connections["remote_writers"][0]["refused_samples"], 1);
}

#[tokio::test]
async fn requests_beyond_the_bounds_are_asked_to_come_again() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let token = std::fs::read_to_string(folder.path("admin.token")).unwrap();
    // Four senders announce all the bytes that may be on their way, and never send them.
    let mut silent = Vec::new();
    for length in [39_146_869, 39_146_869, 39_146_869, 16_775_168] {
        let mut stream = TcpStream::connect(("127.0.0.1", port_of(&server))).await.unwrap();
        let head = format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    let refused = eventually("there is no room", async || {
        let rows = [("m", now(), 1.0)];
        let answer = write(&server.http, Protocol::V2, body(Protocol::V2, &rows)).await;
        if answer.status == 503 { Ok(answer) } else { Err(answer.text) }
    })
    .await;
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(written(&refused), ["0", "0", "0"]);
    // They go, and there is room.
    drop(silent);
    eventually("there is room", async || {
        let rows = [("m", now(), 1.0)];
        let answer = write(&server.http, Protocol::V2, body(Protocol::V2, &rows)).await;
        if answer.status == 204 { Ok(()) } else { Err(answer.text) }
    })
    .await;
}

/// A folder whose server sends samples on.
fn sender_folder(settings: &str) -> Folder {
    let folder = Folder::new();
    let text = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    folder.write("bellwether.toml", &format!("{text}[[remote_write.endpoint]]\n{settings}"));
    folder
}

/// Settings that send on to a server like the one of `to`.
async fn settings_for(to: &Folder, port: u16, protocol: u8, more: &str) -> String {
    let token = to.token(&format!("sender-{protocol}"), "editor").await;
    let token_file = to.write("sender.token", &format!("{token}\n"));
    format!(
        "name = \"center\"\nurl = \"http://127.0.0.1:{port}/api/v1/write\"\nprotocol = {protocol}\n\
         bearer_token_file = {:?}\n{more}",
        token_file.display()
    )
}

fn port_of(server: &Server) -> u16 {
    server.http.base().rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn everything_that_is_stored_is_sent_on_in_both_protocols() {
    for protocol in [1, 2] {
        let center_folder = Folder::new();
        let center = Server::start(&center_folder).await;
        let settings = settings_for(&center_folder, port_of(&center), protocol, "").await;
        let folder = sender_folder(&settings);
        folder.write(
            "rules/double.yml",
            "groups:\n- name: double\n  rules:\n  - record: orders:double\n    expr: orders * 2\n",
        );
        let server = Server::start(&folder).await;
        server.send("orders:21|c|#shop:north\ntook:250|ms\ntook:0|ms");
        let at = now();
        let rows = [("relayed", at - 5_000, 1.0), ("relayed", at, 2.0)];
        let answer = write(&server.http, Protocol::V1, body(Protocol::V1, &rows)).await;
        assert_eq!(answer.status, 204, "{}", answer.text);

        center.expect_value("orders{shop=\"north\"}", 21.0).await;
        center.expect_value("orders:double", 42.0).await;
        center.expect_value("count_over_time(relayed[1m])", 2.0).await;
        center.expect_value("histogram_count(took)", 2.0).await;
        let quantile = "histogram_quantile(0.9, took)";
        let expected = server.value(quantile).await;
        assert!(expected.is_some());
        assert_eq!(center.value(quantile).await, expected);
        // A monitor's samples and own metrics take the same way as these.
        eventually("own metrics arrive", async || {
            center.value("count(bellwether_flush_total)").await.map(|_| ()).ok_or_else(String::new)
        })
        .await;
        eventually("what is known of metrics arrives", async || {
            let metadata = center.http.get("/api/v1/metadata?metric=orders").await.ok();
            let kind = &metadata["data"]["orders"][0]["type"];
            if kind == "counter" { Ok(()) } else { Err(metadata.to_string()) }
        })
        .await;
        assert_eq!(server.own_metric("bellwether_remote_write_dropped_samples_total").await, 0.0);
    }
}

#[tokio::test]
async fn what_waits_for_an_endpoint_that_is_down_survives_a_restart() {
    let center_folder = Folder::new();
    let center = Server::start(&center_folder).await;
    let port = port_of(&center);
    let keep = "keep = ['{job=\"shop\"}']\n";
    let folder = sender_folder(&settings_for(&center_folder, port, 2, keep).await);
    center.kill_9().await;

    let server = Server::start(&folder).await;
    let at = now();
    for step in 0..3 {
        let rows = [("steps", at - 3_000 + step, step as f64)];
        write(&server.http, Protocol::V2, body(Protocol::V2, &rows)).await;
    }
    let waiting = "bellwether_remote_write_backlog_samples";
    // The server counts a request before it is on disk, so the file is asked.
    let buffer = db::Outgoing::open(&folder.path("data/outgoing.db")).await.unwrap();
    eventually("three samples wait on disk", async || {
        let backlogs = buffer.backlogs().await.unwrap();
        match backlogs.iter().map(|(_, backlog)| backlog.samples).sum() {
            3 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    buffer.close().await;
    assert_eq!(server.own_metric(waiting).await, 3.0);
    server.kill_9().await;
    let server = Server::start(&folder).await;
    assert_eq!(server.own_metric(waiting).await, 3.0);
    eventually("the failure is shown", async || {
        let status = server.http.get("/api/app/status").await.text;
        if status.contains("Samples cannot be sent to `center`") { Ok(()) } else { Err(status) }
    })
    .await;

    let listen = format!("127.0.0.1:{port}");
    let token = std::fs::read_to_string(center_folder.path("admin.token")).unwrap();
    let environment = [("BELLWETHER_HTTP__LISTEN", &*listen)];
    let center = Server::start_with(&center_folder, &environment, &token).await;
    center.expect_value("count_over_time(steps[1m])", 3.0).await;
    eventually("nothing waits", async || match server.own_metric(waiting).await {
        0.0 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert_eq!(server.own_metric("bellwether_remote_write_dropped_samples_total").await, 0.0);
    // Only what was asked for was sent.
    assert_eq!(center.value("count(bellwether_flush_total{instance=\"x\"})").await, None);
    assert_eq!(server.own_metric("bellwether_remote_write_sent_samples_total").await, 3.0);
}

#[tokio::test]
async fn a_full_buffer_drops_the_oldest_and_counts_them() {
    let endpoint = ScriptedEndpoint::start(Script::always(503)).await;
    let settings = format!(
        "url = {:?}\nname = \"slow\"\nkeep = ['{{job=\"shop\"}}']\nbuffer = \"1MiB\"\n\
         max_samples_per_send = 1000\n",
        endpoint.url
    );
    let folder = sender_folder(&settings);
    let server = Server::start(&folder).await;
    let (batches, rows_each) = (40_u64, 4_000_u64);
    let names: Vec<String> = (0..rows_each).map(|number| format!("m{number}")).collect();
    let at = now() - 60_000;
    let mut random = 1_u64;
    for batch in 0..batches {
        let rows: Vec<_> = names
            .iter()
            .map(|name| {
                // Values that do not pack.
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (&**name, at + batch as i64, random as f64 + 0.1)
            })
            .collect();
        let answer = write(&server.http, Protocol::V1, body(Protocol::V1, &rows)).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    let total = (batches * rows_each) as f64;
    let dropped =
        r#"bellwether_remote_write_dropped_samples_total{endpoint="slow",reason="buffer_full"}"#;
    let waiting = "bellwether_remote_write_backlog_samples";
    eventually("every sample waits or was dropped", async || {
        let sum = server.own_metric(dropped).await + server.own_metric(waiting).await;
        if sum == total { Ok(()) } else { Err(format!("{sum} of {total}")) }
    })
    .await;
    // What is new counts before the oldest goes for it.
    eventually("the buffer keeps its bound", async || {
        let bytes = server.own_metric("bellwether_remote_write_backlog_bytes").await;
        if bytes <= 1_048_576.0 { Ok(()) } else { Err(bytes.to_string()) }
    })
    .await;
    let left = server.own_metric(waiting).await;
    assert!(left > 0.0 && left < total / 2.0, "{left} of {total}");

    endpoint.answer(Script::always(204));
    eventually("the rest is sent", async || match server.own_metric(waiting).await {
        0.0 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    // The newest are there, in order, and as many as the books say.
    let taken = endpoint.taken();
    let times: Vec<i64> = taken.iter().map(|(_, at, _)| *at).collect();
    assert!(times.is_sorted());
    assert_eq!(times.last(), Some(&(at + batches as i64 - 1)));
    assert!(times[0] > at);
    assert_eq!(taken.len() as f64 + server.own_metric(dropped).await, total);
}

#[tokio::test]
async fn requests_are_repeated_in_order_and_what_is_refused_is_dropped() {
    // Twice a failure that may pass, then one success, one refusal for good, one success.
    let endpoint = ScriptedEndpoint::start(Script(vec![503, 429, 204, 400, 204])).await;
    let settings = format!(
        "url = {:?}\nname = \"picky\"\nkeep = ['{{job=\"shop\"}}']\nusername = \"ada\"\n\
         password = \"lace\"\nheaders = {{ X-Scope-OrgID = \"north\" }}\n",
        endpoint.url
    );
    let folder = sender_folder(&settings);
    let server = Server::start(&folder).await;
    for step in 1..=3 {
        let rows = [("steps", now(), f64::from(step))];
        write(&server.http, Protocol::V1, body(Protocol::V1, &rows)).await;
        let seen = "bellwether_remote_write_";
        eventually("the sample is queued or settled", async || {
            let backlog = server.own_metric(&format!("{seen}backlog_samples")).await;
            let sent = server.own_metric(&format!("{seen}sent_samples")).await;
            let dropped = server.own_metric(&format!("{seen}dropped_samples")).await;
            let sum = backlog + sent + dropped;
            if sum == f64::from(step) { Ok(()) } else { Err(sum.to_string()) }
        })
        .await;
    }
    eventually("the last one is taken", async || match endpoint.taken().len() {
        2 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    let values = |rows: Vec<endpoint::Taken>| rows.iter().map(|row| row.2).collect::<Vec<_>>();
    assert_eq!(values(endpoint.taken()), [1.0, 3.0]);
    assert_eq!(values(endpoint.asked()), [1.0, 1.0, 1.0, 2.0, 3.0]);
    let headers = endpoint.headers();
    assert_eq!(headers["authorization"], "Basic YWRhOmxhY2U=");
    assert_eq!(headers["x-scope-orgid"], "north");
    assert_eq!(headers["x-prometheus-remote-write-version"], "0.1.0");
    eventually("the books agree", async || {
        let rejected =
            r#"bellwether_remote_write_dropped_samples_total{endpoint="picky",reason="rejected"}"#;
        let found = (
            server.own_metric(rejected).await,
            server.own_metric("bellwether_remote_write_sent_samples_total").await,
            server.own_metric("bellwether_remote_write_retries_total").await,
        );
        if found == (1.0, 2.0, 2.0) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    server.logged("samples were refused and dropped").await;
}

#[tokio::test]
async fn a_metadata_address_is_never_asked() {
    let settings = "url = \"http://169.254.169.254/api/v1/write\"\nkeep = ['{job=\"shop\"}']\n";
    let folder = sender_folder(settings);
    let server = Server::start(&folder).await;
    write(&server.http, Protocol::V1, body(Protocol::V1, &[("m", now(), 1.0)])).await;
    eventually("the reason is shown", async || {
        let status = server.http.get("/api/app/status").await.text;
        if status.contains("is a link-local or metadata address") { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(server.own_metric("bellwether_remote_write_backlog_samples").await, 1.0);
}
