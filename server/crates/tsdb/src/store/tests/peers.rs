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

    fn delete_pages(&self, block: u64) -> Result<(), EngineError> {
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

/// Two stores; a store is opened again by asking for it again.
struct Cluster {
    all: Arc<Vec<MemoryEngine>>,
    deleted: Arc<Vec<AtomicU64>>,
}

impl Cluster {
    fn new() -> Self {
        let all = Arc::new(vec![MemoryEngine::new(), MemoryEngine::new()]);
        Self { all, deleted: Arc::new(vec![AtomicU64::new(0), AtomicU64::new(0)]) }
    }

    fn open(&self, number: usize, grace: Duration) -> Tsdb {
        let (all, deleted) = (Arc::clone(&self.all), Arc::clone(&self.deleted));
        let node = Arc::new(Node { number, all, deleted, limit: 3 });
        let options = Options { node: Some(number as u16), page_grace: grace, ..options() };
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

/// What one of the nodes does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Flush { series: usize },
    Seal,
    Maintain,
    Restart,
    Follow,
}

fn any_step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        8 => (1_usize..4).prop_map(|series| Step::Flush { series }),
        2 => Just(Step::Seal),
        2 => Just(Step::Maintain),
        1 => Just(Step::Restart),
        4 => Just(Step::Follow),
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
        let mut expected = 0;
        for (time, (node, step)) in (1_i64..).zip(steps) {
            let time = time * 1_000;
            match step {
                Step::Flush { series } => {
                    prop_assert!(flush(&nodes[node], time, series, time as f64).is_durable);
                    expected += series;
                }
                Step::Seal => drop(nodes[node].seal().unwrap()),
                Step::Maintain => drop(nodes[node].maintain(time).unwrap()),
                Step::Restart => nodes[node] = cluster.open(node, Duration::ZERO),
                Step::Follow => drop(nodes[node].follow().unwrap()),
            }
        }
        for node in &nodes {
            node.follow().unwrap();
            prop_assert_eq!(count(node), expected);
            prop_assert_eq!(node.stats().damaged_frames, 0);
            prop_assert_eq!(node.stats().damaged_pages, 0);
        }
        prop_assert_eq!(contents(&nodes[0]), contents(&nodes[1]));
    }
}
