//! Chromium without a window, driven through chromedriver.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tempfile::TempDir;
use thirtyfour::{
    ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// As root, and in containers with little shared memory; and nothing but the page may go out.
const FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
];

/// Chromedriver says so once it listens.
const STARTED: &str = "was started successfully on port ";

/// A browser with a profile of its own. It ends with the value.
#[derive(Debug)]
pub(crate) struct Chromium {
    // Ends the session, and with it the browser, before chromedriver is killed.
    pub(crate) driver: WebDriver,
    _chromedriver: Child,
    _output: Lines<BufReader<ChildStdout>>,
    _profile: TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Dark,
    Light,
}

impl Theme {
    pub(crate) const ALL: [Self; 2] = [Self::Dark, Self::Light];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

impl Chromium {
    /// Starts chromedriver on a free port and a browser with an empty profile.
    ///
    /// # Errors
    /// When one of the two cannot be started.
    pub(crate) async fn start() -> Result<Self> {
        let (chromedriver, output, port) = start_chromedriver().await?;
        let profile = tempfile::tempdir()?;
        let mut capabilities = DesiredCapabilities::chrome();
        let browser = program("BELLWETHER_TEST_CHROMIUM", "/usr/bin/chromium")?;
        capabilities.set_binary(&browser.display().to_string())?;
        for flag in FLAGS {
            capabilities.add_arg(flag)?;
        }
        capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::Warning)?;
        notify::net::install_crypto();
        let driver = WebDriver::builder(format!("http://127.0.0.1:{port}"), capabilities)
            .client(reqwest::Client::builder().no_proxy().build()?)
            .connect()
            .await
            .with_context(|| format!("cannot start {}", browser.display()))?;
        Ok(Self { driver, _chromedriver: chromedriver, _output: output, _profile: profile })
    }

    /// Gives pages a size in CSS pixels; a window could not be as narrow as a phone.
    pub(crate) async fn resize(&self, width: u32, height: u32, scale: f64) -> Result<()> {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false,
        });
        self.driver.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await?;
        Ok(())
    }

    /// Makes the system's theme this one, and nothing move.
    pub(crate) async fn prefer(&self, theme: Theme) -> Result<()> {
        let media = json!({
            "features": [
                { "name": "prefers-color-scheme", "value": theme.name() },
                { "name": "prefers-reduced-motion", "value": "reduce" },
            ],
        });
        self.driver.cdp().send_raw("Emulation.setEmulatedMedia", media).await?;
        Ok(())
    }
}

async fn start_chromedriver() -> Result<(Child, Lines<BufReader<ChildStdout>>, u16)> {
    let path = program("BELLWETHER_TEST_CHROMEDRIVER", "/usr/bin/chromedriver")?;
    let mut child = Command::new(&path)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", path.display()))?;
    let mut output = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
    while let Some(line) = output.next_line().await? {
        if let Some((_, port)) = line.split_once(STARTED) {
            let port = port.trim_end_matches('.').parse()?;
            return Ok((child, output, port));
        }
    }
    bail!("{} ended without listening", path.display())
}

/// A program that the test runner names, or its usual place.
#[expect(clippy::disallowed_methods, reason = "the test runner tells by it where its tools are")]
fn program(variable: &str, usual: &str) -> Result<PathBuf> {
    let path = PathBuf::from(std::env::var(variable).unwrap_or_else(|_| usual.to_owned()));
    if !path.exists() {
        bail!(
            "{} is missing; `cargo xtask test` installs it, or name another in {variable}",
            path.display()
        );
    }
    Ok(path)
}
