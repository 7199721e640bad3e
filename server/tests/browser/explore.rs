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
