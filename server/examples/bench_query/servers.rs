//! The servers that are compared: ours, Prometheus and VictoriaMetrics, each with a folder of its own.

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};

use crate::http::Connection;

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bellwether,
    Prometheus,
    VictoriaMetrics,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bellwether => "Bellwether",
            Self::Prometheus => "Prometheus",
            Self::VictoriaMetrics => "VictoriaMetrics",
        }
    }

    pub(crate) fn takes_histograms(self) -> bool {
        self != Self::VictoriaMetrics
    }
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) connection: Connection,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Ours.
    pub(crate) fn bellwether(binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(binary)
            .args(["serve", "--data"])
            .arg(folder.path().join("data"))
            .env("BELLWETHER_SERVER__JSON", "true")
            .env("BELLWETHER_HTTP__LISTEN", "127.0.0.1:0")
            .env("BELLWETHER_AUTH__MODE", "none")
            .env("BELLWETHER_STATSD__UDP", "[\"127.0.0.1:0\"]")
            .env("BELLWETHER_AGENT__ENABLED", "false")
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let log = child.stderr.take().context("the log is a pipe")?;
        let mut lines = BufReader::new(log).lines();
        let address: SocketAddr = loop {
            let Some(line) = lines.next() else { bail!("the server ended before it was ready") };
            let line: serde_json::Value = serde_json::from_str(&line?)?;
            if let Some(address) = line["fields"]["http"].as_str() {
                break address.parse()?;
            }
        };
        // Somebody has to read the log, or the server waits for it.
        thread::spawn(move || lines.for_each(drop));
        let connection = Connection::open(address)?;
        Ok(Self { kind: Kind::Bellwether, connection, child, _folder: folder })
    }

    /// Prometheus, when it is installed.
    pub(crate) fn prometheus() -> anyhow::Result<Option<Self>> {
        let Some(binary) = installed("prometheus") else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("prometheus.yml"), "")?;
        let address = free_address()?;
        let mut command = Command::new(binary);
        command
            .arg(format!("--web.listen-address={address}"))
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .args(["--web.enable-remote-write-receiver", "--query.max-samples=500000000"])
            .arg("--enable-feature=native-histograms");
        Self::peer(Kind::Prometheus, command, folder, address).map(Some)
    }

    /// `VictoriaMetrics`, when it is installed.
    pub(crate) fn victoria_metrics() -> anyhow::Result<Option<Self>> {
        let Some(binary) = installed("victoria-metrics") else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.arg(format!("-httpListenAddr={address}")).args([
            "-storageDataPath=data",
            "-retentionPeriod=1y",
            "-search.disableAutoCacheReset=true",
            // Connections stay open for as long as the others are measured.
            "-http.connTimeout=1h",
            // Its answers then hold the newest samples too.
            "-search.latencyOffset=0s",
        ]);
        Self::peer(Kind::VictoriaMetrics, command, folder, address).map(Some)
    }

    fn peer(
        kind: Kind,
        mut command: Command,
        folder: tempfile::TempDir,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {}", kind.as_str()))?;
        for _ in 0..100 {
            if let Ok(connection) = Connection::open(address) {
                return Ok(Self { kind, connection, child, _folder: folder });
            }
            pause();
        }
        bail!("{} does not listen on {address}", kind.as_str());
    }

    /// User and system time of all threads.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> =
            stat.rsplit(") ").next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
        let user = ticks(11).context("user time")?;
        Ok((user + ticks(12).context("system time")?) / TICKS_PER_SECOND)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is ours alone, and its folder goes with it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "nobody else waits in this program")]
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(200));
}

fn installed(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// An address that nobody has at this moment.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Builds the server beside this program, with the same profile.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("an example is two folders deep")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--package", "bellwether", "--bin", "bellwether"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    ensure!(cargo.status()?.success(), "the server does not build");
    Ok(folder.join("bellwether"))
}
