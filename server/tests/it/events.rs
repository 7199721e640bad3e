//! Events and service checks: sent, stored, found, alerted on.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Folder, Server, eventually, python, webhook::Webhook};

fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the server reads the real clock, too")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// The events that a search finds, once there are so many.
async fn found(server: &Server, search: &str, count: usize) -> Vec<Value> {
    eventually("the events are stored", async || {
        let answer = server.http.get(&format!("/api/app/events?{search}")).await.ok();
        let events = answer["events"].as_array().unwrap().clone();
        if events.len() == count { Ok(events) } else { Err(answer.to_string()) }
    })
    .await
}

/// The service checks for which `is_there` holds, once it does.
async fn checks(server: &Server, search: &str, is_there: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    eventually("the service checks are known", async || {
        let answer = server.http.get(&format!("/api/app/checks?{search}")).await.ok();
        let checks = answer["checks"].as_array().unwrap().clone();
        if is_there(&checks) { Ok(checks) } else { Err(answer.to_string()) }
    })
    .await
}

async fn titles(server: &Server, search: &str) -> Vec<String> {
    let answer = server.http.get(&format!("/api/app/events?{search}")).await.ok();
    let events = answer["events"].as_array().unwrap();
    events.iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect()
}

const DATADOG: &str = r#"
from datadog.dogstatsd import DogStatsd

client = DogStatsd(host="127.0.0.1", port=port, constant_tags=["env:test"], disable_telemetry=True)
client.event(
    "Deployed",
    "Version 2 | with\nlines and äöü",
    alert_type="success",
    aggregation_key="release",
    source_type_name="ci",
    priority="low",
    hostname="web-1",
    tags=["service:shop", "canary"],
)
client.event("Plain", "Nothing else")
client.service_check("db.up", client.OK, hostname="db-1", tags=["role:primary"], message="fine")
client.service_check("db.up", client.CRITICAL, hostname="db-1", tags=["role:primary"], message="no\nanswer")
client.service_check("queue", client.WARNING)
client.flush()
"#;

#[tokio::test]
async fn the_datadog_client_has_its_events_and_service_checks_kept() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    python::send_to(&server, DATADOG).await;
    let deployed = found(&server, "q=deployed", 1).await.remove(0);
    for (field, expected) in [
        ("title", json!("Deployed")),
        ("text", json!("Version 2 | with\nlines and äöü")),
        ("alert_type", json!("success")),
        ("priority", json!("low")),
        ("aggregation_key", json!("release")),
        ("source", json!("ci")),
        ("host", json!("web-1")),
        ("tags", json!([["canary", "true"], ["env", "test"], ["service", "shop"]])),
    ] {
        assert_eq!(deployed[field], expected, "{field}");
    }
    let plain = found(&server, "q=plain", 1).await.remove(0);
    assert_eq!((&plain["alert_type"], &plain["priority"]), (&json!("info"), &json!("normal")));
    let known =
        checks(&server, "", |checks| checks.len() == 2 && checks[0]["status"] == "critical").await;
    let db = &known[0];
    assert_eq!((&db["name"], &db["host"]), (&json!("db.up"), &json!("db-1")));
    assert_eq!(db["message"], "no\nanswer");
    assert_eq!(db["tags"], json!([["env", "test"], ["role", "primary"]]));
    let id = db["id"].as_str().unwrap();
    let history = eventually("the history is written", async || {
        let detail = server.http.get(&format!("/api/app/checks/{id}")).await.ok();
        let history = detail["transitions"].as_array().unwrap().clone();
        if history.len() == 2 { Ok(history) } else { Err(detail.to_string()) }
    })
    .await;
    assert_eq!((&history[0]["status"], &history[1]["status"]), (&json!("critical"), &json!("ok")));
    server
        .expect_value(r#"service_check_status{check="db.up", host="db-1", role="primary"}"#, 2.0)
        .await;
    assert_eq!(server.own_metric("bellwether_events_dropped_total").await, 0.0);
    assert_eq!(server.own_metric("bellwether_events_stored_total").await, 2.0);
}

#[tokio::test]
async fn a_search_is_narrowed_by_everything_and_read_page_by_page() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let now = now_ms();
    let first = now / 1_000 - 600;
    for number in 0..5 {
        let at = first + number / 2;
        server.send(format!("_e{{2,4}}:n{number}|text|d:{at}|t:warning|#service:shop,n:{number}"));
    }
    server.send("_e{4,7}:disk|is full|h:db-1|s:cron|t:error|#service:db");
    found(&server, "", 6).await;
    for (search, expected) in [
        ("q=FULL%20disk", vec!["disk"]),
        ("q=100%25", vec![]),
        ("tag=service:shop&tag=n:3", vec!["n3"]),
        ("tag=service&host=db-1", vec!["disk"]),
        ("source=cron", vec!["disk"]),
        ("alert_type=error&alert_type=info", vec!["disk"]),
        (&format!("start={}&end={}", first, first + 1), vec!["n3", "n2", "n1", "n0"]),
    ] {
        assert_eq!(titles(&server, search).await, expected, "{search}");
    }
    let mut pages: Vec<Vec<String>> = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/app/events?tag=service:shop&limit=2&cursor={cursor}");
        let page = server.http.get(&path).await.ok();
        let names = page["events"].as_array().unwrap().iter();
        pages.push(names.map(|event| event["title"].as_str().unwrap().to_owned()).collect());
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    let expected: [&[&str]; 3] = [&["n4", "n3"], &["n2", "n1"], &["n0"]];
    assert_eq!(pages, expected.map(|page| page.iter().map(|&t| t.to_owned()).collect::<Vec<_>>()));
    for (search, message) in [
        ("limit=0", "`limit` is `0`, expected a number from 1 to 1000"),
        ("start=soon", "`start` is `soon`, expected seconds or RFC 3339"),
        ("cursor=x", "`cursor` is `x`, expected the `next` of an earlier answer"),
    ] {
        let answer = server.http.get(&format!("/api/app/events?{search}")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("bad_parameter")));
        assert_eq!(answer.json()["message"], message);
    }
}

#[tokio::test]
async fn a_deploy_is_posted_by_whoever_may_edit() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let now = now_ms();
    let deploy = json!({
        "title": "Deployed shop", "text": "Version 7", "alert_type": "success",
        "at_ms": now - 86_400_000, "tags": { "service": "shop" },
    });
    let viewer = server.http.with_token(&folder.token("reader", "viewer").await);
    let refused = viewer.post_json("/api/app/events", &deploy).await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("forbidden")));
    assert_eq!(server.stranger().post_json("/api/app/events", &deploy).await.status, 401);
    let editor = server.http.with_token(&folder.token("ci", "editor").await);
    let made = editor.post_json("/api/app/events", &deploy).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let listed = viewer.get("/api/app/events?q=version").await.ok();
    assert_eq!(listed["events"], json!([made.json()]));
    assert_eq!(listed["next"], Value::Null);
    for (body, message) in [
        (json!({ "title": " " }), "`title` is empty"),
        (json!({ "title": "a", "at_ms": 5 }), "`at_ms` must lie between 90d ago, which"),
        (json!({ "title": "a", "at_ms": now + 3_600_000 }), "`at_ms` must lie between"),
        (json!({ "title": "a", "colour": "red" }), "Failed to deserialize the JSON body"),
        (json!({ "title": "a", "alert_type": "loud" }), "Failed to deserialize the JSON body"),
    ] {
        let answer = editor.post_json("/api/app/events", &body).await;
        let json = answer.json();
        assert_eq!((answer.status, &json["code"]), (400, &json!("bad_event")), "{body}");
        assert!(json["message"].as_str().unwrap().contains(message), "{json}");
    }
}

#[tokio::test]
async fn a_flood_is_cut_off_counted_and_holds_up_nothing() {
    let folder = Folder::new();
    let token = folder.token("tests", "admin").await;
    let limits =
        [("BELLWETHER_EVENTS__MAX_PER_MINUTE", "3"), ("BELLWETHER_EVENTS__MAX_CHECKS", "2")];
    let server = Server::start_with(&folder, &limits, &token).await;
    let seconds = now_ms() / 1_000;
    let mut lines: Vec<String> = (0..3).map(|i| format!("_sc|check.{i}|0")).collect();
    lines.push(format!("_e{{3,1}}:old|x|d:{}", seconds - 7_200));
    lines.push(format!("_e{{3,1}}:new|x|d:{}", seconds + 7_200));
    lines.extend((0..10).map(|i| format!("_e{{1,1}}:a|{i}")));
    lines.push("_e{9,9}:does not fit".to_owned());
    server.send(lines.join("\n"));
    server.flushed().await;
    found(&server, "", 1).await;
    for (reason, expected) in
        [("rate_limit", 9.0), ("too_old", 1.0), ("too_new", 1.0), ("check_limit", 1.0)]
    {
        let metric = format!("bellwether_events_dropped_total{{reason=\"{reason}\"}}");
        assert_eq!(server.own_metric(&metric).await, expected, "{reason}");
    }
    let rejected = "bellwether_ingest_rejected_lines_total{reason=\"bad_event\"}";
    assert_eq!(server.own_metric(rejected).await, 1.0);
}

const RULES: &str = r"
groups:
  - name: checks
    rules:
      - alert: CheckFailing
        expr: service_check_status == 2
";

#[tokio::test]
async fn a_rule_alerts_on_a_service_check_and_silence_makes_it_unknown() {
    let folder = Folder::new();
    let hook = Webhook::start(200).await;
    folder.notify(&hook);
    folder.write("rules/checks.yml", RULES);
    let token = folder.token("tests", "admin").await;
    let short = [("BELLWETHER_EVENTS__CHECK_TTL", "10s")];
    let server = Server::start_with(&folder, &short, &token).await;
    server.send("_sc|backup|2|h:db-1|m:no space left");
    hook.expect("firing").await;
    server.kill_9().await;
    // The state goes on in the next process, which waits for its time to live before it calls it silent.
    let server = Server::start_with(&folder, &short, &token).await;
    let known = checks(&server, "name=backup", |checks| checks.len() == 1).await;
    assert_eq!(
        (&known[0]["status"], &known[0]["message"]),
        (&json!("critical"), &json!("no space left"))
    );
    let silent = checks(&server, "", |checks| checks[0]["is_stale"] == true).await;
    assert_eq!(silent[0]["status"], "unknown");
    server.expect_value(r#"service_check_status{check="backup"}"#, 3.0).await;
    hook.expect("resolved").await;
    server.send("_sc|backup|0|h:db-1");
    checks(&server, "status=ok", |checks| checks.len() == 1).await;
}

#[tokio::test]
async fn the_command_line_sends_events_and_refuses_those_that_do_not_fit() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let to = server.statsd.to_string();
    let line = "_e{8,11}:Deployed|Version 1.2|t:success|#service:shop";
    assert!(folder.run(&["send", "--to", &to, line, "_sc|backup|0"]).await.status.success());
    found(&server, "tag=service:shop", 1).await;
    checks(&server, "q=BACK", |checks| checks.len() == 1).await;
    let output = folder.run(&["send", "--to", &to, "_e{8,99}:Deployed|Version 1.2"]).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("bad_event"), "{error}");
}
