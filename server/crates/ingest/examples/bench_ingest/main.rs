//! The server under load: `cargo xtask bench ingest`.
//!
//! Starts the real server as a child on free ports of 127.0.0.1 with a data folder of its own, sends
//! `StatsD` over UDP at a fixed rate, and prints as JSON lines what a million metrics cost it, from the
//! socket to the committed frame, with how long a flush took and what it holds in memory. Every run
//! also checks the books: what was sent is what was read or counted as dropped by the kernel, every
//! line is accepted or refused, and the stored counters and timers add up to what was sent.
//!
//! Other servers that are on this machine, `netdata` and npm's `statsd`, get the same load for the
//! ratio, each after our own run of the same row; and so does a reader that throws everything away,
//! for what the kernel's part is.
//!
//! ```text
//! bench_ingest           the rows that say most, about 90 s, and as long for each other server
//! bench_ingest --long    all rows, each three times, and a soak of ten minutes with ours only
//! bench_ingest TEXT      only the rows whose name contains the text, once
//! --server=FILE          with any of these: measures this program instead of building the present one
//! --alone                with any of these: no other servers
//! ```
//!
//! It deliberately sends to no other machine, and installs nothing.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod discard;
mod distinct;
mod hostile;
mod load;
mod peers;
mod process;
mod report;
mod rows;
mod server;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, ensure};

use peers::Trial;
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
    if let [first, address] = args
        && first == discard::ARGUMENT
    {
        return discard::run(address);
    }
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
    let is_chosen = |name: &str| match text {
        Some(text) => name.contains(text.as_str()),
        None => is_long,
    };
    let has_distinct = is_chosen(distinct::NAME);
    let has_hostile = is_chosen(hostile::NAME);
    ensure!(!rows.is_empty() || has_distinct || has_hostile, "no row has such a name");
    let is_alone = args.iter().any(|arg| arg == "--alone");
    let peers = if is_alone { Vec::new() } else { peers::find() };
    for row in rows {
        let repeats = if is_long && !row.is_soak() { 3 } else { 1 };
        let peers = if row.is_soak() { &[] } else { peers.as_slice() };
        let mut trials: Vec<Trial<'_>> = peers.iter().map(|peer| Trial::new(peer, row)).collect();
        let mut runs: Vec<Run> = Vec::new();
        // In turns, so that what else the machine does meets all of them.
        for _ in 0..repeats {
            runs.push(row.run(&server)?);
            trials.iter_mut().for_each(Trial::run);
        }
        report::ours(row, &runs);
        for trial in &trials {
            report::peer(row, &runs, trial);
        }
    }
    if has_distinct {
        distinct::run(&server)?;
    }
    if has_hostile {
        hostile::run(&server)?;
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
