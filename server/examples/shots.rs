//! Takes the pictures of `docs/images` from a running server that has something to show:
//!
//! ```text
//! cargo run -p bellwether --example shots -- --user ada --password SECRET --service checkout --host web-1
//! ```
//!
//! Each page is taken on a screen and on a phone, dark and light, in its full height. Chromium and
//! chromedriver are found as in the browser tests.

#[path = "../tests/browser/chromium.rs"]
mod chromium;
#[path = "../tests/it/support/wait.rs"]
mod wait;
#[expect(dead_code, reason = "pictures are taken without touching anything")]
#[path = "../tests/browser/webdriver.rs"]
mod webdriver;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use chromium::{Chromium, Theme};
use clap::Parser;
use serde_json::{Value, json};
use wait::eventually;

/// Names, widths and smallest heights of the screens.
const SCREENS: [(&str, u32, u32); 2] = [("", 1440, 900), ("-phone", 390, 844)];

/// Holds once nothing of the page is awaited any more.
const IS_COMPLETE: &str = r"
    const charts = [...document.querySelectorAll('[data-testid=chart]')];
    return document.querySelector(arguments[0]) !== null
        && document.querySelector('.boot, .skeleton, .chart-wait') === null
        && charts.every(chart => !chart.getAttribute('aria-label').endsWith(', loading'))
        && document.fonts.status === 'loaded'
        && document.querySelector('.live.is-open') !== null";

/// Hands what the server answers at a path to the last argument.
const FETCH: &str = r"
    const [path, done] = arguments;
    fetch(path).then(response => response.json()).then(done, error => done(null));";

const DRAWN: &str = "requestAnimationFrame(() => requestAnimationFrame(() => arguments[0](null)))";

#[derive(Debug, Parser)]
struct Args {
    /// Where the server is
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Who signs in
    #[arg(long)]
    user: String,
    #[arg(long)]
    password: String,
    /// The folder for the pictures
    #[arg(long, default_value = "docs/images")]
    out: PathBuf,
    /// A service to show
    #[arg(long)]
    service: String,
    /// A host to show
    #[arg(long)]
    host: String,
    /// The alert to show, by its name; without it the first of the list
    #[arg(long)]
    alert: Option<String>,
    /// What Explore asks for
    #[arg(long, default_value = "sum by (service) (rate(http_requests[5m]))")]
    query: String,
    /// Pixels of the picture for each pixel of the page
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Longer pages are cut here, in pixels of the page
    #[arg(long, default_value_t = 2400)]
    max_height: u32,
}

/// A page: the name of its pictures, its path, and what is there once it has its data.
type Page = (&'static str, String, &'static str);

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let chromium = Chromium::start().await?;
    chromium.sign_in(&args.url, &args.user, &args.password).await?;
    let pages = pages(&chromium, &args).await?;
    for theme in Theme::ALL {
        chromium.prefer(theme).await?;
        for page in &pages {
            for screen in SCREENS {
                take(&chromium, &args, page, theme, screen).await?;
            }
        }
    }
    Ok(())
}

async fn pages(chromium: &Chromium, args: &Args) -> Result<Vec<Page>> {
    let list = fetch(chromium, "/api/app/alerts").await?;
    let alerts = list["alerts"].as_array().context("the server lists its alerts")?;
    let is_it = |alert: &&Value| args.alert.as_ref().is_none_or(|name| alert["name"] == **name);
    let alert = alerts.iter().find(is_it).context("no such alert to show")?;
    let alert = format!("/alerts/{}", alert["id"].as_str().context("an alert has an id")?);
    let detail = fetch(chromium, &format!("/api/app{alert}")).await?;
    let runbook =
        detail["runbook"]["row"]["name"].as_str().context("the alert has no runbook to show")?;
    let query = serde_urlencoded::to_string([("q", &args.query)])?;
    Ok(vec![
        ("overview", "/".to_owned(), "[data-testid=service-row]"),
        ("service", format!("/services/{}", args.service), ".panels"),
        ("host", format!("/hosts/{}", args.host), ".use-table"),
        ("alerts", "/alerts".to_owned(), "[data-testid=alert-row]"),
        ("alert", alert, "[data-testid=timeline] li"),
        ("explore", format!("/explore?{query}"), "[data-testid=result-table]"),
        ("uptime", "/uptime".to_owned(), "[data-testid=monitor-row]"),
        ("events", "/events?range=2d".to_owned(), "[data-testid=event-row]"),
        ("runbook", format!("/runbooks/{runbook}"), ".runbook h2, .runbook h3"),
        ("settings", "/settings".to_owned(), "[data-testid=sources]"),
    ])
}

async fn fetch(chromium: &Chromium, path: &str) -> Result<Value> {
    chromium.session.run_async(FETCH, &[json!(path)]).await
}

async fn take(
    chromium: &Chromium,
    args: &Args,
    (name, path, ready): &Page,
    theme: Theme,
    (suffix, width, height): (&str, u32, u32),
) -> Result<()> {
    let session = &chromium.session;
    chromium.resize(width, height, args.scale).await?;
    session.go(&format!("{}{path}", args.url)).await?;
    eventually(&format!("{path} is complete"), async || {
        match session.run(IS_COMPLETE, &[json!(ready)]).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it is not".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    let full: u32 = session.run("return document.documentElement.scrollHeight", &[]).await?;
    let full = full.clamp(height, args.max_height.max(height));
    chromium.resize(width, full, args.scale).await?;
    session.run_async::<Value>(DRAWN, &[]).await?;
    let file = args.out.join(format!("{name}{suffix}-{}.png", theme.name()));
    let picture = session.devtools("Page.captureScreenshot", json!({ "format": "png" })).await?;
    let picture = picture["data"].as_str().context("a picture is a string")?;
    fs::write(&file, BASE64_STANDARD.decode(picture)?)
        .with_context(|| format!("cannot write {}", file.display()))
}
