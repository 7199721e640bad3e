//! Rollups, retention and deletion.

use std::collections::BTreeMap;

use model::rollup::{RollupColumn, window_end};
use proptest::prelude::*;

use super::*;
use crate::RollupLevel;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn level(window: u64, retention_hours: u64) -> RollupLevel {
    let window = Duration::from_secs(window);
    RollupLevel { window, retention: Duration::from_hours(retention_hours) }
}

fn rolling() -> Options {
    Options {
        retention: Duration::from_hours(4),
        out_of_order_window: Duration::from_hours(1),
        rollups: vec![level(300, 48), level(3_600, 400)],
        ..options()
    }
}

/// One sample a minute from `start` on for so many hours, with maintenance as it goes.
fn write_hours(store: &Tsdb, start: i64, hours: i64) -> Vec<(i64, f64)> {
    let mut written = Vec::new();
    for minute in 1..=hours * 60 {
        let time = start + minute * MINUTE - 13_000;
        let value = (minute % 100) as f64;
        assert!(flush(store, time, 2, value).is_durable);
        written.push((time, value));
        store.maintain(time).unwrap();
    }
    written
}

fn windows_of(store: &Tsdb, start: i64, end: i64) -> (Vec<model::rollup::Zone>, RollupColumn) {
    let selection = store.select(&Select { start, end, ..all(&[]) }).unwrap();
    let mut windows = RollupColumn::default();
    if !selection.labels().is_empty() {
        selection.read_rollups(0, &mut windows).unwrap();
    }
    (selection.zones().to_vec(), windows)
}

#[test]
fn samples_that_expire_are_kept_as_rollups() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &rolling());
    let written = write_hours(&store, 0, 12);
    assert!(store.stats().expired_blocks > 0);
    for store in [store, open(&engine, &rolling()).0] {
        let (zones, windows) = windows_of(&store, 0, 12 * HOUR);
        let [zone] = zones[..] else { panic!("{zones:?}") };
        assert_eq!(zone.window_ms, 5 * MINUTE);
        assert!((6 * HOUR..=9 * HOUR).contains(&zone.until), "{zone:?}");
        let mut expected: BTreeMap<i64, (u64, f64)> = BTreeMap::new();
        for &(time, value) in written.iter().filter(|(time, _)| *time <= zone.until) {
            let entry = expected.entry(window_end(time, zone.window_ms)).or_default();
            *entry = (entry.0 + 1, entry.1 + value);
        }
        let found = windows.floats.iter().map(|window| (window.end, (window.count, window.sum)));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
        let selection = store.select(&all(&[])).unwrap();
        let mut column = Column::default();
        selection.read(0, &mut column).unwrap();
        let later = written.iter().filter(|(time, _)| *time > zone.until).count();
        assert_eq!(column.len(), 2 * expected.len() + later);
        assert!(column.float_times.is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn coarse_windows_answer_where_fine_ones_are_gone() {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options { rollups: vec![level(300, 6), level(3_600, 100)], ..rolling() };
    let (store, _) = open(&engine, &options);
    write_hours(&store, 0, 24);
    let (zones, windows) = windows_of(&store, 0, 24 * HOUR);
    let [coarse, fine] = zones[..] else { panic!("{zones:?}") };
    assert_eq!((coarse.window_ms, fine.window_ms), (HOUR, 5 * MINUTE));
    assert!(coarse.until < fine.until);
    let total: u64 = windows.floats.iter().map(|window| window.count).sum();
    assert_eq!(total as i64, fine.until / MINUTE, "each sample is in one window");
    assert!(windows.floats.is_sorted_by(|a, b| a.end < b.end));
    // An instant in the middle of a coarse window sees its first sample, which is 47 s into it.
    let found = latest(&store, 90 * MINUTE - 5 * MINUTE, 90 * MINUTE).unwrap();
    assert_eq!(found.timestamp, HOUR + 47_000);
    assert_eq!(store.stats().damaged_pages, 0);
}

#[test]
fn a_sample_that_came_late_is_in_the_rollup() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &rolling());
    write_hours(&store, 0, 1);
    let series = store.resolve(&labels(0));
    let dated = [(series, 10 * MINUTE, Value::Float(1_000.0))];
    let batch = Batch { timestamp: HOUR, dated: &dated, ..Batch::default() };
    assert_eq!(store.commit(&batch).appended, 1);
    write_hours(&store, HOUR, 9);
    let (zones, windows) = windows_of(&store, 0, 10 * HOUR);
    assert!(zones.last().unwrap().until >= HOUR);
    let window = windows.floats.iter().find(|window| window.end == 10 * MINUTE).unwrap();
    assert_eq!((window.max, window.count, window.last), (1_000.0, 6, 1_000.0));
}

#[test]
fn the_oldest_blocks_go_when_there_is_no_room() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &Options { merge_blocks: 0, ..options() });
    for minute in 0..40 {
        flush(&store, minute * MINUTE, 50, minute as f64 / 3.0).is_durable.then_some(()).unwrap();
        store.maintain(minute * MINUTE).unwrap();
    }
    let before = store.stats();
    assert_eq!(before.stored_bytes as usize, engine.stored_bytes());
    drop(store);
    let limit = before.stored_bytes / 2;
    let limited = Options { merge_blocks: 0, retention_bytes: Some(limit), ..options() };
    let (store, _) = open(&engine, &limited);
    store.maintain(40 * MINUTE).unwrap();
    let after = store.stats();
    assert!(after.stored_bytes <= limit && after.stored_bytes > limit / 2, "{after:?}");
    assert!(after.evicted_blocks > 10);
    let column = &contents(&store)[0].1;
    assert_eq!(column.float_times.last(), Some(&(39 * MINUTE)), "the newest stay");
    assert!(column.float_times[0] > 10 * MINUTE);
}

/// What a store should hold: per series its samples by time.
type Model = BTreeMap<usize, BTreeMap<i64, f64>>;

#[derive(Debug, Clone)]
enum Step {
    Flush { later: i64, series: usize, value: f64 },
    Late { series: usize, ago: i64, value: f64 },
    Delete { series: usize, from: i64, to: i64 },
    Seal,
    Maintain,
    Clean,
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let value = (0..50_i32).prop_map(f64::from);
    prop_oneof![
        6 => (1_i64..20_000, 1_usize..4, value.clone())
            .prop_map(|(later, series, value)| Step::Flush { later, series, value }),
        2 => (0_usize..3, 0_i64..100_000, value)
            .prop_map(|(series, ago, value)| Step::Late { series, ago, value }),
        2 => (0_usize..3, 0_i64..150_000, 0_i64..150_000)
            .prop_map(|(series, a, b)| Step::Delete { series, from: a.min(b), to: a.max(b) }),
        2 => Just(Step::Seal),
        2 => Just(Step::Maintain),
        1 => Just(Step::Clean),
        1 => Just(Step::Restart),
    ]
}

fn as_model(store: &Tsdb) -> Model {
    let mut found = Model::new();
    for (labels, column) in contents(store) {
        let series = (0..3).find(|&job| super::labels(job) == labels).unwrap();
        let samples = column.float_times.into_iter().zip(column.floats).collect();
        found.insert(series, samples);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn property_what_is_deleted_is_gone_and_nothing_else(
        steps in proptest::collection::vec(any_step(), 1..50),
    ) {
        let engine = Arc::new(MemoryEngine::new());
        let mut store = open(&engine, &options()).0;
        let mut model = Model::new();
        let mut now = 200_000;
        for step in steps {
            match step {
                Step::Flush { later, series, value } => {
                    now += later;
                    let committed = flush(&store, now, series, value);
                    prop_assert_eq!(committed.appended as usize, series);
                    for series in 0..series {
                        model.entry(series).or_default().insert(now, value);
                    }
                }
                Step::Late { series, ago, value } => {
                    let time = now - ago;
                    let dated = [(store.resolve(&labels(series)), time, Value::Float(value))];
                    let batch = Batch { timestamp: now, dated: &dated, ..Batch::default() };
                    prop_assert_eq!(store.commit(&batch).appended, 1);
                    model.entry(series).or_default().insert(time, value);
                }
                Step::Delete { series, from, to } => {
                    let matcher = Matcher::equal("job", format!("j{series}"));
                    let (start, end) = (now - to, now - from);
                    store.delete(&[matcher], start, end).unwrap();
                    if let Some(samples) = model.get_mut(&series) {
                        samples.retain(|time, _| !(start..=end).contains(time));
                    }
                }
                Step::Seal => drop(store.seal().unwrap()),
                Step::Maintain => drop(store.maintain(now).unwrap()),
                Step::Clean => drop(store.clean_deletions().unwrap()),
                Step::Restart => {
                    drop(store);
                    store = open(&engine, &options()).0;
                }
            }
            model.retain(|_, samples| !samples.is_empty());
            prop_assert_eq!(as_model(&store), model.clone());
        }
        // At last nothing of what was deleted is left in any block.
        store.seal().unwrap();
        store.clean_deletions().unwrap();
        prop_assert_eq!(store.stats().pending_deletions, 0);
        prop_assert_eq!(as_model(&store), model);
    }
}

#[test]
fn a_deletion_reaches_rollups_and_survives_a_restart() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &rolling());
    write_hours(&store, 0, 12);
    let job = Matcher::equal("job", "j0");
    let deleted = store.delete(std::slice::from_ref(&job), 0, 2 * HOUR).unwrap();
    assert!(deleted.blocks > 0);
    let check = |store: &Tsdb| {
        let (_, windows) = windows_of(store, 0, 12 * HOUR);
        assert_eq!(windows.floats[0].end, 2 * HOUR + 5 * MINUTE);
        let kept = store.select(&Select { end: 2 * HOUR, ..all(&[]) }).unwrap();
        let mut column = Column::default();
        kept.read(1, &mut column).unwrap();
        assert!(!column.is_empty(), "another series is still there");
    };
    check(&store);
    let (store, _) = open(&engine, &rolling());
    check(&store);
    assert!(store.clean_deletions().unwrap() > 0);
    check(&store);
    assert_eq!(store.stats().pending_deletions, 0);
    let everything = Matcher::try_new("job", MatchOp::Regex, ".*").unwrap();
    assert!(matches!(store.delete(&[everything], 0, 1), Err(DeleteError::Everything)));
    store.delete(&[job], Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!(contents(&store).len(), 1);
    assert_eq!(store.label_values("job", &all(&[])).unwrap(), ["j1"]);
}

#[test]
fn cardinality_counts_what_the_head_holds() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    assert!(flush(&store, 10, 20_000, 1.0).is_durable);
    let other = Labels::from_pairs([("__name__", "down"), ("job", "j7")]);
    store.resolve(&other);
    let found = store.cardinality(2);
    assert_eq!((found.series, found.pairs, found.oldest), (20_001, 20_002, Some(10)));
    let metrics = [("up".to_owned(), 20_000), ("down".to_owned(), 1)];
    assert_eq!(found.metrics, metrics);
    assert_eq!(store.series_by_metric(5), metrics);
    assert_eq!(found.labels[0].name, "job");
    assert_eq!((found.labels[0].values, found.labels[0].series), (20_000, 20_001));
    assert_eq!(found.labels[1].bytes, 20_000 * 10 + 12);
    let pairs = [(("__name__", "up"), 20_000), (("job", "j7"), 2)];
    let pairs = pairs.map(|((name, value), count)| ((name.to_owned(), value.to_owned()), count));
    assert_eq!(found.series_by_pair, pairs);
}

#[test]
fn of_a_window_whose_samples_are_gone_and_what_is_imported_into_it_the_one_with_more_samples_counts()
 {
    const WIDTH: i64 = 5 * MINUTE;
    let keeps_less = Options { rollups: vec![level(300, 400)], ..rolling() };
    let keeps_more = Options { retention: Duration::from_hours(48), ..keeps_less.clone() };
    let engine = Arc::new(MemoryEngine::new());
    write_hours(&open(&engine, &keeps_less).0, 0, 12);
    let now = 12 * HOUR;

    // There was a sample a minute. A window gets one import, and then another one of other times.
    let cases = [
        ("fewer", 10 * MINUTE, [3, 0], None),
        ("as many", 20 * MINUTE, [5, 0], Some(5)),
        ("more", 30 * MINUTE, [8, 0], Some(8)),
        ("fewer, and with the next import more", 40 * MINUTE, [3, 3], Some(6)),
        ("fewer, and with the next import still fewer", 50 * MINUTE, [2, 2], None),
        ("more, and some of them later", 60 * MINUTE, [8, 2], Some(10)),
    ];
    let import = |store: &Tsdb, round: usize| {
        let mut batch = ImportBatch::default();
        for (_, end, counts, _) in &cases {
            let times = (0..counts[round]).map(|i| end - i * 10_000 - round as i64 * 5_000);
            let samples: Vec<_> = times.map(|at| (at, 1_000.0)).collect();
            batch.push(&labels(0), &samples);
        }
        let imported = store.import(batch, now).unwrap();
        let moment = store.moment();
        for _ in 0..6 {
            store.maintain(now).unwrap();
        }
        (imported, store.changed_since(moment))
    };
    let windows = |store: &Tsdb| -> BTreeMap<i64, (u64, f64)> {
        let (zones, windows) = windows_of(store, 0, now);
        assert_eq!(zones.iter().map(|zone| zone.window_ms).collect::<Vec<_>>(), [WIDTH]);
        windows.floats.iter().map(|window| (window.end, (window.count, window.sum))).collect()
    };
    let (store, _) = open(&engine, &keeps_more);
    let mut expected = windows(&store);
    for (name, end, counts, _) in &cases {
        assert_eq!(expected[end].0, 5, "{name}");
        assert!(counts.iter().sum::<i64>() * 10_000 < WIDTH, "{name}: all in one window");
    }
    drop(store);
    for round in [0, 1] {
        let (store, _) = open(&engine, &keeps_more);
        let (imported, changed) = import(&store, round);
        assert!(imported.added > 0 && imported.too_old == 0, "{imported:?}");
        assert_eq!(changed, Some(Timestamp::MIN), "what was rolled up again is known to be new");
    }
    for (_, end, _, count) in cases {
        if let Some(count) = count {
            expected.insert(end, (count, count as f64 * 1_000.0));
        }
    }
    // The same again changes nothing.
    for store in [open(&engine, &keeps_more).0, open(&engine, &keeps_more).0] {
        let found = windows(&store);
        for (name, end, ..) in &cases {
            assert_eq!(found[end], expected[end], "{name}");
        }
        assert_eq!(found, expected);
        for round in [0, 1] {
            assert_eq!(import(&store, round).0.added, 0);
        }
        assert_eq!(windows(&store), expected);
    }
}
