//! The store itself: opening, resolving series, committing flushes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{
    Labels, Metadata, Timestamp, Value,
    labels::{LabelsList, METRIC_NAME},
};

use crate::{
    block::Block,
    cache::PageCache,
    engine::Engine,
    frame::Flush,
    head::{Head, SeriesRef},
    options::{Options, milliseconds},
    postings::{Conditions, Orders},
    stats::{Counters, Health, Stats},
};

mod changes;
mod deletion;
mod find;
mod follow;
mod gathering;
mod import;
mod joined;
mod maintain;
mod merge;
mod newest;
pub(crate) mod notes;
mod open;
mod overlap;
mod peers;
mod query;
mod reroll;
mod retention;
mod rollup;
mod seal;
mod selection;
mod source;
#[cfg(test)]
mod tests;
mod view;
mod windows;
mod writer;

pub use changes::Moment;
pub use deletion::{DeleteError, Deleted};
pub use follow::DeletionRequests;
pub use import::{ImportBatch, Imported};
pub use maintain::{MaintainError, Maintenance};
pub use newest::Newest;
pub use open::{DamagedBlock, DamagedFrame, OpenError, ReplayReport};
pub use view::View;

use changes::SharedChanges;
use follow::Following;
use maintain::Maintainer;
pub(crate) use notes::Notes;
use peers::Peers;
use writer::{Waiting, Writer};

/// A store of time series over an [`Engine`].
///
/// Any number of threads may read while others resolve, commit and maintain. Commits wait for each
/// other; readers wait for a commit only while it is applied in memory.
#[derive(Debug)]
pub struct Tsdb {
    engine: Arc<dyn Engine>,
    options: Options,
    counters: Counters,
    // Locks are taken in this order: following, maintainer, writer, waiting, state, cache. The writer is locked
    // while the engine works, so nobody who only wants to know may need it.
    following: Mutex<Following>,
    maintainer: Mutex<Maintainer>,
    writer: Mutex<Writer>,
    waiting: Mutex<Waiting>,
    state: RwLock<State>,
    cache: Mutex<PageCache>,
    /// What is known of matchers; locked for a moment only, with any other lock held.
    conditions: Conditions,
    /// How series of the head are ordered; locked for a moment only, with any other lock held.
    orders: Orders,
    /// How series of head and blocks belong together; locked for a moment only, with no other lock taken
    /// meanwhile.
    joined: joined::Memory,
    /// What changed lately; locked for a moment only, with no other lock taken meanwhile.
    changes: SharedChanges,
    /// The bytes of the frames that are not in a block yet.
    unsealed_bytes: AtomicU64,
}

/// What readers see. It changes only as a whole, so that no reader sees half of a flush or a seal.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) head: Head,
    /// Ascending by order: what comes later counts more.
    blocks: Arc<Vec<Arc<Block>>>,
    /// What the other nodes wrote.
    peers: Peers,
    /// Blocks of rollups, in any order.
    rollups: Arc<Vec<Arc<Block>>>,
    notes: Arc<Notes>,
    /// Rows of this node that cannot be read.
    damaged: Arc<Vec<DamagedBlock>>,
    /// Pages of blocks that are gone, which the engine cannot delete.
    undeletable_pages: Arc<Vec<(u64, u32)>>,
    /// The number of this node.
    node: u64,
    metadata: BTreeMap<String, Metadata>,
}

/// A flush to be committed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Batch<'a> {
    /// The time of the flush, and of all samples in `samples`.
    pub timestamp: Timestamp,
    /// One sample per series, all of the flush's time.
    pub samples: &'a [(SeriesRef, Value)],
    /// Samples with a time of their own: backfill, remote write.
    pub dated: &'a [(SeriesRef, Timestamp, Value)],
    /// What is known of metrics; said again it costs nothing.
    pub metadata: &'a [Metadata],
}

/// What became of a flush. Samples that were refused are counted here and in [`Stats`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "refused samples and unknown series want to be dealt with"]
pub struct Committed {
    /// Samples accepted and visible to readers.
    pub appended: u64,
    /// Of those, samples older than the newest of their series, put into their place.
    pub out_of_order: u64,
    /// Values that gave way to another one of the same series and time: the last write wins. What is
    /// sealed already gives way too, but is not counted.
    pub duplicates: u64,
    /// Samples refused: older than [`Options::out_of_order_window`] allows.
    pub too_old: u64,
    /// Samples refused: further ahead than [`Options::future_window`] allows.
    pub too_new: u64,
    /// Series that had been forgotten because they were not written for two seals; their samples were
    /// refused. Resolve them again and commit what was refused.
    pub unknown: Vec<SeriesRef>,
    /// Whether the flush is on stable storage. If not, it waits in memory (see [`Tsdb::health`]) and
    /// is visible to readers.
    pub is_durable: bool,
}

impl Tsdb {
    /// Finds the series with these labels, when it is being written.
    pub fn lookup(&self, labels: &Labels) -> Option<SeriesRef> {
        self.state().head.find(labels.as_ref())
    }

    /// The labels of a series; `None` once it is forgotten.
    pub fn labels(&self, series: SeriesRef) -> Option<Labels> {
        let state = self.state();
        let slot = state.head.slot(series)?;
        state.head.series(slot).map(|series| state.head.labels(series))
    }

    /// The name of the metric of a series; `None` once it is forgotten, or when it has none.
    pub fn metric_name(&self, series: SeriesRef) -> Option<String> {
        let state = self.state();
        let series = state.head.series(state.head.slot(series)?)?;
        let mut pairs = series.pairs.iter().map(|&pair| state.head.index().pair(pair).texts());
        pairs.find(|(name, _)| *name == METRIC_NAME).map(|(_, value)| value.to_owned())
    }

    /// Finds the series with these labels or creates it.
    pub fn resolve(&self, labels: &Labels) -> SeriesRef {
        let found = self.lookup(labels);
        found.unwrap_or_else(|| self.state_mut().head.resolve(labels.as_ref()))
    }

    /// As [`Self::resolve`], of many series, in order; cheaper than one by one.
    pub fn resolve_all(&self, labels: &LabelsList) -> Vec<SeriesRef> {
        self.state_mut().head.resolve_all(labels.iter())
    }

    /// Writes a flush: to the engine first, then visible to readers as a whole.
    ///
    /// When the engine fails the flush is kept in memory and written as soon as the engine works again;
    /// [`Committed::is_durable`] and [`Tsdb::health`] say so.
    pub fn commit(&self, batch: &Batch<'_>) -> Committed {
        self.commit_together(std::slice::from_ref(batch)).pop().unwrap_or_default()
    }

    /// As [`Self::commit`], of flushes that came at the same time: they are one for the engine and for
    /// readers, under the newest of their times, and cost little more than one. Samples are judged by
    /// the time of their own flush. What became of each is told in order; what came late and what gave
    /// way, of all of them, is told of the first.
    pub fn commit_together(&self, batches: &[Batch<'_>]) -> Vec<Committed> {
        let mut writer = self.writer();
        let (mut flush, mut all) = self.sift(batches);
        for batch in batches {
            flush.metadata.append(&mut writer.new_metadata(batch.metadata));
        }
        let (is_durable, late) = if flush.len() == 0 && flush.metadata.is_empty() {
            (writer.is_healthy(), crate::head::Late::default())
        } else {
            self.write(writer, flush)
        };
        if let Some(first) = all.first_mut() {
            first.out_of_order = late.samples;
            first.duplicates = late.replaced;
        }
        for committed in &mut all {
            committed.is_durable = is_durable;
            self.count(committed);
        }
        all
    }

    /// Writes samples that were sifted. Returns whether they are durable.
    fn write(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        mut flush: Flush,
    ) -> (bool, crate::head::Late) {
        let frame = {
            let state = self.state();
            writer.encode(&mut flush, &state.head)
        };
        self.unsealed_bytes.fetch_add(frame.bytes.len() as u64, Ordering::Relaxed);
        let is_durable = writer.persist(frame, &*self.engine, &self.counters);

        let dropped = writer.enforce_bound(self.options.backlog_bytes, &self.counters);
        *self.waiting() = writer.waiting();
        let mut oldest = flush.oldest();
        let mut state = self.state_mut();
        let late = self.apply(&mut state, flush);
        if let Some((start, end)) = dropped {
            let removed = state.head.remove(start, end).unwrap_or_else(|_| self.count_damage());
            self.counters.dropped_samples.add(removed);
            oldest = Some(oldest.map_or(start, |oldest| oldest.min(start)));
        }
        drop(state);
        if let Some(oldest) = oldest {
            self.note_change(oldest);
        }
        drop(writer);
        (is_durable, late)
    }

    /// Whether what was accepted is durable. Answers at once, also while the engine hangs.
    pub fn health(&self) -> Health {
        self.waiting().health(self.counters.dropped_samples.get())
    }

    /// Block and number of the pages that queries found damaged or missing, ascending. What they held is
    /// left out of answers.
    pub fn damaged_pages(&self) -> Vec<(u64, u32)> {
        self.cache().damaged()
    }

    /// Block and number of the pages that nobody needs any more and that cannot be deleted, because the
    /// engine finds them damaged, in the order in which that was found.
    pub fn undeletable_pages(&self) -> Vec<(u64, u32)> {
        self.state().undeletable_pages.to_vec()
    }

    /// The blocks whose index cannot be read, of this node and then of the others. What they hold is left out
    /// of answers.
    pub fn damaged_blocks(&self) -> Vec<u64> {
        let state = self.state();
        let peers = state.peers.0.values().flat_map(|peer| &peer.damaged);
        state.damaged.iter().chain(peers).map(|block| block.id).collect()
    }

    /// The time of the oldest flush that is not in a block; `None` when there is none.
    pub(crate) fn unsealed_since(&self) -> Option<Timestamp> {
        self.waiting().unsealed_since
    }

    /// Counters and sizes. Costs little, whatever the head holds.
    pub fn stats(&self) -> Stats {
        let mut stats = self.counters.snapshot();
        {
            let waiting = self.waiting();
            (stats.backlog_frames, stats.backlog_bytes) = (waiting.frames, waiting.bytes);
        }
        {
            let state = self.state();
            stats.head_series = state.head.len() as u64;
            stats.head_bytes = state.head.heap_bytes() as u64;
            state.peers.count(&mut stats);
            stats.blocks = state.blocks.len() as u64;
            stats.rollup_blocks = state.rollups.len() as u64;
            stats.pending_deletions = state.notes.deletions.len() as u64;
            for block in state.blocks.iter().chain(state.rollups.iter()) {
                stats.stored_bytes += block.stored_bytes();
                stats.block_index_bytes += block.heap_bytes() as u64;
                stats.page_bytes += block.row.page_bytes;
                stats.block_samples += block.row.samples;
            }
        }
        stats.stored_bytes += self.unsealed_bytes.load(Ordering::Relaxed);
        let cache = self.cache();
        stats.cache_hits = cache.hits();
        stats.cache_misses = cache.misses();
        stats.cache_bytes = cache.bytes() as u64;
        stats
    }

    /// Sorts out the samples that cannot be accepted, of each batch by its own time.
    fn sift(&self, batches: &[Batch<'_>]) -> (Flush, Vec<Committed>) {
        let timestamp = batches.iter().map(|batch| batch.timestamp).max().unwrap_or_default();
        let mut flush = Flush { timestamp, ..Flush::default() };
        flush.ticks.reserve(batches.iter().map(|batch| batch.samples.len()).sum());
        flush.dated.reserve(batches.iter().map(|batch| batch.dated.len()).sum());
        let state = self.state();
        let sift = |batch| self.sift_one(batch, &state.head, &mut flush);
        let all = batches.iter().map(sift).collect();
        (flush, all)
    }

    fn sift_one(&self, batch: &Batch<'_>, head: &Head, flush: &mut Flush) -> Committed {
        let mut committed = Committed::default();
        let before = flush.len();
        let oldest = batch.timestamp.saturating_sub(milliseconds(self.options.out_of_order_window));
        let newest = batch.timestamp.saturating_add(milliseconds(self.options.future_window));
        let is_flush_time = batch.timestamp == flush.timestamp;
        let ticks = if is_flush_time { &mut flush.ticks } else { &mut flush.dated };
        for (series, value) in batch.samples {
            match head.slot(*series) {
                Some(slot) => ticks.push((slot, batch.timestamp, value.clone())),
                None => committed.unknown.push(*series),
            }
        }
        for (series, timestamp, value) in batch.dated {
            if *timestamp < oldest {
                committed.too_old += 1;
            } else if *timestamp > newest {
                committed.too_new += 1;
            } else {
                match head.slot(*series) {
                    Some(slot) => flush.dated.push((slot, *timestamp, value.clone())),
                    None => committed.unknown.push(*series),
                }
            }
        }
        committed.appended = (flush.len() - before) as u64;
        committed
    }

    /// Makes a flush visible.
    fn apply(&self, state: &mut State, flush: Flush) -> crate::head::Late {
        for (slot, timestamp, value) in flush.samples() {
            state.head.append(*slot, *timestamp, value);
        }
        for metadata in flush.metadata {
            state.metadata.insert(metadata.metric.clone(), metadata);
        }
        state.head.finish().unwrap_or_else(|_| {
            self.count_damage();
            crate::head::Late::default()
        })
    }

    fn count_damage(&self) -> u64 {
        self.counters.damaged_series.add(1);
        0
    }

    fn count(&self, committed: &Committed) {
        self.counters.appended.add(committed.appended);
        self.counters.out_of_order.add(committed.out_of_order);
        self.counters.duplicates.add(committed.duplicates);
        self.counters.too_old.add(committed.too_old);
        self.counters.too_new.add(committed.too_new);
        self.counters.unknown_series.add(committed.unknown.len() as u64);
    }

    /// Remembers when background work began to hold up writers.
    fn start_hold(&self) -> Duration {
        (self.options.clock)()
    }

    fn end_hold(&self, start: Duration) {
        let taken = (self.options.clock)().saturating_sub(start);
        self.counters.longest_hold.raise_to(u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX));
    }

    // A panic elsewhere cannot leave the values behind these locks half changed in a way that matters
    // more than going on, so poisoning is passed over.

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, PageCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
