//! What was stored, and what was decided, survives `kill -9`.

use std::{net::UdpSocket, time::Duration};

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::support::{Folder, Server, eventually, webhook::Webhook};

const ROUNDS: usize = 5;

#[tokio::test]
async fn counters_go_on_after_a_crash_at_any_moment() {
    let folder = Folder::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // What is in the store for certain, as a query has shown it.
    let mut seen = 0.0;
    let mut server = Server::start(&folder).await;
    for round in 0..ROUNDS {
        let mut sent = seen;
        let mut pace = interval(Duration::from_millis(5));
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..rand::random_range(1..400) {
            pace.tick().await;
            socket.send_to(b"jobs:1|c\nwork:7|ms", server.statsd).unwrap();
            sent += 1.0;
        }
        seen = server.value("jobs").await.unwrap_or(seen);
        server.kill_9().await;

        server = Server::start(&folder).await;
        let after = server.value("jobs").await.unwrap_or_default();
        assert!((seen..=sent).contains(&after), "round {round}: {seen} <= {after} <= {sent}");
        server.send("jobs:1000|c\nwork:7|ms");
        server.flushed().await;
        assert_eq!(server.value("jobs").await, Some(after + 1000.0), "round {round}");
        assert_eq!(server.value("resets(jobs[1h])").await, Some(0.0), "round {round}");
        // The timer's windows are the same, with one value for each job but for the thousand.
        let values = after - 1000.0 * round as f64 + (round + 1) as f64;
        assert_eq!(server.value("histogram_count(work)").await, Some(values), "round {round}");
        assert_eq!(server.value("histogram_sum(work)").await, Some(values * 7.0), "round {round}");
        seen = after + 1000.0;
    }
}

/// An alert at a depth above 10.
pub(crate) const RULE: &str = "groups:\n  - name: shop\n    rules:\n      - alert: Deep\n        \
    expr: depth > 10\n        annotations: { summary: 'depth is {{ $value }}' }\n";

fn folder_with(hook: &Webhook) -> Folder {
    let folder = Folder::new();
    folder.write("rules/shop.yml", RULE);
    folder.notify(hook);
    folder
}

/// The states of all notifications about the newest alert.
async fn deliveries(server: &Server) -> Vec<String> {
    let list = server.http.get("/api/app/alerts").await.ok();
    let Some(id) = list["alerts"][0]["id"].as_str() else { return Vec::new() };
    let detail = server.http.get(&format!("/api/app/alerts/{id}")).await.ok();
    let notifications = detail["notifications"].as_array().unwrap();
    notifications.iter().map(|n| format!("{} {}", n["status"], n["state"])).collect()
}

/// Waits until the notifications about the newest alert are in these states.
pub(crate) async fn expect_deliveries(server: &Server, expected: &[&str]) {
    eventually("the notifications", async || {
        let found = deliveries(server).await;
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_notification_that_could_not_be_sent_is_sent_once_after_a_crash() {
    let hook = Webhook::start(500).await;
    let folder = folder_with(&hook);
    let server = Server::start(&folder).await;
    server.send("depth:50|g");
    eventually("an attempt", async || hook.hooks().pop().ok_or(()).map_err(|()| "none".to_owned()))
        .await;
    expect_deliveries(&server, &[r#""firing" "retrying""#]).await;
    server.kill_9().await;
    assert_eq!(hook.accepted().len(), 0);

    hook.answer_with(200);
    let server = Server::start(&folder).await;
    let firing = hook.expect("firing").await;
    expect_deliveries(&server, &[r#""firing" "sent""#]).await;
    server.send("depth:1|g");
    let resolved = hook.expect("resolved").await;
    expect_deliveries(&server, &[r#""firing" "sent""#, r#""resolved" "sent""#]).await;
    server.kill_9().await;

    let server = Server::start(&folder).await;
    server.flushed().await;
    let accepted: Vec<String> = hook.accepted().iter().map(|hook| hook.key().to_owned()).collect();
    assert_eq!(accepted, [firing.key(), resolved.key()], "each is accepted once");
    assert!(hook.hooks().iter().all(|hook| accepted.contains(&hook.key().to_owned())));
}

#[tokio::test]
async fn a_notification_whose_acceptance_was_not_marked_is_repeated_under_the_same_key() {
    let hook = Webhook::start(200).await;
    let folder = folder_with(&hook);
    let server = Server::start(&folder).await;
    hook.hold_answers().await;
    server.send("depth:50|g");
    let first = hook.expect("firing").await;
    server.kill_9().await;
    hook.release_answers();

    let server = Server::start(&folder).await;
    expect_deliveries(&server, &[r#""firing" "sent""#]).await;
    let hooks = hook.hooks();
    assert_eq!(hooks.len(), 2, "{hooks:?}");
    for hook in &hooks {
        assert_eq!(hook.key(), first.key());
        assert_eq!(hook.body["notification_id"], json!(first.key()));
        assert_eq!(hook.body["alerts"][0]["startsAt"], first.body["alerts"][0]["startsAt"]);
    }
}

#[tokio::test]
async fn an_alert_that_ends_while_the_server_is_down_is_told_to_be_over() {
    let hook = Webhook::start(200).await;
    let folder = folder_with(&hook);
    let server = Server::start(&folder).await;
    server.send("depth:50|g");
    let firing = hook.expect("firing").await;
    expect_deliveries(&server, &[r#""firing" "sent""#]).await;
    server.kill_9().await;

    // Its rule is gone; whoever heard that it fires must hear its end.
    folder.write("rules/shop.yml", "groups: []\n");
    let _server = Server::start(&folder).await;
    let resolved = hook.expect("resolved").await;
    let fingerprint = |body: &serde_json::Value| body["alerts"][0]["fingerprint"].clone();
    assert_eq!(fingerprint(&resolved.body), fingerprint(&firing.body));
    assert_eq!(hook.accepted().len(), 2);
}
