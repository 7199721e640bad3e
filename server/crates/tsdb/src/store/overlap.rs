//! Which blocks a request is about, on which nodes.

use std::sync::Arc;

use model::{Timestamp, rollup::Zone, storage::Select};

use super::{State, rollup};
use crate::block::Block;

/// A block that is asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) block: Arc<Block>,
    /// Whose it is: 0 for this node, then the others in their order.
    pub(super) owner: u32,
}

/// The times that may be asked of samples: where samples of one node have to be rolled up while reading
/// because others have only rollups of that time, whole windows are needed.
pub(super) fn widened(request: &Select<'_>, zones: &[Zone]) -> (Timestamp, Timestamp) {
    let Some(last) = zones.last() else { return (request.start, request.end) };
    let widest = zones.iter().map(|zone| zone.window_ms).max().unwrap_or_default();
    let start = request.start.saturating_sub(2 * widest);
    let end = if request.end < last.until {
        request.end.saturating_add(widest).min(last.until)
    } else {
        request.end
    };
    (start, end)
}

/// The blocks of rollups that are asked, by owner and in order of time.
pub(super) fn overlapping_rollups(
    state: &State,
    request: &Select<'_>,
    zones: &[Zone],
) -> Vec<Asked> {
    let peers = state.peers.0.values().map(|peer| &*peer.rollups);
    let all = || std::iter::once(&**state.rollups).chain(peers.clone());
    let mut after = Timestamp::MIN;
    let mut rollups = Vec::new();
    for zone in zones {
        // Windows that begin before the range may touch it, and those before it answer for a moment.
        let start = request.start.saturating_sub(zone.window_ms).max(after.saturating_add(1));
        let end = request.end.saturating_add(zone.window_ms).min(zone.until);
        for (owner, blocks) in (0..).zip(all()) {
            let own = blocks
                .iter()
                .filter(|block| block.window_ms == zone.window_ms && block.overlaps(start, end));
            rollups.extend(own.map(|block| Asked { block: Arc::clone(block), owner }));
        }
        after = zone.until;
    }
    rollups.sort_by_key(|asked| (asked.owner, asked.block.row.min_time));
    rollups
}

/// All blocks that may have something in the range.
pub(super) fn all_overlapping(state: &State, request: &Select<'_>) -> Vec<Asked> {
    let zones = rollup::zones(state, request.start);
    let mut blocks = overlapping(state, (request.start, request.end));
    blocks.extend(overlapping_rollups(state, request, &zones));
    blocks
}

/// Those of other nodes come first: where two nodes wrote a series at the same time, what is ours counts.
pub(super) fn overlapping(state: &State, (start, end): (Timestamp, Timestamp)) -> Vec<Asked> {
    let peers = (1..).zip(state.peers.0.values().map(|peer| &peer.blocks));
    let blocks = peers.chain([(0, &*state.blocks)]);
    let blocks = blocks.flat_map(|(owner, blocks)| blocks.iter().map(move |b| (owner, b)));
    blocks
        .filter(|(_, block)| block.overlaps(start, end))
        .map(|(owner, block)| Asked { block: Arc::clone(block), owner })
        .collect()
}
