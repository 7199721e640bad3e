//! Deleting series: at once for readers, for good when their blocks are written again.
//!
//! The deletion is made durable first, as a note that says what is meant and up to which frame and
//! block it reaches. Then the samples in memory go. Blocks keep theirs, masked, until they are written
//! anew; a restart applies the note to the frames that came before it, and to none after it. What is
//! written later is never touched, even when it is of the time deleted.
//!
//! Where several nodes write, the note also asks the others: see [`super::follow`].

use std::sync::Arc;

use model::{Column, Labels, Matcher, Timestamp, rollup::RollupColumn};

use super::{
    Tsdb,
    maintain::{MaintainError, Maintainer},
    notes::{Deletion, Notes, Request},
};
use crate::{
    block::Block,
    columns,
    head::Head,
    postings::{self, Conditions},
};

/// So many series of the head are dealt with while others wait.
const SERIES_PER_HOLD: usize = 2_000;

/// The most deletions that may wait to be carried out in blocks.
pub(super) const MAX_DELETIONS: usize = 1_000;

/// Why series could not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// Every series would be meant.
    #[error("at least one matcher must not accept the empty value")]
    Everything,
    /// Too many deletions wait to be carried out.
    #[error("{MAX_DELETIONS} deletions wait to be carried out; clean the tombstones first")]
    TooMany,
    /// The engine below failed; nothing was deleted.
    #[error(transparent)]
    Store(#[from] MaintainError),
}

/// What a deletion came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Series that lost samples still in memory.
    pub head_series: u64,
    /// Samples in memory that went.
    pub head_samples: u64,
    /// Blocks that hold some of the series and will be written again.
    pub blocks: u64,
}

/// A stretch of a block's series that readers do not see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mask {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// The length of the block's windows, or 0.
    pub(super) window_ms: i64,
}

impl Mask {
    pub(super) fn apply(self, column: &mut Column) {
        columns::remove(column, self.start, self.end);
    }

    pub(super) fn apply_to_windows(self, column: &mut RollupColumn) {
        columns::remove_windows(column, self.start, self.end, self.window_ms);
    }
}

/// What readers do not see of a series in a block: `None` when nothing of it is left.
pub(super) fn masks(deletions: &[&Deletion], block: &Block, labels: &Labels) -> Option<Vec<Mask>> {
    let mut masks = Vec::new();
    for deletion in deletions.iter().filter(|deletion| deletion.is_about(labels)) {
        let (start, end, window_ms) = (deletion.start, deletion.end, block.window_ms);
        if start <= block.row.min_time.saturating_sub(window_ms) && end >= block.row.max_time {
            return None;
        }
        masks.push(Mask { start, end, window_ms });
    }
    Some(masks)
}

impl Tsdb {
    /// Deletes the samples from `start` to `end`, both inclusive, of all series that every matcher
    /// accepts. When it returns `Ok` readers do not see them any more, now and after a restart; the
    /// room they take is freed by [`Tsdb::maintain`]. Windows of rollups go when any part of them is
    /// meant. What is written later stays, whatever its time.
    ///
    /// What other nodes wrote is meant too. They do the same when they next run [`Tsdb::follow`]; until
    /// then what they write counts as written before.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub fn delete(
        &self,
        matchers: &[Matcher],
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Deleted, DeleteError> {
        if matchers.iter().all(|matcher| matcher.matches("")) {
            return Err(DeleteError::Everything);
        }
        if self.options.node.is_some() {
            self.follow().map_err(MaintainError::from)?;
        }
        let mut maintainer = self.maintainer();
        self.reconcile(&mut maintainer).map_err(MaintainError::from)?;
        let (mut notes, adopted) = {
            let state = self.state();
            (Notes::clone(&state.notes), state.peers.last_adopted(state.node))
        };
        if notes.deletions.len().max(notes.requests.len()) >= MAX_DELETIONS {
            return Err(DeleteError::TooMany);
        }
        // Notes that were lost may have had ids that others know.
        notes.last_deletion = notes.last_deletion.max(adopted) + 1;
        let mut deletion = Deletion {
            id: notes.last_deletion,
            matchers: matchers.to_vec(),
            start,
            end,
            order_below: maintainer.next_order(),
            seq: 0,
        };
        if self.options.node.is_some() {
            let (id, matchers) = (deletion.id, deletion.matchers.clone());
            notes.requests.push(Request { id, matchers, start, end });
        }
        {
            // No flush may come between the number of the last frame and the note that names it, and the
            // next one builds on nothing: when it is replayed, series may be gone that it would name.
            let mut writer = self.writer();
            writer.start_epoch();
            deletion.seq = writer.seq();
            notes.deletions.push(deletion.clone());
            self.write_notes(&mut maintainer, notes, Vec::new())?;
        }
        let mut deleted = self.delete_from_head(&deletion);
        self.state_mut().delete_from_peers();
        // Windows of rollups go as a whole.
        self.note_change(if self.state().rollups.is_empty() { start } else { Timestamp::MIN });
        deleted.blocks = self.blocks_with(&deletion);
        self.counters.deletions.add(1);
        Ok(deleted)
    }

    /// Carries out all deletions in all blocks, so that their room is free.
    ///
    /// # Errors
    /// When the engine fails; the next [`Tsdb::maintain`] goes on.
    pub fn clean_deletions(&self) -> Result<u64, MaintainError> {
        let mut maintainer = self.maintainer();
        self.reconcile(&mut maintainer)?;
        let mut cleaned = 0;
        while self.clean_block(&mut maintainer)? {
            cleaned += 1;
        }
        self.retire_deletions(&mut maintainer)?;
        self.clear(&mut maintainer)?;
        Ok(cleaned)
    }

    /// Forgets deletions that no frame and no block has anything of.
    pub(super) fn retire_deletions(
        &self,
        maintainer: &mut Maintainer,
    ) -> Result<(), MaintainError> {
        let state = self.state();
        if state.notes.deletions.is_empty() {
            return Ok(());
        }
        let mut notes = Notes::clone(&state.notes);
        let blocks: Vec<Arc<Block>> =
            state.blocks.iter().chain(state.rollups.iter()).cloned().collect();
        drop(state);
        let is_needed = |deletion: &Deletion| {
            deletion.seq > maintainer.sealed_seq
                || blocks.iter().any(|block| self.holds_some(block, deletion))
        };
        let before = notes.deletions.len();
        notes.deletions.retain(is_needed);
        if notes.deletions.len() < before {
            self.write_notes(maintainer, notes, Vec::new())?;
        }
        Ok(())
    }

    pub(super) fn delete_from_head(&self, deletion: &Deletion) -> Deleted {
        let conditions = self.conditions.of(&deletion.matchers);
        let slots = postings::select(self.state().head.index(), &conditions);
        let mut deleted = Deleted::default();
        for part in slots.chunks(SERIES_PER_HOLD) {
            // A commit holds the writer before the state, so that both are ours.
            let mut writer = self.writer();
            let hold = self.start_hold();
            // Series go with their last sample, and others may get their slots.
            writer.start_epoch();
            let (series, samples) = delete_slots(&mut self.state_mut().head, deletion, part);
            deleted.head_series += series;
            deleted.head_samples += samples;
            drop(writer);
            self.end_hold(hold);
        }
        deleted
    }

    fn blocks_with(&self, deletion: &Deletion) -> u64 {
        let (blocks, rollups) = {
            let state = self.state();
            (Arc::clone(&state.blocks), Arc::clone(&state.rollups))
        };
        let all = blocks.iter().chain(rollups.iter());
        all.filter(|block| self.holds_some(block, deletion)).count() as u64
    }

    fn holds_some(&self, block: &Block, deletion: &Deletion) -> bool {
        let conditions = self.conditions.of(&deletion.matchers);
        deletion.concerns(block) && !postings::select(block, &conditions).is_empty()
    }
}

/// Applies a deletion to the samples replayed so far.
pub(super) fn delete_from(head: &mut Head, deletion: &Deletion) {
    let slots = remove_from(head, deletion);
    head.forget_empty(&slots);
}

/// The same, but series stay that have nothing left: frames to come may name them. Returns the series
/// that are meant.
pub(super) fn remove_from(head: &mut Head, deletion: &Deletion) -> Vec<u32> {
    let slots = postings::select(head.index(), &Conditions::default().of(&deletion.matchers));
    remove_from_slots(head, deletion, &slots);
    slots
}

/// Returns how many series lost samples, and how many samples.
fn delete_slots(head: &mut Head, deletion: &Deletion, slots: &[u32]) -> (u64, u64) {
    let removed = remove_from_slots(head, deletion, slots);
    head.forget_empty(slots);
    removed
}

fn remove_from_slots(head: &mut Head, deletion: &Deletion, slots: &[u32]) -> (u64, u64) {
    let (mut series, mut samples) = (0, 0);
    for &slot in slots {
        // Memory that is damaged is left to the seal, which counts it.
        let removed = head.remove_from(slot, deletion.start, deletion.end).unwrap_or_default();
        series += u64::from(removed > 0);
        samples += removed;
    }
    (series, samples)
}
