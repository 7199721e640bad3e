//! Services and hosts, which nobody has to announce.

use crate::{
    browser::Browser,
    support::{Folder, Server},
    traffic::Traffic,
};

#[tokio::test]
async fn a_service_that_starts_sending_appears_by_itself_with_rate_errors_and_duration() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    browser.go("/").await;
    browser.remember_document().await;
    browser.expect_shown("[data-testid=verdict]").await;

    let _traffic = Traffic::start(server.statsd).await;
    let row = "[data-testid=service-row]:has(a[href='/services/checkout'])";
    browser.expect_shown(row).await;
    browser.assert_same_document().await;
    browser.click(&format!("{row} a")).await;
    browser.expect_path("/services/checkout").await;
    browser.expect_text("h1", "checkout").await;
    browser.assert_same_document().await;

    browser.go("/services/checkout?range=5m").await;
    browser.expect_ink(".panels", 3).await;
    let titles = browser.texts(".panels:first-of-type .panel-title").await;
    assert_eq!(titles, ["Rate", "Errors", "Duration"]);
    // One of ten requests fails.
    let stats = browser.texts(".stats dd").await;
    let errors: f64 = stats[1].trim_end_matches('%').parse().unwrap();
    assert!((8.0..12.0).contains(&errors), "{stats:?}");
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn the_host_shows_utilization_saturation_and_errors_of_its_resources() {
    let folder = Folder::new();
    let token = folder.token("tests", "admin").await;
    let agent = [("BELLWETHER_AGENT__ENABLED", "true"), ("BELLWETHER_AGENT__HOST", "web-1")];
    let server = Server::start_with(&folder, &agent, &token).await;
    let browser = Browser::open_as_admin(&folder, &server).await;
    browser.go("/hosts").await;
    browser.expect_words("[data-testid=host-row]", "web-1").await;
    browser.go("/hosts/web-1?range=5m").await;
    browser.expect_text("h1", "web-1").await;
    browser.expect_shown(".use-table tbody tr").await;
    let heads = browser.texts(".use-table thead th").await;
    assert_eq!(heads, ["Resource", "Utilization", "Saturation", "Errors"]);
    let resources = browser.texts(".use-table tbody th").await;
    assert!(
        ["CPU", "Memory"].iter().all(|name| resources.iter().any(|r| r == name)),
        "{resources:?}"
    );
    browser.expect_words(".use-table tbody td", "%").await;
    browser.expect_ink(".panels section:first-child", 1).await;
    assert_eq!(browser.complaints().await, [""; 0]);
}
