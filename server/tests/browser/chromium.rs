//! Chromium without a window, driven through chromedriver.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::webdriver::Session;

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

const SIGN_IN: &str = r"
    const [credentials, done] = arguments;
    fetch('/api/app/session', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(credentials),
    }).then(response => done(response.status));";

/// A browser with a profile of its own. It ends with the value.
#[derive(Debug)]
pub(crate) struct Chromium {
    // First, so that the browser ends before chromedriver is killed.
    pub(crate) session: Session,
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
        let browser = program("BELLWETHER_TEST_CHROMIUM", "/usr/bin/chromium")?;
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({
            "goog:chromeOptions": { "binary": browser, "args": flags },
            "goog:loggingPrefs": { "browser": "WARNING" },
        });
        let session = Session::start(port, capabilities)
            .await
            .with_context(|| format!("cannot start {}", browser.display()))?;
        Ok(Self { session, _chromedriver: chromedriver, _output: output, _profile: profile })
    }

    /// Signs in without the form.
    ///
    /// # Errors
    /// When the server at `base` does not know the name or the password.
    pub(crate) async fn sign_in(&self, base: &str, name: &str, password: &str) -> Result<()> {
        // Any small document of the server: a request needs an origin.
        self.session.go(&format!("{base}/-/healthy")).await?;
        let credentials = json!({ "name": name, "password": password });
        let status: u16 = self.session.run_async(SIGN_IN, &[credentials]).await?;
        ensure!(status == 200, "the server refused the sign-in with status {status}");
        Ok(())
    }

    /// Gives pages a size in CSS pixels; a window could not be as narrow as a phone.
    pub(crate) async fn resize(&self, width: u32, height: u32, scale: f64) -> Result<()> {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false,
        });
        self.session.devtools("Emulation.setDeviceMetricsOverride", size).await.map(drop)
    }

    /// Makes the system's theme this one, and nothing move.
    pub(crate) async fn prefer(&self, theme: Theme) -> Result<()> {
        let media = json!({
            "features": [
                { "name": "prefers-color-scheme", "value": theme.name() },
                { "name": "prefers-reduced-motion", "value": "reduce" },
            ],
        });
        self.session.devtools("Emulation.setEmulatedMedia", media).await.map(drop)
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
