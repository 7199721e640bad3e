//! The server as a child process, asked over HTTP and through `/proc`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::Value;

use crate::{process::Process, rows::until_multiple};

const ANSWER_BOUND: Duration = Duration::from_secs(30);

/// A server with a data folder of its own; both are gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) statsd: SocketAddr,
    http: SocketAddr,
    interval: Duration,
}

/// What the server says of a sender.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Books {
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) refused: u64,
    /// Of the listener, so of all senders.
    pub(crate) kernel_drops: u64,
}

impl Books {
    /// Every datagram was read or dropped by the kernel.
    pub(crate) fn expect_datagrams(&self, sent: u64) -> anyhow::Result<()> {
        let Self { datagrams, kernel_drops, .. } = self;
        ensure!(
            datagrams + kernel_drops == sent,
            "{sent} datagrams sent, {datagrams} read and {kernel_drops} dropped by the kernel"
        );
        Ok(())
    }
}

impl Server {
    /// Starts the program and waits until it is ready; it takes at most so many series.
    pub(crate) fn start(
        program: &Path,
        interval: Duration,
        max_series: u32,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("making a data folder")?;
        let config = folder.path().join("bellwether.toml");
        fs::write(&config, configuration(folder.path(), interval, max_series))?;
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(&config);
        let mut process = Process::start(&mut command, folder)?;
        let (http, statsd) =
            process.wait_until_ready(|process| process.log().lines().find_map(addresses_in))?;
        Ok(Self { process, statsd, http, interval })
    }

    /// The body of an answer.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.http)?;
        stream.set_read_timeout(Some(ANSWER_BOUND))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).with_context(|| format!("reading {path}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").context("not an HTTP answer")?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("{path}: {head}\n{body}");
        }
        Ok(body.to_owned())
    }

    /// The value of an instant query that has one.
    pub(crate) fn query(&self, query: &str) -> anyhow::Result<f64> {
        let parameters = serde_urlencoded::to_string([("query", query)])?;
        let answer: Value =
            serde_json::from_str(&self.get(&format!("/api/v1/query?{parameters}"))?)?;
        let value = &answer["data"]["result"][0]["value"][1];
        let text = value.as_str().ok_or_else(|| anyhow!("{query}: no value in {answer}"))?;
        Ok(text.parse()?)
    }

    /// One of the server's own metrics, without labels.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.get("/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no metric {name}"))?.trim().parse()?)
    }

    pub(crate) fn flushes(&self) -> anyhow::Result<u64> {
        Ok(self.metric("bellwether_flush_total")? as u64)
    }

    /// Waits until a flush after this moment is done; returns how long it took, in seconds.
    pub(crate) fn wait_for_flush(&self) -> anyhow::Result<f64> {
        let before = self.flushes()?;
        sleep(self.until_tick());
        let deadline = Instant::now() + self.interval * 3 + Duration::from_secs(30);
        while self.flushes()? <= before {
            if Instant::now() > deadline {
                bail!("no flush comes to an end:\n{}", self.process.log());
            }
            sleep(Duration::from_millis(100));
        }
        self.metric("bellwether_flush_duration_seconds")
    }

    /// Flushes happen at the multiples of the interval.
    pub(crate) fn until_tick(&self) -> Duration {
        until_multiple(self.interval)
    }

    /// What the server knows of the sender with this address.
    pub(crate) fn books(&self, address: &str) -> anyhow::Result<Books> {
        let answer: Value = serde_json::from_str(&self.get("/connections")?)?;
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let rows = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
        let sources = rows("sources");
        let source = sources.iter().find(|source| source["address"] == address);
        let kernel_drops = rows("listeners")
            .iter()
            .map(|listener| number(&listener["kernel_dropped_datagrams"]))
            .sum();
        let Some(source) = source else {
            return Ok(Books { kernel_drops, ..Books::default() });
        };
        Ok(Books {
            datagrams: number(&source["datagrams"]),
            bytes: number(&source["bytes"]),
            lines: number(&source["lines"]),
            refused: number(&source["bad_lines"]),
            kernel_drops,
        })
    }
}

/// Everything at its default and the rules that are shipped, but no host collector, which would add
/// load of its own.
fn configuration(folder: &Path, interval: Duration, max_series: u32) -> String {
    format!(
        r#"[server]
data_dir = "{data}"
json = true
log = "info"
[http]
listen = "127.0.0.1:0"
[auth]
mode = "none"
[statsd]
udp = ["127.0.0.1:0"]
flush_interval = "{interval}s"
max_series = {max_series}
max_series_per_source = {max_series}
[query]
max_series = {max_series}
[rules]
files = ["{rules}"]
[agent]
enabled = false
"#,
        data = folder.join("data").display(),
        interval = interval.as_secs(),
        rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../config/rules/*.yml"),
    )
}

/// HTTP and `StatsD` addresses, when the line of the log says that the server is ready.
fn addresses_in(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let field = |name: &str| line["fields"][name].as_str();
    let statsd = field("statsd")?.trim_start_matches('[').split([',', ']']).next()?;
    Some((field("http")?.parse().ok()?, statsd.parse().ok()?))
}
