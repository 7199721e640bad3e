//! Several stores on one database.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::engine::{BlockChange, BlockRow, EngineError, FrameRow, PageRow, PeersKnown, PeersNews};

/// Engines in memory, one for each node, of which each node changes its own and reads all.
#[derive(Debug)]
struct Node {
    number: usize,
    all: Arc<Vec<MemoryEngine>>,
    deleted: Arc<Vec<AtomicU64>>,
    /// Frames read at a time.
    limit: usize,
}

impl Node {
    fn own(&self) -> &MemoryEngine {
        &self.all[self.number]
    }
}

impl Engine for Node {
    fn append_frame(&self, frame: &FrameRow) -> Result<(), EngineError> {
        self.own().append_frame(frame)
    }

    fn frames(&self, after: u64, visit: &mut dyn FnMut(FrameRow)) -> Result<(), EngineError> {
        self.own().frames(after, visit)
    }

    fn stage_pages(&self, pages: &[PageRow]) -> Result<(), EngineError> {
        self.own().stage_pages(pages)
    }

    fn change_blocks(&self, change: &BlockChange) -> Result<(), EngineError> {
        self.deleted[self.number].fetch_max(change.delete_frames_up_to, Ordering::Relaxed);
        self.own().change_blocks(change)
    }

    fn blocks(&self) -> Result<Vec<BlockRow>, EngineError> {
        self.own().blocks()
    }

    fn pages(&self, block: u64, numbers: &[u32]) -> Result<Vec<PageRow>, EngineError> {
        let mut found = Vec::new();
        for engine in self.all.iter() {
            found.extend(engine.pages(block, numbers)?);
        }
        Ok(found)
    }

    fn delete_pages(&self, block: u64) -> Result<Vec<u32>, EngineError> {
        self.own().delete_pages(block)
    }

    fn blocks_with_pages(&self) -> Result<Vec<u64>, EngineError> {
        self.own().blocks_with_pages()
    }

    fn last_deleted_frame(&self) -> Result<u64, EngineError> {
        Ok(self.deleted[self.number].load(Ordering::Relaxed))
    }

    fn peers(&self, known: &PeersKnown) -> Result<PeersNews, EngineError> {
        let mut news = PeersNews::default();
        for (number, engine) in self.all.iter().enumerate().filter(|(n, _)| *n != self.number) {
            let node = number as u64;
            let after = known.frames.get(&node).copied().unwrap_or(0);
            engine.frames(0, &mut |frame| {
                news.oldest_frames.entry(node).or_insert(frame.seq);
                if frame.seq > after {
                    news.frames.push((node, frame));
                }
            })?;
            for block in engine.blocks()? {
                news.blocks.push(block.id);
                if !known.blocks.contains(&block.id) {
                    news.new_blocks.push((node, block));
                }
            }
        }
        if news.frames.len() > self.limit {
            news.frames.truncate(self.limit);
            return Ok(PeersNews { frames: news.frames, has_more: true, ..PeersNews::default() });
        }
        news.blocks.sort_unstable();
        Ok(news)
    }
}

/// Up to three stores; a store is opened again by asking for it again.
struct Cluster {
    all: Arc<Vec<MemoryEngine>>,
    deleted: Arc<Vec<AtomicU64>>,
}

impl Cluster {
    fn new() -> Self {
        let all = Arc::new((0..3).map(|_| MemoryEngine::new()).collect());
        Self { all, deleted: Arc::new((0..3).map(|_| AtomicU64::new(0)).collect()) }
    }

    fn open(&self, number: usize, grace: Duration) -> Tsdb {
        let options = Options { node: Some(number as u16), page_grace: grace, ..options() };
        self.open_with(number, options)
    }

    fn open_with(&self, number: usize, options: Options) -> Tsdb {
        let (all, deleted) = (Arc::clone(&self.all), Arc::clone(&self.deleted));
        let node = Arc::new(Node { number, all, deleted, limit: 3 });
        Tsdb::open(node, options).unwrap().0
    }
}

fn count(store: &Tsdb) -> usize {
    contents(store).iter().map(|(_, column)| column.len()).sum()
}

#[test]
fn each_node_answers_for_all_through_seals_merges_and_restarts() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO));
    let mut expected = 0;
    for round in 0..9_i64 {
        for tick in 0..5 {
            let time = round * 60_000 + tick * 10_000;
            // Two series are written by both, at different times.
            assert!(flush(&a, time, 3, tick as f64).is_durable);
            assert!(flush(&b, time + 5_000, 2, tick as f64).is_durable);
            expected += 5;
            if tick % 2 == 0 {
                a.follow().unwrap();
                b.follow().unwrap();
                assert_eq!((count(&a), count(&b)), (expected, expected), "{round} {tick}");
                assert_eq!(contents(&a), contents(&b));
            }
        }
        a.maintain(round * 60_000 + 60_000).unwrap();
        if round == 4 {
            b = cluster.open(1, Duration::ZERO);
        }
        b.maintain(round * 60_000 + 61_000).unwrap();
        if round == 6 {
            a = cluster.open(0, Duration::ZERO);
        }
        a.follow().unwrap();
        b.follow().unwrap();
        assert_eq!(contents(&a), contents(&b));
        assert_eq!(count(&a), expected);
    }
    assert!(a.stats().merges > 0 && b.stats().merges > 0);
    assert_eq!((a.stats().damaged_frames, b.stats().damaged_frames), (0, 0));
    assert_eq!((a.stats().damaged_pages, b.stats().damaged_pages), (0, 0));
}

#[test]
fn what_another_node_writes_changes_nothing_before_it() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO));
    assert!(flush(&b, BASE + 100_000, 1, 1.0).is_durable);
    a.follow().unwrap();
    let before = a.moment();
    a.follow().unwrap();
    assert_eq!(a.changed_since(before), None, "nothing new");
    for time in [BASE + 210_000, BASE + 200_000] {
        assert!(flush(&b, time, 1, 2.0).is_durable);
    }
    a.follow().unwrap();
    assert_eq!(a.changed_since(before), Some(BASE + 200_000));
    let before = a.moment();
    b.seal().unwrap();
    a.follow().unwrap();
    assert_eq!(
        a.changed_since(before),
        Some(BASE + 100_000),
        "the block may hold more than the frames"
    );
    delete(&b, "j0", BASE + 150_000, BASE + 300_000);
    a.follow().unwrap();
    assert_eq!(a.changed_since(before), Some(Timestamp::MIN));
}

#[test]
fn a_frame_after_a_seal_and_a_restart_is_not_taken_for_an_old_one() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO));
    for tick in 0..5 {
        assert!(flush(&b, tick * 10_000, 1, 1.0).is_durable);
    }
    assert_eq!(a.follow().unwrap(), 5);
    b.seal().unwrap();
    drop(b);
    let b = cluster.open(1, Duration::ZERO);
    assert!(flush(&b, 100_000, 1, 2.0).is_durable);
    assert_eq!(a.follow().unwrap(), 1);
    assert_eq!(count(&a), 6);
}

#[test]
fn the_newest_of_several_nodes_is_the_latest() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO));
    assert!(flush(&a, 10_000, 1, 1.0).is_durable);
    assert!(flush(&b, 20_000, 1, 2.0).is_durable);
    a.follow().unwrap();
    b.follow().unwrap();
    let newest = |store: &Tsdb, end| latest(store, 0, end).map(|sample| sample.timestamp);
    assert_eq!((newest(&a, 30_000), newest(&b, 30_000)), (Some(20_000), Some(20_000)));
    assert_eq!((newest(&a, 15_000), newest(&b, 15_000)), (Some(10_000), Some(10_000)));
}

#[test]
fn pages_stay_for_readers_on_other_nodes_until_their_time_is_over() {
    let cluster = Cluster::new();
    let grace = Duration::from_mins(2);
    let (a, b) = (cluster.open(0, grace), cluster.open(1, grace));
    for round in 0..3_i64 {
        assert!(flush(&b, round * 60_000, 2, 1.0).is_durable);
        b.seal().unwrap();
    }
    a.follow().unwrap();
    let reader = a.select(&all(&[])).unwrap();
    assert_eq!(b.maintain(180_000).unwrap().merged_blocks, 3);
    assert_eq!(b.maintain(200_000).unwrap().cleared_blocks, 0);
    assert_eq!(read_all(&*reader).iter().map(|(_, c)| c.len()).sum::<usize>(), 6);
    a.follow().unwrap();
    assert_eq!(b.maintain(300_001).unwrap().cleared_blocks, 3);
    assert_eq!(count(&a), 6);
    assert_eq!(a.stats().damaged_pages, 0);
}

#[test]
fn what_a_node_removes_as_too_old_is_gone_everywhere() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO));
    assert!(flush(&b, 0, 2, 1.0).is_durable);
    b.seal().unwrap();
    a.follow().unwrap();
    assert_eq!(count(&a), 2);
    b.maintain(options().retention.as_millis() as i64 + 1).unwrap();
    a.follow().unwrap();
    assert_eq!(contents(&a), []);
    assert_eq!(a.stats().peers, 0);
}

#[test]
fn keys_of_blocks_carry_day_and_node_and_rise() {
    const DAY_MS: i64 = 86_400_000;
    let cluster = Cluster::new();
    let b = cluster.open(1, Duration::ZERO);
    for day in [20_000, 20_000, 20_001] {
        assert!(flush(&b, day * DAY_MS + 5, 1, 1.0).is_durable);
        b.seal().unwrap();
    }
    let ids: Vec<u64> = cluster.all[1].blocks().unwrap().iter().map(|block| block.id).collect();
    let node = 1 << 30;
    let expected = [
        crate::first_block_of_day(20_000) | node,
        crate::first_block_of_day(20_000) | node | 1,
        crate::first_block_of_day(20_001) | node,
    ];
    assert_eq!(ids, expected);
    let days: Vec<i64> = ids.iter().map(|id| crate::day_of_block(*id)).collect();
    assert_eq!(days, [20_000, 20_000, 20_001]);
}

/// Keys of blocks carry the day, and those of day 0 are for what does not go with one.
const BASE: i64 = 20_000 * 86_400_000;

/// Options with rollups, for samples that are kept for four hours.
fn rolling(number: usize) -> Options {
    let level = |minutes, hours| crate::RollupLevel {
        window: Duration::from_mins(minutes),
        retention: Duration::from_hours(hours),
    };
    Options {
        retention: Duration::from_hours(4),
        out_of_order_window: Duration::from_hours(1),
        rollups: vec![level(5, 48), level(60, 400)],
        node: Some(number as u16),
        ..options()
    }
}

/// All windows of the series that a selection has, by their labels.
fn windows(
    store: &Tsdb,
    start: i64,
    end: i64,
) -> (Vec<model::rollup::Zone>, Vec<(Labels, model::rollup::RollupColumn)>) {
    let selection = store.select(&Select { start, end, ..all(&[]) }).unwrap();
    let read = |(index, labels): (usize, &Labels)| {
        let mut column = model::rollup::RollupColumn::default();
        selection.read_rollups(index, &mut column).unwrap();
        (labels.clone(), column)
    };
    let all = selection.labels().iter().enumerate().map(read);
    let windows = all.filter(|(_, column)| !column.is_empty()).collect();
    (selection.zones().to_vec(), windows)
}

#[test]
fn rollups_of_other_nodes_answer_where_their_samples_are_gone() {
    const MINUTE: i64 = 60_000;
    let cluster = Cluster::new();
    let open = |number| cluster.open_with(number, rolling(number));
    let (a, b) = (open(0), open(1));
    let single = Arc::new(MemoryEngine::new());
    let single = super::open(&single, &Options { node: None, ..rolling(0) }).0;
    for minute in 1..=12 * 60 {
        let time = BASE + minute * MINUTE - 13_000;
        // The first series changes over from one node to the other every seven minutes; each node has one
        // of its own as well.
        let (value, is_a) = ((minute % 100) as f64, minute / 7 % 2 == 0);
        for (store, jobs) in [
            (&a, if is_a { vec![0, 1] } else { vec![1] }),
            (&b, if is_a { vec![2] } else { vec![0, 2] }),
        ] {
            let samples: Vec<_> = jobs
                .iter()
                .map(|&job| (store.resolve(&labels(job)), Value::Float(value)))
                .collect();
            let batch = Batch { timestamp: time, samples: &samples, ..Batch::default() };
            assert!(store.commit(&batch).is_durable);
        }
        assert!(flush(&single, time, 3, value).is_durable);
        a.maintain(time).unwrap();
        single.maintain(time).unwrap();
        // This one is behind with what has to be done, so that it has samples where the other has none.
        b.maintain(time - 100 * MINUTE).unwrap();
    }
    assert!(a.stats().expired_blocks > 0 && b.stats().expired_blocks > 0);
    for store in [&a, &b, &open(0), &open(1)] {
        store.follow().unwrap();
        for (start, end) in [(0, 720), (100, 333), (401, 407), (303, 552), (330, 331)] {
            let (zones, found) = windows(store, BASE + start * MINUTE, BASE + end * MINUTE);
            let (expected_zones, expected) =
                windows(&single, BASE + start * MINUTE, BASE + end * MINUTE);
            assert_eq!(zones, expected_zones);
            assert_eq!(found, expected, "{start} {end}");
        }
        assert_eq!(contents(store), contents(&single));
    }
}

fn delete(store: &Tsdb, job: &str, start: i64, end: i64) {
    store.delete(&[Matcher::equal("job", job)], start, end).unwrap();
}

/// How many samples there are of each series.
fn counts(store: &Tsdb) -> Vec<(String, usize)> {
    let of = |(labels, column): (Labels, Column)| {
        (labels.get("job").unwrap_or_default().to_owned(), column.len())
    };
    contents(store).into_iter().map(of).collect()
}

#[test]
fn a_deletion_holds_for_every_node_and_for_one_that_comes_back() {
    let cluster = Cluster::new();
    let (a, b, c) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO), 2);
    let c = cluster.open(c, Duration::ZERO);
    for (store, offset) in [(&a, 0), (&b, 1), (&c, 2)] {
        // Some in a block, some in memory.
        assert!(flush(store, BASE + 1_000 + offset, 2, 1.0).is_durable);
        store.seal().unwrap();
        assert!(flush(store, BASE + 2_000 + offset, 2, 2.0).is_durable);
    }
    drop(c);
    for store in [&a, &b] {
        store.follow().unwrap();
    }
    let expect = |store: &Tsdb, expected: &[(&str, usize)], what: &str| {
        let expected: Vec<(String, usize)> =
            expected.iter().map(|(job, count)| ((*job).to_owned(), *count)).collect();
        assert_eq!(counts(store), expected, "{what}");
        let jobs: Vec<&str> = expected.iter().map(|(job, _)| &**job).collect();
        assert_eq!(store.label_values("job", &all(&[])).unwrap(), jobs, "{what}");
    };
    expect(&b, &[("j0", 6), ("j1", 6)], "before");
    delete(&a, "j0", i64::MIN, i64::MAX);
    expect(&a, &[("j1", 6)], "at once where it was asked");
    b.follow().unwrap();
    expect(&b, &[("j1", 6)], "as soon as it is heard of");
    // What is written now stays, on each of them.
    assert!(flush(&a, BASE + 3_000, 2, 3.0).is_durable);
    assert!(flush(&b, BASE + 3_001, 2, 3.0).is_durable);
    for _ in 0..6 {
        for store in [&a, &b] {
            store.maintain(BASE + 4_000).unwrap();
            store.follow().unwrap();
            expect(store, &[("j0", 2), ("j1", 8)], "while one is down");
        }
    }
    assert!(a.deletion_requests().concern(2), "one has not heard of it yet");
    assert!(!a.deletion_requests().concern(1));
    // A restart changes nothing, nor does it for one that knew nothing of it.
    let (a, b) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO));
    for store in [&a, &b] {
        store.follow().unwrap();
        expect(store, &[("j0", 2), ("j1", 8)], "after a restart");
    }
    let c = cluster.open(2, Duration::ZERO);
    c.follow().unwrap();
    expect(&c, &[("j0", 2), ("j1", 8)], "the one that comes back");
    assert!(flush(&c, BASE + 3_002, 2, 3.0).is_durable);
    for store in [&a, &b, &c] {
        store.follow().unwrap();
        store.clean_deletions().unwrap();
        store.maintain(BASE + 5_000).unwrap();
        store.follow().unwrap();
        expect(store, &[("j0", 3), ("j1", 9)], "all have heard of it");
    }
    for store in [&a, &b, &c] {
        store.seal().unwrap();
        store.follow().unwrap();
        store.clean_deletions().unwrap();
        store.maintain(BASE + 6_000).unwrap();
        assert_eq!(store.stats().pending_deletions, 0);
        assert!(!store.deletion_requests().concern(2));
    }
    let left = cluster.all.iter().flat_map(|engine| engine.blocks().unwrap());
    let notes = left.filter(|row| row.level == 0).map(|row| Notes::open(&row.index).unwrap());
    assert!(notes.into_iter().all(|n| n.requests.is_empty() && n.deletions.is_empty()));
}

#[test]
fn what_a_node_that_is_gone_left_is_deleted_by_whoever_takes_care_of_it() {
    let cluster = Cluster::new();
    let (a, gone) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO));
    assert!(flush(&gone, BASE + 1_000, 2, 1.0).is_durable);
    gone.seal().unwrap();
    assert!(flush(&gone, BASE + 2_000, 2, 1.0).is_durable);
    drop(gone);
    delete(&a, "j0", i64::MIN, i64::MAX);
    let requests = a.deletion_requests();
    assert!(requests.concern(1));
    let cared = cluster.open(1, Duration::ZERO);
    assert_eq!(counts(&cared).len(), 2);
    cared.carry_out(&requests).unwrap();
    assert_eq!(counts(&cared), [("j1".to_owned(), 2)]);
    drop(cared);
    a.maintain(BASE + 3_000).unwrap();
    assert!(!a.deletion_requests().concern(1));
    assert_eq!(counts(&a), [("j1".to_owned(), 2)]);
}

#[test]
fn frames_between_which_something_was_deleted_are_replayed_in_order() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO));
    for tick in 1..=5 {
        assert!(flush(&b, BASE + tick * 1_000, 2, 1.0).is_durable);
    }
    a.follow().unwrap();
    delete(&b, "j0", i64::MIN, i64::MAX);
    // Both hear of the deletion together with what came after it.
    for tick in 6..=9 {
        assert!(flush(&b, BASE + tick * 1_000, 2, 1.0).is_durable);
    }
    let c = cluster.open(2, Duration::ZERO);
    for store in [&a, &c] {
        store.follow().unwrap();
        assert_eq!(counts(store), counts(&b));
        assert_eq!(counts(store), [("j0".to_owned(), 4), ("j1".to_owned(), 9)]);
        assert_eq!(store.stats().damaged_frames, 0);
    }
}

/// What one of the nodes does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Flush { series: usize },
    Seal,
    Maintain,
    Restart,
    Follow,
    Delete { job: usize },
}

fn any_step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        8 => (1_usize..4).prop_map(|series| Step::Flush { series }),
        2 => Just(Step::Seal),
        2 => Just(Step::Maintain),
        1 => Just(Step::Restart),
        4 => Just(Step::Follow),
        1 => (0_usize..3).prop_map(|job| Step::Delete { job }),
    ];
    (0_usize..2, step)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn property_nodes_that_follow_each_other_know_the_same(
        steps in proptest::collection::vec(any_step(), 1..60),
    ) {
        let cluster = Cluster::new();
        let mut nodes = [cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO)];
        let mut expected = [0_usize; 3];
        for (time, (node, step)) in (1_i64..).zip(steps) {
            let time = BASE + time * 1_000;
            match step {
                Step::Flush { series } => {
                    // What a node writes before it hears of a deletion counts as written before.
                    nodes[node].follow().unwrap();
                    prop_assert!(flush(&nodes[node], time, series, time as f64).is_durable);
                    expected[..series].iter_mut().for_each(|count| *count += 1);
                }
                Step::Delete { job } => {
                    delete(&nodes[node], &format!("j{job}"), i64::MIN, i64::MAX);
                    expected[job] = 0;
                    let job = format!("j{job}");
                    let left = counts(&nodes[node]).into_iter().find(|(name, _)| *name == job);
                    prop_assert_eq!(left, None);
                }
                Step::Seal => drop(nodes[node].seal().unwrap()),
                Step::Maintain => drop(nodes[node].maintain(time).unwrap()),
                Step::Restart => nodes[node] = cluster.open(node, Duration::ZERO),
                Step::Follow => drop(nodes[node].follow().unwrap()),
            }
        }
        for node in &nodes {
            node.follow().unwrap();
            prop_assert_eq!(count(node), expected.iter().sum::<usize>());
            prop_assert_eq!(node.stats().damaged_frames, 0);
            prop_assert_eq!(node.stats().damaged_pages, 0);
        }
        prop_assert_eq!(contents(&nodes[0]), contents(&nodes[1]));
    }
}

#[test]
fn what_was_deleted_before_a_restart_does_not_come_back_with_what_is_written_after_it() {
    let cluster = Cluster::new();
    let mut nodes = [cluster.open(0, Duration::ZERO), cluster.open(1, Duration::ZERO)];
    assert!(flush(&nodes[1], BASE, 1, 1.0).is_durable);
    nodes[0].follow().unwrap();
    let _sealed = nodes[1].seal().unwrap();
    delete(&nodes[1], "j0", i64::MIN, i64::MAX);
    // It finds neither a frame nor a block.
    nodes[1] = cluster.open(1, Duration::ZERO);
    let _maintained = nodes[1].maintain(BASE + 1_000).unwrap();
    assert!(flush(&nodes[1], BASE + 2_000, 1, 2.0).is_durable);
    let _maintained = nodes[1].maintain(BASE + 3_000).unwrap();
    for node in &nodes {
        node.follow().unwrap();
        assert_eq!(count(node), 1);
    }
}
