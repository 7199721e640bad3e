//! Rolling up again what was imported after its time had been rolled up.
//!
//! The times are noted before the samples are stored, so that no crash comes between. Maintenance then
//! writes the rollups of these times again, from the samples that are there and the windows that were.
//! Where the samples of a window are gone but for those imported, the one of the two that has more of them
//! counts, so importing the same again changes nothing.

use std::sync::Arc;

use model::{Column, Timestamp, rollup::RollupColumn};

use super::{
    Tsdb,
    maintain::{MaintainError, Maintainer},
    notes::Notes,
    rollup::LEVEL,
    source::{Part, Source, SourceError, next_labels},
};
use crate::{
    block::{Block, BlockBuilder, BlockPlan},
    columns,
    engine::BlockRow,
    options::{DAY_MS, RollupLevel},
};

impl Tsdb {
    /// Notes that samples of a day are about to be imported, if that day should have been rolled up
    /// already.
    pub(super) fn note_stale(
        &self,
        maintainer: &mut Maintainer,
        (start, end): (Timestamp, Timestamp),
    ) -> Result<(), MaintainError> {
        let (mut notes, rollups) = {
            let state = self.state();
            (Notes::clone(&state.notes), Arc::clone(&state.rollups))
        };
        let is_done = |level: &RollupLevel| {
            self.rolled_up_to(maintainer, &rollups, level).is_some_and(|until| start <= until)
        };
        if !self.options.rollups.iter().any(is_done) {
            return Ok(());
        }
        // One entry for each day, so that there are never many.
        let day = |time: Timestamp| time.div_euclid(DAY_MS);
        match notes.stale.iter_mut().find(|(first, _)| day(*first) == day(start)) {
            Some(known) => *known = (known.0.min(start), known.1.max(end)),
            None => notes.stale.push((start, end)),
        }
        if notes == *self.state().notes {
            return Ok(());
        }
        self.write_notes(maintainer, notes, Vec::new())
    }

    /// Writes the rollups of one day again, if any is noted. Returns how many blocks were written.
    pub(super) fn roll_up_again(&self, maintainer: &mut Maintainer) -> Result<u64, MaintainError> {
        let Some(&range) = self.state().notes.stale.first() else { return Ok(0) };
        let mut written = 0;
        for level in &self.options.rollups {
            written += u64::from(self.roll_up_level_again(maintainer, level, range)?);
        }
        let mut notes = Notes::clone(&self.state().notes);
        notes.stale.retain(|stale| *stale != range);
        self.write_notes(maintainer, notes, Vec::new())?;
        self.counters.rollups.add(written);
        Ok(written)
    }

    fn roll_up_level_again(
        &self,
        maintainer: &mut Maintainer,
        level: &RollupLevel,
        (start, end): (Timestamp, Timestamp),
    ) -> Result<bool, MaintainError> {
        let window_ms = level.window_ms();
        let rollups = Arc::clone(&self.state().rollups);
        let done = self.rolled_up_to(maintainer, &rollups, level).unwrap_or(Timestamp::MIN);
        let after = model::rollup::window_end(start, window_ms).saturating_sub(window_ms);
        let until = model::rollup::window_end(end, window_ms).min(done);
        if after >= until {
            return Ok(false);
        }
        loop {
            let is_touched = |block: &&Arc<Block>| {
                block.window_ms == window_ms
                    && block.overlaps(after.saturating_add(1), until)
                    && !maintainer.unmergeable.contains(&block.row.id)
            };
            let mut old: Vec<Arc<Block>> = rollups.iter().filter(is_touched).cloned().collect();
            old.sort_by_key(|block| block.row.min_time);
            let plan = BlockPlan {
                id: maintainer.take_lasting_id(self.options.least_lasting()),
                level: LEVEL,
                order: maintainer.take_order(),
                window_ms,
                cleaned: self.state().notes.last_deletion,
                frames: 0,
                page_bytes: self.options.page_bytes,
            };
            match self.build_again(plan, (after, until), &old) {
                Ok(None) if old.is_empty() => return Ok(false),
                Ok(row) => {
                    self.replace_blocks(maintainer, plan.id, old, row)?;
                    return Ok(true);
                }
                Err(SourceError::Store(error)) => {
                    maintainer.add_stray(plan.id);
                    return self.count_failure(Err(error));
                }
                // It stays as it is, beside a block with the windows that can be made.
                Err(SourceError::Damaged(block)) => {
                    maintainer.add_stray(plan.id);
                    maintainer.unmergeable.push(block);
                }
            }
        }
    }

    fn build_again(
        &self,
        plan: BlockPlan,
        (after, until): (Timestamp, Timestamp),
        old: &[Arc<Block>],
    ) -> Result<Option<BlockRow>, SourceError> {
        let (notes, blocks, metadata) = {
            let state = self.state();
            (Arc::clone(&state.notes), Arc::clone(&state.blocks), state.metadata.clone())
        };
        let part = Part { start: after.saturating_add(1), end: until, skips_damage: true };
        let overlapping = blocks.iter().filter(|block| block.overlaps(part.start, part.end));
        let mut sources: Vec<Source<'_>> =
            overlapping.map(|block| Source::new(&*self.engine, block, &notes, part)).collect();
        let samples = sources.len();
        let whole = |block| Source::new(&*self.engine, block, &notes, Part::WHOLE);
        sources.extend(old.iter().map(|block| whole(&**block)));
        let mut builder = BlockBuilder::new(&*self.engine, plan);
        let (mut column, mut windows) = (Column::default(), RollupColumn::default());
        while let Some(labels) = next_labels(&mut sources)? {
            column.clear();
            windows.clear();
            let (with_samples, with_windows) = sources.split_at_mut(samples);
            for source in with_samples {
                source.take(&labels, &mut column)?;
            }
            // Of windows that are equal otherwise those that come first count: the new ones.
            windows.add(&column, after, plan.window_ms);
            for source in with_windows {
                source.take_rollups(&labels, &mut windows)?;
            }
            columns::tidy_windows(&mut windows);
            builder.add_rollups(&labels, &windows)?;
        }
        Ok(builder.finish(metadata.values())?)
    }
}
