//! Ever new names: what is beyond the limit is refused and counted, and takes no memory.

use std::{path::Path, time::Duration};

use anyhow::ensure;

use crate::{
    load::{self, Pool, Shape, Totals},
    report::Figure,
    rows::OWN_ADDRESS,
    server::Server,
};

pub(crate) const NAME: &str = "10,000,000 distinct names, limit 200,000";

const LIMIT: u32 = 200_000;
/// Names are rendered and sent in parts, so that the sender does not take the machine's memory.
const PART: u32 = 100_000;
const NAMES: u32 = 10_000_000;
const INTERVAL: Duration = Duration::from_secs(10);

/// Fills the server to its limit, then sends ten million more names.
pub(crate) fn run(program: &Path) -> anyhow::Result<()> {
    let shape = Shape { names: NAMES, has_tags: false, is_single: false, is_count: false, pods: 1 };
    let server = Server::start(program, INTERVAL, LIMIT)?;
    let socket = load::connect(server.statsd, OWN_ADDRESS)?;
    let mut sent = Totals::default();
    for part in 0..LIMIT / PART {
        sent.add(&Pool::names(shape, part * PART..(part + 1) * PART).send_once(&socket)?);
    }
    // Flushes of the full number of series take memory that they need again and again.
    for _ in 0..3 {
        server.wait_for_flush()?;
    }
    let (_, full_mb) = server.process.resident_mb()?;
    let used = server.process.used()?;
    let mut beyond = Totals::default();
    for part in LIMIT / PART..NAMES / PART {
        beyond.add(&Pool::names(shape, part * PART..(part + 1) * PART).send_once(&socket)?);
    }
    sent.add(&beyond);
    server.wait_for_flush()?;
    server.wait_for_flush()?;
    let spent = server.process.used()?.since(&used).total;
    let (_, late_mb) = server.process.resident_mb()?;
    let books = server.books(OWN_ADDRESS)?;
    books.expect_datagrams(sent.datagrams)?;
    // What the kernel dropped while the server was filled leaves room for as many names later.
    let accepted = books.lines - books.refused;
    ensure!(
        accepted <= u64::from(LIMIT),
        "{accepted} of the lines were accepted, the limit is {LIMIT}"
    );
    println!(
        "{NAME}: {} lines sent, {} datagrams dropped by the kernel, {} lines read, {} refused, \
         {full_mb:.0} MB -> {late_mb:.0} MB",
        sent.lines, books.kernel_drops, books.lines, books.refused
    );
    let figure = |what: &str, value: f64, unit: &'static str, target: Option<f64>| Figure {
        work: format!("{NAME}, {what}"),
        value,
        unit,
        target,
        better: "lower",
    };
    figure("resident in relation to the full limit", late_mb / full_mb, "times", Some(1.05))
        .print();
    let cost = spent / (beyond.lines as f64 / 1e6);
    figure("refusing", cost, "CPU-s per M metrics", None).print();
    Ok(())
}
