//! Monitors: probes of things outside, beats of jobs, and the alerts about both.

use serde_json::Value;

use crate::support::{Folder, Server, eventually, site::Site, webhook::Webhook};

const TOKEN: &str = "nightly-backup-0123456789";

async fn row(server: &Server, name: &str) -> Value {
    let rows = server.http.get("/api/app/monitors").await.ok();
    let found = rows.as_array().unwrap().iter().find(|row| row["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("{rows}"))
}

async fn expect_state(server: &Server, name: &str, state: &str) -> Value {
    eventually(state, async || {
        let row = row(server, name).await;
        if row["state"] == state { Ok(row) } else { Err(row.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_site_that_goes_down_is_noticed_told_and_counted_from_its_first_failed_check() {
    let folder = Folder::new();
    let hook = Webhook::start(200).await;
    let mut site = Site::start().await;
    folder.write(
        "monitors/shop.yml",
        &format!(
            "monitors:\n  - name: shop\n    kind: http\n    url: http://{}/health\n    \
             body_contains: fine\n    interval: 1s\n    timeout: 1s\n    failures: 3\n    \
             labels: {{ service: checkout }}\n    severity: page\n    impact: Nobody can pay.\n",
            site.address
        ),
    );
    folder.notify(&hook);
    let server = Server::start(&folder).await;
    let up = expect_state(&server, "shop", "up").await;
    server.expect_value("monitor_up{monitor=\"shop\"}", 1.0).await;

    site.go_down().await;
    let down = expect_state(&server, "shop", "down").await;
    let since = down["since_ms"].as_i64().unwrap();
    assert!(since > up["since_ms"].as_i64().unwrap(), "{down}");
    assert!(down["detail"].as_str().unwrap().contains("refused"), "{down}");
    let alert = hook.expect("firing").await.body["alerts"][0].clone();
    assert_eq!(alert["labels"]["alertname"], "MonitorDown", "{alert}");
    assert_eq!(alert["labels"]["monitor"], "shop", "{alert}");
    assert_eq!(alert["labels"]["service"], "checkout", "{alert}");
    assert_eq!(alert["annotations"]["summary"], "shop is down", "{alert}");
    assert_eq!(alert["annotations"]["impact"], "Nobody can pay.", "{alert}");

    // Three checks a second apart had to fail, and downtime counts from the first of them: two intervals
    // before the confirmation. An alert bears the time of its flush, up to a second less.
    let page = server.http.get("/api/app/monitors/shop").await.ok();
    let outage = &page["outages"][0];
    assert_eq!(outage["start_ms"], since, "{page}");
    assert_eq!(outage["end_ms"], Value::Null, "{page}");
    let fired = model_ms(alert["startsAt"].as_str().unwrap());
    assert!(fired - since >= 900, "fired at {fired}, down since {since}");
    let uptime = &page["row"]["uptime"]["day"];
    assert!(uptime["ratio"].as_f64().unwrap() < 1.0, "{page}");
    assert!(uptime["down_ms"].as_i64().unwrap() >= 2_000, "{page}");

    // It survives a crash, and so does the time when it began.
    server.kill_9().await;
    let server = Server::start(&folder).await;
    let still_down = row(&server, "shop").await;
    assert_eq!(
        (&still_down["state"], &still_down["since_ms"]),
        (&down["state"], &down["since_ms"])
    );
}

/// Milliseconds of a time as RFC 3339 writes it.
fn model_ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[tokio::test]
async fn a_job_reports_by_its_token_and_nobody_else_can() {
    let folder = Folder::new();
    folder.write(
        "monitors/jobs.yml",
        &format!("monitors:\n  - name: backup\n    kind: heartbeat\n    interval: 1h\n    token: {TOKEN}\n"),
    );
    let server = Server::start(&folder).await;
    let job = server.stranger();
    assert_eq!(row(&server, "backup").await["state"], "unknown", "it has not reported yet");

    let unknown = job.get("/heartbeat/somebody-elses-token").await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &"unknown_token".into()));
    assert_eq!(row(&server, "backup").await["state"], "unknown");

    assert_eq!(job.get(&format!("/heartbeat/{TOKEN}")).await.text, "ok\n");
    expect_state(&server, "backup", "up").await;
    let failed = job.post(&format!("/heartbeat/{TOKEN}?status=down&msg=disk+full")).await;
    assert_eq!(failed.text, "ok\n");
    let down = expect_state(&server, "backup", "down").await;
    assert_eq!(down["detail"], "disk full");
    assert!(!down.to_string().contains(TOKEN), "a token is never shown: {down}");
    let odd = job.post(&format!("/heartbeat/{TOKEN}?status=maybe")).await;
    assert_eq!((odd.status, &odd.json()["code"]), (400, &"bad_status".into()));
}
