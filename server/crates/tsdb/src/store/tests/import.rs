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
