//! What has to be done now and then: retention, sealing, merging, tidying up.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use model::Timestamp;

use super::{Tsdb, open::open_blocks, seal::PendingSeal};
use crate::{
    block::{Block, BuildError},
    engine::{BlockChange, EngineError},
    options::milliseconds,
};

/// Samples of a series from which on a chunk is not much longer than it has to be. Merging makes it one
/// with its neighbors.
const FULL_CHUNK: u64 = 120;

/// Why maintenance could not be finished. Calling it again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum MaintainError {
    /// The engine below failed.
    #[error("maintaining the store failed")]
    Engine(#[from] EngineError),
    /// Flushes still wait for the engine; there is no seal before they are written.
    #[error("{0} flushes wait for the storage engine")]
    Waiting(u64),
    /// A block would be larger than the format allows.
    #[error("a block has too many series: {0}")]
    TooLarge(String),
}

impl From<BuildError> for MaintainError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Engine(error) => Self::Engine(error),
            BuildError::TooLarge(_) => Self::TooLarge(error.to_string()),
        }
    }
}

/// What maintenance did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// Samples sealed into a block.
    pub sealed_samples: u64,
    /// Blocks merged into one.
    pub merged_blocks: u64,
    /// Blocks of rollups written.
    pub rollups: u64,
    /// Blocks deleted because they were too old, or because there was no room for them.
    pub expired_blocks: u64,
    /// Blocks written again without what was deleted.
    pub cleaned_blocks: u64,
    /// Blocks whose pages were deleted, which readers no longer needed.
    pub cleared_blocks: u64,
}

/// What maintenance remembers from call to call.
#[derive(Debug)]
pub(super) struct Maintainer {
    next_id: u64,
    /// The same for what does not go with a day; `None` where keys have no day.
    next_lasting: Option<u64>,
    next_order: u64,
    pub(super) pending_seal: Option<PendingSeal>,
    /// Blocks that are gone but whose pages a reader may still need, and since when.
    retired: Vec<(Timestamp, Arc<Block>)>,
    /// Blocks without a row whose pages are to be deleted, and since when; `None` until that is known.
    strays: Vec<(Option<Timestamp>, u64)>,
    /// The time of the present call.
    now: Timestamp,
    /// The row that holds the notes.
    pub(super) notes_row: Option<u64>,
    /// The newest frame whose samples are in a block.
    pub(super) sealed_seq: u64,
    /// Up to where ranges were rolled up, by the length of the windows, as far as that is known
    /// without the blocks.
    pub(super) rolled_up: BTreeMap<i64, Timestamp>,
    /// Blocks with a damaged page, which are never merged.
    pub(super) unmergeable: Vec<u64>,
    /// Damaged blocks that the engine could not remove.
    pub(super) unremovable: Vec<u64>,
    /// A change of the blocks failed, so it is not known whether it happened.
    is_uncertain: bool,
}

impl Maintainer {
    pub(super) fn new(next_id: u64, next_order: u64, strays: Vec<u64>) -> Self {
        Self {
            next_id,
            next_lasting: None,
            next_order,
            pending_seal: None,
            retired: Vec::new(),
            strays: strays.into_iter().map(|id| (None, id)).collect(),
            now: Timestamp::MIN,
            notes_row: None,
            sealed_seq: 0,
            rolled_up: BTreeMap::new(),
            unmergeable: Vec::new(),
            unremovable: Vec::new(),
            is_uncertain: false,
        }
    }

    /// The key of a new block, not below `least`.
    pub(super) fn take_id(&mut self, least: u64) -> u64 {
        let id = self.next_id.max(least);
        self.next_id = id + 1;
        id
    }

    /// The key of a new row of rollups or notes, not below `least`.
    pub(super) fn take_lasting_id(&mut self, least: u64) -> u64 {
        let Some(next) = &mut self.next_lasting else { return self.take_id(least) };
        let id = (*next).max(least);
        *next = id + 1;
        id
    }

    /// Keys of what does not go with a day are counted apart from `next` on.
    pub(super) fn count_lasting_from(&mut self, next: u64) {
        self.next_lasting = Some(next);
    }

    /// Notes a block that is gone.
    pub(super) fn retire(&mut self, block: Arc<Block>) {
        self.retired.push((self.now, block));
    }

    /// Notes pages that belong to no block.
    pub(super) fn add_stray(&mut self, id: u64) {
        self.strays.push((None, id));
    }

    /// The order that the next block gets.
    pub(super) fn next_order(&self) -> u64 {
        self.next_order
    }

    pub(super) fn take_order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order - 1
    }
}

impl Tsdb {
    /// Does what is due at `now`: writes flushes that wait, deletes old blocks, seals the head, rolls up
    /// one range, merges one group of blocks, carries out deletions, deletes pages nobody needs. To be called every few seconds. Commits go on
    /// meanwhile; the engine's writer is never held longer than one batch of pages takes.
    ///
    /// # Errors
    /// The first failure; the steps that do not depend on it are done all the same, and the next call
    /// tries again.
    pub fn maintain(&self, now: Timestamp) -> Result<Maintenance, MaintainError> {
        let has_requests = !self.state().notes.requests.is_empty();
        let knows_peers = has_requests && self.follow().is_ok();
        let mut maintainer = self.maintainer();
        maintainer.now = now;
        let mut done = Maintenance::default();
        self.reconcile(&mut maintainer)?;
        let adopted = self.adopt(&mut maintainer);
        // Retention comes first: it makes the room that the others may lack.
        let expired = self.expire(&mut maintainer, now).map(|count| done.expired_blocks = count);
        let cleared = self.clear(&mut maintainer).map(|count| done.cleared_blocks = count);
        let waiting = self.drain_waiting();
        let sealed = if maintainer.pending_seal.is_some() || self.is_seal_due(now) {
            self.seal_head(&mut maintainer).map(|count| done.sealed_samples = count)
        } else {
            Ok(())
        };
        let rolled_up = self.roll_up(&mut maintainer, now).map(|count| done.rollups = count);
        let again = self.roll_up_again(&mut maintainer).map(|count| done.rollups += count);
        let merged = self.merge_blocks(&mut maintainer).map(|count| done.merged_blocks = count);
        // One at a time, as with everything else that writes much.
        let cleaned = self.clean_block(&mut maintainer).map(|is_cleaned| {
            done.cleaned_blocks = u64::from(is_cleaned);
        });
        let retired = if matches!(cleaned, Ok(())) && done.cleaned_blocks == 0 {
            self.retire_deletions(&mut maintainer)
        } else {
            Ok(())
        };
        let agreed = if knows_peers { self.retire_requests(&mut maintainer) } else { Ok(()) };
        let results = [
            adopted, expired, cleared, waiting, sealed, rolled_up, again, merged, cleaned, retired,
            agreed,
        ];
        results.into_iter().collect::<Result<(), MaintainError>>()?;
        Ok(done)
    }

    /// Seals the head now, whether it is due or not: before a backup, or at the end.
    ///
    /// # Errors
    /// When the engine fails. Nothing is lost; the next [`Tsdb::maintain`] tries again.
    pub fn seal(&self) -> Result<Maintenance, MaintainError> {
        let mut maintainer = self.maintainer();
        self.reconcile(&mut maintainer)?;
        self.drain_waiting()?;
        let sealed_samples = self.seal_head(&mut maintainer)?;
        Ok(Maintenance { sealed_samples, ..Maintenance::default() })
    }

    /// Asks the engine to change the blocks and remembers when the outcome is not known.
    pub(super) fn change_blocks(
        &self,
        maintainer: &mut Maintainer,
        change: &BlockChange,
    ) -> Result<(), EngineError> {
        let result = self.engine.change_blocks(change);
        maintainer.is_uncertain |= result.is_err();
        self.count_failure(result)
    }

    pub(super) fn count_failure<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.counters.engine_failures.add(1);
        }
        result
    }

    pub(super) fn maintainer(&self) -> MutexGuard<'_, Maintainer> {
        self.maintainer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drain_waiting(&self) -> Result<(), MaintainError> {
        let mut writer = self.writer();
        let is_drained = writer.drain(&*self.engine, &self.counters);
        let waiting = writer.waiting();
        let frames = waiting.frames;
        *self.waiting() = waiting;
        if is_drained { Ok(()) } else { Err(MaintainError::Waiting(frames)) }
    }

    fn is_seal_due(&self, now: Timestamp) -> bool {
        let interval = milliseconds(self.options.seal_interval).unsigned_abs();
        self.writer().since().is_some_and(|since| now.abs_diff(since) >= interval)
            || self.is_head_full()
    }

    fn is_head_full(&self) -> bool {
        let state = self.state();
        let (samples, series) = (state.head.appended(), state.head.len() as u64);
        samples >= self.options.seal_samples && samples / FULL_CHUNK >= series
    }

    /// After a change that failed: sees what the engine has, and takes that as the truth.
    pub(super) fn reconcile(&self, maintainer: &mut Maintainer) -> Result<(), EngineError> {
        if !maintainer.is_uncertain {
            return Ok(());
        }
        let rows = self.count_failure(self.engine.blocks())?;
        let ids: Vec<u64> = rows.iter().map(|row| row.id).collect();
        maintainer.strays.retain(|(_, id)| !ids.contains(id));
        let mut opened = open_blocks(rows);
        maintainer.notes_row = opened.notes_row;
        let mut state = self.state_mut();
        for old in state.blocks.iter().chain(state.rollups.iter()) {
            let mut all = opened.blocks.iter_mut().chain(&mut opened.rollups);
            match all.find(|block| block.row.id == old.row.id) {
                // The same block: readers and cache go on with the one they have.
                Some(block) => *block = Arc::clone(old),
                None => maintainer.retire(Arc::clone(old)),
            }
        }
        state.blocks = Arc::new(opened.blocks);
        state.rollups = Arc::new(opened.rollups);
        state.notes = Arc::new(opened.notes);
        state.damaged = Arc::new(opened.damaged);
        if let Some(pending) = maintainer.pending_seal.filter(|pending| ids.contains(&pending.id)) {
            maintainer.pending_seal = None;
            maintainer.sealed_seq = pending.seq;
            state.head.finish_seal();
            self.counters.seals.add(1);
        }
        drop(state);
        self.note_change(Timestamp::MIN);
        maintainer.is_uncertain = false;
        Ok(())
    }

    /// Deletes the pages of blocks that are gone, once no reader here holds them and the time that readers
    /// elsewhere have is over. Pages that cannot be deleted are let be until the next start.
    pub(super) fn clear(&self, maintainer: &mut Maintainer) -> Result<u64, MaintainError> {
        let now = maintainer.now;
        let grace = milliseconds(self.options.page_grace);
        for (since, block) in std::mem::take(&mut maintainer.retired) {
            if Arc::strong_count(&block) == 1 {
                maintainer.strays.push((Some(since), block.row.id));
            } else {
                maintainer.retired.push((since, block));
            }
        }
        let mut cleared = 0;
        let mut failed = None;
        for (since, id) in std::mem::take(&mut maintainer.strays) {
            let since = since.unwrap_or(now);
            let deleted = if now.saturating_sub(since) < grace {
                Ok(None)
            } else {
                self.count_failure(self.engine.delete_pages(id)).map(Some)
            };
            match deleted {
                Ok(Some(left)) => {
                    self.note_undeletable(id, &left);
                    self.cache().forget_block(id);
                    cleared += 1;
                }
                Ok(None) => maintainer.strays.push((Some(since), id)),
                Err(error) => {
                    maintainer.strays.push((Some(since), id));
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(cleared), |error| Err(error.into()))
    }

    /// Counts and remembers pages that could not be deleted.
    fn note_undeletable(&self, block: u64, pages: &[u32]) {
        if pages.is_empty() {
            return;
        }
        let known = self.cache().damaged();
        let is_new = |page: &&u32| !known.contains(&(block, **page));
        self.counters.damaged_pages.add(pages.iter().filter(is_new).count() as u64);
        let mut state = self.state_mut();
        let mut undeletable = Vec::clone(&state.undeletable_pages);
        undeletable.extend(pages.iter().map(|&page| (block, page)));
        state.undeletable_pages = Arc::new(undeletable);
    }
}
