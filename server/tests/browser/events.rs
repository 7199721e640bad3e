//! Events in their list and on charts, and service checks.

use serde_json::{Value, json};

use crate::{
    browser::Browser,
    support::{Folder, Server, eventually},
    traffic::Traffic,
};

const ROWS: &str = "[data-testid=event-row]";
const HANDLES: &str = ".panels .panel:first-child [data-testid=annotation]";
const POPOVER: &str = "[data-testid=annotation-popover]";

async fn post(server: &Server, event: &Value) {
    let answer = server.http.post_json("/api/app/events", event).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

#[tokio::test]
async fn events_come_in_live_are_searched_and_shown_with_what_narrows_them_down() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    browser.go("/").await;
    browser.click("[data-testid=nav-events]").await;
    browser.expect_words(".empty", "bellwether send '_e{8,11}:Deployed|Version 1.2").await;
    browser.remember_document().await;
    server.send("_e{8,9}:Deployed|Version 2|t:success|#service:shop,team:web");
    browser.expect_words(ROWS, "Deployed").await;
    server.send("_e{4,4}:Disk|full|h:db-1|t:error|#team:web shop");
    browser.expect_words(ROWS, "Disk").await;
    assert_eq!(browser.texts(ROWS).await.len(), 2);

    browser.fill("[data-testid=search]", "version").await;
    browser.expect_words(ROWS, "Deployed").await;
    browser.expect_path("/events?q=version").await;
    browser.fill("[data-testid=search]", "no such thing").await;
    browser.expect_words(".empty", "Nothing matches").await;
    browser.fill("[data-testid=search]", "\u{e003}").await;
    browser.click("[aria-label='Filter by type'] .chip:last-child").await;
    browser.expect_path("/events?q=type%3Aerror").await;
    browser.expect_words(ROWS, "Disk").await;
    // A tag narrows the list down, and a second press takes that back.
    browser.click(&format!("{ROWS} .label:last-child")).await;
    browser.expect_path("/events?q=type%3Aerror%20team%3A%22web%20shop%22").await;
    browser.expect_shown(&format!("{ROWS} .label[aria-pressed=true]")).await;
    browser.click(&format!("{ROWS} .label[aria-pressed=true]")).await;
    browser.expect_path("/events?q=type%3Aerror").await;
    browser.assert_same_document().await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_chart_marks_events_merges_what_is_close_and_is_walked_by_keyboard() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let _traffic = Traffic::start(server.statsd).await;
    let tags = json!({ "service": "checkout" });
    let status = server.http.get("/api/app/events").await;
    assert_eq!(status.ok()["events"], json!([]));
    let now: i64 = eventually("a flush", async || {
        let answer = server.http.get("/api/v1/query?query=time()").await.ok();
        let time = answer["data"]["result"][0].as_f64().ok_or(answer.to_string())?;
        Ok((time * 1e3) as i64)
    })
    .await;
    for (seconds, title) in [(600, "Deployed"), (300, "Restarted"), (299, "Restarted")] {
        let kind = if title == "Deployed" { "success" } else { "warning" };
        post(
            &server,
            &json!({ "title": title, "text": "As planned", "alert_type": kind,
                     "at_ms": now - seconds * 1_000, "tags": tags }),
        )
        .await;
    }
    post(&server, &json!({ "title": "Elsewhere", "tags": { "service": "other" } })).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    browser.go("/services/checkout?range=15m").await;
    browser.expect_words("[data-testid=annotation-switch]", "3").await;
    eventually("two handles", async || {
        let handles = browser.texts(HANDLES).await;
        if handles == ["", "2"] { Ok(()) } else { Err(format!("{handles:?}")) }
    })
    .await;
    let focus = format!("document.querySelector('{HANDLES}').focus()");
    browser.run::<Value>(&focus, &[]).await;
    browser.expect_words(POPOVER, "Deployed").await;
    browser.expect_words(POPOVER, "As planned").await;
    key(&browser, "ArrowRight").await;
    browser.expect_words(POPOVER, "Restarted").await;
    assert!(!browser.texts(POPOVER).await[0].contains("As planned"));
    key(&browser, "Escape").await;
    browser.expect_gone(POPOVER).await;

    browser.click("[data-testid=annotation-switch]").await;
    browser.expect_path("/services/checkout?range=15m&events=off").await;
    browser.expect_gone(HANDLES).await;
    browser.reload().await;
    browser.expect_ink(".panels", 2).await;
    assert_eq!(browser.texts(HANDLES).await, [""; 0]);
    browser.click("[data-testid=annotation-switch]").await;
    browser.expect_shown(HANDLES).await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

/// Presses a key on what has the focus.
async fn key(browser: &Browser, key: &str) {
    let script = "document.activeElement.dispatchEvent(
        new KeyboardEvent('keydown', { key: arguments[0], bubbles: true }))";
    browser.run::<Value>(script, &[json!(key)]).await;
}

#[tokio::test]
async fn service_checks_are_listed_with_their_history_and_lead_to_their_chart() {
    const CHECKS: &str = "[data-testid=check-row]";
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    browser.go("/uptime").await;
    browser.expect_words("[aria-labelledby=checks-title] .empty", "_sc|backup|0").await;
    server.send("_sc|backup|0|h:db-1\n_sc|queue|0");
    browser.expect_words(CHECKS, "OK").await;
    server.send("_sc|backup|2|h:db-1|m:no space left");
    browser.expect_words(CHECKS, "Critical").await;
    browser.expect_words(CHECKS, "no space left").await;
    browser.click(&format!("{CHECKS} button")).await;
    browser.expect_words("[data-testid=check-history]", "Critical").await;
    eventually("both changes", async || {
        let changes = browser.texts("[data-testid=check-history] li").await;
        if changes.len() == 2 { Ok(()) } else { Err(format!("{changes:?}")) }
    })
    .await;
    browser.click(".check-history a").await;
    let query = "service_check_status%7Bcheck%3D%22backup%22%2C%20host%3D%22db-1%22%7D";
    browser.expect_path(&format!("/explore?q={query}")).await;
    browser.expect_words("[data-testid=result-table]", "db-1").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}
