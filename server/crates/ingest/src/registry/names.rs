//! Which kind a metric's name has, while series of that name live.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::HashTable;

use crate::series::{Series, SeriesKind};

#[derive(Debug)]
struct Name {
    /// Any series of that name: it holds the text.
    holder: Arc<Series>,
    live: u32,
    /// Whether the store was told what the metric is.
    is_described: bool,
}

#[derive(Debug, Default)]
pub(super) struct Names {
    table: HashTable<Name>,
    hasher: foldhash::fast::RandomState,
}

impl Names {
    /// The kind of a name in use.
    pub(super) fn kind(&self, name: &str) -> Option<SeriesKind> {
        let hash = self.hasher.hash_one(name);
        self.table.find(hash, |known| known.holder.name() == name).map(|known| known.holder.kind)
    }

    pub(super) fn add(&mut self, series: &Arc<Series>) {
        if let Some(known) = self.find_mut(series) {
            known.live += 1;
            return;
        }
        let (hasher, hash) = (&self.hasher, self.hasher.hash_one(series.name()));
        let name = Name { holder: Arc::clone(series), live: 1, is_described: false };
        self.table.insert_unique(hash, name, |known| hasher.hash_one(known.holder.name()));
    }

    pub(super) fn remove(&mut self, series: &Series) {
        let hash = self.hasher.hash_one(series.name());
        let found = self.table.find_entry(hash, |known| known.holder.name() == series.name());
        if let Ok(mut found) = found {
            found.get_mut().live -= 1;
            if found.get().live == 0 {
                found.remove();
            }
        }
    }

    /// Whether the store was not told yet of the name of a series that lives; afterwards it was.
    pub(super) fn is_news(&mut self, series: &Series) -> bool {
        let kind = series.kind;
        self.find_mut(series).is_some_and(|known| {
            known.holder.kind == kind && !std::mem::replace(&mut known.is_described, true)
        })
    }

    fn find_mut(&mut self, series: &Series) -> Option<&mut Name> {
        let hash = self.hasher.hash_one(series.name());
        self.table.find_mut(hash, |known| known.holder.name() == series.name())
    }
}
