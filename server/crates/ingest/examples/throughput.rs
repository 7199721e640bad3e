//! Nanoseconds per line of the path from datagram to open window, and of a flush.
//!
//! `cargo run --release -p ingest --example throughput [SECONDS [ROW]]`
//!
//! Lines are counters, timers and gauges 60:25:15, in datagrams of up to 1400 bytes, names in random
//! order. Each row is the best of several rounds; the time per line is processor time (Linux only).
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::time::{Duration, Instant};

use ingest::{Arrival, FlushSink, Registry, RegistryOptions, Shard, ShardOptions};
use model::{Labels, Metadata, Timestamp, Value};

const DATAGRAM_BYTES: usize = 1400;

struct Workload {
    label: &'static str,
    names: u64,
    has_tags: bool,
}

const WORKLOADS: [Workload; 4] = [
    Workload { label: "1k names", names: 1_000, has_tags: false },
    Workload { label: "1k names, 3 tags", names: 1_000, has_tags: true },
    Workload { label: "100k names", names: 100_000, has_tags: false },
    Workload { label: "100k names, 3 tags", names: 100_000, has_tags: true },
];

/// Counts what a store would get. Histograms are not held, so each is built anew at every flush.
#[derive(Default)]
struct Count(u64);

impl FlushSink for Count {
    fn sample(&mut self, _handle: u32, _labels: &Labels, _value: Value) {
        self.0 += 1;
    }

    fn ended(&mut self, _: u32) {}

    fn timed(&mut self, _: u32, _: &Labels, _: Timestamp, _: Value) {}

    fn metadata(&mut self, _: Metadata) {}
}

/// A small generator (splitmix64): the same lines in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn line(random: &mut Random, workload: &Workload) -> String {
    let name = random.below(workload.names);
    let value = random.below(400) + 1;
    let service = name % 16;
    // The type belongs to the name, in the shares of the workload.
    let (value, letter) = match (name * 7) % 20 {
        0..12 => (value.to_string(), "c"),
        12..17 => (format!("{value}.{}", random.below(100)), "ms"),
        _ => (value.to_string(), "g"),
    };
    let tags = if workload.has_tags {
        format!("|#env:production,region:eu-west-{},service:s{service}", name % 3)
    } else {
        String::new()
    };
    format!("lg.svc{service}.endpoint.m{name}:{value}|{letter}{tags}\n")
}

fn datagrams(workload: &Workload, lines: usize) -> Vec<Vec<u8>> {
    let mut random = Random(1);
    let mut datagrams = vec![Vec::with_capacity(DATAGRAM_BYTES)];
    for _ in 0..lines {
        let line = line(&mut random, workload);
        let is_full = datagrams.last().is_some_and(|last| last.len() + line.len() > DATAGRAM_BYTES);
        if is_full {
            datagrams.push(Vec::with_capacity(DATAGRAM_BYTES));
        }
        if let Some(last) = datagrams.last_mut() {
            last.extend_from_slice(line.as_bytes());
        }
    }
    datagrams
}

/// The time this thread was on a processor, so that other work on the machine counts less.
fn cpu_time() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = schedstat.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

fn resident_megabytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or(0.0) * 4096.0 / 1e6
}

fn measure(workload: &Workload, budget: Duration) {
    let lines = (workload.names as usize * 20).max(1_000_000);
    let datagrams = datagrams(workload, lines);
    let before = resident_megabytes();
    let mut shard = Shard::new(ShardOptions::default());
    let mut registry = Registry::new(RegistryOptions::default());
    let mut store = Count::default();
    let mut best_accept = f64::INFINITY;
    let mut best_take = Duration::MAX;
    let mut best_flush = Duration::MAX;
    let started = Instant::now();
    let mut now = 0;
    while started.elapsed() < budget || now < 30_000 {
        let round = cpu_time();
        for (stamp, datagram) in datagrams.iter().enumerate() {
            let arrival = Arrival { stamp: stamp as u64, ..Arrival::default() };
            shard.accept(datagram, arrival, &mut |_| {});
        }
        let spent = cpu_time().saturating_sub(round);
        best_accept = best_accept.min(spent.as_nanos() as f64 / lines as f64);
        let taking = Instant::now();
        let window = shard.take_window();
        best_take = best_take.min(taking.elapsed());
        let flushing = Instant::now();
        registry.merge(window);
        now += 10_000;
        registry.flush(now, &mut |_| None, &mut store);
        best_flush = best_flush.min(flushing.elapsed());
    }
    println!(
        "{:<20} {best_accept:6.1} ns/line   take {best_take:8.1?}   merge+flush {best_flush:8.1?}   \
         {:7} series   +{:.0} MB",
        workload.label,
        registry.len(),
        resident_megabytes() - before,
    );
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(5);
    let only: Option<usize> = std::env::args().nth(2).and_then(|s| s.parse().ok());
    for (number, workload) in WORKLOADS.iter().enumerate() {
        if only.is_none_or(|only| only == number) {
            measure(workload, Duration::from_secs(seconds));
        }
    }
}
