//! Blocks: the samples of all series over a stretch of time, for good.
//!
//! A block is one index and many pages. The index is small enough to stay in memory as the bytes it
//! is stored as; the pages hold the chunks and are read when a query needs them. Series stand in order
//! of metric and labels, in the index and in the pages, so that what is asked for together lies
//! together. `docs/formats/block-index.md` and `docs/formats/page.md` have the byte layouts.

use std::cmp::Ordering;

use model::Labels;

mod builder;
mod chunks;
mod index;
mod planned;
mod summary;
#[cfg(test)]
mod tests;

pub(crate) use builder::{BlockBuilder, BlockPlan, BuildError};
pub(crate) use chunks::ChunkRef;
pub(crate) use index::Block;
pub(crate) use summary::Summary;

use crate::bytes::{FormatError, open_envelope};

pub(crate) const INDEX_MAGIC: [u8; 4] = *b"BWI\0";
pub(crate) const INDEX_VERSION: u8 = 3;
pub(crate) const PAGE_MAGIC: [u8; 4] = *b"BWP\0";
pub(crate) const PAGE_VERSION: u8 = 2;

/// The order of series in a block: by metric, then by labels.
pub(crate) fn series_order(a: &Labels, b: &Labels) -> Ordering {
    a.metric_name().cmp(&b.metric_name()).then_with(|| a.cmp(b))
}

/// Checks a page and returns the bytes its chunks lie in.
pub(crate) fn open_page(bytes: &[u8]) -> Result<&[u8], FormatError> {
    open_envelope(bytes, PAGE_MAGIC, PAGE_VERSION, "page")
}
