//! Merging: several blocks become one of the next level, and what was deleted goes for good.
//!
//! Larger blocks mean fewer indexes and longer chunks. Samples that came late are put in their place
//! on the way: where two blocks have the same series and time, the newer block counts.

use std::sync::Arc;

use model::{Column, Timestamp, rollup::RollupColumn};

use super::{
    Tsdb,
    maintain::{MaintainError, Maintainer},
    seal::unreadable,
    source::{Part, Source, SourceError, next_labels},
};
use crate::{
    block::{Block, BlockBuilder, BlockPlan},
    engine::{BlockChange, BlockRow},
    postings,
};

/// A rollup block should hold about this many windows a series: full chunks, and few indexes.
const ROLLUP_WINDOWS: i64 = 1_000;

impl Tsdb {
    /// Merges the oldest group of blocks that is large enough. Returns how many blocks became one.
    pub(super) fn merge_blocks(&self, maintainer: &mut Maintainer) -> Result<u64, MaintainError> {
        let group = self.next_group(maintainer).or_else(|| self.next_rollup_group(maintainer));
        let Some(group) = group else { return Ok(0) };
        let count = group.len() as u64;
        let is_merged = self.rewrite(maintainer, group)?;
        self.counters.merges.add(u64::from(is_merged));
        Ok(if is_merged { count } else { 0 })
    }

    /// Writes one block again of which something was deleted. Returns whether there was one.
    pub(super) fn clean_block(&self, maintainer: &mut Maintainer) -> Result<bool, MaintainError> {
        let Some(block) = self.next_unclean(maintainer) else { return Ok(false) };
        self.rewrite(maintainer, vec![block])
    }

    /// Puts one block in the place of a group. `false` when one of them is damaged and they stay.
    fn rewrite(
        &self,
        maintainer: &mut Maintainer,
        group: Vec<Arc<Block>>,
    ) -> Result<bool, MaintainError> {
        let newest = group.iter().map(|block| block.row.max_time).max().unwrap_or_default();
        let is_rollup = group[0].window_ms > 0;
        let id = if is_rollup {
            maintainer.take_lasting_id(self.options.least_lasting())
        } else {
            maintainer.take_id(self.options.least_block(newest))
        };
        let row = match self.build_merged(&group, id) {
            Ok(row) => row,
            Err(error) => {
                maintainer.add_stray(id);
                match error {
                    SourceError::Store(error) => return self.count_failure(Err(error)),
                    SourceError::Damaged(block) => maintainer.unmergeable.push(block),
                }
                return Ok(false);
            }
        };
        self.replace_blocks(maintainer, id, group, row)?;
        Ok(true)
    }

    /// Puts a block whose pages are written, if anything is in it, in the place of others of its kind:
    /// in the engine and for readers.
    pub(super) fn replace_blocks(
        &self,
        maintainer: &mut Maintainer,
        id: u64,
        old: Vec<Arc<Block>>,
        row: Option<BlockRow>,
    ) -> Result<(), MaintainError> {
        let ids: Vec<u64> = old.iter().map(|block| block.row.id).collect();
        let change = BlockChange { add: row, remove: ids.clone(), delete_frames_up_to: 0 };
        if let Err(error) = self.change_blocks(maintainer, &change) {
            // Whether the pages are needed shows when the blocks are next read.
            maintainer.add_stray(id);
            return Err(error.into());
        }
        let new = change.add.map(Block::open).transpose().map_err(unreadable)?.map(Arc::new);
        let is_rollup = old.iter().chain(&new).any(|block| block.window_ms > 0);
        let mut state = self.state_mut();
        let blocks = if is_rollup { &mut state.rollups } else { &mut state.blocks };
        let kept = blocks.iter().filter(|block| !ids.contains(&block.row.id)).cloned();
        let mut all: Vec<Arc<Block>> = kept.chain(new).collect();
        all.sort_by_key(|block| block.order);
        *blocks = Arc::new(all);
        drop(state);
        if is_rollup {
            // They may say more than those before, or take the place of samples.
            self.note_change(Timestamp::MIN);
        }
        for block in old {
            maintainer.retire(block);
        }
        Ok(())
    }

    /// The oldest sealed blocks that follow one another, as many as are merged at once.
    fn next_group(&self, maintainer: &Maintainer) -> Option<Vec<Arc<Block>>> {
        let size = self.options.merge_blocks;
        if size < 2 {
            return None;
        }
        let is_ready = |block: &Arc<Block>| {
            block.row.level == 1 && !maintainer.unmergeable.contains(&block.row.id)
        };
        let blocks = Arc::clone(&self.state().blocks);
        blocks.windows(size).find(|group| group.iter().all(is_ready)).map(<[_]>::to_vec)
    }

    /// Rollup blocks with the same windows that follow one another in time and are short.
    fn next_rollup_group(&self, maintainer: &Maintainer) -> Option<Vec<Arc<Block>>> {
        if self.options.merge_blocks < 2 {
            return None;
        }
        let rollups = Arc::clone(&self.state().rollups);
        for level in &self.options.rollups {
            let target = level.window_ms().saturating_mul(ROLLUP_WINDOWS);
            let length = |block: &Arc<Block>| block.row.max_time - block.row.min_time;
            let mut short: Vec<Arc<Block>> = rollups
                .iter()
                .filter(|block| block.window_ms == level.window_ms() && length(block) < target / 2)
                .filter(|block| !maintainer.unmergeable.contains(&block.row.id))
                .cloned()
                .collect();
            short.sort_by_key(|block| block.row.min_time);
            let mut total = 0;
            let mut is_missing = |block: &Arc<Block>| {
                total += length(block);
                total < target
            };
            let count = short.iter().take_while(|block| is_missing(block)).count() + 1;
            if count >= 2 && count <= short.len() {
                short.truncate(count);
                return Some(short);
            }
        }
        None
    }

    /// The first block that holds something of what was deleted.
    fn next_unclean(&self, maintainer: &Maintainer) -> Option<Arc<Block>> {
        let (notes, blocks, rollups) = {
            let state = self.state();
            if state.notes.deletions.is_empty() {
                return None;
            }
            (Arc::clone(&state.notes), Arc::clone(&state.blocks), Arc::clone(&state.rollups))
        };
        let has_some = |block: &&Arc<Block>| {
            !maintainer.unmergeable.contains(&block.row.id)
                && notes.pending(block).iter().any(|deletion| {
                    let conditions = self.conditions.of(&deletion.matchers);
                    !postings::select(&***block, &conditions).is_empty()
                })
        };
        blocks.iter().chain(rollups.iter()).find(has_some).cloned()
    }

    fn build_merged(&self, group: &[Arc<Block>], id: u64) -> Result<Option<BlockRow>, SourceError> {
        let (notes, metadata) = {
            let state = self.state();
            (Arc::clone(&state.notes), state.metadata.clone())
        };
        let window_ms = group[0].window_ms;
        let level = group.iter().map(|block| block.row.level).max().unwrap_or_default();
        let plan = BlockPlan {
            id,
            level: if group.len() > 1 { level.max(2) } else { level },
            order: group.iter().map(|block| block.order).max().unwrap_or_default(),
            window_ms,
            cleaned: notes.last_deletion,
            frames: group.iter().map(|block| block.frames).max().unwrap_or_default(),
            page_bytes: self.options.page_bytes,
        };
        let mut builder = BlockBuilder::new(&*self.engine, plan);
        let mut sources: Vec<Source<'_>> = group
            .iter()
            .map(|block| Source::new(&*self.engine, block, &notes, Part::WHOLE))
            .collect();
        let (mut column, mut windows) = (Column::default(), RollupColumn::default());
        while let Some(labels) = next_labels(&mut sources)? {
            if window_ms > 0 {
                windows.clear();
                for source in &mut sources {
                    source.take_rollups(&labels, &mut windows)?;
                }
                builder.add_rollups(&labels, &windows)?;
            } else {
                column.clear();
                for source in &mut sources {
                    source.take(&labels, &mut column)?;
                }
                builder.add(&labels, &column)?;
            }
        }
        Ok(builder.finish(metadata.values())?)
    }
}
