//! The server as a child process, asked over HTTP and through `/proc`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;
use tempfile::TempDir;

const START_BOUND: Duration = Duration::from_secs(20);
const ANSWER_BOUND: Duration = Duration::from_secs(30);
/// Clock ticks per second of `/proc/PID/stat`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server with a data folder of its own; both are gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) statsd: SocketAddr,
    http: SocketAddr,
    interval: Duration,
    folder: TempDir,
}

/// The processor time a process has used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// Of all threads, those that ended included, in seconds.
    pub(crate) total: f64,
    /// By name of the threads that live, in seconds.
    pub(crate) threads: BTreeMap<String, f64>,
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

impl Server {
    pub(crate) fn start(program: &Path, interval: Duration) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("making a data folder")?;
        let config = folder.path().join("bellwether.toml");
        fs::write(&config, configuration(folder.path(), interval))?;
        let log = folder.path().join("log");
        let child = Command::new(program)
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .context("starting the server")?;
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, statsd: unknown, http: unknown, interval, folder };
        (server.http, server.statsd) = server.wait_until_ready()?;
        Ok(server)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        let deadline = Instant::now() + START_BOUND;
        while Instant::now() < deadline && self.child.try_wait()?.is_none() {
            let log = self.log();
            if let Some(addresses) = log.lines().find_map(addresses_in) {
                return Ok(addresses);
            }
            sleep(Duration::from_millis(20));
        }
        bail!("the server did not start:\n{}", self.log())
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
                bail!("no flush comes to an end:\n{}", self.log());
            }
            sleep(Duration::from_millis(100));
        }
        self.metric("bellwether_flush_duration_seconds")
    }

    /// Flushes happen at the multiples of the interval.
    pub(crate) fn until_tick(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let interval = self.interval.as_millis().max(1);
        Duration::from_millis((interval - now.as_millis() % interval) as u64)
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

    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let stat = fs::read_to_string(folder.join("stat"))?;
        // The name before the last parenthesis may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/PID/stat")?;
        let ticks = |index| -> f64 {
            fields.split_whitespace().nth(index).and_then(|f| f.parse().ok()).unwrap_or(0.0)
        };
        let mut used =
            Used { total: (ticks(11) + ticks(12)) / TICKS_PER_SECOND, ..Used::default() };
        for thread in fs::read_dir(folder.join("task"))? {
            let thread = thread?.path();
            // A thread may end while we look.
            let read = |file| fs::read_to_string(thread.join(file)).unwrap_or_default();
            let nanoseconds: f64 =
                read("schedstat").split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0);
            *used.threads.entry(read("comm").trim().to_owned()).or_default() += nanoseconds / 1e9;
        }
        Ok(used)
    }

    /// Resident memory now and at most, in megabytes.
    pub(crate) fn resident_mb(&self) -> anyhow::Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        let now = field("VmRSS:").context("no VmRSS")?;
        Ok((now * 1024.0 / 1e6, field("VmHWM:").unwrap_or(now) * 1024.0 / 1e6))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Everything at its default and the rules that are shipped, but no host collector, which would add
/// load of its own.
fn configuration(folder: &Path, interval: Duration) -> String {
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
max_series_per_source = 1000000
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
