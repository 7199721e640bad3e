//! Asking for a value and seeing it change.

use crate::{
    browser::{Browser, ENTER},
    support::{Folder, Server},
};

const QUERY: &str = "[data-testid=query]";
const VALUE: &str = "[data-testid=result-table] tbody .value";

async fn ask(browser: &Browser, query: &str) {
    browser.fill(QUERY, &format!("{query}{ENTER}")).await;
}

#[tokio::test]
async fn a_value_that_is_sent_is_seen_at_the_next_flush() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    browser.go("/explore").await;
    browser.remember_document().await;
    // In the shortest range every flush is a point.
    browser.click("[data-testid=time-range]").await;
    browser.click(".range-choices li:first-child button").await;
    browser.expect_path("/explore?range=5m").await;
    ask(&browser, "orders_created").await;
    browser.expect_path("/explore?q=orders_created&range=5m").await;
    browser.expect_words("main", "No series").await;

    server.send("orders.created:3|c");
    browser.expect_text(VALUE, "3").await;
    server.send("orders.created:2|c");
    browser.expect_text(VALUE, "5").await;
    browser.expect_ink("main", 1).await;
    browser.assert_same_document().await;
    assert_eq!(browser.complaints().await, [""; 0]);

    // The address is all that somebody else needs.
    browser.reload().await;
    browser.expect_text(VALUE, "5").await;
    browser.expect_words("[data-testid=time-range]", "Last 5 minutes").await;
}

#[tokio::test]
async fn a_bad_expression_is_marked_where_it_is_bad_and_can_be_put_right() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    server.send("orders.created:7|c");
    server.flushed().await;
    browser.go("/explore?range=5m").await;
    ask(&browser, "orders_created created").await;
    browser.expect_words("[data-testid=query-error]", "unexpected identifier").await;
    let marked = browser.texts(".error-place").await;
    assert_eq!(marked, [format!("orders_created created\n{}^", " ".repeat(15))]);
    assert_eq!(browser.texts(VALUE).await, [""; 0]);

    ask(&browser, "orders_created").await;
    browser.expect_text(VALUE, "7").await;
    browser.expect_gone("[data-testid=query-error]").await;
}

#[tokio::test]
async fn a_query_is_explained_part_by_part_when_it_is_asked_for() {
    const TOGGLE: &str = "[data-testid=explain-toggle]";
    const PARTS: &str = "[data-testid=plan] tbody th button";
    const SERIES: &str = "[data-testid=plan] tbody .plan-series";
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    for host in ["a", "b", "c"] {
        server.send(format!("queue.length:7|g|#host:{host}"));
    }
    server.flushed().await;
    browser.go("/explore?range=5m").await;
    ask(&browser, "sum(max_over_time(queue_length[1m])) / 2").await;
    browser.expect_text(VALUE, "10.5").await;
    assert_eq!(browser.texts("[data-testid=explain]").await, [""; 0]);
    assert_eq!(explained(&browser).await, 0, "nothing is asked for before it is looked at");

    browser.click(TOGGLE).await;
    browser.expect_words("[data-testid=plan]", "max_over_time").await;
    let parts = browser.texts(PARTS).await;
    assert_eq!(parts, ["/", "sum", "max_over_time", "queue_length[1m]", "2"]);
    assert_eq!(browser.texts(SERIES).await, ["–", "–", "3", "–", "–"]);
    browser.expect_words("[data-testid=explain]", "Samples in memory").await;
    // A part that is looked at is marked in the text of the query.
    browser.click("[data-testid=plan] tbody tr:nth-child(2) button").await;
    browser
        .expect_text("[data-testid=explain-query] mark", "sum(max_over_time(queue_length[1m]))")
        .await;
    assert_eq!(explained(&browser).await, 1);

    // It stays open, and follows the query.
    ask(&browser, "count(queue_length)").await;
    browser.expect_words("[data-testid=plan]", "count").await;
    assert_eq!(browser.texts(PARTS).await, ["count", "queue_length"]);
    assert_eq!(explained(&browser).await, 2);
    browser.click(TOGGLE).await;
    browser.expect_gone("[data-testid=plan]").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

/// How often an explanation was asked for.
async fn explained(browser: &Browser) -> usize {
    let script = "return performance.getEntriesByType('resource')
        .filter(entry => entry.name.includes('explain=1')).length";
    browser.run(script, &[]).await
}

#[tokio::test]
async fn what_the_server_remarks_is_shown_with_its_place() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    server.send("queue.length:7|g");
    server.flushed().await;
    browser.go("/explore?range=5m").await;
    ask(&browser, "max(rate(queue_length[1m]))").await;
    browser.expect_words("[data-testid=remarks]", "metric might not be a counter").await;
    let marked = browser.texts("[data-testid=remarks] .error-place").await;
    assert_eq!(marked, [format!("max(rate(queue_length[1m]))\n{}^", " ".repeat(9))]);
}
