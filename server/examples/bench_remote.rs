//! How much remote write costs: requests over HTTP to a real server, from the socket to the committed
//! frame.
//!
//! Every client sends 10,000 series of its own, one sample each at a step of 10 s, in requests of
//! 10,000 and of 5,000 samples, one request at a time, made beforehand. Eight clients with requests of
//! 2,000 samples are what a Prometheus does by default. The CPU time is the server's.
//!
//! `cargo xtask bench remote [SAMPLES [BINARY]]`: how many million samples in a run, 3 unless
//! told; and another server than the one that is built here, to compare.

#![expect(clippy::print_stdout, reason = "figures go to stdout")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use model::{Labels, Value};
use remote::{Encoder, Protocol};
use serde_json::json;

const SERIES: usize = 10_000;
const NEW_SERIES: usize = 1_000_000;
const STEP_MS: i64 = 10_000;
const RUNS: usize = 3;

fn main() -> anyhow::Result<()> {
    let millions: f64 = std::env::args().nth(1).map_or(Ok(3.0), |text| text.parse())?;
    let steps = (millions * 1e6 / SERIES as f64) as usize;
    let binary = std::env::args().nth(2).map_or_else(build, |path| Ok(path.into()))?;
    measure_new_series(&binary)?;
    for protocol in Protocol::ALL {
        for (clients, batch) in [(1, 10_000), (1, 5_000), (2, 10_000), (8, 2_000)] {
            measure(&binary, Load { protocol, clients, batch, steps: steps / clients })?;
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Load {
    protocol: Protocol,
    clients: usize,
    batch: usize,
    steps: usize,
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
struct Taken {
    wall: Duration,
    cpu_seconds: f64,
    resident_mb: f64,
}

fn measure(binary: &Path, load: Load) -> anyhow::Result<()> {
    let samples = (load.clients * load.steps * SERIES) as f64 / 1e6;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(run(binary, load)?);
    }
    let cpu = runs.iter().map(|run| run.cpu_seconds / samples).fold(f64::MAX, f64::min);
    let rate = runs.iter().map(|run| samples / run.wall.as_secs_f64()).fold(0.0, f64::max);
    let resident = runs.iter().map(|run| run.resident_mb).fold(0.0, f64::max);
    let Load { protocol, clients, batch, .. } = load;
    let what = format!(
        "remote write {}, {clients} client{}, {batch} samples a request",
        protocol.as_str(),
        if clients == 1 { "" } else { "s" }
    );
    println!(
        "{}",
        json!({"work": format!("{what}: CPU"), "value": round(cpu), "unit": "CPU-s per M samples",
               "target": 0.35, "better": "lower", "resident_mb": round(resident)})
    );
    let target = if clients == 1 { 1.8 } else { 3.0 };
    println!(
        "{}",
        json!({"work": format!("{what}: rate"), "value": round(rate), "unit": "M samples/s",
               "target": target, "better": "higher"})
    );
    Ok(())
}

/// What series cost that were never seen before: a million of them, one sample each.
fn measure_new_series(binary: &Path) -> anyhow::Result<()> {
    let protocol = Protocol::V1;
    let at = jiff::Timestamp::now().as_millisecond();
    let requests: Vec<Vec<u8>> = (0..NEW_SERIES)
        .step_by(SERIES)
        .map(|first| {
            let series: Vec<Labels> = (first..first + SERIES).map(|n| labels(0, n)).collect();
            request(protocol, &series, at, |number| value(number, 1))
        })
        .collect();
    let mut cpu = f64::MAX;
    let mut resident: f64 = 0.0;
    for _ in 0..RUNS {
        let server = Server::start(binary)?;
        let before = server.cpu_seconds()?;
        send(server.address, protocol, &requests)?;
        cpu = cpu.min((server.cpu_seconds()? - before) * 1e6 / NEW_SERIES as f64);
        resident = resident.max(server.resident_mb()?);
    }
    println!(
        "{}",
        json!({"work": "remote write 1.0, new series: CPU", "value": round(cpu),
               "unit": "CPU-s per M series", "target": 0.9, "better": "lower",
               "resident_mb": round(resident)})
    );
    Ok(())
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[expect(clippy::disallowed_methods, reason = "it measures, and there is no clock to be handed in")]
fn now() -> Instant {
    Instant::now()
}

/// One run against a fresh server; the first step, which makes the series, is not measured.
fn run(binary: &Path, load: Load) -> anyhow::Result<Taken> {
    let server = Server::start(binary)?;
    let end = jiff::Timestamp::now().as_millisecond();
    let start = end - (load.steps as i64 + 1) * STEP_MS;
    let requests: Vec<Vec<Vec<u8>>> =
        (0..load.clients).map(|client| requests(client, load, start)).collect();
    let per_step = SERIES / load.batch;
    for requests in &requests {
        send(server.address, load.protocol, &requests[..per_step])?;
    }
    let cpu_before = server.cpu_seconds()?;
    let started = now();
    thread::scope(|scope| {
        let clients: Vec<_> = requests
            .iter()
            .map(|requests| {
                scope.spawn(|| send(server.address, load.protocol, &requests[per_step..]))
            })
            .collect();
        clients.into_iter().try_for_each(|client| {
            client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?
        })
    })?;
    let wall = started.elapsed();
    let cpu_seconds = server.cpu_seconds()? - cpu_before;
    Ok(Taken { wall, cpu_seconds, resident_mb: server.resident_mb()? })
}

/// All requests of a client, in order.
fn requests(client: usize, load: Load, start: i64) -> Vec<Vec<u8>> {
    let series: Vec<Labels> = (0..SERIES).map(|number| labels(client, number)).collect();
    let mut requests = Vec::new();
    for step in 0..=load.steps {
        let at = start + step as i64 * STEP_MS;
        for first in (0..SERIES).step_by(load.batch) {
            let batch = &series[first..first + load.batch];
            requests.push(request(load.protocol, batch, at, |number| value(first + number, step)));
        }
    }
    requests
}

/// One request with a sample of each series, by its place in the list.
fn request(
    protocol: Protocol,
    series: &[Labels],
    at: i64,
    value: impl Fn(usize) -> f64,
) -> Vec<u8> {
    let mut encoder = Encoder::new(protocol);
    for (number, labels) in series.iter().enumerate() {
        encoder.push(labels, at, &Value::Float(value(number)), None);
    }
    remote::pack(&encoder.finish()).expect("a request is far below 4 GiB")
}

/// Ten metrics of a thousand instances, eight labels each.
fn labels(client: usize, number: usize) -> Labels {
    let instance = number / 10;
    Labels::from_pairs([
        ("__name__", format!("http_server_requests_{}_total", number % 10)),
        ("cluster", format!("cluster-{client}")),
        ("handler", format!("/api/v1/orders/{}", number % 7)),
        ("instance", format!("10.0.{}.{}:9100", instance / 250, instance % 250)),
        ("job", "shop-backend".to_owned()),
        ("method", ["GET", "POST", "PUT"][number % 3].to_owned()),
        ("pod", format!("shop-backend-7d9f8b6c5-{instance:05}")),
        ("status", ["200", "404", "500"][number % 3].to_owned()),
    ])
}

/// Counters of different speed, integer gauges, and gauges with two decimals.
fn value(number: usize, step: usize) -> f64 {
    let wave = ((step * 7 + number * 13) % 101) as f64;
    match number % 5 {
        0..3 => (step * (1 + number % 50)) as f64 + wave,
        3 => wave,
        _ => (wave * 12.5).round() / 100.0,
    }
}

/// Sends requests one after the other over one connection.
fn send(address: SocketAddr, protocol: Protocol, requests: &[Vec<u8>]) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for body in requests {
        let head = format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: bench\r\nContent-Type: {}\r\n\
             Content-Encoding: snappy\r\nContent-Length: {}\r\n\r\n",
            protocol.content_type(),
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        expect_success(&mut answers)?;
    }
    Ok(())
}

fn expect_success(answers: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    let mut status = String::new();
    answers.read_line(&mut status)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        answers.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    answers.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    ensure!(status.starts_with("HTTP/1.1 204"), "{}: {body}", status.trim());
    Ok(())
}

/// The server under test, which stops when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(binary: &Path) -> anyhow::Result<Self> {
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
        let address = loop {
            let Some(line) = lines.next() else { bail!("the server ended before it was ready") };
            let line: serde_json::Value = serde_json::from_str(&line?)?;
            if let Some(address) = line["fields"]["http"].as_str() {
                break address.parse()?;
            }
        };
        // Somebody has to read the log, or the server waits for it.
        thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address, _folder: folder })
    }

    fn proc_file(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id()))?)
    }

    /// User and system time of all threads.
    fn cpu_seconds(&self) -> anyhow::Result<f64> {
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = self.proc_file("stat")?;
        let fields: Vec<&str> =
            stat.rsplit(") ").next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
        let user = ticks(11).context("user time")?;
        Ok((user + ticks(12).context("system time")?) / TICKS_PER_SECOND)
    }

    fn resident_mb(&self) -> anyhow::Result<f64> {
        let status = self.proc_file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is ours alone, and its folder goes with it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
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
