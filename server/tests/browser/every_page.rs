//! Every page, full and in both themes, on a screen and on a phone.

use serde_json::{Value, json};

use crate::{
    alerts::write_rules,
    browser::{Browser, NARROW, WIDE},
    chromium::Theme,
    support::{Folder, Server, eventually, site::Site, webhook::Webhook},
    traffic::Traffic,
};

/// A page to look at.
struct Page {
    path: String,
    /// What is there once the page is complete.
    ready: &'static str,
    /// Charts that have lines by then.
    charts: usize,
    /// What is opened before the page is looked at.
    opened: Option<&'static str>,
    /// What has the focus while the page is looked at.
    focused: Option<&'static str>,
    /// Whether the server refuses what the page asks for.
    is_refused: bool,
}

fn page(path: &str, ready: &'static str) -> Page {
    Page { path: path.to_owned(), ready, charts: 0, opened: None, focused: None, is_refused: false }
}

/// Pages for everybody.
fn doors() -> Vec<Page> {
    vec![page("/", "[data-testid=sign-in]"), page("/setup?token=used-up", "[data-testid=sign-in]")]
}

/// Pages for those who are signed in.
fn pages(alert: &str) -> Vec<Page> {
    let charted = |path: &str, ready, charts| Page { charts, ..page(path, ready) };
    let refused = |path, ready| Page { is_refused: true, ..page(path, ready) };
    let focused = |path: &str, charts| Page {
        focused: Some("[data-testid=annotation]"),
        charts,
        ..page(path, "[data-testid=annotation]")
    };
    let opened = |path: &str, ready, opened| Page { opened: Some(opened), ..page(path, ready) };
    vec![
        page("/", "[data-testid=monitor-row]"),
        page("/services", "[data-testid=service-row]"),
        charted("/services/checkout?range=5m", ".panels", 3),
        page("/hosts", "[data-testid=host-row]"),
        charted("/hosts/web-1?range=5m", ".use-table tbody tr", 2),
        page("/alerts", "[data-testid=alert-row]"),
        charted(&format!("/alerts/{alert}?range=5m"), "[data-testid=timeline] li", 1),
        page("/uptime", "[data-testid=monitor-row]"),
        opened("/uptime", "[data-testid=check-history] li", "[data-testid=check-row] button"),
        page("/events", "[data-testid=event-row]"),
        page("/events?q=nobody", ".empty"),
        page("/events?range=5m&from=1000&to=2000", ".empty"),
        focused("/services/checkout?range=15m", 3),
        focused("/explore?q=rate(shop_requests[1m])&range=15m", 1),
        charted("/uptime/shop?range=5m", "[data-testid=verdict]", 1),
        page("/uptime/gone", "[data-testid=outages] tr"),
        page("/explore", "[data-testid=metrics] li"),
        charted("/explore?q=rate(shop_requests[1m])&range=5m", "[data-testid=result-table]", 1),
        Page {
            charts: 1,
            ..opened(
                "/explore?q=rate(shop_requests[1m])&range=5m",
                "[data-testid=plan]",
                "[data-testid=explain-toggle]",
            )
        },
        refused("/explore?q=rate(", "[data-testid=query-error]"),
        page("/explore?q=nobody_sends_this", ".empty"),
        page("/runbooks", "[data-testid=runbooks] li"),
        page("/runbooks/OrdersWaiting", ".runbook table"),
        page("/settings", "[data-testid=sources] tr"),
        refused("/services/nobody", "[role=alert]"),
        page("/no-such-page", "h1"),
        opened("/alerts", "[data-testid=palette-input]", "[data-testid=open-palette]"),
        opened("/explore", ".range-choices", "[data-testid=time-range]"),
        opened("/runbooks", ".user .menu-item", "[data-testid=user-menu]"),
    ]
}

/// Something of everything, some of it in trouble.
struct Scene {
    server: Server,
    /// The id of an alert that fires.
    alert: String,
    _hook: Webhook,
    _site: Site,
    _traffic: Traffic,
}

impl Scene {
    async fn start(folder: &Folder) -> Self {
        let hook = Webhook::start(200).await;
        let site = Site::start().await;
        write_rules(folder, &hook);
        write_monitors(folder, &site);
        let token = folder.token("tests", "admin").await;
        let agent = [("BELLWETHER_AGENT__ENABLED", "true"), ("BELLWETHER_AGENT__HOST", "web-1")];
        let server = Server::start_with(folder, &agent, &token).await;
        let traffic = Traffic::start(server.statsd).await;
        server.send("queue.depth:250|g|#service:checkout\nnot a metric");
        server.send(happenings());
        hook.expect("firing").await;
        let alert = eventually("everything has arrived", async || {
            let overview = server.http.get("/api/app/overview").await.ok();
            let count = |list: &str| overview[list].as_array().map_or(0, Vec::len);
            let services = overview["services"].to_string();
            let has_all = count("hosts") == 1 && count("monitors") == 3 && count("firing") == 2;
            match overview["firing"][0]["id"].as_str() {
                Some(id) if has_all && services.contains("checkout") => Ok(id.to_owned()),
                _ => Err(overview.to_string()),
            }
        })
        .await;
        Self { server, alert, _hook: hook, _site: site, _traffic: traffic }
    }
}

/// Events of every type, some of them at once, and a service check in each state.
fn happenings() -> String {
    let events = ["info", "success", "warning", "error"].map(|kind| {
        format!("_e{{8,11}}:Deployed|As\\nplanned|t:{kind}|p:low|h:web-1|k:rel|#service:checkout")
    });
    let checks = (0..4).map(|status| {
        format!("_sc|check.{status}|{status}|h:web-1|#service:checkout|m:a message of some length")
    });
    events.into_iter().chain(checks).collect::<Vec<_>>().join("\n")
}

/// One is up, one is down, and one has never reported.
fn write_monitors(folder: &Folder, site: &Site) {
    let monitors = json!({
        "monitors": [
            {
                "name": "shop", "kind": "http", "group": "Public", "interval": "1s",
                "timeout": "1s", "url": format!("http://{}/health", site.address),
                "labels": { "service": "checkout" },
            },
            {
                "name": "gone", "kind": "http", "group": "Public", "interval": "1s",
                "timeout": "1s", "failures": 1, "url": "http://127.0.0.1:9/",
            },
            {
                "name": "backup", "kind": "heartbeat", "group": "Jobs", "interval": "1h",
                "token": "nightly-backup-0123456789",
            },
        ],
    });
    // JSON is YAML, too.
    folder.write("monitors/all.yml", &monitors.to_string());
}

/// Loads a page and waits until it is complete.
async fn load(browser: &Browser, page: &Page) {
    browser.resize(WIDE).await;
    browser.prefer(Theme::Dark).await;
    browser.go(&page.path).await;
    if let Some(button) = page.opened {
        browser.click(button).await;
    }
    browser.expect_shown(page.ready).await;
    browser.expect_ink("main", page.charts).await;
    focus(browser, page).await;
}

async fn focus(browser: &Browser, page: &Page) {
    if let Some(element) = page.focused {
        browser
            .run::<Value>("document.querySelector(arguments[0]).focus()", &[json!(element)])
            .await;
    }
}

/// Everything that is wrong with a page.
async fn problems(browser: &Browser, page: &Page) -> Vec<String> {
    load(browser, page).await;
    let mut found = Vec::new();
    for theme in Theme::ALL {
        browser.prefer(theme).await;
        browser.drawn().await;
        let violations = browser.violations().await;
        found.extend(violations.into_iter().map(|text| format!("{}: {text}", theme.name())));
    }
    browser.resize(NARROW).await;
    browser.drawn().await;
    focus(browser, page).await;
    let violations = browser.violations().await;
    found.extend(violations.into_iter().map(|text| format!("on a phone: {text}")));
    found.extend(browser.overflow().await.into_iter().map(|text| format!("sticks out: {text}")));
    // The browser itself notes each refusal.
    let is_meant = |text: &String| page.is_refused && text.contains("responded with a status of 4");
    let complaints = browser.complaints().await.into_iter().filter(|text| !is_meant(text));
    found.extend(complaints.map(|text| format!("console: {text}")));
    found.into_iter().map(|text| format!("{} {text}", page.path)).collect()
}

#[tokio::test]
async fn every_page_is_accessible_in_both_themes_fits_a_phone_and_logs_nothing() {
    let folder = Folder::new();
    let scene = Scene::start(&folder).await;
    let browser = Browser::open(&scene.server).await;
    let mut found = Vec::new();
    for page in doors() {
        found.extend(problems(&browser, &page).await);
    }
    browser.sign_in(&folder).await;
    for page in pages(&scene.alert) {
        found.extend(problems(&browser, &page).await);
    }
    assert!(found.is_empty(), "{} problems:\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn the_checks_of_every_page_can_fail() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let browser = Browser::open(&server).await;
    let page = page("/", "[data-testid=sign-in]");
    assert_eq!(problems(&browser, &page).await, [""; 0]);
    load(&browser, &page).await;
    browser.resize(NARROW).await;
    browser
        .run::<Value>(
            "const script = document.createElement('script');
             script.textContent = 'window.escaped = true';
             const wide = document.createElement('p');
             wide.textContent = 'unbroken'.repeat(100);
             document.querySelector('main').append(document.createElement('button'), script, wide);",
            &[],
        )
        .await;
    let violations = browser.violations().await.join("\n");
    assert!(violations.starts_with("button-name: <button></button>"), "{violations}");
    let overflow = browser.overflow().await.join("\n");
    assert!(overflow.contains("<p>unbroken"), "{overflow}");
    let complaints = browser.complaints().await.join("\n");
    assert!(complaints.contains("Content Security Policy"), "{complaints}");
    assert_eq!(browser.run::<Value>("return window.escaped ?? null", &[]).await, Value::Null);
}
