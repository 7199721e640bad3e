//! The server under load: `cargo xtask bench ingest`.
//!
//! Starts the real server as a child on free ports of 127.0.0.1 with a data folder of its own, sends
//! `StatsD` over UDP at a fixed rate, and prints as JSON lines what a million metrics cost it, from the
//! socket to the committed frame, with how long a flush took and what it holds in memory. Every run
//! also checks the books: what was sent is what was read or counted as dropped by the kernel, every
//! line is accepted or refused, and the stored counters and timers add up to what was sent.
//!
//! ```text
//! bench_ingest           the rows that say most, about 90 s
//! bench_ingest --long    all rows, each three times, and a soak of ten minutes
//! bench_ingest TEXT      only the rows whose name contains the text, once
//! --server=FILE          with any of these: measures this program instead of building the present one
//! ```
//!
//! It deliberately does not compare with other servers, and sends to no other machine.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod load;
mod rows;
mod server;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, ensure};
use serde_json::json;

use rows::{ROWS, Row, Run};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("the benchmark failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> anyhow::Result<()> {
    let server = match args.iter().find_map(|arg| arg.strip_prefix("--server=")) {
        Some(file) => PathBuf::from(file),
        None => build_server()?,
    };
    let is_long = args.iter().any(|arg| arg == "--long");
    let text = args.iter().find(|arg| !arg.starts_with("--"));
    let is_chosen = |row: &&Row| match text {
        Some(text) => row.name.contains(text.as_str()),
        None => is_long || row.is_short,
    };
    let rows: Vec<&Row> = ROWS.iter().filter(is_chosen).collect();
    ensure!(!rows.is_empty(), "no row has such a name");
    for row in rows {
        let repeats = if is_long && !row.is_soak() { 3 } else { 1 };
        let runs = (0..repeats).map(|_| row.run(&server)).collect::<anyhow::Result<Vec<Run>>>()?;
        report(row, &runs);
    }
    Ok(())
}

/// What is measured is the sources as they are, not what was built some time ago.
fn build_server() -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--quiet", "--package", "bellwether", "--bin", "bellwether"]);
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(status.success(), "the server does not build");
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("no folder above the examples")?;
    Ok(folder.join("bellwether"))
}

fn report(row: &Row, runs: &[Run]) {
    for run in runs {
        println!("{}: {run}", row.name);
    }
    let least = |value: fn(&Run) -> f64| runs.iter().map(value).fold(f64::INFINITY, f64::min);
    let most = |value: fn(&Run) -> f64| runs.iter().map(value).fold(0.0, f64::max);
    let figure = |what: &str, value: f64, unit: &str, target: Option<f64>, better: &str| {
        let mut figure = json!({
            "work": format!("{}{what}", row.name),
            "value": value,
            "unit": unit,
            "better": better,
        });
        if let Some(target) = target {
            figure["target"] = target.into();
        }
        println!("{figure}");
    };
    figure("", least(Run::cost), "CPU-s per M metrics", row.cost_target, "lower");
    let rate = runs.iter().filter(|run| run.dropped == 0).map(|run| run.rate).fold(0.0, f64::max);
    figure(", accepted without loss", rate / 1e6, "M/s", row.rate_target(), "higher");
    figure(", longest flush", most(|run| run.flush_seconds), "s", Some(2.0), "lower");
    figure(", resident", most(|run| run.resident_mb), "MB", row.memory_target, "lower");
}
