//! Retention: what is too old goes, and what is oldest goes first when there is no room.

use std::{cmp::Reverse, sync::Arc};

use model::Timestamp;

use super::{
    Tsdb,
    maintain::{MaintainError, Maintainer},
    notes::Notes,
    open::DamagedBlock,
};
use crate::{
    block::Block,
    engine::BlockChange,
    options::{RollupLevel, milliseconds},
};

impl Tsdb {
    /// Removes blocks that are past their time, or for which there is no room. Returns how many.
    pub(super) fn expire(
        &self,
        maintainer: &mut Maintainer,
        now: Timestamp,
    ) -> Result<u64, MaintainError> {
        let by_time = self.too_old(maintainer, now);
        let mut count = by_time.len() as u64;
        if count > 0 {
            self.remove_blocks(maintainer, by_time)?;
        }
        let bound = now.saturating_sub(milliseconds(self.options.retention));
        count += self.expire_damaged(maintainer, bound)?;
        self.counters.expired_blocks.add(count);
        let by_size = self.too_much();
        let evicted = by_size.len() as u64;
        if evicted > 0 {
            self.remove_blocks(maintainer, by_size)?;
            self.counters.evicted_blocks.add(evicted);
        }
        Ok(count + evicted)
    }

    /// Removes blocks that are damaged and past their time, each on its own: where the engine itself finds
    /// the row damaged it may not be able to remove it. Such a row is let be until the next start.
    fn expire_damaged(
        &self,
        maintainer: &mut Maintainer,
        bound: Timestamp,
    ) -> Result<u64, MaintainError> {
        let (old, mut kept): (Vec<DamagedBlock>, Vec<DamagedBlock>) =
            self.state().damaged.iter().cloned().partition(|block| block.max_time < bound);
        let mut removed = 0;
        let mut failed = None;
        for block in old {
            if maintainer.unremovable.contains(&block.id) {
                kept.push(block);
                continue;
            }
            let change = BlockChange { remove: vec![block.id], ..BlockChange::default() };
            match self.change_blocks(maintainer, &change) {
                Ok(()) => {
                    maintainer.add_stray(block.id);
                    removed += 1;
                }
                Err(error) => {
                    maintainer.unremovable.push(block.id);
                    kept.push(block);
                    failed.get_or_insert(error);
                }
            }
        }
        if removed > 0 {
            self.state_mut().damaged = Arc::new(kept);
        }
        failed.map_or(Ok(removed), |error| Err(error.into()))
    }

    /// The bytes of all that is stored: pages, indexes, and frames that are not in a block yet.
    pub(super) fn stored_bytes(&self) -> u64 {
        let state = self.state();
        let blocks = state.blocks.iter().chain(state.rollups.iter());
        let blocks: u64 = blocks.map(|block| block.stored_bytes()).sum();
        blocks + self.unsealed_bytes.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn too_old(&self, maintainer: &Maintainer, now: Timestamp) -> Vec<Arc<Block>> {
        let (blocks, rollups) = {
            let state = self.state();
            (Arc::clone(&state.blocks), Arc::clone(&state.rollups))
        };
        let bound = now.saturating_sub(milliseconds(self.options.retention));
        let mut old: Vec<Arc<Block>> = blocks
            .iter()
            .filter(|block| block.row.max_time < bound && self.is_rolled_up(maintainer, block))
            .cloned()
            .collect();
        old.extend(rollups.iter().filter(|block| self.is_rollup_too_old(block, now)).cloned());
        old
    }

    fn is_rollup_too_old(&self, block: &Block, now: Timestamp) -> bool {
        let of_block = |level: &&RollupLevel| level.window_ms() == block.window_ms;
        // Windows that are no longer asked for stay as long as they would have by default.
        let level = self.options.rollups.iter().find(of_block).copied();
        let defaults = RollupLevel::defaults();
        let level = level.or_else(|| defaults.iter().find(of_block).copied());
        let retention = level.map_or(self.options.retention, |level| level.retention);
        block.row.max_time < now.saturating_sub(milliseconds(retention))
    }

    /// The oldest blocks, as many as are too much.
    fn too_much(&self) -> Vec<Arc<Block>> {
        let Some(limit) = self.options.retention_bytes else { return Vec::new() };
        let mut stored = self.stored_bytes();
        let mut blocks: Vec<Arc<Block>> = {
            let state = self.state();
            state.blocks.iter().chain(state.rollups.iter()).cloned().collect()
        };
        blocks.sort_by_key(|block| Reverse((block.row.max_time, block.order)));
        let mut evicted = Vec::new();
        while stored > limit {
            let Some(block) = blocks.pop() else { break };
            stored -= block.stored_bytes();
            evicted.push(block);
        }
        evicted
    }

    /// Removes blocks, and notes from when on there still are samples.
    fn remove_blocks(
        &self,
        maintainer: &mut Maintainer,
        blocks: Vec<Arc<Block>>,
    ) -> Result<(), MaintainError> {
        let (mut notes, has_rollups) = {
            let state = self.state();
            (Notes::clone(&state.notes), !state.rollups.is_empty())
        };
        let raw = blocks.iter().filter(|block| block.window_ms == 0);
        if let Some(newest) = raw.map(|block| block.row.max_time).max().filter(|_| has_rollups) {
            let widest = self.options.rollups.iter().map(RollupLevel::window_ms).max();
            let since = widest.map_or(newest, |width| model::rollup::window_end(newest, width));
            notes.raw_since = notes.raw_since.max(since);
        }
        let ids: Vec<u64> = blocks.iter().map(|block| block.row.id).collect();
        self.write_notes(maintainer, notes, ids.clone())?;
        let mut state = self.state_mut();
        let kept = |all: &Arc<Vec<Arc<Block>>>| -> Arc<Vec<Arc<Block>>> {
            Arc::new(all.iter().filter(|block| !ids.contains(&block.row.id)).cloned().collect())
        };
        state.blocks = kept(&state.blocks);
        state.rollups = kept(&state.rollups);
        drop(state);
        self.note_change(Timestamp::MIN);
        for block in blocks {
            maintainer.retire(block);
        }
        Ok(())
    }

    /// Writes the notes anew and removes rows in the same transaction. Notes that are the same again
    /// are not written.
    pub(super) fn write_notes(
        &self,
        maintainer: &mut Maintainer,
        notes: Notes,
        mut remove: Vec<u64>,
    ) -> Result<(), MaintainError> {
        if notes == *self.state().notes {
            let change = BlockChange { remove, ..BlockChange::default() };
            return Ok(self.change_blocks(maintainer, &change)?);
        }
        let id = maintainer.take_lasting_id(self.options.least_lasting());
        remove.extend(maintainer.notes_row);
        let add = Some(notes.to_row(id));
        self.change_blocks(maintainer, &BlockChange { add, remove, delete_frames_up_to: 0 })?;
        maintainer.notes_row = Some(id);
        self.state_mut().notes = Arc::new(notes);
        Ok(())
    }
}
