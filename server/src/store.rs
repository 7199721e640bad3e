//! The adapter between the time-series store, which blocks, and the database, which does not.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use db::{
    DbError, Samples,
    samples::{BlockRow, FrameRow, PageRow},
};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};
use tsdb::engine::{self, BlockChange, Engine, EngineError, PeersKnown, PeersNews};

/// The most frames that are read at a time while the store opens, and of another node.
const FRAMES_PER_READ: u32 = 100;
/// So many are read first, when nobody knows how large they are.
const FRAMES_OF_FIRST_READ: u32 = 4;
/// What frames that are read together should have: those of a million series have megabytes each.
const BYTES_PER_READ: usize = 16 << 20;

/// A database that hangs is taken for one that is gone: whoever writes keeps what it has and comes again.
const PATIENCE: Duration = Duration::from_secs(30);
/// A flush is small, and the next one waits behind it.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);

/// The database below the time-series store. Its verbs block and must not run on an async worker.
#[derive(Debug)]
pub(crate) struct SqlEngine {
    samples: Samples,
    runtime: Handle,
    holds: Arc<Holds>,
}

/// How long background work held the writer of the database.
#[derive(Debug, Default)]
pub(crate) struct Holds(AtomicU64);

impl Holds {
    /// The longest time since the start, in nanoseconds.
    pub(crate) fn longest_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn measure<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = monotonic();
        let result = work();
        let taken = monotonic().saturating_sub(start).as_nanos();
        self.0.fetch_max(u64::try_from(taken).unwrap_or(u64::MAX), Ordering::Relaxed);
        result
    }
}

/// The time since the first call; it never goes back.
pub(crate) fn monotonic() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

impl SqlEngine {
    pub(crate) fn new(samples: Samples, runtime: Handle, holds: Arc<Holds>) -> Self {
        Self { samples, runtime, holds }
    }

    fn wait<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, EngineError> {
        self.wait_for(PATIENCE, action, work)
    }

    fn wait_for<T>(
        &self,
        patience: Duration,
        action: &'static str,
        work: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, EngineError> {
        let work = async {
            // A file answers or fails; only a connection can hang.
            if !self.samples.is_shared() {
                return Ok(work.await);
            }
            timeout(patience, work).await
        };
        let done = self.runtime.block_on(work);
        let done = done.map_err(|_| EngineError::new(action, "the database does not answer"))?;
        done.map_err(|error| EngineError::new(action, error))
    }
}

impl Engine for SqlEngine {
    fn append_frame(&self, frame: &engine::FrameRow) -> Result<(), EngineError> {
        let row = FrameRow {
            seq: frame.seq,
            epoch: frame.epoch,
            timestamp: frame.timestamp,
            bytes: frame.bytes.clone(),
        };
        self.wait_for(FLUSH_PATIENCE, "append a frame", self.samples.append_frame(&row))
    }

    fn frames(
        &self,
        after_seq: u64,
        visit: &mut dyn FnMut(engine::FrameRow),
    ) -> Result<(), EngineError> {
        let (mut after, mut limit) = (after_seq, FRAMES_OF_FIRST_READ);
        loop {
            let rows = self.wait("read frames", self.samples.frames(after, limit))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.seq;
            limit = frames_of_next_read(rows.iter().map(|row| row.bytes.len()));
            rows.into_iter().map(frame_of).for_each(&mut *visit);
        }
    }

    fn stage_pages(&self, pages: &[engine::PageRow]) -> Result<(), EngineError> {
        let rows: Vec<PageRow> = pages
            .iter()
            .map(|page| PageRow { block: page.block, page: page.page, bytes: page.bytes.clone() })
            .collect();
        self.holds.measure(|| self.wait("write pages", self.samples.stage_pages(&rows)))
    }

    fn change_blocks(&self, change: &BlockChange) -> Result<(), EngineError> {
        let add = change.add.as_ref().map(|block| BlockRow {
            id: block.id,
            level: block.level,
            min_time: block.min_time,
            max_time: block.max_time,
            series: block.series,
            samples: block.samples,
            page_bytes: block.page_bytes,
            toc: block.index.clone(),
        });
        // The frames go afterwards, a few at a time: of an hour they are many megabytes, and whoever
        // writes would wait for all of them.
        let work = self.samples.change_blocks(add.as_ref(), &change.remove, 0);
        self.holds.measure(|| self.wait("change the set of blocks", work))?;
        let up_to = change.delete_frames_up_to;
        while up_to > 0
            && self
                .holds
                .measure(|| self.wait("delete frames", self.samples.delete_some_frames(up_to)))?
        {
        }
        Ok(())
    }

    fn blocks(&self) -> Result<Vec<engine::BlockRow>, EngineError> {
        let rows = self.wait("read blocks", self.samples.blocks())?;
        Ok(rows.into_iter().map(block_of).collect())
    }

    fn pages(&self, block: u64, numbers: &[u32]) -> Result<Vec<engine::PageRow>, EngineError> {
        let rows = self.runtime.block_on(self.samples.pages(block, numbers));
        let rows = match rows {
            // The database itself finds the place damaged where the one page asked for lies: to the store
            // that is a page that is missing, and everything else can be read.
            Err(error) if error.is_damage() && numbers.len() == 1 => Vec::new(),
            rows => rows.map_err(|error| EngineError::new("read pages", error))?,
        };
        Ok(rows
            .into_iter()
            .map(|row| engine::PageRow { block: row.block, page: row.page, bytes: row.bytes })
            .collect())
    }

    fn delete_pages(&self, block: u64) -> Result<Vec<u32>, EngineError> {
        self.wait("delete pages", self.samples.delete_pages(block))
    }

    fn blocks_with_pages(&self) -> Result<Vec<u64>, EngineError> {
        self.wait("list blocks with pages", self.samples.blocks_with_pages())
    }
    fn last_deleted_frame(&self) -> Result<u64, EngineError> {
        self.wait("read the last deleted frame", self.samples.last_deleted_frame())
    }

    fn peers(&self, known: &PeersKnown) -> Result<PeersNews, EngineError> {
        let read = self.samples.news(&known.frames, &known.blocks, FRAMES_PER_READ);
        let news = self.wait("read what other nodes wrote", read)?;
        let frames = news.frames.into_iter().map(|(node, row)| (node, frame_of(row)));
        let blocks = news.new_blocks.into_iter().map(|(node, row)| (node, block_of(row)));
        Ok(PeersNews {
            frames: frames.collect(),
            has_more: news.has_more,
            oldest_frames: news.oldest_frames,
            blocks: news.blocks,
            new_blocks: blocks.collect(),
        })
    }
}

/// How many frames to read at a time when the last ones had these sizes.
fn frames_of_next_read(sizes: impl ExactSizeIterator<Item = usize>) -> u32 {
    let count = sizes.len();
    let average = sizes.sum::<usize>() / count.max(1);
    (BYTES_PER_READ / average.max(1)).clamp(1, FRAMES_PER_READ as usize) as u32
}

fn frame_of(row: FrameRow) -> engine::FrameRow {
    let FrameRow { seq, epoch, timestamp, bytes } = row;
    engine::FrameRow { seq, epoch, timestamp, bytes }
}

fn block_of(row: BlockRow) -> engine::BlockRow {
    engine::BlockRow {
        id: row.id,
        level: row.level,
        min_time: row.min_time,
        max_time: row.max_time,
        series: row.series,
        samples: row.samples,
        page_bytes: row.page_bytes,
        index: row.toc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_frames_are_read_a_few_at_a_time() {
        for (sizes, expected) in [
            (vec![], FRAMES_PER_READ),
            (vec![0, 0], FRAMES_PER_READ),
            (vec![40_000; 4], FRAMES_PER_READ),
            (vec![3 << 20, 5 << 20], 4),
            (vec![100 << 20], 1),
        ] {
            assert_eq!(frames_of_next_read(sizes.iter().copied()), expected, "{sizes:?}");
        }
    }
}
