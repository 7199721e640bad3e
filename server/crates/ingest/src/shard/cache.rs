//! The context cache: from the hash of a line's raw bytes to its series.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::series::{Series, SourceId};

/// A cell number for contexts that have no cell.
pub(super) const NO_CELL: u32 = u32::MAX;

/// A known context: 32 bytes, so that a cache line holds two.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) key: u128,
    /// `None` when a mapping rule drops it.
    pub(super) series: Option<Arc<Series>>,
    /// The window in which it was used last; 0 for none.
    pub(super) epoch: u32,
    /// Its cell in that window.
    pub(super) cell: u32,
}

/// How many contexts are allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct CacheLimits {
    pub(super) max: usize,
    pub(super) max_per_source: usize,
}

#[derive(Debug)]
pub(super) struct ContextCache {
    table: HashTable<Context>,
    limits: CacheLimits,
    /// How many contexts with a series each source has made.
    by_source: Vec<usize>,
    /// The last window in which room was made: looking twice would find nothing more.
    swept_epoch: u32,
}

impl ContextCache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self { table: HashTable::new(), limits, by_source: Vec::new(), swept_epoch: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.by_source.clear();
    }

    #[inline]
    pub(super) fn find_mut(&mut self, key: u128) -> Option<&mut Context> {
        self.table.find_mut(key as u64, |context| context.key == key)
    }

    /// The cell of a context in the window `epoch`; [`NO_CELL`] when it is not known or has none.
    #[inline]
    pub(super) fn open_cell(&self, key: u128, epoch: u32) -> u32 {
        let context = self.table.find(key as u64, |context| context.key == key);
        context.filter(|context| context.epoch == epoch).map_or(NO_CELL, |context| context.cell)
    }

    pub(super) fn insert(&mut self, context: Context) {
        if let Some(series) = &context.series {
            let source = series.source.0 as usize;
            if self.by_source.len() <= source {
                self.by_source.resize(source + 1, 0);
            }
            self.by_source[source] += 1;
        }
        self.table.insert_unique(context.key as u64, context, |other| other.key as u64);
    }

    /// Whether a source may add a context. When there is no room, contexts without a line in the open
    /// window make some, once per window.
    pub(super) fn has_room(&mut self, source: SourceId, epoch: u32) -> bool {
        if !self.is_full(source) {
            return true;
        }
        if self.swept_epoch == epoch {
            return false;
        }
        self.swept_epoch = epoch;
        self.retain(|context| context.epoch == epoch);
        !self.is_full(source)
    }

    fn is_full(&self, source: SourceId) -> bool {
        let of_source = self.by_source.get(source.0 as usize).copied().unwrap_or(0);
        self.table.len() >= self.limits.max || of_source >= self.limits.max_per_source
    }

    /// Forgets contexts that were not used for many windows, and those the registry refuses unless
    /// they are in use.
    pub(super) fn forget_idle(&mut self, epoch: u32, idle_windows: u32) {
        self.retain(|context| {
            let idle = epoch.wrapping_sub(context.epoch);
            let is_refused = context.series.as_ref().is_some_and(|series| series.is_refused());
            idle <= if is_refused { 1 } else { idle_windows }
        });
    }

    fn retain(&mut self, mut keep: impl FnMut(&Context) -> bool) {
        let by_source = &mut self.by_source;
        self.table.retain(|context| {
            let keeps = keep(context);
            if let (false, Some(series)) = (keeps, &context.series) {
                by_source[series.source.0 as usize] -= 1;
            }
            keeps
        });
    }
}
