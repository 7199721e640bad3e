//! Putting together the series that match, from head and blocks.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{Labels, Sample, StorageError};

use crate::head::samples::Samples;

/// A series that matched, and where its samples are.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Index into the selection's blocks and number within the block, ascending by order.
    pub(super) blocks: Vec<(u32, u32)>,
    /// The same of rollups, by owner and in order of time.
    pub(super) rollups: Vec<(u32, u32)>,
    pub(super) head: Option<HeadPart>,
    /// From the heads of other nodes.
    pub(super) peers: Vec<HeadPart>,
}

#[derive(Debug)]
pub(super) struct HeadPart {
    /// As in [`Asked`](super::overlap::Asked).
    pub(super) owner: u32,
    pub(super) last: Option<Sample>,
    /// Older first.
    pub(super) samples: [Option<Arc<Samples>>; 2],
}

/// Series that match, put together from all that have samples of them.
pub(super) struct Gathering {
    series: Vec<(Labels, Found)>,
    /// How many there were in the beginning.
    sorted: usize,
    /// Where each is; made when it is needed, which is not for what only the head has.
    places: Option<HashMap<Labels, usize, foldhash::fast::FixedState>>,
    limit: usize,
}

impl Gathering {
    /// Begins with series that are different from each other and in the order of their labels.
    pub(super) fn of(known: impl Iterator<Item = (Labels, Found)>, limit: usize) -> Self {
        let series: Vec<(Labels, Found)> = known.collect();
        Self { sorted: series.len(), series, places: None, limit }
    }

    /// All series in the order of their labels. `known` has the labels that it began with.
    pub(super) fn sorted(mut self, known: Arc<[Labels]>) -> (Arc<[Labels]>, Vec<Found>) {
        if self.series.len() == self.sorted {
            return (known, self.series.into_iter().map(|(_, found)| found).collect());
        }
        // Most are in order already, which a stable sort finds out.
        self.series.sort_by(|a, b| a.0.cmp(&b.0));
        let (labels, found): (Vec<Labels>, Vec<Found>) = self.series.into_iter().unzip();
        (labels.into(), found)
    }

    /// The series with these labels.
    pub(super) fn entry(&mut self, labels: Labels) -> Result<&mut Found, StorageError> {
        let known = &self.series;
        let places = self.places.get_or_insert_with(|| {
            known.iter().enumerate().map(|(place, (labels, _))| (labels.clone(), place)).collect()
        });
        let place = if let Some(&place) = places.get(&labels) {
            place
        } else {
            places.insert(labels.clone(), known.len());
            self.check()?;
            self.series.push((labels, Found::default()));
            self.series.len() - 1
        };
        Ok(&mut self.series[place].1)
    }

    fn check(&self) -> Result<(), StorageError> {
        if self.series.len() < self.limit {
            return Ok(());
        }
        Err(StorageError::TooManySeries { limit: self.limit })
    }
}
