use std::thread;

use model::Labels;
use tsdb::engine::{Fault, FaultMoment, MemoryEngine, Verb};

use super::*;

const NOW: Timestamp = 1_700_000_000_000;

fn store() -> (Arc<MemoryEngine>, Tsdb) {
    let engine = Arc::new(MemoryEngine::default());
    let (store, _) = Tsdb::open(Arc::clone(&engine) as _, tsdb::Options::default()).unwrap();
    (engine, store)
}

fn series(store: &Tsdb, name: &str) -> SeriesRef {
    store.resolve(&Labels::from_pairs([("__name__", name)]))
}

/// So many samples of a series, which end at a time.
fn writing(series: SeriesRef, count: i64, end: Timestamp) -> Writing {
    let samples = (0..count).map(|at| (series, end - count + 1 + at, Value::Float(at as f64)));
    Writing { timestamp: end, samples: samples.collect(), metadata: Vec::new() }
}

/// Commits all at once: each waits before the first one has its turn.
fn together(commits: &Commits, store: &Tsdb, all: Vec<Writing>) -> Vec<(Writing, Committed)> {
    thread::scope(|scope| {
        let turn = lock(&commits.turn);
        let mut threads = Vec::new();
        for writing in all {
            threads.push(scope.spawn(move || commits.commit(writing, store)));
            while lock(&commits.waiting).len() < threads.len() {
                thread::yield_now();
            }
        }
        drop(turn);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn what_waits_is_written_as_one_and_each_is_told_of_its_own() {
    let (_, store) = store();
    let (a, b) = (series(&store, "a"), series(&store, "b"));
    let (other, _) =
        Tsdb::open(Arc::new(MemoryEngine::default()), tsdb::Options::default()).unwrap();
    let nobody = (0..3).map(|n| series(&other, &n.to_string())).last().unwrap();
    let all = vec![writing(a, 3, NOW), writing(nobody, 2, NOW), writing(b, 1, NOW + 5)];
    let done = together(&Commits::default(), &store, all);
    let appended: Vec<u64> = done.iter().map(|(_, committed)| committed.appended).collect();
    assert_eq!(appended, [3, 0, 1]);
    let unknown: Vec<usize> = done.iter().map(|(_, committed)| committed.unknown.len()).collect();
    assert_eq!(unknown, [0, 2, 0]);
    assert!(done.iter().all(|(_, committed)| committed.is_durable));
    let given_back: Vec<usize> = done.iter().map(|(writing, _)| writing.samples.len()).collect();
    assert_eq!(given_back, [3, 2, 1]);
    assert_eq!(store.stats().frames, 1);
}

#[test]
fn a_group_is_bounded_and_a_large_request_goes_alone() {
    let (_, store) = store();
    let series = series(&store, "a");
    let half = MAX_TOGETHER as i64 / 2;
    let lengths = [1, 2 * half, half, half, 1];
    let all = lengths.iter().scan(NOW, |end, length| {
        *end += length;
        Some(writing(series, *length, *end))
    });
    let done = together(&Commits::default(), &store, all.collect());
    assert!(done.iter().all(|(_, committed)| committed.is_durable));
    assert_eq!(store.stats().appended, lengths.iter().sum::<i64>() as u64);
    assert_eq!(store.stats().frames, 4);
}

#[test]
fn nothing_of_a_group_that_failed_is_durable() {
    let (engine, store) = store();
    engine.inject(Fault {
        verb: Some(Verb::AppendFrame),
        moment: FaultMoment::Before,
        after_calls: 0,
        times: 1,
    });
    let (a, b) = (series(&store, "a"), series(&store, "b"));
    let commits = Commits::default();
    let done = together(&commits, &store, vec![writing(a, 1, NOW), writing(b, 1, NOW)]);
    assert!(done.iter().all(|(_, committed)| !committed.is_durable));
    let (_, committed) = commits.commit(writing(a, 1, NOW + 1), &store);
    assert!(committed.is_durable);
}
