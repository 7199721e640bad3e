//! History that is imported, beside what is live.

use super::*;
use crate::ImportBatch;

const DAY_MS: i64 = 86_400_000;
const NOW: Timestamp = 20 * DAY_MS;

fn retained() -> Options {
    Options { retention: Duration::from_hours(10 * 24), ..options() }
}

/// Series with a number every ten minutes over three days, the last of them first.
fn history(series: usize, factor: f64) -> ImportBatch {
    let mut batch = ImportBatch::default();
    for day in (15..18).rev() {
        for job in 0..series {
            let times = (0..144).map(|i| day * DAY_MS + i * 600_000);
            let samples: Vec<_> = times.map(|at| (at, at as f64 * factor + job as f64)).collect();
            batch.push(&labels(job), &samples);
        }
    }
    batch
}

#[test]
fn history_becomes_a_block_for_each_day_and_is_there_once_however_often_it_comes() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &retained());
    assert!(flush(&store, NOW, 3, 1.0).is_durable);
    let first = store.import(history(5, 1.5), NOW).unwrap();
    assert_eq!((first.added, first.present, first.blocks), (5 * 432, 0, 3));
    let expected = contents(&store);
    assert_eq!(expected.len(), 5);
    assert_eq!(expected[0].1.len(), 433, "with what is live");
    for _ in 0..2 {
        let again = store.import(history(5, 1.5), NOW).unwrap();
        assert_eq!((again.added, again.present, again.blocks), (0, 5 * 432, 0));
        assert_eq!(contents(&store), expected);
    }
    store.maintain(NOW).unwrap();
    assert_eq!(engine.block_ids().len(), 3);
    drop(store);
    let (store, _) = open(&engine, &retained());
    assert_eq!(contents(&store), expected);
    assert_eq!(crate::verify::verify(&*engine, &mut |_| ()).unwrap().damages, []);
}

#[test]
fn small_imports_of_a_day_share_a_block_and_the_last_value_counts() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &retained());
    for round in 0..6_i32 {
        for job in (0..10).rev() {
            let mut batch = ImportBatch::default();
            let at = 16 * DAY_MS + i64::from(round) * 60_000;
            batch.push(&labels(job), &[(at, f64::from(round)), (16 * DAY_MS - 1, 7.0)]);
            store.import(batch, NOW).unwrap();
        }
    }
    store.maintain(NOW).unwrap();
    assert_eq!(engine.block_ids().len(), 2, "one for each day");
    let again = store.import(history(1, 0.0), NOW).unwrap();
    assert_eq!((again.added, again.present), (431, 1));
    let changed = contents(&store);
    let at = changed[0].1.float_times.binary_search(&(16 * DAY_MS)).unwrap();
    assert_eq!(changed[0].1.floats[at], 0.0);
    assert_eq!(changed[1].1.floats, [7.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn what_retention_would_delete_and_what_is_to_come_is_refused() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &retained());
    let mut batch = ImportBatch::default();
    let samples = [9 * DAY_MS, 12 * DAY_MS, 12 * DAY_MS, NOW + 3_600_000].map(|at| (at, 1.0));
    batch.push(&labels(0), &samples);
    let outcome = store.import(batch, NOW).unwrap();
    assert_eq!((outcome.added, outcome.present), (1, 1));
    assert_eq!((outcome.too_old, outcome.too_new), (1, 1));
    store.maintain(NOW + 3 * DAY_MS).unwrap();
    assert_eq!(contents(&store), [], "imported days expire like others");
}

#[test]
fn an_import_that_failed_is_completed_by_the_next() {
    for verb in [Verb::StagePages, Verb::ChangeBlocks, Verb::Pages] {
        for moment in [FaultMoment::Before, FaultMoment::After] {
            let engine = Arc::new(MemoryEngine::new());
            let (store, _) = open(&engine, &retained());
            store.import(history(2, 1.0), NOW).unwrap();
            engine.inject(Fault { verb: Some(verb), moment, after_calls: 1, times: 1 });
            assert!(store.import(history(4, 1.0), NOW).is_err(), "{verb:?} {moment:?}");
            let second = store.import(history(4, 1.0), NOW).unwrap();
            assert_eq!(second.added + second.present, 4 * 432);
            store.maintain(NOW).unwrap();
            let found = contents(&store);
            assert_eq!(found.len(), 4);
            assert!(found.iter().all(|(_, column)| column.len() == 432), "{verb:?} {moment:?}");
            drop(store);
            let (store, _) = open(&engine, &retained());
            assert_eq!(contents(&store), found, "{verb:?} {moment:?}");
        }
    }
}

#[test]
fn what_is_imported_after_its_time_was_rolled_up_is_rolled_up_too() {
    let level = |minutes| crate::RollupLevel {
        window: Duration::from_mins(minutes),
        retention: Duration::from_hours(400 * 24),
    };
    let options = Options { rollups: vec![level(5), level(60)], ..retained() };
    let span = |series: usize, step: i64, shift: i64| {
        let mut batch = ImportBatch::default();
        for job in 0..series {
            let times = (0..2 * DAY_MS / step).map(|i| 10 * DAY_MS + 43_200_000 + i * step + shift);
            let samples: Vec<_> = times.map(|at| (at, (at / 1_000 % 977) as f64)).collect();
            batch.push(&labels(job), &samples);
        }
        batch
    };
    let settle = |store: &Tsdb, now: Timestamp| {
        for _ in 0..12 {
            store.maintain(now).unwrap();
        }
    };
    let windows = |store: &Tsdb| {
        let selection = store.select(&all(&[])).unwrap();
        let read = |(index, labels): (usize, &Labels)| {
            let mut column = model::rollup::RollupColumn::default();
            selection.read_rollups(index, &mut column).unwrap();
            (labels.clone(), column)
        };
        let found: Vec<_> = selection.labels().iter().enumerate().map(read).collect();
        (selection.zones().to_vec(), found)
    };
    // The one has everything before any of it is rolled up.
    let (expected, _) = open(&Arc::new(MemoryEngine::new()), &options);
    expected.import(span(2, 600_000, 0), NOW).unwrap();
    expected.import(span(3, 420_000, 7), NOW).unwrap();
    settle(&expected, NOW);

    for restarts in [false, true] {
        let engine = Arc::new(MemoryEngine::new());
        let (mut store, _) = open(&engine, &options);
        store.import(span(2, 600_000, 0), NOW).unwrap();
        settle(&store, NOW);
        assert!(store.stats().rollups >= 4);
        store.import(span(3, 420_000, 7), NOW).unwrap();
        if restarts {
            // Nothing of it was rolled up when the process ended.
            store = open(&engine, &options).0;
        }
        settle(&store, NOW);
        let later = NOW + 9 * DAY_MS;
        settle(&store, later);
        settle(&expected, later);
        assert_eq!(windows(&store), windows(&expected), "restarts: {restarts}");
        let (zones, found) = windows(&store);
        assert_eq!((zones.len(), found.len()), (1, 3));
        assert!(found.iter().all(|(_, column)| !column.floats.is_empty()));
        assert_eq!(crate::verify::verify(&*engine, &mut |_| ()).unwrap().damages, []);
    }
}
