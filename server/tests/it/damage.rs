//! Files that something else has written to: what can be served is served, the rest is named.

use std::{fs, path::Path};

use crate::support::{Folder, Server, remote_writer::now};

const STEP_MS: i64 = 5_000;
const SAMPLES: i64 = 1_500;
const SQLITE_PAGE_BYTES: usize = 4096;

/// A folder whose samples are in a block of several pages.
async fn sealed_folder() -> (Folder, i64) {
    let folder = Folder::new();
    let start = (now() / 86_400_000 - 3) * 86_400_000;
    let mut lines = String::new();
    for series in 0..40 {
        let times: Vec<i64> = (0..SAMPLES).map(|i| start + i * STEP_MS).collect();
        let values: Vec<f64> = (0..SAMPLES).map(|i| ((i * i + series) as f64).sin()).collect();
        let line = format!(
            "{{\"metric\":{{\"__name__\":\"wave_{series:02}\"}},\"values\":{values:?},\"timestamps\":{times:?}}}\n"
        );
        lines.push_str(&line);
    }
    folder.write("lines", &lines);
    let output = folder.run(&["import", "lines", "--config", "bellwether.toml"]).await;
    assert!(output.status.success(), "{output:?}");
    (folder, start)
}

/// Flips bits in the middle of a file, at a place within one of SQLite's pages. There the blobs of samples
/// lie, each a chain of such pages whose first bytes name the next.
fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let page = bytes.len() / 2 / SQLITE_PAGE_BYTES * SQLITE_PAGE_BYTES;
    for byte in &mut bytes[page + at..page + at + 4] {
        *byte ^= 0xff;
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_page_is_left_out_counted_and_named_and_the_rest_is_served() {
    for (name, at, told) in [
        ("samples", 600, "the checksum does not match"),
        ("the chain of SQLite's pages", 0, "bring back a backup"),
    ] {
        let (folder, start) = sealed_folder().await;
        let checked = folder.run(&["check", "--data", "data", "--json"]).await;
        assert!(checked.status.success(), "{checked:?}");
        let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert!(report["samples"]["pages"].as_u64().unwrap() > 2, "{report}");
        damage(&folder.path("data/samples.db"), at);

        let checked = folder.run(&["check", "--data", "data"]).await;
        assert_eq!(checked.status.code(), Some(1), "{name}: {checked:?}");
        let text = String::from_utf8(checked.stderr).unwrap();
        assert!(text.contains("samples.db: page ") && text.contains(told), "{name}: {text}");
        assert!(text.contains("To have them again, restore a backup"), "{name}: {text}");
        expect_the_rest(&folder, start, name).await;
    }
}

async fn expect_the_rest(folder: &Folder, start: i64, name: &str) {
    let server = Server::start(folder).await;
    let end = start + SAMPLES * STEP_MS;
    let answer = server
        .http
        .get(&format!(
            "/api/v1/query_range?query=last_over_time({{__name__=~\"wave_.*\"}}[1m])&start={}&end={}\
             &step=60",
            start / 1000,
            end / 1000
        ))
        .await
        .ok();
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("is damaged; the samples in it are left out"), "{name}: {answer}");
    let series = answer["data"]["result"].as_array().unwrap().len();
    assert!((20..=40).contains(&series), "{name}: {series} of 40 series are served");
    assert!(server.own_metric("bellwether_store_damaged_total").await >= 1.0, "{name}");
    let logged = server.logged("a page cannot be read").await;
    assert!(logged.contains("left out of answers"), "{name}: {logged}");
    // A query that does not need the page has nothing to be warned of.
    server.send("fresh:1|g");
    server.flushed().await;
    let fresh = server.http.get("/api/v1/query?query=fresh").await.ok();
    assert!(fresh.get("warnings").is_none(), "{name}: {fresh}");
}
