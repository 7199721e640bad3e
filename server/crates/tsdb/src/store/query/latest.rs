//! The newest sample of a series, without decoding a chunk where that can be.

use model::{Sample, StorageError};

use super::{TsdbSelection, damaged};
use crate::{block::ChunkRef, store::gathering::Found};

impl TsdbSelection<'_> {
    /// The newest sample ever seen, when it is in the range and no block has a newer one.
    pub(super) fn latest_of_head(&self, found: &Found) -> Option<Sample> {
        let last = match &*found.peers {
            [] => found.head.as_ref()?.last.as_ref()?,
            _ => newest_of(found)?,
        };
        let is_newest = found
            .blocks
            .iter()
            .all(|&(at, _)| self.blocks[at as usize].block.row.max_time < last.timestamp);
        let is_wanted = (self.start..=self.end).contains(&last.timestamp);
        (is_newest && is_wanted).then(|| last.clone())
    }

    /// The last value of the newest chunk, when the range ends after it and nothing else comes close.
    pub(super) fn latest_of_summary(&self, found: &Found) -> Result<Option<Sample>, StorageError> {
        if found.head.is_some() || !found.peers.is_empty() || !self.masks.is_empty() {
            return Ok(None);
        }
        let mut newest: Option<ChunkRef> = None;
        let mut is_alone = false;
        for &(block, number) in &found.blocks {
            for chunk in self.blocks[block as usize].block.chunks(number).map_err(damaged)? {
                match &newest {
                    Some(other) if other.max_time > chunk.max_time => {}
                    Some(other) if other.max_time == chunk.max_time => is_alone = false,
                    _ => (newest, is_alone) = (Some(chunk), true),
                }
            }
        }
        Ok(newest.filter(|_| is_alone).and_then(|chunk| {
            let timestamp = chunk.max_time;
            let is_wanted = (self.raw_start()..=self.end).contains(&timestamp);
            let value = model::Value::Float(chunk.summary.filter(|_| is_wanted)?.last);
            Some(Sample { timestamp, value })
        }))
    }
}

/// The newest sample of several heads; `None` when two have one of that time.
fn newest_of(found: &Found) -> Option<&Sample> {
    let heads = found.peers.iter().chain(&found.head);
    let lasts = || heads.clone().filter_map(|head| head.last.as_ref());
    let newest = lasts().max_by_key(|last| last.timestamp)?;
    let is_alone = lasts().filter(|last| last.timestamp == newest.timestamp).count() == 1;
    is_alone.then_some(newest)
}
