//! Measures the store on synthetic data: bytes per sample, speed of commit and query, memory. Speeds
//! are per second of processor time of one core, so that they hold on a busy machine too.
//!
//! `cargo run --release -p tsdb --example measure [series] [hours] [kind]`
#![expect(clippy::print_stdout, reason = "its purpose is to print figures")]

#[path = "bench_store/synthetic.rs"]
mod synthetic;

use std::{error::Error, sync::Arc};

use model::{
    Column, Storage, Value,
    storage::{Select, Selection},
};
use tsdb::{Batch, Engine, Options, SeriesRef, Tsdb, engine::MemoryEngine};

use synthetic::{Kind, START, STEP_MS, Source, cpu_seconds, labels, resident_bytes};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| match arguments.next() {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let series = number(1_000)?;
    let hours = number(24)?;
    let only = arguments.next();
    println!("{series} series, {hours} h at 10 s");
    for kind in [
        Kind::Counter,
        Kind::Rate,
        Kind::IntegerGauge,
        Kind::DecimalGauge,
        Kind::Timer,
        Kind::Constant,
        Kind::Mean,
        Kind::Mix,
        Kind::BusyCounter,
        Kind::Bytes,
        Kind::Mantissa,
        Kind::MixMantissa,
        Kind::Histogram,
    ] {
        if only.as_ref().is_some_and(|only| *only != format!("{kind:?}")) {
            continue;
        }
        let count = if kind == Kind::Histogram { series.div_ceil(10) } else { series };
        measure(kind, count, hours)?;
    }
    Ok(())
}

fn measure(kind: Kind, count: usize, hours: usize) -> Result<(), Box<dyn Error>> {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options { cache_bytes: 1 << 30, ..Options::default() };
    let (store, _) = Tsdb::open(Arc::clone(&engine) as Arc<dyn Engine>, options.clone())?;
    let before = resident_bytes();
    let mut sources: Vec<Source> = (0..count).map(|i| Source::new(kind, i)).collect();
    let series: Vec<SeriesRef> = (0..count).map(|i| store.resolve(&labels(i))).collect();

    let ticks = hours * 360;
    let mut commit_seconds = 0.0;
    let mut maintain_seconds: f64 = 0.0;
    let (mut head_bytes, mut resident) = (0, 0);
    for tick in 0..ticks as i64 {
        let samples: Vec<(SeriesRef, Value)> =
            series.iter().zip(&mut sources).map(|(series, s)| (*series, s.next())).collect();
        let timestamp = START + tick * STEP_MS;
        let start = cpu_seconds();
        let committed = store.commit(&Batch { timestamp, samples: &samples, ..Batch::default() });
        commit_seconds += cpu_seconds() - start;
        assert_eq!(committed.appended as usize, count);
        if tick == 359 {
            head_bytes = store.stats().head_bytes;
            resident = resident_bytes().saturating_sub(before + engine.stored_bytes() as u64);
        }
        let start = cpu_seconds();
        store.maintain(timestamp)?;
        maintain_seconds += cpu_seconds() - start;
    }
    let frame_bytes = store.stats().frame_bytes;
    store.seal()?;
    for _ in 0..3 {
        store.maintain(START + ticks as i64 * STEP_MS)?;
    }
    let stats = store.stats();
    let samples = (count * ticks) as f64;

    let restart = cpu_seconds();
    drop(store);
    let (store, _) = Tsdb::open(Arc::clone(&engine) as Arc<dyn Engine>, options)?;
    let restart = cpu_seconds() - restart;
    let cold = read_all(&store)?;
    // The kernel counts a thread's time in steps, so a single reading would say little.
    let rounds = (10e6 / samples).ceil() as usize;
    let warm = (0..rounds).try_fold(0.0, |sum, _| read_all(&store).map(|taken| sum + taken))?;
    let warm = warm / rounds as f64;
    println!(
        "{kind:?}: {:.3} bytes/sample (pages {:.3}, index in memory {:.3}), frames {:.3}; \
         commit {:.2} M/s, maintenance {:.2} M/s, read {:.1} M/s cold, {:.1} M/s warm; \
         head {:.0} bytes/series, resident {:.0}; open {:.1} ms",
        engine.stored_bytes() as f64 / samples,
        stats.page_bytes as f64 / samples,
        stats.block_index_bytes as f64 / samples,
        frame_bytes as f64 / samples,
        samples / commit_seconds / 1e6,
        samples / maintain_seconds / 1e6,
        samples / cold / 1e6,
        samples / warm / 1e6,
        head_bytes as f64 / count as f64,
        resident as f64 / count as f64,
        restart * 1e3,
    );
    Ok(())
}

fn read_all(store: &Tsdb) -> Result<f64, Box<dyn Error>> {
    let start = cpu_seconds();
    let request = Select { matchers: &[], start: i64::MIN, end: i64::MAX, max_series: usize::MAX };
    let selection: Box<dyn Selection + '_> = store.select(&request)?;
    let mut column = Column::default();
    for index in 0..selection.labels().len() {
        selection.read(index, &mut column)?;
    }
    Ok(cpu_seconds() - start)
}
