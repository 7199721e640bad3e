//! The uptime board.

use crate::{
    browser::Browser,
    support::{Folder, Server, site::Site},
};

/// Percentages of the first monitor's day, week, month and quarter.
const UPTIME: &str = "[data-testid=monitor-row]:first-child .uptime";

#[tokio::test]
async fn the_board_shows_each_monitor_with_its_percentages_and_notices_an_outage() {
    let folder = Folder::new();
    let mut site = Site::start().await;
    let monitors = format!(
        "monitors:\n  - name: shop\n    kind: http\n    group: Public\n    \
         url: http://{}/health\n    interval: 1s\n    timeout: 1s\n    failures: 2\n",
        site.address
    );
    folder.write("monitors/shop.yml", &monitors);
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    browser.go("/").await;
    browser.expect_words("[data-testid=monitor-row]", "Up").await;
    assert_eq!(browser.texts(UPTIME).await, ["100%"; 4]);
    let heads = browser.texts(".monitors-table thead th").await;
    let heads: Vec<&str> = heads.iter().map(|head| head.trim()).collect();
    let expected =
        ["Monitor", "State", "Last 90 days", "Day", "Week", "Month", "Quarter", "Latency"];
    assert_eq!(heads, expected);

    browser.remember_document().await;
    site.go_down().await;
    browser.expect_words("[data-testid=monitor-row] .col-state", "Down").await;
    let percentages = browser.texts(UPTIME).await;
    assert!(percentages.iter().all(|text| text != "100%"), "{percentages:?}");
    browser.click("[data-testid=monitor-row] a").await;
    browser.expect_text("h1", "shop").await;
    browser.expect_words("[data-testid=verdict]", "Down for").await;
    browser.expect_words("[data-testid=outages]", "refused").await;
    browser.click("[data-testid=nav-uptime]").await;
    browser.expect_text(".group-title", "Public").await;
    browser.expect_words("[data-testid=monitor-row]", "shop").await;
    browser.assert_same_document().await;
    assert_eq!(browser.complaints().await, [""; 0]);
}
