//! The workloads, how each is run, and the check of its books.

use std::{
    fmt,
    path::Path,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::ensure;

use crate::{
    load::{self, Pace, Pool, Shape, Totals},
    process::Used,
    server::Server,
};

/// An address of this machine that only the load comes from.
pub(crate) const OWN_ADDRESS: &str = "127.0.0.2";
/// More than any row has.
const MAX_SERIES: u32 = 2_000_000;
const FLUSH: Duration = Duration::from_secs(10);
/// The pause after a flush before load starts and the pause between its end and the next flush.
pub(crate) const MARGIN: Duration = Duration::from_millis(700);

/// A workload and what is expected of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) is_short: bool,
    pub(crate) shape: Shape,
    /// Every name in turn instead of any.
    pub(crate) is_even: bool,
    /// Lines per second; `None` as fast as the sender can.
    pub(crate) rate: Option<u64>,
    /// The time between two flushes.
    pub(crate) interval: Duration,
    /// How many flushes the load goes on for.
    pub(crate) flushes: u32,
    /// Processor seconds per million metrics.
    pub(crate) cost_target: Option<f64>,
    /// Resident megabytes of the whole process.
    pub(crate) memory_target: Option<f64>,
}

const PLAIN: Row = Row {
    name: "",
    is_short: false,
    shape: Shape { names: 1_000, has_tags: false, is_single: false, is_count: false, pods: 1 },
    is_even: false,
    rate: None,
    interval: FLUSH,
    flushes: 1,
    cost_target: None,
    memory_target: None,
};
const MANY: Shape = Shape { names: 100_000, ..PLAIN.shape };
const COUNTS: Shape = Shape { is_count: true, ..PLAIN.shape };

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "1,000 names, packed, 600 k/s",
        is_short: true,
        rate: Some(600_000),
        cost_target: Some(0.10),
        memory_target: Some(60.0),
        ..PLAIN
    },
    Row {
        name: "1,000 names, 3 tags, 500 k/s",
        shape: Shape { has_tags: true, ..PLAIN.shape },
        rate: Some(500_000),
        cost_target: Some(0.15),
        memory_target: Some(60.0),
        ..PLAIN
    },
    Row {
        name: "100,000 names, packed, 400 k/s",
        is_short: true,
        shape: MANY,
        rate: Some(400_000),
        cost_target: Some(0.30),
        memory_target: Some(110.0),
        ..PLAIN
    },
    Row {
        name: "100,000 names, 3 tags, 400 k/s",
        shape: Shape { has_tags: true, ..MANY },
        rate: Some(400_000),
        cost_target: Some(0.40),
        memory_target: Some(110.0),
        ..PLAIN
    },
    Row {
        name: "one metric per datagram, 80 k/s",
        is_short: true,
        shape: Shape { is_single: true, ..PLAIN.shape },
        rate: Some(80_000),
        cost_target: Some(1.0),
        memory_target: Some(60.0),
        ..PLAIN
    },
    Row { name: "100,000 names, 1 M/s", shape: MANY, rate: Some(1_000_000), flushes: 6, ..PLAIN },
    Row {
        name: "one metric per datagram, 150 k/s",
        shape: Shape { is_single: true, ..PLAIN.shape },
        rate: Some(150_000),
        flushes: 6,
        ..PLAIN
    },
    Row {
        name: "flood, 1,000 names",
        is_short: true,
        shape: COUNTS,
        interval: Duration::from_secs(5),
        ..PLAIN
    },
    Row { name: "flood, 100,000 names", shape: Shape { is_count: true, ..MANY }, ..PLAIN },
    // A little more than one sample per flush; 60 % of a core are 6 seconds per million.
    Row {
        name: "1,000,000 series of 10,000 names, 110 k/s",
        shape: Shape { names: 1_000_000, pods: 100, ..PLAIN.shape },
        is_even: true,
        rate: Some(110_000),
        flushes: 3,
        cost_target: Some(6.0),
        memory_target: Some(1_000.0),
        ..PLAIN
    },
    Row {
        name: "1,000,000 names, 110 k/s",
        shape: Shape { names: 1_000_000, ..PLAIN.shape },
        is_even: true,
        rate: Some(110_000),
        flushes: 3,
        ..PLAIN
    },
    // As many flushes as in 100 minutes with the default interval.
    Row {
        name: "soak, 100,000 names, flush 1 s",
        shape: MANY,
        rate: Some(100_000),
        interval: Duration::from_secs(1),
        flushes: 600,
        ..PLAIN
    },
];

/// What one run came to.
#[derive(Debug)]
pub(crate) struct Run {
    sent: Totals,
    /// Datagrams dropped by the kernel.
    pub(crate) dropped: u64,
    used: Used,
    /// Lines per second offered.
    pub(crate) rate: f64,
    pub(crate) flush_seconds: f64,
    /// Of the flush that met every series for the first time.
    pub(crate) first_flush_seconds: f64,
    pub(crate) resident_mb: f64,
    /// Resident megabytes after a tenth of the flushes and at the end.
    growth_mb: (f64, f64),
    read_lines: u64,
}

impl Run {
    /// Processor seconds per million metrics read.
    pub(crate) fn cost(&self) -> f64 {
        self.used.total / (self.read_lines as f64 / 1e6)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.4} CPU-s/M, {:.2} M lines at {:.0} k/s, {} of {} datagrams dropped by the kernel, \
             first flush {:.3} s, later ones {:.3} s, {:.0} MB at most, {:.0} -> {:.0} MB; CPU-s by thread:",
            self.cost(),
            self.sent.lines as f64 / 1e6,
            self.rate / 1e3,
            self.dropped,
            self.sent.datagrams,
            self.first_flush_seconds,
            self.flush_seconds,
            self.resident_mb,
            self.growth_mb.0,
            self.growth_mb.1,
        )?;
        for (name, seconds) in self.used.threads.iter().filter(|(_, seconds)| **seconds > 0.01) {
            write!(f, " {name} {seconds:.2}")?;
        }
        Ok(())
    }
}

impl Row {
    pub(crate) fn is_soak(&self) -> bool {
        self.flushes > 60
    }

    /// The rate is the target, in millions of lines per second.
    pub(crate) fn rate_target(&self) -> Option<f64> {
        // A sender that is held up for a moment sends a little less than it was told.
        self.rate.map(|rate| rate as f64 * 0.98 / 1e6)
    }

    /// What is sent while it is measured.
    pub(crate) fn pool(&self) -> Pool {
        if self.is_even {
            return Pool::every_name(self.shape);
        }
        Pool::shuffled(self.shape, if self.shape.names > 10_000 { 20 } else { 200 })
    }

    pub(crate) fn run(&self, program: &Path) -> anyhow::Result<Run> {
        let server = Server::start(program, self.interval, MAX_SERIES)?;
        let socket = load::connect(server.statsd, OWN_ADDRESS)?;
        let mut sent = Pool::every_name(self.shape).send_once(&socket)?;
        let mut pool = self.pool();
        let first_flush_seconds = server.wait_for_flush()?.max(server.wait_for_flush()?);
        let mut flush_seconds: f64 = 0.0;
        let before = server.process.used()?;
        let mut measured = Totals::default();
        let mut load_seconds = 0.0;
        let mut early_mb = 0.0;
        for flush in 0..self.flushes {
            sleep(MARGIN.min(self.interval / 10));
            let margin = MARGIN.min(self.interval / 5);
            let duration = server.until_tick().saturating_sub(margin);
            let load = pool.send(&socket, Pace { rate: self.rate, duration })?;
            measured.add(&load);
            load_seconds += duration.as_secs_f64();
            flush_seconds = flush_seconds.max(server.wait_for_flush()?);
            if flush == self.flushes / 10 {
                early_mb = server.process.resident_mb()?.0;
            }
        }
        let after = server.process.used()?;
        sent.add(&measured);
        let (late_mb, resident_mb) = server.process.resident_mb()?;
        let dropped = check_books(&server, &sent, self.shape)?;
        let read_share = 1.0 - dropped as f64 / sent.datagrams as f64;
        Ok(Run {
            sent,
            dropped,
            used: after.since(&before),
            rate: measured.lines as f64 / load_seconds,
            flush_seconds,
            first_flush_seconds,
            resident_mb,
            growth_mb: (early_mb, late_mb),
            read_lines: (measured.lines as f64 * read_share) as u64,
        })
    }
}

/// The time until the wall clock shows the next multiple of an interval.
pub(crate) fn until_multiple(interval: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let interval = interval.as_millis().max(1);
    Duration::from_millis((interval - now.as_millis() % interval) as u64)
}

/// Compares what was sent with what the server says; returns the datagrams dropped by the kernel.
fn check_books(server: &Server, sent: &Totals, shape: Shape) -> anyhow::Result<u64> {
    // The kernel tells of drops with a later datagram: our question makes the server send one to itself.
    server.books(OWN_ADDRESS)?;
    server.wait_for_flush()?;
    let books = server.books(OWN_ADDRESS)?;
    books.expect_datagrams(sent.datagrams)?;
    ensure!(books.refused == 0, "{} of {} lines were refused", books.refused, books.lines);
    let counts = server.query(r#"sum({__name__=~"lg_svc.*_c[0-9]+"})"#)?;
    if shape.is_count {
        ensure!(counts == books.lines as f64, "{} lines read, {counts} stored", books.lines);
    }
    if books.kernel_drops > 0 {
        return Ok(books.kernel_drops);
    }
    ensure!(
        (books.bytes, books.lines) == (sent.bytes, sent.lines),
        "{} bytes and {} lines sent, {} and {} read",
        sent.bytes,
        sent.lines,
        books.bytes,
        books.lines
    );
    ensure!(counts == sent.counts as f64, "counts of {} sent, {counts} stored", sent.counts);
    let series = server.query(r#"count({__name__=~"lg_svc.+"})"#)?;
    ensure!(series == f64::from(shape.names), "{} names sent, {series} stored", shape.names);
    if shape.is_count {
        return Ok(0);
    }
    let timings = server.query(r#"sum(histogram_count({__name__=~"lg_svc.*_ms[0-9]+"}))"#)?;
    ensure!(timings == sent.timings as f64, "{} timings sent, {timings} stored", sent.timings);
    Ok(0)
}
