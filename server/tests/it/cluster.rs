//! Several servers on one PostgreSQL database.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use crate::{
    postgres::{expect_problem, keep_in},
    support::{
        Folder, Server, eventually, http,
        postgres::Postgres,
        remote_writer::now,
        webhook::{Hook, Webhook},
    },
};

/// An alert on the whole, one that has to hold, and one on what only a survivor hears of.
const RULES: &str = "groups:
  - name: shop
    rules:
      - alert: Deep
        expr: max(depth) > 10
        annotations: { summary: 'depth is {{ $value }}' }
      - alert: Slow
        expr: max(slow) > 10
        for: 5s
        annotations: { summary: 'slow is {{ $value }}' }
      - alert: Late
        expr: max(late) > 10
        annotations: { summary: 'late is {{ $value }}' }
";

const TOKEN: &str = "a-long-enough-heartbeat-token";

const MONITORS: &str =
    "monitors:\n  - name: backup\n    kind: heartbeat\n    interval: 1h\n    token: ";

/// The settings of two nodes, which know the same rules, monitors and receivers.
async fn folders(postgres: &Postgres, hook: &Webhook) -> [Folder; 2] {
    let folders = [Folder::new(), Folder::new()];
    let url = postgres.create_database("bellwether").await;
    for (folder, name) in folders.iter().zip(["a", "b"]) {
        folder.write("rules/shop.yml", RULES);
        folder.write("monitors/jobs.yml", &format!("{MONITORS}{TOKEN}\n"));
        folder.notify(hook);
        keep_in(folder, postgres, &url, &format!("node = \"{name}\"\n"));
    }
    // A token is good on every node.
    let token = folders[0].token("tests", "admin").await;
    for folder in &folders {
        folder.write("admin.token", &token);
    }
    folders
}

/// Whether a server has a role.
async fn holds(server: &Server, role: &str) -> bool {
    server.own_metric(&format!("bellwether_lease_held{{role=\"{role}\"}}")).await == 1.0
}

async fn expect_leader(server: &Server) {
    eventually("the server does what only one does", async || {
        for role in ["rules", "monitors", "outbox"] {
            if !holds(server, role).await {
                return Err(format!("{role} is done elsewhere"));
            }
        }
        Ok(())
    })
    .await;
}

/// The alerts that a server shows, with their states.
async fn alerts(server: &Server) -> BTreeMap<String, String> {
    let answer = server.http.get("/api/v1/alerts").await.ok();
    let all = answer["data"]["alerts"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter().map(|alert| (text(&alert["labels"]["alertname"]), text(&alert["state"]))).collect()
}

async fn expect_alert(server: &Server, name: &str, state: &str) {
    eventually("the state of an alert", async || {
        let all = alerts(server).await;
        if all.get(name).is_some_and(|s| s == state) { Ok(()) } else { Err(format!("{all:?}")) }
    })
    .await;
}

/// What the webhook accepted: names and states of alerts, in order of name.
fn told(hook: &Webhook) -> Vec<String> {
    let accepted = hook.accepted();
    let alerts = accepted.iter().flat_map(|hook| hook.body["alerts"].as_array().unwrap());
    let line = |alert: &Value| format!("{} {}", alert["labels"]["alertname"], alert["status"]);
    let mut lines: Vec<String> = alerts.map(|alert| line(alert).replace('"', "")).collect();
    lines.sort();
    lines
}

async fn expect_told(hook: &Webhook, expected: &[&str]) {
    eventually("the notifications", async || {
        let told = told(hook);
        if told == expected { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
}

#[tokio::test]
async fn what_one_node_takes_in_every_node_answers_for() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let [folder_a, folder_b] = folders(&postgres, &hook).await;
    let (a, b) = (Server::start(&folder_a).await, Server::start(&folder_b).await);
    expect_leader(&a).await;
    assert!(!holds(&b, "rules").await);

    a.send("jobs:3|c\nwork:7|ms");
    b.send("jobs:4|c\nwork:9|ms");
    for server in [&a, &b] {
        server.expect_value("sum(jobs)", 7.0).await;
        server.expect_value("jobs{ingest_node=\"b\"}", 4.0).await;
        server.expect_value("histogram_sum(sum(work))", 16.0).await;
        assert_eq!(server.value("resets(jobs{ingest_node=\"a\"}[1h])").await, Some(0.0));
    }
    // What the second node heard of raises an alert on the first, and both show it.
    b.send("depth:50|g");
    hook.expect("firing").await;
    expect_alert(&a, "Deep", "firing").await;
    expect_alert(&b, "Deep", "firing").await;
    // A heartbeat may come to any node.
    assert_eq!(b.stranger().get(&format!("/heartbeat/{TOKEN}")).await.text, "ok\n");
    for server in [&a, &b] {
        eventually("the monitor is up", async || {
            let monitor = server.http.get("/api/app/monitors/backup").await.text;
            if monitor.contains("\"up\"") { Ok(()) } else { Err(monitor) }
        })
        .await;
    }
    // So may events and service checks, of which the status is stored once.
    b.send("_sc|queue|2|m:full");
    b.send("_e{6,9}:Deploy|version 2");
    a.expect_value("service_check_status{check=\"queue\"}", 2.0).await;
    for server in [&a, &b] {
        eventually("event and check", async || {
            let events = server.http.get("/api/app/events").await.text;
            let checks = server.http.get("/api/app/checks").await.text;
            let is_there = events.contains("version 2") && checks.contains("\"critical\"");
            if is_there { Ok(()) } else { Err(events + &checks) }
        })
        .await;
    }
    // Whoever stops in order gives back what it has.
    let (status, log) = a.terminate().await;
    assert!(status.success(), "{log}");
    expect_leader(&b).await;
    b.expect_value("sum(jobs)", 7.0).await;
    b.send("depth:5|g");
    expect_told(&hook, &["Deep firing", "Deep resolved"]).await;
}

#[tokio::test]
async fn when_a_node_dies_another_goes_on_and_tells_nothing_twice() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let [folder_a, folder_b] = folders(&postgres, &hook).await;
    let (a, b) = (Server::start(&folder_a).await, Server::start(&folder_b).await);
    expect_leader(&a).await;

    let mut sent = 0;
    let mut work = |server: &Server| {
        server.send("jobs:1|c");
        sent += 1;
        sent
    };
    b.send("depth:50|g");
    work(&b);
    expect_told(&hook, &["Deep firing"]).await;
    expect_alert(&b, "Deep", "firing").await;
    // One that is pending when the node dies, and one that nobody has evaluated yet.
    b.send("slow:50|g");
    expect_alert(&a, "Slow", "pending").await;
    work(&b);
    a.kill_9().await;
    b.send("late:50|g");
    work(&b);
    expect_leader(&b).await;
    let total = f64::from(work(&b));
    expect_told(&hook, &["Deep firing", "Late firing", "Slow firing"]).await;
    b.expect_value("jobs", total).await;
    assert!(b.own_metric("bellwether_lease_takeovers_total").await >= 3.0);

    // The one that died comes back and finds what happened; it decides nothing.
    let a = Server::start(&folder_a).await;
    for name in ["Deep", "Late", "Slow"] {
        expect_alert(&a, name, "firing").await;
    }
    a.expect_value("jobs", total).await;
    assert!(!holds(&a, "rules").await);
    b.send("depth:5|g\nslow:5|g\nlate:5|g");
    let all = [
        "Deep firing",
        "Deep resolved",
        "Late firing",
        "Late resolved",
        "Slow firing",
        "Slow resolved",
    ];
    expect_told(&hook, &all).await;
    a.flushed().await;
    b.flushed().await;
    assert_eq!(told(&hook), all);
}

#[tokio::test]
async fn a_notification_that_was_decided_is_sent_by_whoever_is_left() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(503).await;
    let [folder_a, folder_b] = folders(&postgres, &hook).await;
    let (a, b) = (Server::start(&folder_a).await, Server::start(&folder_b).await);
    expect_leader(&a).await;
    a.send("depth:50|g");
    // It was tried, and waits for the next try when the node dies.
    eventually("a try", async || if hook.hooks().is_empty() { Err("none".into()) } else { Ok(()) })
        .await;
    eventually("the refusal is noted", async || {
        let waiting = b.own_metric("bellwether_outbox_pending").await;
        if waiting == 1.0 { Ok(()) } else { Err(waiting.to_string()) }
    })
    .await;
    a.kill_9().await;
    hook.answer_with(200);
    expect_leader(&b).await;
    expect_told(&hook, &["Deep firing"]).await;
    let tries = hook.hooks();
    let keys: Vec<&str> = tries.iter().map(Hook::key).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "one notification under one key: {keys:?}");
    b.flushed().await;
    assert_eq!(told(&hook), ["Deep firing"]);
}

#[tokio::test]
async fn nodes_go_on_after_the_database_was_gone() {
    let mut postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let [folder_a, folder_b] = folders(&postgres, &hook).await;
    let (a, b) = (Server::start(&folder_a).await, Server::start(&folder_b).await);
    expect_leader(&a).await;
    a.send("jobs:1|c");
    b.send("jobs:2|c");
    // Whoever is known may read while nobody can be asked who they are.
    a.expect_value("sum(jobs)", 3.0).await;
    b.expect_value("sum(jobs)", 3.0).await;
    postgres.kill().await;
    a.send("jobs:10|c\ndepth:50|g");
    b.send("jobs:20|c");
    // What a node took in itself it still knows, and it says what is wrong.
    a.expect_value("jobs{ingest_node=\"a\"}", 11.0).await;
    b.expect_value("jobs{ingest_node=\"b\"}", 22.0).await;
    expect_problem(&a, true).await;
    expect_problem(&b, true).await;
    eventually("nobody evaluates without a lease", async || {
        let held = holds(&a, "rules").await || holds(&b, "rules").await;
        if held { Err("a lease is held".to_owned()) } else { Ok(()) }
    })
    .await;
    assert_eq!(told(&hook), Vec::<String>::new());
    postgres.resume().await;
    for server in [&a, &b] {
        expect_problem(server, false).await;
        server.expect_value("sum(jobs)", 33.0).await;
    }
    expect_told(&hook, &["Deep firing"]).await;
    let roles = a.own_metric("bellwether_lease_held").await;
    assert_eq!(roles + b.own_metric("bellwether_lease_held").await, 3.0);
    a.kill_9().await;
    b.expect_value("sum(jobs)", 33.0).await;
}

#[tokio::test]
async fn two_servers_are_never_the_same_node() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let [folder_a, _] = folders(&postgres, &hook).await;
    let a = Server::start(&folder_a).await;
    let arguments = ["serve", "--config", "bellwether.toml", "--data", "another"];
    let output = folder_a.run(&arguments).await;
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(words.contains("another server runs on this database as the node `a`"), "{words}");
    a.send("jobs:1|c");
    a.expect_value("jobs", 1.0).await;
}

#[tokio::test]
async fn the_data_of_a_node_that_is_gone_is_sealed_by_another() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let [folder_a, folder_b] = folders(&postgres, &hook).await;
    let a = Server::start(&folder_a).await;
    a.send("jobs:3|c\nwork:7|ms");
    a.expect_value("jobs", 3.0).await;
    a.kill_9().await;
    // As if that had been yesterday.
    let yesterday = "update lease set renewed_at = renewed_at - 86400000, \
                     expires_at = expires_at - 86400000";
    postgres.ask("bellwether", yesterday).await;
    let b = Server::start(&folder_b).await;
    expect_leader(&b).await;
    b.logged("the data of a node that is gone was tidied up").await;
    let frames = "select count(*) from frame join node on number = node where name = 'a'";
    assert_eq!(postgres.ask("bellwether", frames).await, "0");
    let pages = "select count(*) from page where tableoid <> 'page_before'::regclass";
    assert_ne!(postgres.ask("bellwether", pages).await, "0", "a day of its own");
    // Its pages are read by whoever is there.
    b.expect_value("jobs{ingest_node=\"a\"}", 3.0).await;
    b.expect_value("histogram_sum(work)", 7.0).await;
    eventually("what was sealed is no longer in memory", async || {
        let series = b.own_metric("bellwether_store_peer_series").await;
        if series == 0.0 { Ok(()) } else { Err(series.to_string()) }
    })
    .await;
    // It comes back all the same and goes on counting.
    let a = Server::start(&folder_a).await;
    a.send("jobs:4|c");
    b.expect_value("jobs{ingest_node=\"a\"}", 7.0).await;
    assert_eq!(b.value("resets(jobs[1h])").await, Some(0.0));
}

#[tokio::test]
async fn a_node_that_hangs_is_overtaken_and_steps_back() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let [folder_a, folder_b] = folders(&postgres, &hook).await;
    let (a, b) = (Server::start(&folder_a).await, Server::start(&folder_b).await);
    expect_leader(&a).await;
    a.send("depth:50|g");
    expect_told(&hook, &["Deep firing"]).await;
    a.signal("STOP").await;
    // It does not know that it hangs, and would tell of this when it goes on.
    a.send("depth:5|g\njobs:3|c");
    b.send("late:50|g");
    expect_leader(&b).await;
    expect_told(&hook, &["Deep firing", "Late firing"]).await;
    a.signal("CONT").await;
    eventually("it hears that it was overtaken", async || {
        let losses = a.own_metric("bellwether_lease_losses_total").await;
        if losses == 3.0 { Ok(()) } else { Err(losses.to_string()) }
    })
    .await;
    // It goes on as a node all the same.
    b.expect_value("jobs", 3.0).await;
    expect_told(&hook, &["Deep firing", "Deep resolved", "Late firing"]).await;
    expect_alert(&a, "Late", "firing").await;
    a.flushed().await;
    b.flushed().await;
    assert_eq!(told(&hook), ["Deep firing", "Deep resolved", "Late firing"]);
    assert!(holds(&b, "rules").await);
}

/// A day of samples of long ago, one a minute for four hours, as lines for an import.
fn history(name: &str, day: i64) -> String {
    let times: Vec<i64> = (0..240).map(|minute| (day * 1_440 + 60 + minute) * 60_000).collect();
    let values: Vec<i64> = (0..240).collect();
    format!(
        "{{\"metric\":{{\"__name__\":\"{name}\"}},\"values\":{values:?},\"timestamps\":{times:?}}}\n"
    )
}

async fn import(server: &Server, lines: String) {
    let posted = http::send(server.http.request(Method::POST, "/api/v1/import").body(lines)).await;
    assert_eq!(posted.status, 204, "{}", posted.text);
}

#[tokio::test]
async fn what_one_node_has_as_rollups_only_every_node_answers_from() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let [folder_a, folder_b] = folders(&postgres, &hook).await;
    let day = now() / 86_400_000 - 20;
    let a = Server::start(&folder_a).await;
    import(&a, history("old", day)).await;
    a.terminate().await;
    // Too old from now on, so they are rolled up and go.
    for folder in [&folder_a, &folder_b] {
        let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
        folder.write("bellwether.toml", &(settings + "retention = \"10d\"\n"));
    }
    let (a, b) = (Server::start(&folder_a).await, Server::start(&folder_b).await);
    a.logged("blocks of samples or rollups were deleted").await;
    let at = (day * 1_440 + 60 + 239) * 60;
    for server in [&a, &b] {
        for (query, expected) in
            [("sum_over_time(old[1h])", 12_390.0), ("max_over_time(old[2h])", 239.0)]
        {
            let query = format!("/api/v1/query?query={query}&time={}", at + 60);
            eventually("the rollups of the other node", async || {
                let answer = server.http.get(&query).await.ok();
                let value = answer["data"]["result"][0]["value"][1].as_str().unwrap_or_default();
                if value.parse() == Ok(expected) { Ok(()) } else { Err(answer.to_string()) }
            })
            .await;
        }
        let names = server.http.get("/api/v1/label/__name__/values").await.text;
        assert!(names.contains("\"old\""), "{names}");
    }
}

#[tokio::test]
async fn a_deletion_holds_on_every_node_on_one_that_was_down_and_for_one_that_is_gone() {
    let postgres = Postgres::start().await;
    let hook = Webhook::start(200).await;
    let [folder_a, folder_b] = folders(&postgres, &hook).await;
    let (a, b) = (Server::start(&folder_a).await, Server::start(&folder_b).await);
    let day = now() / 86_400_000 - 3;
    for (server, name) in [(&a, "a"), (&b, "b")] {
        for metric in ["secret", "private", "kept"] {
            let lines = history(&format!("{metric}_{name}"), day);
            import(server, lines).await;
        }
        server.send("secret_now:1|g\nprivate_now:1|g\nkept_now:1|g");
    }
    let names = async |server: &Server| -> Vec<String> {
        let answer = server.http.get("/api/v1/label/__name__/values").await.ok();
        let all = answer["data"].as_array().unwrap().iter();
        let all = all.map(|name| name.as_str().unwrap().to_owned());
        let words = ["secret", "private", "kept"];
        all.filter(|name| words.iter().any(|word| name.starts_with(word))).collect()
    };
    let expect = async |server: &Server, expected: &[&str]| {
        eventually("the series that are left", async || {
            let found = names(server).await;
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    };
    for server in [&a, &b] {
        server.expect_value("count(secret_now)", 2.0).await;
        server.expect_value("count(kept_now)", 2.0).await;
    }
    let delete = async |server: &Server, metric: &str| {
        let path = "/api/v1/admin/tsdb/delete_series?match[]=";
        let answer = server.http.post(&format!("{path}{{__name__=~\"{metric}.*\"}}")).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    };
    delete(&a, "secret").await;
    let without_secret = ["kept_a", "kept_b", "kept_now", "private_a", "private_b", "private_now"];
    assert_eq!(names(&a).await, without_secret, "at once where it was asked");
    expect(&b, &without_secret).await;
    // One that is down hears of it when it comes back, and so it is when both were down.
    b.kill_9().await;
    delete(&a, "private").await;
    let left = ["kept_a", "kept_b", "kept_now"];
    assert_eq!(names(&a).await, left);
    a.kill_9().await;
    let b = Server::start(&folder_b).await;
    assert_eq!(names(&b).await, left, "before anything else");
    let a = Server::start(&folder_a).await;
    assert_eq!(names(&a).await, left);
    // One that never comes back is taken care of.
    b.kill_9().await;
    delete(&a, "kept").await;
    assert_eq!(names(&a).await, [] as [&str; 0]);
    a.terminate().await;
    let yesterday = "update lease set renewed_at = renewed_at - 86400000, \
                     expires_at = expires_at - 86400000";
    postgres.ask("bellwether", yesterday).await;
    let a = Server::start(&folder_a).await;
    a.logged("the data of a node that is gone was tidied up").await;
    assert_eq!(names(&a).await, [] as [&str; 0]);
    let samples = "select coalesce(sum(samples), 0) from block join node on number = node \
                   where name = 'b' and min_time < extract(epoch from now()) * 1000 - 86400000";
    assert_eq!(postgres.ask("bellwether", samples).await, "0", "nothing of it is left");
}
