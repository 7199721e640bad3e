//! Which blocks a request is about.

use std::sync::Arc;

use model::{Timestamp, rollup::Zone, storage::Select};

use super::{State, rollup};
use crate::block::Block;

/// The blocks of rollups that are asked, in order of time.
pub(super) fn overlapping_rollups(
    state: &State,
    request: &Select<'_>,
    zones: &[Zone],
) -> Vec<Arc<Block>> {
    let mut after = Timestamp::MIN;
    let mut rollups = Vec::new();
    for zone in zones {
        // Windows that begin before the range may touch it, and those before it answer for a moment.
        let start = request.start.saturating_sub(zone.window_ms).max(after.saturating_add(1));
        let end = request.end.saturating_add(zone.window_ms).min(zone.until);
        let own = state
            .rollups
            .iter()
            .filter(|block| block.window_ms == zone.window_ms && block.overlaps(start, end));
        rollups.extend(own.cloned());
        after = zone.until;
    }
    rollups.sort_by_key(|block| block.row.min_time);
    rollups
}

/// All blocks that may have something in the range.
pub(super) fn all_overlapping(state: &State, request: &Select<'_>) -> Vec<Arc<Block>> {
    let zones = rollup::zones(state, request.start);
    let mut blocks = overlapping(state, request);
    blocks.extend(overlapping_rollups(state, request, &zones));
    blocks
}

/// Those of other nodes come first: where two nodes wrote a series at the same time, what is ours counts.
pub(super) fn overlapping(state: &State, request: &Select<'_>) -> Vec<Arc<Block>> {
    let blocks = state.peers.blocks().chain(state.blocks.iter());
    blocks.filter(|block| block.overlaps(request.start, request.end)).cloned().collect()
}
