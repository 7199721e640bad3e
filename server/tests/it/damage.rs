//! Files that something else has written to: what can be served is served, the rest is named.

use std::{fs, path::Path};

use crate::support::{Folder, Server, remote_writer::now};

const STEP_MS: i64 = 5_000;
const SAMPLES: i64 = 1_500;
const SQLITE_PAGE_BYTES: usize = 4096;

/// A folder whose samples are in a block of several pages.
async fn sealed_folder() -> (Folder, i64) {
    folder_with(40, SAMPLES).await
}

/// A folder with a block of so many series and samples of each.
async fn folder_with(series: i64, samples: i64) -> (Folder, i64) {
    let folder = Folder::new();
    let start = (now() / 86_400_000 - 3) * 86_400_000;
    let mut lines = String::new();
    for series in 0..series {
        let times: Vec<i64> = (0..samples).map(|i| start + i * STEP_MS).collect();
        let values: Vec<f64> = (0..samples).map(|i| ((i * i + series) as f64).sin()).collect();
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

/// Where in a file blobs like this begin.
fn find(bytes: &[u8], magic: &[u8]) -> Vec<usize> {
    (0..bytes.len() - magic.len()).filter(|&at| bytes[at..].starts_with(magic)).collect()
}

/// Overwrites where the rest of a row lies, for all rows that go on in other pages and begin with a blob
/// like this.
///
/// Source: <https://www.sqlite.org/fileformat2.html#b_tree_pages>, a leaf of a table.
fn break_chain(path: &Path, magic: &[u8]) {
    const LEAF: u8 = 0x0d;
    const LARGEST: usize = SQLITE_PAGE_BYTES - 35;
    const SMALLEST: usize = (SQLITE_PAGE_BYTES - 12) * 32 / 255 - 23;
    let mut bytes = fs::read(path).unwrap();
    let mut broken = 0;
    for page in bytes.chunks_exact_mut(SQLITE_PAGE_BYTES).filter(|page| page[0] == LEAF) {
        let number = |page: &[u8], at| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
        for cell in 0..number(page, 3) {
            let start = number(page, 8 + 2 * cell);
            let (length, after) = varint(page, start);
            let (_, content) = varint(page, after);
            if length <= LARGEST {
                continue;
            }
            let here = SMALLEST + (length - SMALLEST) % (SQLITE_PAGE_BYTES - 4);
            let here = if here <= LARGEST { here } else { SMALLEST };
            let (content, next) = page[content..content + here + 4].split_at_mut(here);
            if content.windows(magic.len()).any(|part| part == magic) {
                next.copy_from_slice(&u32::MAX.to_be_bytes());
                broken += 1;
            }
        }
    }
    assert!(broken > 0, "no chain found");
    fs::write(path, bytes).unwrap();
}

/// A number of SQLite, below 2^56, and where the next one is.
fn varint(page: &[u8], mut at: usize) -> (usize, usize) {
    let mut value = 0;
    loop {
        let byte = page[at];
        at += 1;
        value = value << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return (value, at);
        }
    }
}

#[tokio::test]
async fn a_damaged_index_costs_its_block_and_every_query_of_its_time_says_so() {
    for (name, is_chain) in [("its bytes", false), ("the chain of SQLite's pages", true)] {
        // The index is larger than a page of SQLite.
        let (folder, start) = folder_with(600, 20).await;
        let path = folder.path("data/samples.db");
        if is_chain {
            break_chain(&path, b"BWI\0");
        } else {
            let mut bytes = fs::read(&path).unwrap();
            let at = find(&bytes, b"BWI\0")[0];
            bytes[at + 60] ^= 0xff;
            fs::write(&path, bytes).unwrap();
        }
        let checked = folder.run(&["check", "--data", "data"]).await;
        assert_eq!(checked.status.code(), Some(1), "{name}: {checked:?}");
        let text = String::from_utf8(checked.stderr).unwrap();
        assert!(text.contains("All samples of the block between"), "{name}: {text}");

        let server = Server::start(&folder).await;
        server.logged("a block cannot be read and was left out").await;
        server.send("fresh:1|g");
        server.flushed().await;
        for (time, is_touched) in [(start / 1000 + 60, true), (now() / 1000, false)] {
            let query = format!("/api/v1/query?query=wave_00&time={time}");
            let answer = server.http.get(&query).await.ok();
            let warnings = answer["warnings"].to_string();
            let is_warned = warnings.contains("the index of block") && warnings.contains("damaged");
            assert_eq!(is_warned, is_touched, "{name}: {answer}");
        }
        server.expect_value("fresh", 1.0).await;
        assert!(server.own_metric("bellwether_store_damaged_total").await >= 1.0, "{name}");
        let status = server.http.get("/api/app/status").await.text;
        assert!(status.contains("1 indexes of samples are damaged"), "{name}: {status}");
        // It goes on over a seal and a restart.
        let (status, log) = server.terminate().await;
        assert!(status.success(), "{name}: {log}");
        let server = Server::start(&folder).await;
        server.expect_value("fresh", 1.0).await;
    }
}

#[tokio::test]
async fn a_flush_that_sqlite_cannot_read_costs_itself_and_what_builds_on_it() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    // Each is larger than a page of SQLite, so that it goes on in others.
    for round in 0..3 {
        for part in 0..20 {
            let lines: Vec<String> = (0..40)
                .map(|i: u64| {
                    // Nothing of the one is in the other, so that it cannot be packed.
                    let value =
                        (round * 1_000 + part * 40 + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    format!("m_{round}_{part}_{i}:{}.{i}|g|#label:{value:x}", round * 7)
                })
                .collect();
            server.send(lines.join("\n"));
        }
        server.flushed().await;
    }
    server.expect_value("count({__name__=~\"m_.*\"})", 2400.0).await;
    server.kill_9().await;
    let path = folder.path("data/samples.db");
    // The log beside the file holds it all; a look at it puts it into the file.
    assert!(
        folder
            .run(&["import", "/dev/null", "--config", "bellwether.toml"])
            .await
            .status
            .code()
            .is_some()
    );
    break_chain(&path, b"BWF\0");
    let server = Server::start(&folder).await;
    server.logged("a flush cannot be read and was left out").await;
    server.send("fresh:1|g");
    server.expect_value("fresh", 1.0).await;
    assert!(server.own_metric("bellwether_store_damaged_total").await >= 1.0);
    server.kill_9().await;
    let server = Server::start(&folder).await;
    server.expect_value("fresh", 1.0).await;
}

#[tokio::test]
async fn a_file_that_sqlite_cannot_read_at_all_stops_the_start_with_the_remedies() {
    let (folder, _) = sealed_folder().await;
    let path = folder.path("data/samples.db");
    for (name, range) in [("the header", 0..64), ("the schema", 100..1_200)] {
        let sound = fs::read(&path).unwrap();
        let mut bytes = sound.clone();
        bytes[range].fill(0xaa);
        fs::write(&path, bytes).unwrap();
        let output = folder.run(&["serve", "--config", "bellwether.toml"]).await;
        assert!(!output.status.success(), "{name}");
        let text = String::from_utf8(output.stderr).unwrap();
        for expected in ["samples.db", "bellwether restore", "bellwether check --data", ".recover"]
        {
            assert!(text.contains(expected), "{name}: no {expected} in {text}");
        }
        fs::write(&path, sound).unwrap();
    }
}
