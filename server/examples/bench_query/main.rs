//! How long queries take over HTTP: the same requests to our server and, when they are installed, to
//! Prometheus and VictoriaMetrics, over the same data.
//!
//! The data come by remote write: 1,000 counters and 100 gauges over 24 h at a step of 10 s, 100 native
//! histograms over 6 h, and young series up to 10,000. A row is the median of 30 requests over one
//! connection, or of as many as fit into 20 s, the whole answer read. What is not called cached asks the servers not to use what they
//! remember of earlier answers.
//!
//! `cargo xtask bench query [--long] [--alone] [--blocks] [--wait] [BINARY]`:
//! all 10,000 series over 24 h; without the other servers; our server gets the long series as an import,
//! which it keeps in blocks rather than in memory; wait at the end, to look at the servers; and another
//! program than the one that is built here.

#![expect(clippy::print_stdout, reason = "figures go to stdout")]
#![expect(clippy::print_stderr, reason = "progress goes to stderr")]

#[path = "../support/connection.rs"]
mod connection;
mod data;
mod rows;
#[path = "../support/systems.rs"]
#[expect(dead_code, reason = "what servers store is measured by the other benchmark")]
mod systems;

use std::{path::PathBuf, time::Duration};

use serde_json::json;

use connection::Connection;
use data::Extent;
use remote::Protocol;
use rows::Row;
use systems::{Kind, Server, System, now};
use tempfile::TempDir;

const RUNS: usize = 30;
/// A row that takes a server longer than this is asked less often, but at least three times.
const MAX_SECONDS: f64 = 20.0;

/// A server that is asked over one connection.
#[derive(Debug)]
struct Asked {
    connection: Connection,
    server: Server,
    /// It goes when the server has ended.
    _folder: TempDir,
}

impl Asked {
    fn start(system: &System) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let server = system.start(folder.path())?;
        Ok(Self { connection: server.connect()?, server, _folder: folder })
    }

    fn kind(&self) -> Kind {
        self.server.kind
    }

    fn takes_histograms(&self) -> bool {
        self.kind() != Kind::VictoriaMetrics
    }
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let binary = args.iter().find(|arg| !arg.starts_with("--")).map(PathBuf::from);
    let mut systems = vec![System::own(binary)?];
    if !has("--alone") {
        systems.extend(System::peers());
    }
    let mut servers = systems.iter().map(Asked::start).collect::<Result<Vec<_>, _>>()?;
    // A little ahead of the clock, so that nothing is older than a day when it arrives.
    let end = (jiff::Timestamp::now().as_second() + 180) / 60 * 60;
    let extent = Extent { end: end * 1000, is_full: has("--long") };
    load(&mut servers, extent, has("--blocks"))?;
    for row in rows::all(end) {
        measure(&mut servers, &row)?;
    }
    for server in &servers {
        eprintln!("{} is process {}", server.kind().as_str(), server.server.id());
    }
    if has("--wait") {
        eprintln!("press enter");
        std::io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}

/// Brings the data to all servers and waits until they answer for the newest.
fn load(servers: &mut [Asked], extent: Extent, as_blocks: bool) -> anyhow::Result<()> {
    let started = now();
    if as_blocks {
        let mut text = String::new();
        data::each_line(extent, &mut |more| {
            text.push_str(&more);
            if text.len() > 8 << 20 {
                servers[0].connection.post("/api/v1/import", "", text.as_bytes())?;
                text.clear();
            }
            Ok(())
        })?;
        servers[0].connection.post("/api/v1/import", "", text.as_bytes())?;
        eprintln!("imported after {:.0?}", started.elapsed());
    }
    data::each_request(extent, &mut |request| {
        for server in &mut *servers {
            if request.has_histograms && !server.takes_histograms() {
                continue;
            }
            server.connection.write(Protocol::V1, &request.body)?;
        }
        Ok(())
    })?;
    for server in &mut *servers {
        await_all(server, extent.end / 1000)?;
        eprintln!(
            "{}: loaded after {:.0?} with {:.1} s of CPU",
            server.kind().as_str(),
            started.elapsed(),
            server.server.cpu_seconds()?
        );
    }
    Ok(())
}

/// Some servers show what they took only after a while.
fn await_all(server: &mut Asked, end: i64) -> anyhow::Result<()> {
    let path = format!("/api/v1/query?query=count({{job%3D%22shop%22}})&time={end}&nocache=1");
    let wanted = if server.takes_histograms() { "\"10100\"" } else { "\"10000\"" };
    for _ in 0..150 {
        let answer = String::from_utf8_lossy(server.connection.get(&path)?).into_owned();
        if answer.contains(wanted) {
            return Ok(());
        }
        systems::rest(Duration::from_millis(200));
    }
    anyhow::bail!("{} lacks samples", server.kind().as_str())
}

fn measure(servers: &mut [Asked], row: &Row) -> anyhow::Result<()> {
    let mut peers = serde_json::Map::new();
    let mut own = 0.0;
    let mut answers: Vec<(Kind, f64, usize)> = Vec::new();
    for server in servers {
        if row.needs_histograms && !server.takes_histograms() {
            continue;
        }
        // Prometheus does not know the parameter and has nothing to forget.
        let path = if row.is_cached { row.path.clone() } else { format!("{}&nocache=1", row.path) };
        let mut times = Vec::new();
        let begun = now();
        let mut length = server.connection.get(&path)?.len();
        while times.len() < 3 || (times.len() < RUNS && begun.elapsed().as_secs_f64() < MAX_SECONDS)
        {
            let started = now();
            length = server.connection.get(&path)?.len();
            times.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        answers.push((server.kind(), times[times.len() / 2], length));
    }
    for (kind, median, length) in &answers {
        eprintln!("  {:<50} {:<16} {median:>9.3} ms {length:>9} bytes", row.work, kind.as_str());
        match kind {
            Kind::Bellwether => own = *median,
            kind => drop(peers.insert(kind.as_str().to_owned(), json!(median))),
        }
    }
    let prometheus = answers.iter().find(|(kind, ..)| *kind == Kind::Prometheus);
    let target = row.target.or_else(|| Some(row.share? * prometheus?.1));
    println!(
        "{}",
        json!({"work": row.work, "value": own, "unit": "ms", "target": target, "peers": peers})
    );
    Ok(())
}
