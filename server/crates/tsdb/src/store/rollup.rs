//! Rollups: before samples are too old to be kept, windows of them are written to blocks of their own.
//!
//! A range of whole days is rolled up at once, from all blocks that reach into it, shortly before its
//! samples expire: whatever came late is in it. No block of samples expires before its range is rolled
//! up, unless there is no room for it.

use std::sync::Arc;

use model::{
    Column, Timestamp,
    rollup::{RollupColumn, Zone},
};

use super::{
    State, Tsdb,
    maintain::{MaintainError, Maintainer},
    source::{Part, Source, SourceError, next_labels},
};
use crate::{
    block::{Block, BlockBuilder, BlockPlan},
    engine::BlockRow,
    options::{RollupLevel, milliseconds},
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// The level of a block of rollups.
pub(super) const LEVEL: u32 = 3;

/// The most ranges without a sample that are passed over in one go.
const MAX_EMPTY: usize = 1_000;

impl Tsdb {
    /// Writes the next range of rollups that is due, if any. Returns how many blocks were written.
    pub(super) fn roll_up(
        &self,
        maintainer: &mut Maintainer,
        now: Timestamp,
    ) -> Result<u64, MaintainError> {
        let mut written = 0;
        for level in &self.options.rollups {
            for _ in 0..MAX_EMPTY {
                let Some(range) = self.next_range(maintainer, level, now) else { break };
                let is_written = self.write_rollups(maintainer, level, range)?;
                maintainer.rolled_up.insert(level.window_ms(), range.1);
                if is_written {
                    written += 1;
                    break;
                }
            }
        }
        Ok(written)
    }

    /// Whether all that a block of samples holds is in rollups too.
    pub(super) fn is_rolled_up(&self, maintainer: &Maintainer, block: &Block) -> bool {
        let (rollups, notes) = {
            let state = self.state();
            (Arc::clone(&state.rollups), Arc::clone(&state.notes))
        };
        if notes.stale.iter().any(|&(start, end)| block.overlaps(start, end)) {
            return false;
        }
        self.options.rollups.iter().all(|level| {
            let until = self.rolled_up_to(maintainer, &rollups, level);
            until.is_some_and(|until| block.row.max_time <= until)
        })
    }

    /// The range to be rolled up next: its start, exclusive, and its end, inclusive.
    fn next_range(
        &self,
        maintainer: &Maintainer,
        level: &RollupLevel,
        now: Timestamp,
    ) -> Option<(Timestamp, Timestamp)> {
        let (blocks, rollups) = {
            let state = self.state();
            (Arc::clone(&state.blocks), Arc::clone(&state.rollups))
        };
        let span = self.range_ms();
        let done = self.rolled_up_to(maintainer, &rollups, level).unwrap_or(Timestamp::MIN);
        let open = blocks.iter().filter(|block| block.row.max_time > done);
        let oldest = open.map(|block| block.row.min_time).min()?;
        let start = oldest.saturating_sub(1).div_euclid(span).saturating_mul(span).max(done);
        let end = start.saturating_add(span);
        let is_sealed = self.writer().since().is_none_or(|since| since > end);
        (end <= self.settled(now) && is_sealed).then_some((start, end))
    }

    /// Up to where the rollups of a level reach; `None` before the first.
    pub(super) fn rolled_up_to(
        &self,
        maintainer: &Maintainer,
        rollups: &[Arc<Block>],
        level: &RollupLevel,
    ) -> Option<Timestamp> {
        let span = self.range_ms();
        let own = rollups.iter().filter(|block| block.window_ms == level.window_ms());
        let newest = own.map(|block| block.row.max_time).max();
        let stored = newest.map(|time| model::rollup::window_end(time, span));
        stored.max(maintainer.rolled_up.get(&level.window_ms()).copied())
    }

    /// How much time is rolled up at once: a day, or whole hours when samples are kept for few days.
    fn range_ms(&self) -> i64 {
        let quarter = milliseconds(self.options.retention) / 4;
        let widest = self.options.rollups.iter().map(RollupLevel::window_ms).max().unwrap_or(HOUR);
        let unit = widest.max(1);
        (quarter.min(DAY) / unit).max(1) * unit
    }

    /// Up to when samples are ready to be rolled up.
    fn settled(&self, now: Timestamp) -> Timestamp {
        let retention = milliseconds(self.options.retention);
        let late = milliseconds(self.options.out_of_order_window)
            .saturating_add(milliseconds(self.options.seal_interval));
        // Where room may run out at any time, as soon as nothing can come late any more.
        let age = match self.options.retention_bytes {
            Some(_) => late.min(retention / 2),
            None => retention - (retention / 4).min(2 * DAY),
        };
        now.saturating_sub(age)
    }

    /// Writes the rollups of a range. Returns whether there was anything in it.
    fn write_rollups(
        &self,
        maintainer: &mut Maintainer,
        level: &RollupLevel,
        range: (Timestamp, Timestamp),
    ) -> Result<bool, MaintainError> {
        let id = maintainer.take_lasting_id(self.options.least_lasting());
        let order = maintainer.take_order();
        let row = match self.build_rollups(level, range, (id, order)) {
            Ok(row) => row,
            Err(error) => {
                maintainer.add_stray(id);
                return match error {
                    SourceError::Store(error) => self.count_failure(Err(error)),
                    // The index of a block was read when it was opened.
                    SourceError::Damaged(_) => Ok(false),
                };
            }
        };
        if row.is_none() {
            return Ok(false);
        }
        self.replace_blocks(maintainer, id, Vec::new(), row)?;
        self.counters.rollups.add(1);
        Ok(true)
    }

    fn build_rollups(
        &self,
        level: &RollupLevel,
        (after, end): (Timestamp, Timestamp),
        (id, order): (u64, u64),
    ) -> Result<Option<BlockRow>, SourceError> {
        let (notes, blocks, metadata) = {
            let state = self.state();
            (Arc::clone(&state.notes), Arc::clone(&state.blocks), state.metadata.clone())
        };
        let plan = BlockPlan {
            id,
            level: LEVEL,
            order,
            window_ms: level.window_ms(),
            cleaned: notes.last_deletion,
            frames: 0,
            page_bytes: self.options.page_bytes,
        };
        let mut builder = BlockBuilder::new(&*self.engine, plan);
        let part = Part { start: after.saturating_add(1), end, skips_damage: true };
        let overlapping = blocks.iter().filter(|block| block.overlaps(part.start, part.end));
        let mut sources: Vec<Source<'_>> =
            overlapping.map(|block| Source::new(&*self.engine, block, &notes, part)).collect();
        let (mut column, mut windows) = (Column::default(), RollupColumn::default());
        while let Some(labels) = next_labels(&mut sources)? {
            column.clear();
            for source in &mut sources {
                source.take(&labels, &mut column)?;
            }
            windows.clear();
            windows.add(&column, after, level.window_ms());
            builder.add_rollups(&labels, &windows)?;
        }
        Ok(builder.finish(metadata.values())?)
    }
}

/// Where in a range samples are known as rollups only, ascending: the finest windows there are. It is the
/// same for all nodes, so where one has rollups only the samples of the others are rolled up as they are
/// read.
pub(super) fn zones(state: &State, start: Timestamp) -> Vec<Zone> {
    let own = (&**state.rollups, state.notes.raw_since);
    let peers = state.peers.0.values().map(|peer| (&*peer.rollups, peer.notes.raw_since));
    let nodes: Vec<(&[Arc<Block>], Timestamp)> = std::iter::once(own).chain(peers).collect();
    let rollups = || nodes.iter().flat_map(|(rollups, _)| *rollups);
    let mut windows: Vec<i64> = rollups().map(|block| block.window_ms).collect();
    windows.sort_unstable();
    windows.dedup();
    let mut zones = Vec::new();
    let mut until = nodes.iter().map(|&(_, since)| since).max().unwrap_or(Timestamp::MIN);
    for window_ms in windows {
        let until_here = until.div_euclid(window_ms).saturating_mul(window_ms);
        if until_here < start {
            break;
        }
        let first = rollups().filter(|block| block.window_ms == window_ms);
        let first = first.map(|block| block.row.min_time).min().unwrap_or(Timestamp::MAX);
        let known = nodes.iter().map(|(rollups, _)| known_since(rollups, window_ms)).max();
        let first = first.max(known.unwrap_or(Timestamp::MIN));
        if first <= until_here {
            zones.push(Zone { until: until_here, window_ms });
            until = first.saturating_sub(window_ms);
        }
    }
    zones.reverse();
    zones
}

/// The end of the first window of a length before which a node has only longer ones; the beginning of
/// time when it has none that are longer before its first.
fn known_since(rollups: &[Arc<Block>], window_ms: i64) -> Timestamp {
    let times = |is_wanted: &dyn Fn(i64) -> bool| -> Option<(Timestamp, Timestamp)> {
        let wanted = || rollups.iter().filter(|block| is_wanted(block.window_ms));
        let first = wanted().map(|block| block.row.min_time).min()?;
        Some((first, wanted().map(|block| block.row.max_time).max()?))
    };
    let fine = times(&|length| length == window_ms);
    match (fine, times(&|length| length > window_ms)) {
        (Some((first, _)), Some((coarse, _))) if coarse < first => first,
        (None, Some((_, last))) => last.saturating_add(window_ms),
        _ => Timestamp::MIN,
    }
}
