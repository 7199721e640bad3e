//! The whole server on a PostgreSQL database.

use reqwest::Method;
use serde_json::json;

use crate::{
    durability::{RULE, expect_deliveries},
    support::{
        Folder, Server, eventually, http, postgres::Postgres, remote_writer::now, webhook::Webhook,
    },
};

/// Has everything kept in the database; `more` are further settings of the section.
pub(crate) fn keep_in(folder: &Folder, postgres: &Postgres, url: &str, more: &str) {
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    let password_file = postgres.password_file().display().to_string();
    let store = format!(
        "[store]\nengine = \"postgres\"\nurl = {url:?}\npassword_file = {password_file:?}\n\
         lease = \"3s\"\n{more}"
    );
    folder.write("bellwether.toml", &(settings + &store));
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart_and_alerts_are_told_once() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let folder = Folder::new();
    folder.write("rules/shop.yml", RULE);
    folder.notify(&hook);
    keep_in(&folder, &postgres, &postgres.url(), "");
    let server = Server::start(&folder).await;
    server.send("depth:50|g\njobs:3|c\nwork:7|ms");
    server.expect_value("jobs", 3.0).await;
    hook.expect("firing").await;
    expect_deliveries(&server, &[r#""firing" "sent""#]).await;
    let event = json!({"title": "Deployed", "text": "version 2"});
    let answer = server.http.post_json("/api/app/events", &event).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    server.kill_9().await;

    let server = Server::start(&folder).await;
    assert_eq!(server.value("jobs").await, Some(3.0));
    server.send("depth:50|g\njobs:4|c\nwork:7|ms");
    server.expect_value("jobs", 7.0).await;
    assert_eq!(server.value("resets(jobs[1h])").await, Some(0.0));
    assert_eq!(server.value("histogram_sum(work)").await, Some(14.0));
    let events = server.http.get("/api/app/events").await;
    assert!(events.text.contains("version 2"), "{}", events.text);
    server.send("depth:5|g");
    hook.expect("resolved").await;
    expect_deliveries(&server, &[r#""firing" "sent""#, r#""resolved" "sent""#]).await;
    assert_eq!(hook.hooks().len(), 2, "{:?}", hook.hooks());
    let (status, log) = server.terminate().await;
    assert!(status.success(), "{log}");
    assert!(!log.contains("only for tests"), "{log}");
    for name in ["samples.db", "bellwether.db"] {
        assert!(!folder.path("data").join(name).exists(), "{name}");
    }
}

/// Waits until the server says that samples cannot be written, or says it no more.
pub(crate) async fn expect_problem(server: &Server, is_there: bool) {
    eventually("what the server says of itself", async || {
        let status = server.http.get("/api/app/status").await.ok();
        let problems = status["problems"].to_string();
        if problems.contains("Check the database") == is_there { Ok(()) } else { Err(problems) }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_gone_for_a_while_costs_no_sample() {
    let mut postgres = Postgres::start().await;
    let folder = Folder::new();
    keep_in(&folder, &postgres, &postgres.url(), "");
    let server = Server::start(&folder).await;
    server.send("jobs:1|c");
    server.expect_value("jobs", 1.0).await;
    postgres.kill().await;
    server.send("jobs:10|c");
    server.expect_value("jobs", 11.0).await;
    expect_problem(&server, true).await;
    postgres.resume().await;
    expect_problem(&server, false).await;
    server.kill_9().await;
    let server = Server::start(&folder).await;
    server.expect_value("jobs", 11.0).await;
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_ends_the_start_with_a_reason() {
    let folder = Folder::new();
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    let url = "postgres://ann:hidden@127.0.0.1:1/shop";
    let store = format!("[store]\nengine = \"postgres\"\nurl = {url:?}\n");
    folder.write("bellwether.toml", &(settings + &store));
    let output = folder.run(&["serve", "--config", "bellwether.toml"]).await;
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(words.contains("cannot connect to the database shop at 127.0.0.1:1"), "{words}");
    assert!(!words.contains("hidden"), "{words}");
}

#[tokio::test]
async fn what_pg_dump_copies_while_the_server_runs_answers_the_same_after_pg_restore() {
    let postgres = Postgres::start().await;
    let folder = Folder::new();
    let url = postgres.create_database("shop").await;
    keep_in(&folder, &postgres, &url, "");
    let server = Server::start(&folder).await;
    // Samples in blocks and their pages, flushes that are not in a block yet, and what is stored beside.
    let start = (now() / 86_400_000 - 3) * 86_400_000;
    let times: Vec<i64> = (0..5_000).map(|i| start + i * 10_000).collect();
    let values: Vec<f64> = (0..5_000).map(|i| f64::from(i * i % 7_919).sin()).collect();
    let lines = format!(
        "{{\"metric\":{{\"__name__\":\"old\"}},\"values\":{values:?},\"timestamps\":{times:?}}}\n"
    );
    let posted = http::send(server.http.request(Method::POST, "/api/v1/import").body(lines)).await;
    assert_eq!(posted.status, 204, "{}", posted.text);
    server.send("jobs:3|c\nwork:7|ms");
    server.expect_value("jobs", 3.0).await;
    let event = json!({"title": "Deployed", "text": "version 2"});
    assert_eq!(server.http.post_json("/api/app/events", &event).await.status, 201);
    let at = now() / 1000;
    let answers = async |server: &Server| -> Vec<String> {
        let mut all = Vec::new();
        for query in ["old[4d]", "sum_over_time(old[4d])", "histogram_sum(work)", "jobs"] {
            let answer = server.http.get(&format!("/api/v1/query?query={query}&time={at}")).await;
            all.push(answer.ok()["data"].to_string());
        }
        all.push(server.http.get("/api/app/events").await.ok()["events"].to_string());
        all
    };
    let expected = answers(&server).await;
    assert!(expected[0].matches(',').count() > 5_000, "{}", expected[0].len());

    let dump = tempfile::NamedTempFile::new().unwrap();
    let mut command = postgres.tool("pg_dump");
    command.args(["--format=custom", "shop"]);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(dump.path(), &output.stdout).unwrap();
    // What comes after the dump is not in it.
    server.send("jobs:4|c\nlater:1|g");
    server.expect_value("jobs", 7.0).await;
    server.terminate().await;

    postgres.ask("postgres", "drop database shop").await;
    postgres.create_database("shop").await;
    let mut command = postgres.tool("pg_restore");
    command.args(["--exit-on-error", "--dbname=shop"]).stdin(dump.reopen().unwrap());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let server = Server::start(&folder).await;
    assert_eq!(answers(&server).await, expected);
    assert_eq!(server.value("later").await, None);
    server.send("jobs:1|c");
    server.expect_value("jobs", 4.0).await;
    assert_eq!(server.value("resets(jobs[1h])").await, Some(0.0));
}

#[tokio::test]
async fn what_is_for_files_only_is_refused_with_what_to_do_instead() {
    let postgres = Postgres::start().await;
    let folder = Folder::new();
    keep_in(&folder, &postgres, &postgres.url(), "");
    let server = Server::start(&folder).await;
    server.send("jobs:3|c");
    server.expect_value("jobs", 3.0).await;
    folder.write("lines", "{}");
    let config = ["--config", "bellwether.toml"];
    for is_running in [true, false] {
        if !is_running {
            // Whether a server runs makes no difference: others may.
            server.signal("KILL").await;
        }
        for (name, arguments, expected) in [
            ("backup", vec!["backup", "copy.tar"], "pg_dump --format=custom"),
            ("restore", vec!["restore", "copy.tar"], "pg_restore --exit-on-error"),
            ("restore by force", vec!["restore", "copy.tar", "--force"], "into an empty database"),
        ] {
            let output = folder.run(&[&arguments[..], &config].concat()).await;
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{name}: {text}");
            assert!(text.contains(expected) && text.contains("PostgreSQL"), "{name}: {text}");
        }
    }
    assert!(!folder.path("copy.tar").exists());
    eventually("the import says where to send lines", async || {
        let output = folder.run(&["import", "lines", "--config", "bellwether.toml"]).await;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_told = text.contains("POST /api/v1/import") && output.status.code() == Some(1);
        if is_told { Ok(()) } else { Err(text) }
    })
    .await;
    let output = folder.run(&["check", "--data", "data"]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("store.engine = \"postgres\"") && text.contains("pg_amcheck"), "{text}");
}

#[tokio::test]
async fn after_kill_9_a_server_on_the_same_data_folder_does_not_wait_for_its_own_lease() {
    let postgres = Postgres::start().await;
    let folder = Folder::new();
    keep_in(&folder, &postgres, &postgres.url(), "");
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    folder.write("bellwether.toml", &settings.replace("lease = \"3s\"", "lease = \"60s\""));
    let mut total = 0.0;
    for _ in 0..3 {
        let server = Server::start(&folder).await;
        server.send("jobs:1|c");
        total += 1.0;
        server.expect_value("jobs", total).await;
        assert!(!server.log().contains("waiting until its lease ends"), "{}", server.log());
        server.kill_9().await;
    }
    // On another folder nobody knows whether the process is dead.
    folder.write("bellwether.toml", &settings);
    let server = Server::start(&folder).await;
    let arguments = ["serve", "--config", "bellwether.toml", "--data", "another"];
    let output = folder.run(&arguments).await;
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("another server runs on this database"), "{words}");
    server.expect_value("jobs", total).await;
}
