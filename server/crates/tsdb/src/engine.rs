//! The port to the database that makes the store durable.
//!
//! The store hands over plain bytes and small integers and never learns what is below: an adapter
//! over SQLite or PostgreSQL implements [`Engine`] with four tables' worth of rows and no knowledge of
//! the formats. Everything is called from blocking threads; a call may take as long as the disk does.
//!
//! Rules for every implementation:
//! - A verb that returns `Ok` is durable and visible to every later call.
//! - A verb that returns `Err` may or may not have happened (a connection can break after the commit).
//!   Every verb can therefore be repeated: rows with the same key are replaced, and removing what is
//!   not there succeeds.
//! - Each verb is one transaction unless it says otherwise: after a crash all of it happened or none.
//! - Calls come from several threads. Writes are serialized by the store except for
//!   [`Engine::append_frame`], which runs beside all others.

use std::collections::BTreeMap;

use model::Timestamp;

mod memory;

pub use memory::{Fault, FaultMoment, MemoryEngine, Verb};

/// One committed flush, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameRow {
    /// The row's key: 1 for the first frame, rising by one from frame to frame.
    pub seq: u64,
    /// Which chain of frames this one belongs to; rising. Frames of one epoch build on each other.
    pub epoch: u64,
    /// The time of the flush.
    pub timestamp: Timestamp,
    /// The encoded frame.
    pub bytes: Vec<u8>,
}

/// A block: the index of many pages that appear and disappear together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRow {
    /// The row's key. Rising, and given only once while any row or page of it is left. Where several
    /// nodes write (see [`Options::node`](crate::Options::node)) it carries the day and the node.
    pub id: u64,
    /// 1 for a sealed head, 2 for merged blocks.
    pub level: u32,
    /// The time of the oldest sample, inclusive.
    pub min_time: Timestamp,
    /// The time of the newest sample, inclusive.
    pub max_time: Timestamp,
    /// How many series the block holds.
    pub series: u64,
    /// How many samples the block holds.
    pub samples: u64,
    /// How many bytes all its pages have.
    pub page_bytes: u64,
    /// The encoded index.
    pub index: Vec<u8>,
}

/// Many series' chunks in one row of about 128 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// The block the page belongs to; with [`Self::page`] the row's key.
    pub block: u64,
    /// The number of the page in its block, from 0 without gaps.
    pub page: u32,
    /// The encoded page.
    pub bytes: Vec<u8>,
}

/// A change of the set of blocks, applied as a whole or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockChange {
    /// The block to add, whose pages have been staged; replaces a row with the same id.
    pub add: Option<BlockRow>,
    /// The rows to remove, pages excepted.
    pub remove: Vec<u64>,
    /// Every frame with a `seq` up to and including this one is deleted; 0 deletes none. An
    /// implementation may delete them after the transaction, in several of its own: the block that is
    /// added says which frames it replaces, and those are never read again.
    pub delete_frames_up_to: u64,
}

/// What is known of the other nodes that write to the same database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeersKnown {
    /// The last frame seen of each node.
    pub frames: BTreeMap<u64, u64>,
    /// Blocks of all of them, ascending.
    pub blocks: Vec<u64>,
}

/// What is new on the other nodes, all of it at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeersNews {
    /// Frames that were not seen yet with their nodes, ascending for each node.
    pub frames: Vec<(u64, FrameRow)>,
    /// There are more frames; the fields below are empty until all were handed over.
    pub has_more: bool,
    /// The oldest frame that each node still has. What was older is in its blocks.
    pub oldest_frames: BTreeMap<u64, u64>,
    /// All blocks, ascending.
    pub blocks: Vec<u64>,
    /// Those of them that were not known, with their nodes.
    pub new_blocks: Vec<(u64, BlockRow)>,
}

/// A verb of the engine that failed.
#[derive(Debug, thiserror::Error)]
#[error("the storage engine could not {action}")]
pub struct EngineError {
    /// What was attempted, to complete "could not …".
    pub action: &'static str,
    /// Why it failed.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl EngineError {
    /// An error that names what was attempted and why it failed.
    pub fn new(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { action, source: source.into() }
    }
}

/// The database below the store; see the module's documentation for what holds for all verbs.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// Writes one frame. When it returns `Ok` the frame is on stable storage (fsync done). A row with
    /// the same `seq` is replaced.
    ///
    /// # Errors
    /// When the frame may not be on stable storage.
    fn append_frame(&self, frame: &FrameRow) -> Result<(), EngineError>;

    /// Visits every frame with a `seq` above `after_seq`, ascending. Rows are handed over one at a
    /// time so that an implementation need not hold all of them.
    ///
    /// # Errors
    /// When not all frames could be read; those visited before are right.
    fn frames(&self, after_seq: u64, visit: &mut dyn FnMut(FrameRow)) -> Result<(), EngineError>;

    /// Writes pages of a block that has no row yet; nobody reads them before
    /// [`Engine::change_blocks`] adds the row. Rows with the same key are replaced. They must be on
    /// stable storage no later than that change.
    ///
    /// # Errors
    /// When not all pages were written.
    fn stage_pages(&self, pages: &[PageRow]) -> Result<(), EngineError>;

    /// Adds a block, removes others and deletes frames in one transaction, on stable storage when it
    /// returns `Ok`.
    ///
    /// # Errors
    /// When the change may not have happened.
    fn change_blocks(&self, change: &BlockChange) -> Result<(), EngineError>;

    /// All blocks, ascending by id.
    ///
    /// # Errors
    /// When they cannot be read.
    fn blocks(&self) -> Result<Vec<BlockRow>, EngineError>;

    /// The pages of a block with these numbers, in any order; numbers that do not exist are left out.
    ///
    /// # Errors
    /// When they cannot be read.
    fn pages(&self, block: u64, numbers: &[u32]) -> Result<Vec<PageRow>, EngineError>;

    /// Deletes all pages of a block whose row was removed. May use several transactions so that other
    /// writers wait no longer than 200 ms. Returns the numbers of pages that stay, ascending, because the
    /// engine itself finds them damaged and cannot delete them; the call is not repeated for these.
    ///
    /// # Errors
    /// When pages may be left that it should have deleted; the call is repeated later.
    fn delete_pages(&self, block: u64) -> Result<Vec<u32>, EngineError>;

    /// The ids of all blocks that have pages, with or without a row, ascending. Called once when the
    /// store opens, to find pages that a crash left behind; must not read the pages themselves.
    ///
    /// # Errors
    /// When they cannot be read.
    fn blocks_with_pages(&self) -> Result<Vec<u64>, EngineError>;

    /// The newest frame ever deleted: the next one comes after it, so that other nodes never take a new
    /// frame for one that they saw. 0 where nobody else reads.
    ///
    /// # Errors
    /// When it cannot be read.
    fn last_deleted_frame(&self) -> Result<u64, EngineError> {
        Ok(0)
    }

    /// What the other nodes on the same database wrote since `known`; nothing where there are none. The
    /// other verbs are about the frames and blocks of this node only, except that [`Engine::pages`] also
    /// reads those of the others.
    ///
    /// # Errors
    /// When it cannot be read.
    fn peers(&self, known: &PeersKnown) -> Result<PeersNews, EngineError> {
        let _ = known;
        Ok(PeersNews::default())
    }
}
