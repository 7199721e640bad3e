//! Opening a store: the blocks, then the flushes that are not in a block yet.

use std::sync::{Arc, Mutex, RwLock, atomic::AtomicU64};

use model::Timestamp;

use super::{
    Maintainer, SharedChanges, State, Tsdb, deletion,
    joined::Memory,
    notes::{self, Notes},
    writer::Writer,
};
use crate::{
    block::Block,
    bytes::FormatError,
    cache::PageCache,
    engine::{BlockRow, Engine, EngineError, FrameRow},
    frame::FrameDecoder,
    options::{Options, day_of_block},
    postings::{Conditions, Orders},
    stats::Counters,
};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine below failed.
    #[error("the store cannot be opened")]
    Engine(#[from] EngineError),
}

/// What was found when the store was opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplayReport {
    /// Blocks that can be queried.
    pub blocks: u64,
    /// Blocks that cannot be read. They stay on disk until their time is up.
    pub damaged_blocks: Vec<DamagedBlock>,
    /// Blocks a crash left half written, whose pages were deleted.
    pub stray_blocks: u64,
    /// Flushes replayed.
    pub frames: u64,
    /// Samples of these.
    pub samples: u64,
    /// Series that these brought to life.
    pub series: u64,
    /// The time of the newest flush replayed; `None` when there was none.
    pub newest: Option<Timestamp>,
    /// Flushes that cannot be read.
    pub damaged_frames: Vec<DamagedFrame>,
    /// Flushes that build on a damaged one and are lost with it.
    pub skipped_frames: u64,
}

/// A flush that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedFrame {
    /// The row's key.
    pub seq: u64,
    /// The time of the flush.
    pub timestamp: Timestamp,
    /// What is wrong with it.
    pub reason: FormatError,
}

/// A block that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedBlock {
    /// The row's key.
    pub id: u64,
    /// The time of its oldest sample.
    pub min_time: Timestamp,
    /// The time of its newest sample.
    pub max_time: Timestamp,
    /// What is wrong with it.
    pub reason: FormatError,
}

impl Tsdb {
    /// Opens the store on an engine: reads the indexes of all blocks and replays every flush that is
    /// not in a block yet. Damage is reported, counted and passed over: a damaged flush takes with it
    /// those that build on it, up to the next seal or restart of the writer.
    ///
    /// # Errors
    /// When the engine fails; nothing was changed that matters.
    pub fn open(
        engine: Arc<dyn Engine>,
        options: Options,
    ) -> Result<(Self, ReplayReport), OpenError> {
        let mut report = ReplayReport::default();
        let rows = engine.blocks()?;
        let with_pages = engine.blocks_with_pages()?;
        let ids = rows.iter().map(|row| row.id);
        let next_id = ids.chain(with_pages.iter().copied()).max().map_or(0, |id| id + 1);
        let all_ids = rows.iter().map(|row| row.id).chain(with_pages.iter().copied());
        let lasting = all_ids.filter(|id| day_of_block(*id) == 0);
        let next_lasting = lasting.max().map_or(0, |id| id + 1);
        let strays: Vec<u64> = with_pages
            .into_iter()
            .filter(|id| rows.binary_search_by_key(id, |row| row.id).is_err())
            .collect();
        report.stray_blocks = strays.len() as u64;

        let counters = Counters::default();
        let Opened { blocks, rollups, notes, notes_row, damaged } = open_blocks(rows);
        counters.damaged_blocks.add(damaged.len() as u64);
        report.blocks = (blocks.len() + rollups.len()) as u64;
        let all = || rollups.iter().chain(&blocks);
        let next_order = all().map(|block| block.order + 1).chain([1]).max().unwrap_or(1);
        // Deletions that are no longer listed never concern blocks to come.
        let bounds = notes.deletions.iter().map(|deletion| deletion.order_below);
        let next_order = bounds.chain([next_order]).max().unwrap_or(1);
        let node = options.node.unwrap_or_default().into();
        let mut state = State { node, damaged: Arc::new(damaged.clone()), ..State::default() };
        for metadata in all().flat_map(|block| &block.metadata) {
            state.metadata.insert(metadata.metric.clone(), metadata.clone());
        }
        state.blocks = Arc::new(blocks);
        state.rollups = Arc::new(rollups);
        state.notes = Arc::new(notes);

        let deleted = engine.last_deleted_frame()?;
        let Replayed { writer, sealed_seq, bytes } =
            replay(&*engine, deleted, &mut state, &counters, &mut report)?;
        report.series = state.head.len() as u64;
        report.damaged_blocks = damaged;
        let mut maintainer = Maintainer::new(next_id, next_order, strays);
        if options.node.is_some() {
            maintainer.count_lasting_from(next_lasting);
        }
        maintainer.notes_row = notes_row;
        maintainer.sealed_seq = sealed_seq;
        let store = Self {
            following: Mutex::default(),
            maintainer: Mutex::new(maintainer),
            writer: Mutex::new(writer),
            waiting: Mutex::default(),
            state: RwLock::new(state),
            cache: Mutex::new(PageCache::new(options.cache_bytes)),
            conditions: Conditions::default(),
            orders: Orders::default(),
            joined: Memory::default(),
            changes: SharedChanges::default(),
            unsealed_bytes: AtomicU64::new(bytes),
            engine,
            options,
            counters,
        };
        Ok((store, report))
    }
}

/// The rows of an engine, opened.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// Blocks of samples, ascending by order.
    pub(super) blocks: Vec<Arc<Block>>,
    pub(super) rollups: Vec<Arc<Block>>,
    pub(super) notes: Notes,
    pub(super) notes_row: Option<u64>,
    /// Rows that cannot be read.
    pub(super) damaged: Vec<DamagedBlock>,
}

impl Opened {
    /// The oldest time of which samples may be other ones with these rows than without them.
    pub(super) fn oldest_change(&self) -> Option<Timestamp> {
        if self.notes_row.is_some() || !self.rollups.is_empty() || !self.damaged.is_empty() {
            return Some(Timestamp::MIN);
        }
        self.blocks.iter().map(|block| block.row.min_time).min()
    }
}

/// Opens all rows.
pub(super) fn open_blocks(rows: Vec<BlockRow>) -> Opened {
    let mut opened = Opened::default();
    for row in rows {
        let (id, min_time, max_time) = (row.id, row.min_time, row.max_time);
        let result = if row.level == notes::LEVEL {
            Notes::open(&row.index).map(|notes| {
                opened.notes = notes;
                opened.notes_row = Some(id);
            })
        } else {
            Block::open(row).map(|block| {
                let is_rollup = block.window_ms > 0;
                let all = if is_rollup { &mut opened.rollups } else { &mut opened.blocks };
                all.push(Arc::new(block));
            })
        };
        if let Err(reason) = result {
            opened.damaged.push(DamagedBlock { id, min_time, max_time, reason });
        }
    }
    opened.blocks.sort_by_key(|block| block.order);
    opened
}

/// What the frames told.
struct Replayed {
    writer: Writer,
    /// The newest frame whose samples are in a block.
    sealed_seq: u64,
    /// The bytes of all frames.
    bytes: u64,
}

/// Replays all frames into the head and returns the writer that goes on after them.
fn replay(
    engine: &dyn Engine,
    deleted: u64,
    state: &mut State,
    counters: &Counters,
    report: &mut ReplayReport,
) -> Result<Replayed, EngineError> {
    let mut decoder = FrameDecoder::default();
    state.head.set_hasty(true);
    let notes = Arc::clone(&state.notes);
    let mut deletions = notes.deletions.iter().peekable();
    // Frames that a block replaced, and that a crash kept from being deleted, are not read again.
    let sealed = state.blocks.iter().map(|block| block.frames).max().unwrap_or_default();
    let (mut seq, mut since) = (sealed.max(deleted), None);
    let mut bytes = 0;
    let mut is_broken = false;
    engine.frames(sealed, &mut |frame: FrameRow| {
        // A deletion is about what came before it, and about nothing after.
        while let Some(deletion) = deletions.next_if(|deletion| deletion.seq < frame.seq) {
            deletion::delete_from(&mut state.head, deletion);
        }
        bytes += frame.bytes.len() as u64;
        seq = seq.max(frame.seq);
        let resolved = decoder.decode(&frame.bytes, |labels| state.head.resolve(labels).slot);
        let flush = match resolved {
            Ok(flush) => flush,
            Err(_) if is_broken => {
                report.skipped_frames += 1;
                return;
            }
            Err(reason) => {
                is_broken = true;
                let (seq, timestamp) = (frame.seq, frame.timestamp);
                report.damaged_frames.push(DamagedFrame { seq, timestamp, reason });
                return;
            }
        };
        is_broken = false;
        since.get_or_insert(flush.timestamp);
        report.frames += 1;
        report.samples += flush.len() as u64;
        report.newest = report.newest.max(Some(flush.timestamp));
        for (slot, timestamp, value) in flush.samples() {
            state.head.append(*slot, *timestamp, value);
        }
        if state.head.finish().is_err() {
            counters.damaged_series.add(1);
        }
        for metadata in flush.metadata {
            state.metadata.insert(metadata.metric.clone(), metadata);
        }
    })?;
    for deletion in deletions {
        deletion::delete_from(&mut state.head, deletion);
    }
    state.head.set_hasty(false);
    // A number that a deletion names is never given to a frame that comes after it.
    let named = notes.deletions.iter().map(|deletion| deletion.seq).max().unwrap_or_default();
    let seq = seq.max(named);
    // A deletion that names a frame which is gone has nothing left to do there.
    let sealed_seq = if report.frames == 0 { seq } else { sealed };
    counters.replayed_frames.add(report.frames);
    counters.replayed_samples.add(report.samples);
    counters.damaged_frames.add(report.damaged_frames.len() as u64);
    Ok(Replayed { writer: Writer::new(seq, since), sealed_seq, bytes })
}
