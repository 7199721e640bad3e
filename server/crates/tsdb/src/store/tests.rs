//! The store as a whole, on an engine in memory.

use std::{sync::Arc, time::Duration};

use model::{
    Column, Labels, MatchOp, Matcher, Metadata, MetricKind, Sample, Storage, StorageError,
    Timestamp, Value,
    storage::{Select, Selection},
};

use super::*;
use crate::engine::{Fault, FaultMoment, MemoryEngine, Verb};

mod faults;
mod import;
mod peers;
mod properties;
mod rollups;

fn open(engine: &Arc<MemoryEngine>, options: &Options) -> (Tsdb, ReplayReport) {
    Tsdb::open(Arc::clone(engine) as Arc<dyn Engine>, options.clone()).unwrap()
}

fn options() -> Options {
    Options {
        seal_interval: Duration::from_mins(1),
        merge_blocks: 3,
        page_bytes: 300,
        cache_bytes: 2_000,
        rollups: Vec::new(),
        ..Options::default()
    }
}

fn labels(job: usize) -> Labels {
    Labels::from_pairs([("__name__", "up".to_owned()), ("job", format!("j{job}"))])
}

/// Commits one number for each of the first `series` series.
fn flush(store: &Tsdb, timestamp: Timestamp, series: usize, value: f64) -> Committed {
    let samples: Vec<_> =
        (0..series).map(|job| (store.resolve(&labels(job)), Value::Float(value))).collect();
    store.commit(&Batch { timestamp, samples: &samples, ..Batch::default() })
}

fn all(matchers: &[Matcher]) -> Select<'_> {
    Select { matchers, start: Timestamp::MIN, end: Timestamp::MAX, max_series: usize::MAX }
}

/// Every sample of every series, by labels.
fn contents(store: &Tsdb) -> Vec<(Labels, Column)> {
    let selection = store.select(&all(&[])).unwrap();
    read_all(&*selection)
}

fn read_all(selection: &dyn Selection) -> Vec<(Labels, Column)> {
    let read = |(index, labels): (usize, &Labels)| {
        let mut column = Column::default();
        selection.read(index, &mut column).unwrap();
        (labels.clone(), column)
    };
    selection.labels().iter().enumerate().map(read).filter(|(_, c)| !c.is_empty()).collect()
}

fn latest(store: &Tsdb, start: Timestamp, end: Timestamp) -> Option<Sample> {
    let request = Select { start, end, ..all(&[]) };
    let selection = store.select(&request).unwrap();
    if selection.labels().is_empty() { None } else { selection.latest(0).unwrap() }
}

fn resolve_all(store: &Tsdb, labels: &[Labels]) -> Vec<SeriesRef> {
    store.resolve_all(&labels.iter().map(Labels::as_ref).collect())
}

#[test]
fn flushes_written_together_are_one_frame_and_keep_their_own_times() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    let series = resolve_all(&store, &[labels(0), labels(1), labels(0)]);
    assert_eq!(series[0], series[2]);
    let window = milliseconds(options().out_of_order_window);
    let first = [(series[0], Value::Float(1.0))];
    let second = [(series[1], Value::Float(2.0))];
    // In time for the first flush, and too old for the second one.
    let dated = [(series[1], -window, Value::Float(3.0))];
    let done = store.commit_together(&[
        Batch { timestamp: 0, samples: &first, dated: &dated, ..Batch::default() },
        Batch { timestamp: 10, samples: &second, dated: &dated, ..Batch::default() },
    ]);
    assert_eq!(done.iter().map(|d| (d.appended, d.too_old)).collect::<Vec<_>>(), [(2, 0), (1, 1)]);
    assert_eq!(store.stats().frames, 1);
    let written = contents(&store);
    assert_eq!(written[0].1.float_times, [0]);
    assert_eq!(written[1].1.float_times, [-window, 10]);
    drop(store);
    assert_eq!(contents(&open(&engine, &options()).0), written);
    assert_eq!(open(&engine, &options()).0.commit_together(&[]), []);
}

#[test]
fn many_series_are_resolved_as_one_by_one() {
    let (store, _) = open(&Arc::new(MemoryEngine::new()), &options());
    let some: Vec<Labels> = (0..800).map(|job| labels(job % 700)).collect();
    let known = store.resolve(&some[5]);
    let series = resolve_all(&store, &some);
    assert_eq!(series[5], known);
    for (labels, series) in some.iter().zip(series) {
        assert_eq!(store.lookup(labels), Some(series));
    }
    assert_eq!(store.stats().head_series, 700);
}

#[test]
fn samples_outlive_restarts_seals_and_merges() {
    let engine = Arc::new(MemoryEngine::new());
    for round in 0..8_i64 {
        let (store, report) = open(&engine, &options());
        assert_eq!(report.damaged_frames, []);
        for tick in 0..10 {
            assert!(flush(&store, round * 100_000 + tick * 10_000, 5, tick as f64).is_durable);
        }
        store.maintain(round * 100_000 + 95_000).unwrap();
    }
    let (store, report) = open(&engine, &options());
    let contents = contents(&store);
    assert_eq!(contents.len(), 5);
    assert!(contents.iter().all(|(_, column)| column.len() == 80));
    assert!(report.blocks < 8, "some blocks were merged");
    assert_eq!((report.frames, engine.frame_seqs().len()), (0, 0));
}

#[test]
fn frames_are_replayed_after_a_crash_and_the_last_values_are_at_hand() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    for tick in 0..3 {
        assert!(flush(&store, tick * 10_000, 2, tick as f64).is_durable);
    }
    drop(store);
    let (store, report) = open(&engine, &options());
    assert_eq!((report.frames, report.samples, report.series), (3, 6, 2));
    assert_eq!(report.newest, Some(20_000));
    let expected = Sample { timestamp: 20_000, value: Value::Float(2.0) };
    assert_eq!(latest(&store, 0, 30_000), Some(expected));
    assert_eq!(store.stats().cache_misses, 0);
}

#[test]
fn a_head_with_many_samples_is_sealed_before_the_interval() {
    let options =
        Options { seal_interval: Duration::from_hours(1), seal_samples: 1_500, ..options() };
    let cases = [
        ("few a series", 20, 119, false),
        ("many a series", 20, 120, true),
        ("few", 5, 299, false),
    ];
    for (name, series, ticks, is_sealed) in cases {
        let (store, _) = open(&Arc::new(MemoryEngine::new()), &options);
        for tick in 0..ticks {
            assert!(flush(&store, tick, series, 1.0).is_durable);
        }
        let sealed = store.maintain(ticks).unwrap().sealed_samples;
        assert_eq!(sealed > 0, is_sealed, "{name}");
        assert_eq!(store.maintain(ticks).unwrap().sealed_samples, 0, "{name}: once is enough");
    }
}

#[test]
fn the_latest_sample_of_a_sealed_series_needs_no_page() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    assert!(flush(&store, 10, 1, 1.0).is_durable);
    assert!(flush(&store, 20, 1, 2.0).is_durable);
    store.seal().unwrap();
    drop(store);
    let (store, _) = open(&engine, &options());
    let expected = Sample { timestamp: 20, value: Value::Float(2.0) };
    assert_eq!(latest(&store, 0, 20), Some(expected));
    assert_eq!(store.stats().cache_misses, 0);
    let expected = Sample { timestamp: 10, value: Value::Float(1.0) };
    assert_eq!(latest(&store, 0, 19), Some(expected), "the range ends within the chunk");
    assert_eq!(latest(&store, 21, 30), None);
}

#[test]
fn samples_out_of_their_window_are_refused_and_counted() {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options {
        out_of_order_window: Duration::from_secs(100),
        future_window: Duration::from_secs(10),
        ..options()
    };
    let (store, _) = open(&engine, &options);
    let series = store.resolve(&labels(0));
    let value = |v: f64| Value::Float(v);
    assert!(flush(&store, 1_000_000, 1, 5.0).is_durable);
    let dated = [
        (series, 899_999, value(1.0)),
        (series, 900_000, value(2.0)),
        (series, 1_000_000, value(5.0)),
        (series, 1_000_000, value(6.0)),
        (series, 1_010_000, value(3.0)),
        (series, 1_010_001, value(4.0)),
    ];
    let committed =
        store.commit(&Batch { timestamp: 1_000_000, dated: &dated, ..Batch::default() });
    let expected = Committed {
        appended: 4,
        out_of_order: 1,
        duplicates: 2,
        too_old: 1,
        too_new: 1,
        unknown: Vec::new(),
        is_durable: true,
    };
    assert_eq!(committed, expected);
    let contents = contents(&store);
    assert_eq!(contents[0].1.float_times, [900_000, 1_000_000, 1_010_000]);
    assert_eq!(contents[0].1.floats, [2.0, 6.0, 3.0]);
    let stats = store.stats();
    assert_eq!((stats.too_old, stats.too_new, stats.duplicates), (1, 1, 2));
}

#[test]
fn a_late_sample_wins_over_a_sealed_one_also_after_merging() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    for value in [1.0, 2.0, 3.0] {
        assert!(flush(&store, 1_000, 1, value).is_durable);
        store.seal().unwrap();
        assert_eq!(contents(&store)[0].1.floats, [value]);
    }
    let done = store.maintain(2_000).unwrap();
    assert_eq!(done.merged_blocks, 3);
    assert_eq!(contents(&store)[0].1.floats, [3.0]);
    assert_eq!(store.stats().block_samples, 1);
}

#[test]
fn a_block_newer_than_a_merge_still_counts_more() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &Options { merge_blocks: 0, ..options() });
    for value in [1.0, 2.0, 3.0, 4.0] {
        assert!(flush(&store, 1_000, 1, value).is_durable);
        store.seal().unwrap();
    }
    drop(store);
    let (store, _) = open(&engine, &options());
    assert_eq!(store.maintain(2_000).unwrap().merged_blocks, 3);
    assert_eq!(contents(&store)[0].1.floats, [4.0]);
    drop(store);
    let (store, _) = open(&engine, &options());
    assert_eq!(contents(&store)[0].1.floats, [4.0]);
}

#[test]
fn a_forgotten_series_is_named_and_can_be_resolved_again() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    let old = store.resolve(&labels(9));
    for tick in 0..3 {
        assert!(flush(&store, tick * 1_000, 1, 0.0).is_durable);
        store.seal().unwrap();
    }
    let samples = [(old, Value::Float(1.0))];
    let committed =
        store.commit(&Batch { timestamp: 5_000, samples: &samples, ..Batch::default() });
    assert_eq!(committed.unknown, [old]);
    assert_eq!(committed.appended, 0);
    assert!(flush(&store, 6_000, 10, 0.0).unknown.is_empty());
}

#[test]
fn metadata_outlives_the_frames_it_came_with() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    let metadata = Metadata {
        metric: "up".to_owned(),
        kind: MetricKind::Gauge,
        unit: String::new(),
        help: "is it".to_owned(),
        original: "up".to_owned(),
    };
    let samples = [(store.resolve(&labels(0)), Value::Float(1.0))];
    let batch = Batch {
        timestamp: 1,
        samples: &samples,
        metadata: std::slice::from_ref(&metadata),
        ..Batch::default()
    };
    assert!(store.commit(&batch).is_durable);
    drop(store);
    let (store, _) = open(&engine, &options());
    assert_eq!(store.metadata(), std::slice::from_ref(&metadata));
    store.seal().unwrap();
    drop(store);
    let (store, _) = open(&engine, &options());
    assert_eq!(store.metadata(), [metadata]);
}

#[test]
fn names_values_and_series_come_from_head_and_blocks() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    assert!(flush(&store, 1_000, 2, 1.0).is_durable);
    store.seal().unwrap();
    drop(store);
    let (store, _) = open(&engine, &options());
    let only_head = Labels::from_pairs([("__name__", "new"), ("zone", "a")]);
    let samples = [(store.resolve(&only_head), Value::Float(1.0))];
    assert!(
        store.commit(&Batch { timestamp: 2_000, samples: &samples, ..Batch::default() }).is_durable
    );
    assert_eq!(store.label_names(&all(&[])).unwrap(), ["__name__", "job", "zone"]);
    assert_eq!(store.label_values("job", &all(&[])).unwrap(), ["j0", "j1"]);
    let matchers = [Matcher::try_new("job", MatchOp::Regex, "j[1-9]").unwrap()];
    assert_eq!(store.label_values("job", &all(&matchers)).unwrap(), ["j1"]);
    assert_eq!(store.label_names(&all(&matchers)).unwrap(), ["__name__", "job"]);
    let not_there = [Matcher::equal("job", "")];
    assert_eq!(store.series(&all(&not_there)).unwrap(), std::slice::from_ref(&only_head));
    let late = Select { start: 1_500, ..all(&[]) };
    assert_eq!(store.series(&late).unwrap(), [only_head]);
    assert_eq!(store.label_values("job", &late).unwrap(), [""; 0]);
}

#[test]
fn a_selector_that_matches_too_much_is_refused() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    assert!(flush(&store, 1_000, 3, 1.0).is_durable);
    store.seal().unwrap();
    assert!(flush(&store, 2_000, 3, 1.0).is_durable);
    assert_eq!(store.series(&Select { max_series: 3, ..all(&[]) }).unwrap().len(), 3);
    let error = store.series(&Select { max_series: 2, ..all(&[]) }).unwrap_err();
    assert!(matches!(error, StorageError::TooManySeries { limit: 2 }));
}

#[test]
fn blocks_past_the_retention_go_with_their_pages() {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options { retention: Duration::from_secs(100), ..options() };
    let (store, _) = open(&engine, &options);
    assert!(flush(&store, 0, 3, 1.0).is_durable);
    store.seal().unwrap();
    assert!(flush(&store, 50_000, 3, 1.0).is_durable);
    store.seal().unwrap();
    assert_eq!(store.maintain(100_000).unwrap().expired_blocks, 0, "the end is inclusive");
    let done = store.maintain(100_001).unwrap();
    assert_eq!((done.expired_blocks, done.cleared_blocks), (1, 1));
    assert_eq!(engine.block_ids(), [2]);
    assert!(engine.page_keys().iter().all(|key| key.0 == 2));
    assert_eq!(contents(&store)[0].1.float_times, [50_000]);
}

#[test]
fn a_snapshot_stays_as_it_was_while_everything_changes() {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options { retention: Duration::from_secs(1_000), cache_bytes: 0, ..options() };
    let (store, _) = open(&engine, &options);
    for tick in 0..3 {
        assert!(flush(&store, tick * 1_000, 3, tick as f64).is_durable);
        store.seal().unwrap();
    }
    assert!(flush(&store, 3_000, 3, 3.0).is_durable);
    let before = contents(&store);
    let selection = store.select(&all(&[])).unwrap();
    assert!(flush(&store, 2_500, 3, 9.0).is_durable);
    assert!(flush(&store, 4_000, 3, 9.0).is_durable);
    store.seal().unwrap();
    assert_eq!(store.maintain(5_000).unwrap().merged_blocks, 3);
    assert_eq!(store.maintain(2_000_000).unwrap().expired_blocks, 2);
    store.maintain(2_000_000).unwrap();
    assert_eq!(read_all(&*selection), before);
    assert!(contents(&store).is_empty());
    drop(selection);
    store.maintain(2_000_000).unwrap();
    assert!(engine.page_keys().is_empty());
}

#[test]
fn no_reader_sees_half_of_a_flush() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    assert!(flush(&store, 0, 20, 0.0).is_durable);
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut snapshots = 0;
            while !is_done.load(Ordering::SeqCst) || snapshots == 0 {
                let selection = store.select(&all(&[])).unwrap();
                let newest: Vec<_> = (0..20).map(|i| selection.latest(i).unwrap()).collect();
                assert!(newest.iter().all(|sample| *sample == newest[0]));
                let columns = read_all(&*selection);
                assert!(columns.iter().all(|(_, column)| *column == columns[0].1));
                snapshots += 1;
            }
        });
        for tick in 1..200 {
            assert!(flush(&store, tick * 1_000, 20, tick as f64).is_durable);
            store.maintain(tick * 1_000).unwrap();
        }
        is_done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
    });
    assert_eq!(contents(&store)[0].1.len(), 200);
}
