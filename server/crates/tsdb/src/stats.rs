//! What the store counts, and whether it is well.

use std::sync::atomic::{AtomicU64, Ordering};

use model::Timestamp;

/// Counters since the store was opened, and sizes at the moment of asking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Series in the head.
    pub head_series: u64,
    /// Memory of the head's samples and labels in bytes, without its index.
    pub head_bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Memory of all block indexes in bytes.
    pub block_index_bytes: u64,
    /// Bytes of the pages of all blocks, as stored.
    pub page_bytes: u64,
    /// Samples in all blocks.
    pub block_samples: u64,
    /// Other nodes on the same database of which there is something.
    pub peers: u64,
    /// Series of these that are not sealed; one that several nodes write counts for each.
    pub peer_series: u64,
    /// Blocks of these.
    pub peer_blocks: u64,
    /// Flushes of these taken over.
    pub peer_frames: u64,
    /// Samples accepted.
    pub appended: u64,
    /// Of those, older than the newest of their series.
    pub out_of_order: u64,
    /// Values that gave way to another one of the same series and time.
    pub duplicates: u64,
    /// Samples refused as too old.
    pub too_old: u64,
    /// Samples refused as too far ahead.
    pub too_new: u64,
    /// Samples refused because their series had been forgotten.
    pub unknown_series: u64,
    /// Flushes made durable.
    pub frames: u64,
    /// Bytes of these.
    pub frame_bytes: u64,
    /// Flushes replayed when the store was opened.
    pub replayed_frames: u64,
    /// Samples of these.
    pub replayed_samples: u64,
    /// Flushes that could not be read when the store was opened.
    pub damaged_frames: u64,
    /// Blocks whose index could not be read.
    pub damaged_blocks: u64,
    /// Pages that could not be read.
    pub damaged_pages: u64,
    /// Series of the head whose samples could not be read.
    pub damaged_series: u64,
    /// Calls of the engine that failed.
    pub engine_failures: u64,
    /// Flushes waiting for the engine.
    pub backlog_frames: u64,
    /// Bytes of these.
    pub backlog_bytes: u64,
    /// Flushes dropped because too many waited.
    pub dropped_frames: u64,
    /// Samples dropped because too many flushes waited.
    pub dropped_samples: u64,
    /// Heads sealed into blocks.
    pub seals: u64,
    /// Merges of blocks.
    pub merges: u64,
    /// Blocks of rollups written.
    pub rollups: u64,
    /// Blocks of rollups at the moment.
    pub rollup_blocks: u64,
    /// Blocks deleted because they were too old.
    pub expired_blocks: u64,
    /// Blocks deleted because there was no room for them.
    pub evicted_blocks: u64,
    /// Bytes of all that is stored: pages, indexes, and flushes that are not in a block yet.
    pub stored_bytes: u64,
    /// Deletions of series.
    pub deletions: u64,
    /// Deletions that are not carried out in all blocks yet.
    pub pending_deletions: u64,
    /// The longest time that background work held up writers, in nanoseconds; 0 without
    /// [`Options::clock`](crate::Options::clock).
    pub longest_hold_ns: u64,
    /// Page reads answered from memory.
    pub cache_hits: u64,
    /// Page reads that went to the engine.
    pub cache_misses: u64,
    /// Bytes of pages in memory.
    pub cache_bytes: u64,
}

/// Whether what was accepted is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It is.
    Healthy,
    /// The engine fails; flushes wait in memory and are visible to readers.
    Failing {
        /// The time of the first flush that waits.
        since: Timestamp,
        /// What the engine said last.
        error: String,
        /// How many flushes wait.
        waiting_frames: u64,
        /// How many samples were dropped since the store was opened.
        dropped_samples: u64,
    },
}

impl Health {
    /// Whether all is well.
    pub fn is_healthy(&self) -> bool {
        *self == Self::Healthy
    }
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) appended: Counter,
    pub(crate) out_of_order: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) too_old: Counter,
    pub(crate) too_new: Counter,
    pub(crate) unknown_series: Counter,
    pub(crate) frames: Counter,
    pub(crate) frame_bytes: Counter,
    pub(crate) replayed_frames: Counter,
    pub(crate) replayed_samples: Counter,
    pub(crate) damaged_frames: Counter,
    pub(crate) damaged_blocks: Counter,
    pub(crate) damaged_pages: Counter,
    pub(crate) damaged_series: Counter,
    pub(crate) engine_failures: Counter,
    pub(crate) dropped_frames: Counter,
    pub(crate) dropped_samples: Counter,
    pub(crate) seals: Counter,
    pub(crate) merges: Counter,
    pub(crate) rollups: Counter,
    pub(crate) expired_blocks: Counter,
    pub(crate) peer_frames: Counter,
    pub(crate) evicted_blocks: Counter,
    pub(crate) deletions: Counter,
    /// The longest hold in nanoseconds.
    pub(crate) longest_hold: Counter,
}

impl Counters {
    /// Everything that is counted; sizes are left at 0.
    pub(crate) fn snapshot(&self) -> Stats {
        Stats {
            appended: self.appended.get(),
            out_of_order: self.out_of_order.get(),
            duplicates: self.duplicates.get(),
            too_old: self.too_old.get(),
            too_new: self.too_new.get(),
            unknown_series: self.unknown_series.get(),
            frames: self.frames.get(),
            frame_bytes: self.frame_bytes.get(),
            replayed_frames: self.replayed_frames.get(),
            replayed_samples: self.replayed_samples.get(),
            damaged_frames: self.damaged_frames.get(),
            damaged_blocks: self.damaged_blocks.get(),
            damaged_pages: self.damaged_pages.get(),
            damaged_series: self.damaged_series.get(),
            engine_failures: self.engine_failures.get(),
            dropped_frames: self.dropped_frames.get(),
            dropped_samples: self.dropped_samples.get(),
            seals: self.seals.get(),
            merges: self.merges.get(),
            rollups: self.rollups.get(),
            expired_blocks: self.expired_blocks.get(),
            peer_frames: self.peer_frames.get(),
            evicted_blocks: self.evicted_blocks.get(),
            deletions: self.deletions.get(),
            longest_hold_ns: self.longest_hold.get(),
            ..Stats::default()
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Raises the number to at least this.
    pub(crate) fn raise_to(&self, least: u64) {
        self.0.fetch_max(least, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
