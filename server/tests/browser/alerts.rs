//! An alert from its first second to its last, seen without touching the page.

use crate::{
    browser::Browser,
    support::{Folder, Server, webhook::Webhook},
};

pub(crate) const RULES: &str = r#"
groups:
  - name: shop
    rules:
      - alert: OrdersWaiting
        expr: queue_depth > 100
        for: 1s
        labels: { severity: page, owner: payments }
        annotations:
          summary: "{{ $labels.service }} has {{ $value }} orders waiting"
          description: "{{ $value }} orders wait in {{ $labels.service }} (threshold 100)."
          impact: "Customers wait for their confirmation."
          runbook_url: runbooks/OrdersWaiting
"#;

pub(crate) const RUNBOOK: &str = "# Orders are waiting\n\n\
    Orders come faster than they are `paid`.\n\n\
    ## Diagnosis\n\n| Sign | Cause |\n|---|---|\n| The queue grows | A worker is gone |\n\n\
    ## Mitigation\n\n1. Start another worker.\n2. Watch the queue.\n\n```sh\nworkers start\n```\n";

/// The rule, its runbook and somebody who is told.
pub(crate) fn write_rules(folder: &Folder, hook: &Webhook) {
    folder.write("rules/shop.yml", RULES);
    folder.write("runbooks/OrdersWaiting.md", RUNBOOK);
    folder.notify(hook);
}

#[tokio::test]
async fn an_alert_is_seen_to_fire_explained_with_its_runbook_and_seen_to_end() {
    let folder = Folder::new();
    let hook = Webhook::start(200).await;
    write_rules(&folder, &hook);
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    server.send("queue.depth:20|g|#service:checkout");
    server.flushed().await;
    browser.go("/").await;
    browser.remember_document().await;
    browser.expect_shown("[data-testid=verdict]").await;
    browser.expect_gone("[data-testid=firing]").await;

    server.send("queue.depth:250|g|#service:checkout");
    browser.expect_words("[data-testid=firing]", "checkout has 250 orders waiting").await;
    browser.expect_words("[data-testid=nav-alerts]", "1").await;
    browser.click("[data-testid=firing] [data-testid=alert-row] a").await;
    browser.expect_text("h1", "OrdersWaiting").await;
    browser.assert_same_document().await;

    let verdict = "[data-testid=verdict]";
    browser.expect_words(verdict, "checkout has 250 orders waiting").await;
    browser.expect_text(&format!("{verdict} .value"), "250").await;
    browser.expect_text(&format!("{verdict} .level"), "> 100").await;
    browser.expect_words(verdict, "Firing").await;
    browser.expect_words(".words", "Customers wait for their confirmation.").await;
    browser.expect_ink("main", 1).await;
    browser.expect_text(".runbook h2", "Orders are waiting").await;
    browser.expect_words(".runbook", "Start another worker.").await;
    browser.expect_text(".runbook table td", "The queue grows").await;
    let timeline = "[data-testid=timeline]";
    browser.expect_words(timeline, "Notified hook (webhook) about firing").await;
    let expected = ["Notified hook (webhook) about firing", "Firing", "Pending"];
    assert_eq!(browser.texts(&format!("{timeline} .event-title")).await, expected);

    server.send("queue.depth:3|g|#service:checkout");
    browser.expect_words(timeline, "Notified hook (webhook) about resolved").await;
    browser.expect_words(verdict, "Resolved").await;
    let first = browser.texts(&format!("{timeline} .event-title")).await;
    assert_eq!(first[1], "Resolved", "{first:?}");
    browser.assert_same_document().await;
    assert_eq!(browser.complaints().await, [""; 0]);

    browser.click("[data-testid=nav-overview]").await;
    browser.expect_shown("[data-testid=verdict]").await;
    browser.expect_gone("[data-testid=firing]").await;
}
