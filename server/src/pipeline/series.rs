//! Which series of the store each handle of the registry means.

use model::Labels;
use tsdb::{SeriesRef, Tsdb};

/// A cache by handle; a handle is small, so a vector does.
#[derive(Debug, Default)]
pub(crate) struct SeriesTable(Vec<Option<(SeriesRef, Labels)>>);

impl SeriesTable {
    /// The store's reference for a handle.
    pub(super) fn resolve(&mut self, handle: u32, labels: &Labels, store: &Tsdb) -> SeriesRef {
        let at = handle as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at].get_or_insert_with(|| (store.resolve(labels), labels.clone())).0
    }

    /// A fresh reference for a handle whose present one the store no longer knows; `None` when the
    /// handle was never resolved.
    pub(super) fn renew(&mut self, handle: u32, store: &Tsdb) -> Option<SeriesRef> {
        let (series, labels) = self.0.get_mut(handle as usize)?.as_mut()?;
        *series = store.resolve(labels);
        Some(*series)
    }

    /// The labels of a handle that was resolved.
    pub(super) fn labels(&self, handle: u32) -> Option<&Labels> {
        self.0.get(handle as usize)?.as_ref().map(|(_, labels)| labels)
    }

    /// Forgets a handle whose series ended.
    pub(super) fn forget(&mut self, handle: u32) {
        if let Some(slot) = self.0.get_mut(handle as usize) {
            *slot = None;
        }
    }
}
