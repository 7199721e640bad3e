//! Sealing: the samples of the head become a block, and their frames go.
//!
//! First the head is cut: what it holds is set aside, still visible, and new flushes begin a new epoch.
//! Then the block is built beside everything else. At last one transaction adds the block and deletes
//! the frames it replaces; readers change over in the same moment in which the samples set aside go.

use std::sync::{Arc, atomic::Ordering};

use model::{Column, Labels, labels::LabelsJoiner};

use super::{
    Tsdb,
    maintain::{MaintainError, Maintainer},
};
use crate::{
    block::{Block, BlockBuilder, BlockPlan},
    bytes::FormatError,
    engine::{BlockChange, EngineError},
    head::{order::SealOrder, samples::Samples},
};

/// So many series are looked up in the head at a time.
const SERIES_PER_LOOK: usize = 1_024;

/// A head that was cut and is not a block yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PendingSeal {
    pub(super) id: u64,
    order: u64,
    /// The last frame whose samples are set aside.
    pub(super) seq: u64,
    /// The bytes of the frames up to it.
    bytes: u64,
}

impl Tsdb {
    /// Cuts the head if that is not done yet, and makes a block of what was cut. Returns how many
    /// samples the block has.
    pub(super) fn seal_head(&self, maintainer: &mut Maintainer) -> Result<u64, MaintainError> {
        let pending = match maintainer.pending_seal {
            Some(pending) => pending,
            None => match self.cut(maintainer)? {
                Some(pending) => pending,
                None => return Ok(0),
            },
        };
        let plan = BlockPlan {
            id: pending.id,
            level: 1,
            order: pending.order,
            window_ms: 0,
            cleaned: 0,
            frames: pending.seq,
            page_bytes: self.options.page_bytes,
        };
        let mut builder = BlockBuilder::new(&*self.engine, plan);
        let mut column = Column::default();
        for slots in self.slots_in_order().chunks(SERIES_PER_LOOK) {
            for (labels, samples) in self.set_aside(slots) {
                column.clear();
                if samples.read(&mut column).is_err() {
                    self.counters.damaged_series.add(1);
                }
                self.count_failure(builder.add(&labels, &column))?;
            }
        }
        let metadata = self.state().metadata.clone();
        let row = self.count_failure(builder.finish(metadata.values()))?;
        let change = BlockChange { add: row, remove: Vec::new(), delete_frames_up_to: pending.seq };
        self.change_blocks(maintainer, &change)?;
        let samples = change.add.as_ref().map_or(0, |row| row.samples);
        let block = change.add.map(Block::open).transpose().map_err(unreadable)?;
        let mut state = self.state_mut();
        let hold = self.start_hold();
        state.head.finish_seal();
        if let Some(block) = block {
            let blocks = state.blocks.iter().cloned().chain([Arc::new(block)]).collect();
            state.blocks = Arc::new(blocks);
        }
        drop(state);
        self.end_hold(hold);
        maintainer.pending_seal = None;
        maintainer.sealed_seq = pending.seq;
        self.unsealed_bytes.fetch_sub(pending.bytes, Ordering::Relaxed);
        self.counters.seals.add(1);
        Ok(samples)
    }

    /// Sets the head's samples aside, between two flushes. `None` when there is nothing to seal.
    fn cut(&self, maintainer: &mut Maintainer) -> Result<Option<PendingSeal>, MaintainError> {
        let mut writer = self.writer();
        let hold = self.start_hold();
        if !writer.is_healthy() {
            return Err(MaintainError::Waiting(writer.waiting().frames));
        }
        let Some(since) = writer.since() else { return Ok(None) };
        self.state_mut().head.cut();
        writer.cut();
        let pending = PendingSeal {
            id: maintainer.take_id(self.options.least_block(since)),
            order: maintainer.take_order(),
            seq: writer.seq(),
            bytes: self.unsealed_bytes.load(Ordering::Relaxed),
        };
        drop(writer);
        self.end_hold(hold);
        maintainer.pending_seal = Some(pending);
        Ok(Some(pending))
    }

    /// The slots with samples set aside, in the order of a block.
    ///
    /// None of them is forgotten before the seal is done or the maintainer is free again.
    fn slots_in_order(&self) -> Vec<u32> {
        let mut order = SealOrder::default();
        let mut pair = 0;
        while order.add_pairs(self.state().head.index(), &mut pair) {}
        order.rank();
        let mut slot = 0;
        while order.add_series(&self.state().head, &mut slot) {}
        order.finish()
    }

    /// What is set aside of series.
    fn set_aside(&self, slots: &[u32]) -> Vec<(Labels, Arc<Samples>)> {
        let head = &self.state().head;
        let mut joiner = LabelsJoiner::default();
        let set_aside = slots.iter().filter_map(|&slot| {
            let series = head.series(slot)?;
            let labels = head.join(series, &mut joiner).to_labels();
            Some((labels, Arc::clone(series.sealing.as_ref()?)))
        });
        set_aside.collect()
    }
}

/// A block that was written and cannot be read is a fault of the engine, not of its contents.
pub(super) fn unreadable(error: FormatError) -> EngineError {
    EngineError::new("keep the index of a block as it was written", error)
}
