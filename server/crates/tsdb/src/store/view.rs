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

/// Block and number of the pages that one query needed and could not read.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Mutex<BTreeSet<(u64, u32)>>);

impl LeftOut {
    pub(super) fn note(&self, block: u64, page: u32) {
        self.lock().insert((block, page));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(u64, u32)>> {
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
}

impl Storage for View<'_> {
    fn select(&self, request: &Select<'_>) -> Result<Box<dyn Selection + '_>, StorageError> {
        self.store.selection(request, Some(&self.left_out))
    }

    fn series(&self, request: &Select<'_>) -> Result<Vec<Labels>, StorageError> {
        self.store.series(request)
    }

    fn label_names(&self, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        self.store.label_names(request)
    }

    fn label_values(&self, name: &str, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        self.store.label_values(name, request)
    }

    fn metadata(&self) -> Vec<Metadata> {
        self.store.metadata()
    }

    fn left_out(&self) -> Vec<String> {
        let pages = self.left_out.lock();
        pages
            .iter()
            .map(|(block, page)| {
                format!("page {page} of block {block} is damaged; the samples in it are left out")
            })
            .collect()
    }
}
