//! A store as one query sees it, which remembers what its answer lacks.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{
    Labels, Metadata, Storage, StorageError,
    storage::{Select, Selection},
};

use super::Tsdb;

/// What one query needed and could not read: a block, and the number of a page unless it is all of it.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Mutex<BTreeSet<(u64, Option<u32>)>>);

impl LeftOut {
    pub(super) fn note_page(&self, block: u64, page: u32) {
        self.lock().insert((block, Some(page)));
    }

    pub(super) fn note_block(&self, block: u64) {
        self.lock().insert((block, None));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(u64, Option<u32>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store for the time of one query.
#[derive(Debug)]
pub struct View<'a> {
    store: &'a Tsdb,
    left_out: LeftOut,
}

impl Tsdb {
    /// A view for one query, which answers [`Storage::left_out`].
    pub fn view(&self) -> View<'_> {
        View { store: self, left_out: LeftOut::default() }
    }

    /// Notes the blocks in the range of a request whose index cannot be read: nobody knows what they
    /// hold.
    pub(super) fn note_damaged(&self, request: &Select<'_>, left_out: &LeftOut) {
        let state = self.state();
        let peers = state.peers.0.values().flat_map(|peer| &peer.damaged);
        for block in state.damaged.iter().chain(peers) {
            if block.min_time <= request.end && block.max_time >= request.start {
                left_out.note_block(block.id);
            }
        }
    }
}

impl Storage for View<'_> {
    fn select(&self, request: &Select<'_>) -> Result<Box<dyn Selection + '_>, StorageError> {
        self.store.selection(request, Some(&self.left_out))
    }

    fn series(&self, request: &Select<'_>) -> Result<Vec<Labels>, StorageError> {
        self.store.note_damaged(request, &self.left_out);
        self.store.series(request)
    }

    fn label_names(&self, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        self.store.note_damaged(request, &self.left_out);
        self.store.label_names(request)
    }

    fn label_values(&self, name: &str, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        self.store.note_damaged(request, &self.left_out);
        self.store.label_values(name, request)
    }

    fn metadata(&self) -> Vec<Metadata> {
        self.store.metadata()
    }

    fn left_out(&self) -> Vec<String> {
        let left_out = self.left_out.lock();
        let place = |(block, page): &(u64, Option<u32>)| match page {
            Some(page) => format!("page {page} of block {block}"),
            None => format!("the index of block {block}"),
        };
        let warning = |at| format!("{} is damaged; the samples in it are left out", place(at));
        left_out.iter().map(warning).collect()
    }
}
