//! The time-series store: head, chunk codec, pages, index, retention and querier.
//!
//! A flush is encoded as a frame, committed through the [`Engine`] and then visible to readers, all of
//! it or nothing. The head keeps every series' samples compressed in memory. Every hour or so they are
//! sealed into a block, whose index stays in memory and whose pages are read when a query needs them;
//! blocks are merged, and deleted as a whole when their time is up. Queries go through
//! [`model::Storage`], which [`Tsdb`] implements.
//!
//! Deliberately absent: SQL, files, sockets, tasks, threads, wall clocks. The engine is a port that an
//! adapter fills elsewhere; `now` and the time of a flush are handed in; [`Tsdb::maintain`] is called
//! by whoever owns time. There is no home-made log: atomicity and durability are the engine's.
//!
//! Invariants:
//! - A flush is durable before [`Tsdb::commit`] says so, and no reader sees half of one.
//! - After a crash between any two steps a sample is in a frame or in a block, or in both with the
//!   same value; never in neither.
//! - Where a series has two values for one time the last write counts, wherever the two are stored.
//! - A snapshot stays readable: the pages of a block that was replaced go only when no reader has it.
//! - What is dropped, refused or damaged is counted in [`Stats`]; nothing disappears silently.
//! - Decoders take any bytes without a panic. The formats are written down in `docs/formats`.
//! - Where several nodes write to one database each changes only what is its own, and reads the rest.
//!
//! Entry points: [`Tsdb::open`], [`Tsdb::resolve`], [`Tsdb::commit`], [`Tsdb::maintain`],
//! [`Tsdb::follow`]; [`Tsdb::import`] for history; [`verify::verify`] to look for damage;
//! [`engine::Engine`] for adapters and [`engine::MemoryEngine`] for tests; [`inspect`] for fuzzing.

mod block;
mod bytes;
mod cache;
mod cardinality;
mod codec;
mod columns;
pub mod engine;
mod frame;
mod head;
pub mod inspect;
mod metadata;
mod options;
mod postings;
mod stats;
mod store;
#[cfg(test)]
mod testing;
pub mod verify;

pub use bytes::FormatError;
pub use cardinality::{Cardinality, LabelCardinality};
pub use engine::Engine;
pub use head::SeriesRef;
pub use options::{Options, RollupLevel, day_of_block, first_block_of_day};
pub use stats::{Health, Stats};
pub use store::{
    Batch, Committed, DamagedBlock, DamagedFrame, DeleteError, Deleted, DeletionRequests,
    ImportBatch, Imported, MaintainError, Maintenance, Moment, Newest, OpenError, ReplayReport,
    Tsdb, View,
};
