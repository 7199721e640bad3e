//! Reading: what is asked of the store as a whole.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    Labels, Metadata, Storage, StorageError,
    storage::{Select, Selection},
};

use super::{
    Tsdb,
    overlap::{Asked, all_overlapping},
    selection::TsdbSelection,
    view::LeftOut,
};
use crate::cache::{Cached, Page};

impl Storage for Tsdb {
    fn select(&self, request: &Select<'_>) -> Result<Box<dyn Selection + '_>, StorageError> {
        self.selection(request, None)
    }

    fn series(&self, request: &Select<'_>) -> Result<Vec<Labels>, StorageError> {
        Ok(self.find(request)?.labels.to_vec())
    }

    fn label_names(&self, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        let mut names = BTreeSet::new();
        if request.matchers.is_empty() && !self.state().has_deletions() {
            let (head, blocks) = {
                let state = self.state();
                let heads = state.heads().flat_map(|head| head.index().names());
                let head: Vec<String> = heads.map(str::to_owned).collect();
                (head, all_overlapping(&state, request))
            };
            names.extend(head);
            for Asked { block, .. } in &blocks {
                names.extend(block.names().map(str::to_owned));
            }
        } else {
            for labels in self.series(request)? {
                for (name, _) in &labels {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    fn label_values(&self, name: &str, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        let mut values = BTreeSet::new();
        if request.matchers.is_empty() && !self.state().has_deletions() {
            let (head, blocks) = {
                let state = self.state();
                let heads = state.heads().flat_map(|head| head.index().values(name));
                let head: Vec<String> = heads.map(str::to_owned).collect();
                (head, all_overlapping(&state, request))
            };
            values.extend(head);
            for Asked { block, .. } in &blocks {
                values.extend(block.values(name).map(str::to_owned));
            }
        } else {
            for labels in self.series(request)? {
                if let Some(value) = labels.get(name)
                    && !values.contains(value)
                {
                    values.insert(value.to_owned());
                }
            }
        }
        Ok(values.into_iter().collect())
    }

    fn metadata(&self) -> Vec<Metadata> {
        self.state().metadata.values().cloned().collect()
    }
}

impl Tsdb {
    /// A snapshot whose reads note what they leave out.
    pub(super) fn selection<'a>(
        &'a self,
        request: &Select<'_>,
        left_out: Option<&'a LeftOut>,
    ) -> Result<Box<dyn Selection + 'a>, StorageError> {
        if let Some(left_out) = left_out {
            self.note_damaged(request, left_out);
        }
        Ok(Box::new(TsdbSelection { left_out, ..self.find(request)? }))
    }

    /// A page, from memory or from the engine. `None` when it cannot be read, which is counted.
    pub(super) fn page(&self, block: u64, page: u32) -> Result<Option<Arc<Page>>, StorageError> {
        let key = (block, page);
        match self.cache().get(key) {
            Cached::Page(page) => return Ok(Some(page)),
            Cached::Damaged => return Ok(None),
            Cached::Unknown => {}
        }
        let rows = self.count_failure(self.engine.pages(block, &[page]));
        let row = rows.map_err(|error| StorageError::Engine(Box::new(error)))?.pop();
        let opened = row.and_then(|row| Page::open(row.bytes).ok()).map(Arc::new);
        if self.cache().insert(key, opened.clone()) && opened.is_none() {
            self.counters.damaged_pages.add(1);
        }
        Ok(opened)
    }
}
