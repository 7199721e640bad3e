//! History from elsewhere: offline by `bellwether import`, and through a server that runs.

use std::{io::Write as _, path::PathBuf};

use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, Folder, Server, http, remote_writer::now};

/// The moment at which the recorded history begins, in seconds.
const START: i64 = 1_795_000_000;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

/// A folder whose store keeps the recorded history, whenever this runs.
fn folder() -> Folder {
    let folder = Folder::new();
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    folder.write("bellwether.toml", &(settings + "[store]\nretention = \"36500d\"\n"));
    folder
}

async fn import(folder: &Folder, sources: &[&str]) -> (Option<i32>, Value) {
    let mut args = vec!["import", "--json", "--config", "bellwether.toml"];
    args.extend(sources);
    let output = folder.run(&args).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let outcome = serde_json::from_slice(&output.stdout);
    (output.status.code(), outcome.unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// Everything that was recorded, as the server answers it.
async fn recorded(server: &Server) -> String {
    let end = START + 40_000;
    let query = "{__name__=~\"shop_.*|depth_.*|odd\"}[12h]";
    let answer = server.http.get(&format!("/api/v1/query?query={query}&time={end}")).await;
    assert!(answer.text.contains("depth_metres"), "{}", answer.text);
    answer.ok()["data"].to_string()
}

#[tokio::test]
async fn blocks_of_prometheus_and_the_text_they_were_made_of_are_the_same_history() {
    let (from_text, from_blocks) = (folder(), folder());
    let text = fixture("history.om");
    let blocks = fixture("prometheus-blocks");
    let (code, outcome) = import(&from_text, &[text.to_str().unwrap()]).await;
    assert_eq!((code, &outcome["added"]), (Some(0), &374.into()), "{outcome}");
    let (code, outcome) = import(&from_blocks, &[blocks.to_str().unwrap()]).await;
    assert_eq!((code, &outcome["added"]), (Some(0), &374.into()), "{outcome}");

    let (a, b) = (Server::start(&from_text).await, Server::start(&from_blocks).await);
    let expected = recorded(&a).await;
    assert_eq!(recorded(&b).await, expected);
    let metadata = a.http.get("/api/v1/metadata").await.ok()["data"].take();
    assert_eq!(metadata["shop_orders_total"][0]["type"], "counter", "{metadata}");
    // Nobody imports into a folder that a server uses.
    let output = from_text.run(&["import", "--data", "data", text.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is in use by process"));
    a.kill_9().await;
    b.kill_9().await;

    // Again, and the other way round: all of it is there.
    for (folder, source) in [(&from_text, &text), (&from_text, &blocks), (&from_blocks, &text)] {
        let (code, outcome) = import(folder, &[source.to_str().unwrap()]).await;
        let counts = (&outcome["added"], &outcome["present"]);
        assert_eq!((code, counts), (Some(0), (&0.into(), &374.into())), "{outcome}");
        let server = Server::start(folder).await;
        assert_eq!(recorded(&server).await, expected);
        server.kill_9().await;
    }
    let checked = from_blocks.run(&["check", "--data", "data"]).await;
    assert!(checked.status.success(), "{checked:?}");
}

/// Copies the blocks into the folder, for a test to change them.
fn copy_blocks(folder: &Folder) {
    for block in std::fs::read_dir(fixture("prometheus-blocks")).unwrap().flatten() {
        let target = folder.path("blocks").join(block.file_name());
        std::fs::create_dir_all(target.join("chunks")).unwrap();
        for file in ["meta.json", "index", "chunks/000001"] {
            std::fs::copy(block.path().join(file), target.join(file)).unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_deleted_from_a_block_of_prometheus_stays_deleted() {
    let folder = folder();
    copy_blocks(&folder);
    // Written by Prometheus 2.42 when it was asked to delete nineteen samples of one series and all of
    // another one; it then answered with these counts.
    let tombstones = folder.path("blocks/01M7ZBHNJC92N1DM0B9EFV4Z25/tombstones");
    let bytes = std::fs::read(fixture("prometheus-tombstones")).unwrap();
    std::fs::write(&tombstones, &bytes).unwrap();
    let (code, outcome) = import(&folder, &["blocks"]).await;
    assert_eq!((code, &outcome["added"]), (Some(0), &331.into()), "{outcome}");
    let server = Server::start(&folder).await;
    let query = "count_over_time({__name__=~\"shop_.*|depth_.*|odd\"}[12h])";
    let answer =
        server.http.get(&format!("/api/v1/query?query={query}&time={}", START + 40_000)).await.ok();
    let found = answer["data"]["result"].as_array().unwrap();
    let mut counts: Vec<_> =
        found.iter().map(|series| (&series["metric"]["job"], &series["value"][1])).collect();
    counts.sort_by_key(|(job, _)| job.to_string());
    assert_eq!(counts, [(&"sea".into(), &"150".into()), (&"shop".into(), &"181".into())]);
    server.kill_9().await;

    let mut damaged = bytes;
    damaged[10] ^= 1;
    std::fs::write(&tombstones, damaged).unwrap();
    let (code, outcome) = import(&folder, &["blocks"]).await;
    assert_eq!((code, &outcome["refused"], &outcome["added"]), (Some(1), &1.into(), &43.into()));
    let told = outcome["errors"][0].as_str().unwrap();
    assert!(told.contains("checksum") && told.contains("is imported all the same"), "{told}");
}

#[tokio::test]
async fn a_damaged_block_of_prometheus_is_told_and_what_is_sound_is_taken() {
    let folder = folder();
    copy_blocks(&folder);
    let first = std::fs::read_dir(folder.path("blocks")).unwrap().flatten().next().unwrap().path();
    let chunks = first.join("chunks/000001");
    let mut bytes = std::fs::read(&chunks).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&chunks, bytes).unwrap();
    let (code, outcome) = import(&folder, &["blocks"]).await;
    assert_eq!((code, &outcome["refused"]), (Some(1), &1.into()), "{outcome}");
    let told = outcome["errors"][0].as_str().unwrap();
    assert!(told.contains("series ") && told.contains("checksum"), "{told}");
    assert!(outcome["added"].as_u64().unwrap() > 200, "{outcome}");

    std::fs::write(first.join("index"), "no index").unwrap();
    let output = folder.run(&["import", "--config", "bellwether.toml", "blocks"]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("it is not an index of Prometheus"), "{told}");
}

async fn post(server: &Server, body: Vec<u8>, encoding: Option<&str>) -> Answer {
    let mut request = server.http.request(Method::POST, "/api/v1/import").body(body);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    http::send(request).await
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A line with an hour of a series that ends three days ago.
fn line(name: &str, end: i64) -> String {
    let times: Vec<i64> = (0..360).map(|i| end - 3_600_000 + i * 10_000).collect();
    let values: Vec<i64> = (0..360).collect();
    format!(
        "{{\"metric\":{{\"__name__\":\"{name}\"}},\"values\":{values:?},\"timestamps\":{times:?}}}\n"
    )
}

#[tokio::test]
async fn lines_are_taken_by_a_running_server_and_survive_kill_9_once_they_are_answered() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let end = now() - 3 * 86_400_000;
    for _ in 0..2 {
        let answer = post(&server, line("plain", end).into_bytes(), None).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        let answer = post(&server, packed(&line("packed", end)), Some("gzip")).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    }
    let count = |name: &str| format!("count_over_time({name}[2h] @ {})", end / 1000);
    assert_eq!(server.value(&count("plain")).await, Some(360.0));

    let mixed = format!("{}nonsense\n\n{{}}\n", line("mixed", end));
    let answer = post(&server, mixed.into_bytes(), None).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text.contains("line 2: ") && answer.text.contains("line 4: "),
        "{}",
        answer.text
    );
    assert!(answer.text.contains("360 added"), "{}", answer.text);
    let answer = post(&server, b"\x1f\x8bnonsense".to_vec(), Some("gzip")).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(post(&server, Vec::new(), Some("br")).await.status, 415);
    let reader = folder.token("reader", "viewer").await;
    let request = server.http.with_token(&reader).request(Method::POST, "/api/v1/import");
    assert_eq!(http::send(request.body("")).await.status, 403);

    server.kill_9().await;
    let server = Server::start(&folder).await;
    for name in ["plain", "packed", "mixed"] {
        assert_eq!(server.value(&count(name)).await, Some(360.0), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_line_and_the_rest_is_imported() {
    let folder = folder();
    folder.write(
        "bad.om",
        "# TYPE a counter\na_total 1 1795000000\na_total x 1795000001\na_total 3\n# EOF\nafter 1 1\n",
    );
    let (code, outcome) = import(&folder, &["bad.om"]).await;
    assert_eq!((code, &outcome["added"], &outcome["refused"]), (Some(1), &1.into(), &2.into()));
    assert_eq!(outcome["errors"][0], "line 3: `x` is not a number");
    let packed = packed(&line("a", START * 1000));
    std::fs::write(folder.path("lines.gz"), packed).unwrap();
    let (code, outcome) = import(&folder, &["lines.gz"]).await;
    assert_eq!((code, &outcome["added"]), (Some(0), &360.into()), "{outcome}");
    for (args, told) in [
        (["import", "nowhere"], "nowhere: there is no such file or folder"),
        (["import", "rules"], "there are no blocks of Prometheus in it"),
    ] {
        let output = folder.run(&args).await;
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(told), "{stderr}");
    }
}

/// Everything in it, as numbers: times, counts, sums, buckets.
fn numbers(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| numbers(value, out)),
        Value::Object(fields) => fields.iter().for_each(|(_, value)| numbers(value, out)),
        Value::Number(number) => out.push(number.as_f64().unwrap()),
        Value::String(text) => out.push(text.parse().unwrap()),
        _ => {}
    }
}

/// The blocks were written by Prometheus 2.42 with `--enable-feature=native-histograms`, which got the
/// histograms by remote write: whole numbers with buckets that come later, a counter that restarts and a
/// series that ends for a while, and numbers of any kind. The answer beside them is Prometheus's own.
#[tokio::test]
async fn native_histograms_of_prometheus_are_imported_as_prometheus_answers_them() {
    let folder = folder();
    let blocks = fixture("prometheus-histograms");
    let expected = std::fs::read_to_string(blocks.join("expected.json")).unwrap();
    let expected: Vec<Value> = serde_json::from_str(&expected).unwrap();
    let (code, outcome) = import(&folder, &[blocks.to_str().unwrap()]).await;
    // The end of a series is a sample too.
    assert_eq!((code, &outcome["added"]), (Some(0), &290.into()), "{outcome}");
    let (code, outcome) = import(&folder, &[blocks.to_str().unwrap()]).await;
    assert_eq!((code, &outcome["present"]), (Some(0), &290.into()), "{outcome}");
    assert_eq!(outcome["added"], 0, "{outcome}");

    let server = Server::start(&folder).await;
    let end = expected[0]["histograms"][0][0].as_i64().unwrap() + 3_600;
    let query = format!("/api/v1/query?query={{__name__=~\"took.*\"}}[2h]&time={end}");
    let answer = server.http.get(&query).await.ok();
    let found = answer["data"]["result"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found["metric"], expected["metric"]);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        numbers(&found["histograms"], &mut left);
        numbers(&expected["histograms"], &mut right);
        assert_eq!(left.len(), right.len(), "{}", found["metric"]);
        let is_close = |(a, b): (&f64, &f64)| (a - b).abs() <= b.abs() * 1e-12;
        let different = left.iter().zip(&right).position(|pair| !is_close(pair));
        assert_eq!(different, None, "{}", found["metric"]);
    }
}
