//! What is measured.

use std::{
    error::Error,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use model::{
    Labels, MatchOp, Matcher, Storage, Value,
    storage::{Select, Selection},
};
use serde_json::json;
use tsdb::{
    Batch, Engine, Options, SeriesRef, Tsdb,
    engine::{BlockChange, BlockRow, EngineError, FrameRow, MemoryEngine, PageRow},
};

use crate::synthetic::{Kind, START, STEP_MS, Source, cpu_seconds, labels, resident_bytes};

/// One measurement.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Only on demand.
    pub(crate) is_long: bool,
    pub(crate) run: fn() -> Outcome,
}

type Outcome = Result<(), Box<dyn Error>>;

const fn row(name: &'static str, run: fn() -> Outcome) -> Row {
    Row { name, is_long: false, run }
}

pub(crate) const ROWS: &[Row] = &[
    row("flush", flush),
    row("new-series", new_series),
    row("resident-10k", || resident(10_000, 360, Some(60.0))),
    row("resident-100k", || resident(100_000, 360, Some(110.0))),
    row("resident-1m", || resident(1_000_000, 30, Some(450.0))),
    row("replay-10k", || replay(10_000, 360, 0.3)),
    row("replay-1m", || replay(1_000_000, 6, 5.0)),
    row("select", select),
    row("stats", stats),
    row("hold", hold),
    row("bytes-24h", || bytes(Kind::Mix, 24, Some(1.25))),
    Row { name: "bytes-7d", is_long: true, run: || bytes(Kind::Mix, 7 * 24, Some(1.12)) },
    row("bytes-mantissa", || bytes(Kind::MixMantissa, 24, None)),
    row("bytes-histogram", || bytes(Kind::Histogram, 24, None)),
    row("rollup", rollup),
    row("hold-1m", hold_many),
];

/// A store with series and where their values come from.
struct Load {
    engine: Arc<MemoryEngine>,
    store: Tsdb,
    series: Vec<SeriesRef>,
    sources: Vec<Source>,
    ticks: i64,
}

impl Load {
    fn new(kind: Kind, count: usize, options: Options) -> Result<Self, Box<dyn Error>> {
        let engine = Arc::new(MemoryEngine::new());
        let (store, _) = Tsdb::open(Arc::clone(&engine) as Arc<dyn Engine>, options)?;
        let series = (0..count).map(|number| store.resolve(&labels(number))).collect();
        let sources = (0..count).map(|number| Source::new(kind, number)).collect();
        Ok(Self { engine, store, series, sources, ticks: 0 })
    }

    fn next(&mut self) -> Vec<(SeriesRef, Value)> {
        self.series.iter().zip(&mut self.sources).map(|(series, s)| (*series, s.next())).collect()
    }

    fn now(&self) -> i64 {
        START + self.ticks * STEP_MS
    }

    /// Commits one flush and returns the processor time it took.
    fn tick(&mut self) -> f64 {
        let samples = self.next();
        let timestamp = self.now();
        self.ticks += 1;
        let start = cpu_seconds();
        let committed =
            self.store.commit(&Batch { timestamp, samples: &samples, ..Batch::default() });
        let taken = cpu_seconds() - start;
        assert_eq!(committed.appended as usize, samples.len(), "every sample is accepted");
        taken
    }
}

/// An hour's seal never falls due on its own.
fn unsealed() -> Options {
    Options { seal_interval: std::time::Duration::from_hours(1_000), ..Options::default() }
}

fn figure(work: &str, value: f64, unit: &str, target: Option<f64>, better: &str) {
    println!(
        "{}",
        json!({ "work": work, "value": value, "unit": unit, "target": target, "better": better })
    );
}

fn flush() -> Outcome {
    for (count, ticks) in [(10_000, 600), (100_000, 60)] {
        let mut load = Load::new(Kind::Mix, count, unsealed())?;
        load.tick();
        let seconds: f64 = (0..ticks).map(|_| load.tick()).sum();
        let speed = (count * ticks) as f64 / seconds / 1e6;
        let work = format!("own flush path, {count} series");
        figure(&work, speed, "M samples per CPU-s", Some(5.0), "higher");
    }
    let mut load = Load::new(Kind::Constant, 100_000, unsealed())?;
    load.tick();
    let before = load.store.stats().frame_bytes;
    let seconds: f64 = (0..60).map(|_| load.tick()).sum();
    let bytes = load.store.stats().frame_bytes - before;
    figure("flush of unchanged values", 6.0 / seconds, "M samples per CPU-s", None, "higher");
    figure("frame of unchanged values", bytes as f64 / 60.0, "bytes per 100,000", None, "lower");
    Ok(())
}

fn new_series() -> Outcome {
    const COUNT: usize = 1_000_000;
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = Tsdb::open(Arc::clone(&engine) as Arc<dyn Engine>, unsealed())?;
    let all: Vec<Labels> = (0..COUNT).map(labels).collect();
    let before = resident_bytes();
    let (mut resolving, mut committing) = (0.0, 0.0);
    // As remote write brings them: requests of 10,000 series.
    for (request, labels) in all.chunks(10_000).enumerate() {
        let start = cpu_seconds();
        let series: Vec<SeriesRef> = labels.iter().map(|labels| store.resolve(labels)).collect();
        resolving += cpu_seconds() - start;
        let timestamp = START + request as i64;
        let dated: Vec<(SeriesRef, i64, Value)> =
            series.iter().map(|series| (*series, timestamp, Value::Float(1.0))).collect();
        let start = cpu_seconds();
        let committed = store.commit(&Batch { timestamp, dated: &dated, ..Batch::default() });
        committing += cpu_seconds() - start;
        assert_eq!(committed.appended as usize, dated.len(), "every sample is accepted");
    }
    figure("new series, resolving", resolving, "CPU-s per M", None, "lower");
    figure("new series, committing", committing, "CPU-s per M", None, "lower");
    figure("new series, store alone", resolving + committing, "CPU-s per M", Some(0.9), "lower");
    let held = resident_bytes().saturating_sub(before + engine.stored_bytes() as u64);
    figure("new series, without labels", held as f64 / COUNT as f64, "bytes each", None, "lower");
    Ok(())
}

/// The most that a store holds at any moment of so many flushes, maintained as a server does it. What is
/// stored is not kept: a server has it in files.
fn resident(count: usize, ticks: usize, target: Option<f64>) -> Outcome {
    let engine = Arc::new(Forgetful::default());
    let (store, _) = Tsdb::open(engine, Options::default())?;
    let sources: Vec<Source> = (0..count).map(|number| Source::new(Kind::Mix, number)).collect();
    // What the load itself needs at its peak is there before the store grows.
    let series: Vec<SeriesRef> = vec![store.resolve(&labels(0)); count];
    let mut load = Load { engine: Arc::default(), store, series, sources, ticks: 0 };
    drop(load.next());
    let before = resident_bytes();
    for (number, series) in load.series.iter_mut().enumerate() {
        *series = load.store.resolve(&labels(number));
    }
    let mut usual = 0;
    for _ in 0..ticks {
        load.tick();
        usual = usual.max(resident_bytes().saturating_sub(before));
        load.store.maintain(load.now())?;
    }
    let held = peak_bytes().saturating_sub(before);
    let work = format!("{count} series, {ticks} samples each");
    figure(&format!("resident, {work}"), held as f64 / 1e6, "MB", target, "lower");
    figure(&format!("resident after flushes, {work}"), usual as f64 / 1e6, "MB", None, "lower");
    let each = held as f64 / count as f64;
    figure(&format!("resident each, {work}"), each, "bytes", Some(700.0), "lower");
    let counted = load.store.stats().head_bytes as f64 / count as f64;
    figure(&format!("counted each, {work}"), counted, "bytes", None, "lower");
    Ok(())
}

/// The most memory that this process ever had in use.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1_024
}

/// An engine that takes everything and keeps nothing but how many bytes it was.
#[derive(Debug, Default)]
struct Forgetful(AtomicU64);

impl Forgetful {
    fn take(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Engine for Forgetful {
    fn append_frame(&self, frame: &FrameRow) -> Result<(), EngineError> {
        self.take(frame.bytes.len());
        Ok(())
    }

    fn frames(&self, _: u64, _: &mut dyn FnMut(FrameRow)) -> Result<(), EngineError> {
        Ok(())
    }

    fn stage_pages(&self, pages: &[PageRow]) -> Result<(), EngineError> {
        self.take(pages.iter().map(|page| page.bytes.len()).sum());
        Ok(())
    }

    fn change_blocks(&self, change: &BlockChange) -> Result<(), EngineError> {
        self.take(change.add.as_ref().map_or(0, |row| row.index.len()));
        Ok(())
    }

    fn blocks(&self) -> Result<Vec<BlockRow>, EngineError> {
        Ok(Vec::new())
    }

    fn pages(&self, _: u64, _: &[u32]) -> Result<Vec<PageRow>, EngineError> {
        Ok(Vec::new())
    }

    fn delete_pages(&self, _: u64) -> Result<Vec<u32>, EngineError> {
        Ok(Vec::new())
    }

    fn blocks_with_pages(&self) -> Result<Vec<u64>, EngineError> {
        Ok(Vec::new())
    }
}

fn replay(count: usize, ticks: usize, target: f64) -> Outcome {
    let mut load = Load::new(Kind::Mix, count, unsealed())?;
    for _ in 0..ticks {
        load.tick();
    }
    let Load { engine, store, .. } = load;
    drop(store);
    let start = cpu_seconds();
    let (_store, report) = Tsdb::open(engine, unsealed())?;
    let seconds = cpu_seconds() - start;
    assert_eq!(report.samples as usize, count * ticks, "nothing is lost");
    let work = format!("ready after a crash, {count} series, {ticks} flushes");
    figure(&work, seconds, "CPU-s", Some(target), "lower");
    Ok(())
}

/// 100,000 metrics, and a rule with a regular expression on the name, again and again.
fn select() -> Outcome {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = Tsdb::open(engine, unsealed())?;
    let name = |number: usize| format!("app_{number:05}_requests_total");
    let series: Vec<SeriesRef> = (0..100_000)
        .map(|number| {
            store.resolve(&Labels::from_pairs([("__name__", name(number)), ("job", "a".into())]))
        })
        .collect();
    let samples: Vec<(SeriesRef, Value)> =
        series.iter().map(|series| (*series, Value::Float(1.0))).collect();
    let committed =
        store.commit(&Batch { timestamp: START, samples: &samples, ..Batch::default() });
    assert_eq!(committed.appended, 100_000, "every sample is accepted");
    for pattern in [
        "app_.*7_requests_total",
        ".*_00042_.*",
        ".*_00042_requests_total",
        "app_(00001|00002)_requests_total",
    ] {
        let matcher = Matcher::try_new("__name__", MatchOp::Regex, pattern)?;
        let (mut first, mut others, mut found) = (0.0, 0.0, 0);
        for round in 0..20 {
            // A new series comes between, as it does in real life.
            store.resolve(&Labels::from_pairs([("__name__", format!("{pattern}_{round}"))]));
            let start = cpu_seconds();
            let selection: Box<dyn Selection + '_> = store.select(&Select {
                matchers: std::slice::from_ref(&matcher),
                start: START,
                end: START,
                max_series: usize::MAX,
            })?;
            found = black_box(selection.labels().len());
            let taken = cpu_seconds() - start;
            if round == 0 { first = taken } else { others += taken }
        }
        let work = format!("{pattern} on 100,000 names, {found} series");
        figure(&format!("{work}, first"), first * 1e3, "CPU-ms", None, "lower");
        figure(&format!("{work}, again"), others / 19.0 * 1e3, "CPU-ms", None, "lower");
    }
    Ok(())
}

fn stats() -> Outcome {
    let mut load = Load::new(Kind::Mix, 100_000, unsealed())?;
    load.tick();
    let start = cpu_seconds();
    for _ in 0..10 {
        black_box(load.store.stats());
    }
    figure("stats, 100,000 series", (cpu_seconds() - start) * 1e2, "CPU-ms", None, "lower");
    Ok(())
}

/// How long the longest commit of a single sample takes while another thread maintains the store.
fn hold() -> Outcome {
    let options = Options { merge_blocks: 3, rollups: Vec::new(), ..unsealed() };
    let mut load = Load::new(Kind::Mix, 100_000, options)?;
    let mut longest = [("idle", 0.0_f64), ("seal", 0.0), ("merge", 0.0), ("retention", 0.0)];
    for _ in 0..3 {
        for _ in 0..60 {
            load.tick();
        }
        longest[0].1 = longest[0].1.max(longest_commit(&mut load, |_| Ok(()))?);
        longest[1].1 = longest[1].1.max(longest_commit(&mut load, |store| {
            store.seal()?;
            Ok(())
        })?);
    }
    let now = load.now();
    longest[2].1 = longest_commit(&mut load, |store| {
        assert_eq!(store.maintain(now)?.merged_blocks, 3, "there is something to merge");
        Ok(())
    })?;
    longest[3].1 = longest_commit(&mut load, |store| {
        let later = now + 16 * 24 * 3_600_000;
        assert_eq!(store.maintain(later)?.expired_blocks, 1, "there is something to delete");
        Ok(())
    })?;
    for (what, milliseconds) in longest {
        let work = format!("longest commit during {what}, 100,000 series");
        figure(&work, milliseconds, "ms", Some(200.0), "lower");
    }
    Ok(())
}

/// The wall time of the longest commit, in ms, while `work` goes on.
fn longest_commit(
    load: &mut Load,
    work: impl FnOnce(&Tsdb) -> Outcome,
) -> Result<f64, Box<dyn Error>> {
    let (store, series) = (&load.store, load.series[0]);
    let is_done = AtomicBool::new(false);
    let first = START + load.ticks * STEP_MS;
    let (result, longest, commits) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let (mut longest, mut commits) = (0.0_f64, 0);
            while !is_done.load(Ordering::Relaxed) || commits < 100 {
                let timestamp = first + commits;
                let samples = [(series, Value::Float(1.0))];
                let start = Instant::now();
                let _committed =
                    store.commit(&Batch { timestamp, samples: &samples, ..Batch::default() });
                longest = longest.max(start.elapsed().as_secs_f64());
                commits += 1;
                std::thread::yield_now();
            }
            (longest, commits)
        });
        let result = work(store);
        is_done.store(true, Ordering::Relaxed);
        let (longest, commits) = writer.join().unwrap_or_default();
        (result, longest, commits)
    });
    result?;
    load.ticks += 1 + commits / STEP_MS;
    Ok(longest * 1e3)
}

fn bytes(kind: Kind, hours: usize, target: Option<f64>) -> Outcome {
    let count = if kind == Kind::Histogram { 100 } else { 1_000 };
    let mut load = Load::new(kind, count, Options::default())?;
    let (mut committing, mut maintaining) = (0.0, 0.0);
    for _ in 0..hours * 360 {
        committing += load.tick();
        let start = cpu_seconds();
        load.store.maintain(load.now())?;
        maintaining += cpu_seconds() - start;
    }
    load.store.seal()?;
    for _ in 0..3 {
        load.store.maintain(load.now())?;
    }
    let samples = (count * hours * 360) as f64;
    let work = format!("{kind:?}, {count} series, {hours} h");
    let stored = load.engine.stored_bytes() as f64 / samples;
    figure(&format!("bytes per sample, {work}"), stored, "bytes", target, "lower");
    let million = samples / 1e6;
    figure(&format!("commit, {work}"), committing / million, "CPU-s per M", None, "lower");
    figure(&format!("maintenance, {work}"), maintaining / million, "CPU-s per M", None, "lower");
    Ok(())
}

/// What a rollup takes, beside the samples it is made of, and what making it costs.
fn rollup() -> Outcome {
    const DAYS: usize = 3;
    let retention = std::time::Duration::from_hours(24);
    for kind in [Kind::Mix, Kind::Histogram] {
        let options = Options { retention, ..Options::default() };
        let count = if kind == Kind::Histogram { 20 } else { 500 };
        let mut load = Load::new(kind, count, options)?;
        let mut rolling = 0.0;
        for tick in 0..DAYS * 24 * 360 {
            load.tick();
            if tick % 90 == 0 {
                let start = cpu_seconds();
                let done = load.store.maintain(load.now())?;
                rolling += if done.rollups > 0 { cpu_seconds() - start } else { 0.0 };
            }
        }
        let rows = load.engine.blocks()?;
        let level = rows.iter().filter(|row| row.level == 3);
        let (mut bytes, mut samples) = (0, 0);
        for row in level {
            bytes += row.page_bytes as usize + row.index.len();
            samples += row.samples;
        }
        // Of 30 samples there is one window of five minutes, of 360 one of an hour.
        let windows = samples as f64 / 2.0 * (1.0 / 30.0 + 1.0 / 360.0);
        let work = format!("{kind:?}, {count} series");
        figure(&format!("rollup, {work}"), bytes as f64 / windows, "bytes a window", None, "lower");
        let million = samples as f64 / 2.0 / 1e6;
        let work = format!("rolling up, {work}");
        figure(&work, rolling / million, "CPU-s per M samples", None, "lower");
    }
    Ok(())
}

/// How long locks are held while the most series there may be are sealed, as the store says itself.
fn hold_many() -> Outcome {
    let mut load = Load::new(Kind::Mix, 1_000_000, Options { clock: since_start, ..unsealed() })?;
    for _ in 0..12 {
        load.tick();
    }
    load.store.seal()?;
    let held = load.store.stats().longest_hold_ns as f64 / 1e6;
    figure("longest hold during a seal, 1000000 series", held, "ms", Some(200.0), "lower");
    let (start, end) = (START, load.now());
    load.store.delete(&[Matcher::equal("job", "frontend")], start, end)?;
    let held = load.store.stats().longest_hold_ns as f64 / 1e6;
    figure("longest hold with a deletion, 1000000 series", held, "ms", Some(200.0), "lower");
    Ok(())
}

fn since_start() -> std::time::Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
