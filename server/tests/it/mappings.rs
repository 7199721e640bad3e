//! Mapping files: checked with lines from a file or a pipe, and read again while running.

use std::process::{Output, Stdio};

use insta::assert_snapshot;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::support::{Folder, Server, eventually};

const FIRST: &str = "mappings:
  - match: 'api.*.time'
    name: api_time
    labels: {path: $1}
  - match: 'debug.*'
    action: drop
";
const LINES: &str = "api.users.time:5|ms|#env:dev\norders:1|c\ndebug.x:1|c\n";

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs the program with lines on its standard input.
async fn piped(folder: &Folder, args: &[&str], lines: &str) -> Output {
    let mut command = folder.bellwether(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).await.unwrap();
    child.wait_with_output().await.unwrap()
}

#[tokio::test]
async fn check_tells_what_lines_become_and_fails_when_one_is_refused() {
    let folder = Folder::new();
    folder.write("a.yml", FIRST);
    folder.write("lines.txt", LINES);
    let fine = folder.run(&["check", "a.yml", "--sample", "lines.txt"]).await;
    assert_eq!(fine.status.code(), Some(0), "{fine:?}");
    assert_snapshot!(text(&fine.stdout), @r#"
    1: api.users.time:5|ms|#env:dev
        api_time{env="dev", path="users"} timer in milliseconds, a.yml:2
    2: orders:1|c
        orders counter, no rule
    3: debug.x:1|c
        dropped, a.yml:5
    3 lines: 1 mapped, 1 without a rule, 1 dropped, 0 refused
    1 files checked, 0 errors, 0 warnings
    "#);

    let refused = piped(&folder, &["check", "a.yml", "--sample", "-"], "bad:x|c\n").await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused.stdout).contains("refused, bad_value"), "{refused:?}");

    let missing = folder.run(&["check", "a.yml", "--sample", "none.txt"]).await;
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
}

#[tokio::test]
async fn check_as_json_holds_everything_for_a_program() {
    let folder = Folder::new();
    folder.write("a.yml", FIRST);
    let args = ["check", "a.yml", "rules", "--json", "--sample", "-"];
    let output = piped(&folder, &args, &format!("{LINES}bad:x|c\n")).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["files"], &report["errors"]), (&1.into(), &serde_json::json!([])));
    let outcomes: Vec<&str> = report["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["mapped", "no_rule", "dropped", "refused"]);
    assert_eq!(
        report["lines"][0]["series"][0],
        serde_json::json!({
            "name": "api_time", "labels": {"env": "dev", "path": "users"}, "type": "timer",
            "unit": "milliseconds", "scale": 1.0, "rule": "a.yml:2",
        })
    );
    assert_eq!(report["lines"][2]["rule"], "a.yml:5");
    assert_eq!(report["lines"][3]["reason"], "bad_value");
}

#[tokio::test]
async fn the_configuration_says_which_mapping_files_a_sample_meets() {
    let folder = Folder::new();
    folder.write("a.yml", FIRST);
    folder.write("b.yml", "mappings:\n  - {match: 'api.*.*', name: api_other}\n");
    folder.write("bellwether.toml", "[statsd]\nmappings = [\"b.yml\"]\n");
    let args = ["check", "bellwether.toml", "a.yml", "--sample", "-"];
    let output = piped(&folder, &args, "api.users.time:5|ms\n").await;
    assert!(
        text(&output.stdout).contains("api_other timer in milliseconds, b.yml:2"),
        "{output:?}"
    );

    folder.write(
        "b.yml",
        "mappings:\n  - {match: 'api..x', name: api_other}\n  - {match: b, nmae: c}\n",
    );
    let output = piped(&folder, &args, "api.users.time:5|ms\n").await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("bellwether: b.yml:3:"), "{output:?}");
}

#[tokio::test]
async fn a_reload_maps_the_next_lines_by_the_new_rules_and_loses_none() {
    let folder = Folder::new();
    let rule = |name: &str| {
        format!("mappings:\n  - {{match: 'shop.*.orders', name: {name}, labels: {{shop: $1}}}}\n")
    };
    folder.write("mappings.yml", &rule("orders_old"));
    folder.write("own.yml", &rule("own_old"));
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    let settings = settings.replace("[statsd]", "[statsd]\nmappings = \"mappings.yml\"")
        + "[[statsd.listener]]\naddress = \"unixgram://own.sock\"\nmappings = [\"own.yml\"]\n";
    folder.write("bellwether.toml", &settings);
    let server = Server::start(&folder).await;
    let own = std::os::unix::net::UnixDatagram::unbound().unwrap();
    let send = |times: usize| {
        for _ in 0..times {
            server.send("shop.oslo.orders:1|c\nshop.oslo.plain:1|c");
            own.send_to(b"shop.rome.orders:1|c", folder.path("own.sock")).unwrap();
        }
    };
    send(5);
    server.expect_value("orders_old{shop=\"oslo\"}", 5.0).await;
    server.expect_value("own_old{shop=\"rome\"}", 5.0).await;

    // A mistake in one file changes neither.
    folder.write("mappings.yml", &rule("orders_new"));
    folder.write("own.yml", "mappings:\n  - {match: 'shop.*.orders', nam: own_new}\n");
    let answer = server.http.post("/-/reload").await;
    assert_eq!(answer.status, 400);
    let message = folder.without_path(answer.json()["message"].as_str().unwrap());
    assert!(message.starts_with("own.yml:2:"), "{message}");
    send(2);
    server.expect_value("orders_old{shop=\"oslo\"}", 7.0).await;
    server.expect_value("own_old{shop=\"rome\"}", 7.0).await;

    // Lines on both sides of the reload: each is counted under one of the names.
    folder.write("own.yml", &rule("own_new"));
    send(3);
    assert_eq!(server.http.post("/-/reload").await.status, 200);
    send(4);
    server.expect_value("sum({__name__=~\"orders_.*\"})", 14.0).await;
    server.expect_value("sum({__name__=~\"own_.*\"})", 14.0).await;
    let new = server.value("orders_new{shop=\"oslo\"}").await.unwrap();
    assert!((4.0..=7.0).contains(&new), "{new}");
    let new = server.value("own_new{shop=\"rome\"}").await.unwrap();
    assert!((4.0..=7.0).contains(&new), "{new}");
    server.expect_value("shop_oslo_plain", 14.0).await;

    // The same by a signal, and a file that is gone is a mistake too.
    folder.write("mappings.yml", "mappings:\n  - {match: 'shop.*.orders', action: drop}\n");
    server.signal("HUP").await;
    eventually("the new rules are in use", async || {
        let times = server.log().matches("new mapping rules are in use").count();
        // Two at the reload before, and only the file that changed now.
        if times == 3 { Ok(()) } else { Err(format!("{times} times")) }
    })
    .await;
    send(1);
    server.expect_value("shop_oslo_plain", 15.0).await;
    assert_eq!(server.value("sum({__name__=~\"orders_.*\"})").await, Some(14.0));
    let metric = "bellwether_ingest_rejected_lines_total{reason=\"mapping_drop\"}";
    assert_eq!(server.own_metric(metric).await, 1.0);
    std::fs::remove_file(folder.path("own.yml")).unwrap();
    assert_eq!(server.http.post("/-/reload").await.status, 400);
}
