//! The same load against other `StatsD` servers that are installed on this machine, for the ratio.
//!
//! Each runs alone, on a free port of 127.0.0.1, with a folder of its own and nothing switched on
//! but `StatsD`: what is compared is the cost of the metrics, not of the whole product. Their
//! flushes are as far apart as ours, load begins as long after one, and what is measured has as
//! many. Where the work is still not the same:
//!
//! - They store less: Netdata at most 1,000 series of any number of names, and no tags; the
//!   `StatsD` of npm nothing. Ours also evaluates its rules and answers our questions over HTTP.
//! - A peer that cannot keep the rate gets a lower one, which its name in the figures says. With
//!   fewer metrics each time it wakes up, one costs it more, so such a ratio flatters us.

mod netdata;
mod npm_statsd;
mod running;

use std::{
    ffi::OsStr,
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    load::{self, Pace, Pool, Totals},
    rows::{MARGIN, OWN_ADDRESS, Row},
};
use running::Running;

/// A peer that loses more than this share of the datagrams cannot keep the rate.
const MAX_LOST: f64 = 0.1;
/// The smallest share of a row's rate that is tried is one in so many.
const MAX_DIVISOR: u64 = 32;
/// Load before anything is measured, after which `JavaScript` is compiled.
const WARM_UP: Duration = Duration::from_secs(2);

/// A server that we compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Netdata,
    /// The original one, the package `statsd` of npm.
    Statsd,
    /// No server at all: what receiving costs.
    Discard,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Discard, Self::Netdata, Self::Statsd];

    fn program(self) -> &'static str {
        match self {
            Self::Netdata => "netdata",
            Self::Statsd => "statsd",
            Self::Discard => "receiving only",
        }
    }

    /// Which part of a row's rate it gets at first: one thread of `JavaScript` reads about a quarter.
    fn divisor(self) -> u64 {
        match self {
            Self::Netdata | Self::Discard => 1,
            Self::Statsd => 4,
        }
    }
}

/// A peer that is on this machine.
#[derive(Debug)]
pub(crate) struct Peer {
    kind: Kind,
    program: PathBuf,
}

/// The peers in the folders of `PATH` or where system services are; says which are missing.
pub(crate) fn find() -> Vec<Peer> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let peer = |kind: Kind| {
        let found = match kind {
            Kind::Discard => std::env::current_exe().ok(),
            _ => program_in(&path, kind.program()),
        };
        if found.is_none() {
            println!("{} is not installed: no ratio to it", kind.program());
        }
        Some(Peer { kind, program: found? })
    };
    Kind::ALL.into_iter().filter_map(peer).collect()
}

fn program_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    // Where Debian has services is not on everybody's PATH.
    let folders = std::env::split_paths(path).chain(["/usr/sbin".into()]);
    let is_program = |file: &PathBuf| {
        fs::metadata(file)
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    folders.map(|folder| folder.join(name)).find(is_program)
}

/// The runs of one peer for one row.
#[derive(Debug)]
pub(crate) struct Trial<'p> {
    peer: &'p Peer,
    row: &'p Row,
    divisor: u64,
    runs: Vec<PeerRun>,
    failure: Option<anyhow::Error>,
}

impl<'p> Trial<'p> {
    pub(crate) fn new(peer: &'p Peer, row: &'p Row) -> Self {
        let divisor = peer.kind.divisor();
        Self { peer, row, divisor, runs: Vec::new(), failure: None }
    }

    /// Runs once more. At the first failure the peer is given up for this row: ours goes on.
    pub(crate) fn run(&mut self) {
        while self.failure.is_none() {
            match self.peer.run(self.row, self.rate()) {
                Err(error) => self.failure = Some(error),
                Ok(run) if run.lost() > MAX_LOST && self.can_be_slower() => {
                    println!("{}, {}: {run}: half the rate now", self.row.name, self.name());
                    self.divisor *= 2;
                    self.runs.clear();
                }
                Ok(run) => {
                    self.runs.push(run);
                    return;
                }
            }
        }
    }

    fn rate(&self) -> Option<u64> {
        self.row.rate.map(|rate| rate / self.divisor)
    }

    fn can_be_slower(&self) -> bool {
        self.row.rate.is_some() && self.divisor < MAX_DIVISOR
    }

    /// The peer, with its rate where that is not the row's.
    pub(crate) fn name(&self) -> String {
        let name = self.peer.kind.program();
        match self.rate() {
            Some(rate) if self.divisor > 1 => format!("{name} at {} k/s", rate as f64 / 1e3),
            _ => name.to_owned(),
        }
    }

    pub(crate) fn runs(&self) -> &[PeerRun] {
        &self.runs
    }

    pub(crate) fn failure(&self) -> Option<&anyhow::Error> {
        self.failure.as_ref()
    }
}

/// What one run of a peer came to.
#[derive(Debug)]
pub(crate) struct PeerRun {
    sent: Totals,
    /// Datagrams dropped by the kernel.
    dropped: u64,
    cpu_seconds: f64,
    /// Lines per second offered.
    rate: f64,
    pub(crate) resident_mb: f64,
}

impl PeerRun {
    /// The share of the datagrams that the kernel dropped.
    pub(crate) fn lost(&self) -> f64 {
        self.dropped as f64 / self.sent.datagrams as f64
    }

    /// Processor seconds per million metrics read.
    pub(crate) fn cost(&self) -> f64 {
        let read_lines = self.sent.lines as f64 * (1.0 - self.lost());
        self.cpu_seconds / (read_lines / 1e6)
    }
}

impl fmt::Display for PeerRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.4} CPU-s/M, {:.2} M lines at {:.0} k/s, {} of {} datagrams dropped by the kernel, \
             {:.0} MB at most",
            self.cost(),
            self.sent.lines as f64 / 1e6,
            self.rate / 1e3,
            self.dropped,
            self.sent.datagrams,
            self.resident_mb,
        )
    }
}

impl Peer {
    fn run(&self, row: &Row, rate: Option<u64>) -> anyhow::Result<PeerRun> {
        let running = Running::start(self, row.interval)?;
        let socket = load::connect(running.address.into(), OWN_ADDRESS)?;
        let mut sent = Pool::every_name(row.shape).send_once(&socket)?;
        let mut pool = row.pool();
        sent.add(&pool.send(&socket, Pace { rate, duration: WARM_UP })?);
        // The flush that meets every series for the first time is the longest.
        running.wait_for_flush()?;
        let margin = MARGIN.min(row.interval / 5);
        sleep(margin);
        let started = Instant::now();
        let dropped_before = running.socket()?.dropped;
        let before = running.process.used()?;
        let mut measured = Totals::default();
        let duration = row.interval.saturating_sub(margin * 2);
        for flush in 1..=row.flushes {
            measured.add(&pool.send(&socket, Pace { rate, duration })?);
            // A whole number of intervals has as many flushes, wherever they are in it.
            sleep((row.interval * flush).saturating_sub(started.elapsed()));
        }
        running.wait_until_all_is_read()?;
        let after = running.process.used()?;
        let dropped = running.socket()?.dropped;
        sent.add(&measured);
        running.check_books(&sent, dropped)?;
        Ok(PeerRun {
            sent: measured,
            dropped: dropped - dropped_before,
            cpu_seconds: after.since(&before).total,
            rate: measured.lines as f64 / (duration * row.flushes).as_secs_f64(),
            resident_mb: running.process.resident_mb()?.1,
        })
    }
}

#[cfg(test)]
mod tests;
