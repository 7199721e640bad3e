//! The servers under test.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use crate::connection::Connection;

/// The longest wait for a server.
const PATIENCE: Duration = Duration::from_mins(3);
/// Longer than our server waits between two looks at what has to be sealed and merged.
const QUIET: Duration = Duration::from_secs(20);

/// A server program.
#[derive(Debug, Clone)]
pub(crate) struct System {
    pub(crate) kind: Kind,
    binary: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bellwether,
    VictoriaMetrics,
    Prometheus,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bellwether => "Bellwether",
            Self::VictoriaMetrics => "VictoriaMetrics",
            Self::Prometheus => "Prometheus",
        }
    }
}

impl System {
    /// Our own: a program that was built before, or what is built now with this program's profile.
    pub(crate) fn own(binary: Option<PathBuf>) -> anyhow::Result<Self> {
        // Servers run in folders of their own.
        let binary = std::path::absolute(binary.map_or_else(build, Ok)?)?;
        Ok(Self { kind: Kind::Bellwether, binary })
    }

    /// The peers that are installed.
    pub(crate) fn peers() -> Vec<Self> {
        let mut systems = Vec::new();
        for (kind, program) in
            [(Kind::VictoriaMetrics, "victoria-metrics"), (Kind::Prometheus, "prometheus")]
        {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let found = std::env::split_paths(&path).map(|folder| folder.join(program));
            match found.into_iter().find(|path| path.is_file()) {
                Some(binary) => systems.push(Self { kind, binary }),
                None => println!("{program} is not installed and left out"),
            }
        }
        systems
    }

    /// Starts a server on its folder and waits until it answers a query.
    pub(crate) fn start(&self, folder: &Path) -> anyhow::Result<Server> {
        let started = now();
        let mut command = Command::new(&self.binary);
        let (mut child, address) = match self.kind {
            Kind::Bellwether => start_bellwether(&mut command, folder)?,
            Kind::VictoriaMetrics => start_victoria_metrics(&mut command, folder)?,
            Kind::Prometheus => start_prometheus(&mut command, folder)?,
        };
        while !answers(address) {
            if let Some(status) = child.try_wait()? {
                bail!("{} ended before it was ready ({status})", self.kind.as_str());
            }
            if started.elapsed() > PATIENCE {
                drop(child.kill());
                bail!("{} is not ready after {PATIENCE:?}", self.kind.as_str());
            }
            rest(Duration::from_millis(2));
        }
        Ok(Server { kind: self.kind, child, address, ready_after: started.elapsed() })
    }

    /// The bytes that the samples in a folder take, once the server has ended.
    pub(crate) fn stored_bytes(&self, folder: &Path) -> anyhow::Result<u64> {
        let data = match self.kind {
            // The snapshot has all samples in blocks, those of the head too.
            Kind::Prometheus => data_folder(folder).join("snapshots"),
            _ => data_folder(folder),
        };
        bytes_below(&data)
    }
}

pub(crate) fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn start_bellwether(command: &mut Command, folder: &Path) -> anyhow::Result<(Child, SocketAddr)> {
    let mut child = command
        .args(["serve", "--data"])
        .arg(data_folder(folder))
        .env("BELLWETHER_SERVER__JSON", "true")
        .env("BELLWETHER_HTTP__LISTEN", "127.0.0.1:0")
        .env("BELLWETHER_AUTH__MODE", "none")
        .env("BELLWETHER_STATSD__UDP", "[\"127.0.0.1:0\"]")
        .env("BELLWETHER_AGENT__ENABLED", "false")
        .current_dir(folder)
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start bellwether")?;
    let log = child.stderr.take().context("the log is a pipe")?;
    let mut lines = BufReader::new(log).lines();
    let address = loop {
        let Some(line) = lines.next() else { bail!("bellwether ended before it was ready") };
        let line: serde_json::Value = serde_json::from_str(&line?)?;
        if let Some(address) = line["fields"]["http"].as_str() {
            break address.parse()?;
        }
    };
    // Somebody has to read the log, or the server waits for it.
    thread::spawn(move || lines.for_each(drop));
    Ok((child, address))
}

fn start_victoria_metrics(
    command: &mut Command,
    folder: &Path,
) -> anyhow::Result<(Child, SocketAddr)> {
    let address = free_address()?;
    let child = command
        .arg(format!("-storageDataPath={}", data_folder(folder).display()))
        .arg(format!("-httpListenAddr={address}"))
        // Answers hold the newest samples too.
        .args(["-retentionPeriod=1y", "-loggerLevel=ERROR", "-search.latencyOffset=0s"])
        // Connections stay open for as long as the others are measured.
        .args(["-search.maxUniqueTimeseries=2000000", "-http.connTimeout=1h"])
        .arg("-search.disableAutoCacheReset=true")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start victoria-metrics")?;
    Ok((child, address))
}

fn start_prometheus(command: &mut Command, folder: &Path) -> anyhow::Result<(Child, SocketAddr)> {
    let address = free_address()?;
    let config = folder.join("prometheus.yml");
    fs::write(&config, "global: {}\n")?;
    let child = command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data_folder(folder).display()))
        .arg(format!("--web.listen-address={address}"))
        .args(["--web.enable-remote-write-receiver", "--web.enable-admin-api"])
        .args(["--storage.tsdb.retention.time=30d", "--log.level=error"])
        .args(["--query.max-samples=500000000", "--enable-feature=native-histograms"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start prometheus")?;
    Ok((child, address))
}

/// An address that was free a moment ago: these programs do not say which one they took.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A running server, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to the first answer.
    pub(crate) ready_after: Duration,
}

/// Whether a server answers queries.
fn answers(address: SocketAddr) -> bool {
    Connection::open(address)
        .is_ok_and(|mut connection| connection.get("/api/v1/query?query=vector(1)").is_ok())
}

impl Server {
    pub(crate) fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system time of all threads.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = self.proc_file("stat")?;
        let fields: Vec<&str> =
            stat.rsplit(") ").next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
        let user = ticks(11).context("user time")?;
        Ok((user + ticks(12).context("system time")?) / TICKS_PER_SECOND)
    }

    pub(crate) fn resident_mb(&self) -> anyhow::Result<f64> {
        let status = self.proc_file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    fn proc_file(&self, name: &str) -> anyhow::Result<String> {
        Ok(fs::read_to_string(format!("/proc/{}/{name}", self.child.id()))?)
    }

    /// Makes the server write all it has in its final form, as far as it can be told to.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        match self.kind {
            // Seals and merges.
            Kind::Bellwether => self.wait_for_quiet()?,
            Kind::VictoriaMetrics => {
                let mut connection = self.connect()?;
                connection.get("/internal/force_flush")?;
                connection.get("/internal/force_merge")?;
                // The merge goes on behind the answer.
                self.wait_for_quiet()?;
            }
            Kind::Prometheus => {
                self.connect()?.post("/api/v1/admin/tsdb/snapshot", "", b"")?;
            }
        }
        Ok(())
    }

    /// Waits until the server needs no processor for a while.
    fn wait_for_quiet(&self) -> anyhow::Result<()> {
        let started = now();
        let mut before = self.cpu_seconds()?;
        while started.elapsed() < PATIENCE {
            rest(QUIET);
            let used = self.cpu_seconds()?;
            if used - before < 0.1 {
                return Ok(());
            }
            before = used;
        }
        Ok(())
    }

    /// Asks the server to end, and waits for it.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &id]).status()?.success(), "kill -TERM");
        self.child.wait()?;
        Ok(())
    }

    /// Ends the server without a warning.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures, and there is no clock to be handed in")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark waits for other processes")]
pub(crate) fn rest(pause: Duration) {
    thread::sleep(pause);
}

fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(total)
}

/// Builds the server beside this program, with the same profile.
fn build() -> anyhow::Result<PathBuf> {
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
