//! Files that something else has written to: what can be served is served, the rest is named.

use std::{fs, path::Path};

use crate::support::{Folder, Server, remote_writer::now};

const STEP_MS: i64 = 5_000;
const SAMPLES: i64 = 1_500;

/// A folder whose samples are in a block of several pages.
async fn sealed_folder() -> (Folder, i64) {
    let folder = Folder::new();
    let start = (now() / 86_400_000 - 3) * 86_400_000;
    let mut lines = String::new();
    for series in 0..40 {
        let times: Vec<i64> = (0..SAMPLES).map(|i| start + i * STEP_MS).collect();
        let values: Vec<f64> = (0..SAMPLES).map(|i| ((i * i + series) as f64).sin()).collect();
        lines += &format!(
            "{{\"metric\":{{\"__name__\":\"wave_{series:02}\"}},\"values\":{values:?},\"timestamps\":{times:?}}}\n"
        );
    }
    folder.write("lines", &lines);
    let output = folder.run(&["import", "lines", "--config", "bellwether.toml"]).await;
    assert!(output.status.success(), "{output:?}");
    (folder, start)
}

/// Flips bits in the middle of one stored page.
fn damage_page(path: &Path) -> u64 {
    let mut bytes = fs::read(path).unwrap();
    let mut at = bytes.windows(4).enumerate().filter(|(_, w)| *w == b"BWP\0").map(|(at, _)| at);
    let page = at.nth(1).expect("the file holds pages of samples");
    for byte in &mut bytes[page + 600..page + 604] {
        *byte ^= 0xff;
    }
    fs::write(path, bytes).unwrap();
    page as u64
}

#[tokio::test]
async fn a_damaged_page_is_left_out_counted_and_named_and_the_rest_is_served() {
    let (folder, start) = sealed_folder().await;
    let sealed = folder.run(&["check", "--data", "data", "--json"]).await;
    assert!(sealed.status.success(), "{sealed:?}");
    let report: serde_json::Value = serde_json::from_slice(&sealed.stdout).unwrap();
    assert!(report["samples"]["pages"].as_u64().unwrap() > 2, "{report}");
    damage_page(&folder.path("data/samples.db"));

    let checked = folder.run(&["check", "--data", "data"]).await;
    assert_eq!(checked.status.code(), Some(1));
    let told = String::from_utf8(checked.stderr).unwrap();
    assert!(
        told.contains("samples.db: page ") && told.contains("the checksum does not match"),
        "{told}"
    );
    assert!(told.contains("restore a backup"), "{told}");

    let server = Server::start(&folder).await;
    let end = start + SAMPLES * STEP_MS;
    let query = |expr: &str| {
        format!(
            "/api/v1/query_range?query={expr}&start={}&end={}&step=60",
            start / 1000,
            end / 1000
        )
    };
    let answer = server.http.get(&query("count_over_time({__name__=~\"wave_.*\"}[1m])")).await.ok();
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("is damaged; the samples in it are left out"), "{answer}");
    let series = answer["data"]["result"].as_array().unwrap().len();
    assert!(series >= 30, "{series} of 40 series are served");
    assert!(server.own_metric("bellwether_store_damaged_total").await >= 1.0);
    let logged = server.logged("a page cannot be read").await;
    assert!(logged.contains("left out of answers"), "{logged}");
    // A query that does not need the page has nothing to be warned of.
    server.send("fresh:1|g");
    server.flushed().await;
    let fresh = server.http.get("/api/v1/query?query=fresh").await.ok();
    assert!(fresh.get("warnings").is_none(), "{fresh}");
}
