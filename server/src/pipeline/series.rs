//! Which series of the store each handle of the registry means.

use model::Labels;
use tsdb::{SeriesRef, Tsdb};

use crate::cluster::NodeLabel;

/// A cache by handle; a handle is small, so a vector does.
#[derive(Debug, Default)]
pub(crate) struct SeriesTable {
    series: Vec<Option<(SeriesRef, Labels)>>,
    node: NodeLabel,
}

impl SeriesTable {
    /// An empty table of the series that this node makes.
    pub(crate) fn new(node: NodeLabel) -> Self {
        Self { series: Vec::new(), node }
    }

    /// Makes room for `handles` in all and returns how many more that is than there were ever.
    pub(super) fn make_room(&mut self, handles: usize) -> usize {
        let new = handles.saturating_sub(self.series.len());
        self.series.reserve(new);
        new
    }

    /// The store's reference for a handle.
    pub(super) fn resolve(&mut self, handle: u32, labels: &Labels, store: &Tsdb) -> SeriesRef {
        let at = handle as usize;
        if self.series.len() <= at {
            self.series.resize(at + 1, None);
        }
        let resolve = || {
            let labels = self.node.add(labels);
            (store.resolve(&labels), labels)
        };
        self.series[at].get_or_insert_with(resolve).0
    }

    /// A fresh reference for a handle whose present one the store no longer knows; `None` when the
    /// handle was never resolved.
    pub(super) fn renew(&mut self, handle: u32, store: &Tsdb) -> Option<SeriesRef> {
        let (series, labels) = self.series.get_mut(handle as usize)?.as_mut()?;
        *series = store.resolve(labels);
        Some(*series)
    }

    /// The labels of a handle that was resolved.
    pub(super) fn labels(&self, handle: u32) -> Option<&Labels> {
        self.series.get(handle as usize)?.as_ref().map(|(_, labels)| labels)
    }

    /// Forgets a handle whose series ended.
    pub(super) fn forget(&mut self, handle: u32) {
        if let Some(slot) = self.series.get_mut(handle as usize) {
            *slot = None;
        }
    }
}
