//! The head: every series that is being written, with its samples since the last seal.

use std::{hash::BuildHasher, ops::Range, sync::Arc};

use foldhash::fast::RandomState;
use hashbrown::{HashTable, hash_table::Entry};
use model::{
    Column, Labels, Sample, Segments, Tag, Timestamp, Value,
    labels::{LabelsJoiner, LabelsRef},
};

use self::{index::HeadIndex, samples::Samples};
use crate::{bytes::FormatError, columns::is_same_value};

pub(crate) mod index;
pub(crate) mod order;
mod pairs;
pub(crate) mod samples;

/// A series that is not written for this many seals is forgotten.
const IDLE_SEALS: u32 = 2;

/// A series of the head, from [`Tsdb::resolve`](crate::Tsdb::resolve).
///
/// Stays valid as long as the series gets a sample now and then. A series without one for two seals is
/// forgotten, and its reference never means another series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeriesRef {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl SeriesRef {
    /// A small number that no other living series has.
    pub fn slot(self) -> u32 {
        self.slot
    }
}

/// All series that are being written.
#[derive(Debug, Default)]
pub(crate) struct Head {
    slots: Segments<Slot>,
    /// Slots without a series.
    free: Vec<u32>,
    /// By the numbers of their pairs.
    by_pairs: HashTable<Tag>,
    hasher: RandomState,
    index: HeadIndex,
    /// Memory that is used again.
    pairs: Vec<u32>,
    /// What every series without samples shares.
    empty: Arc<Samples>,
    /// Whether full chunks are closed as they are, because much has to be appended in little time.
    is_hasty: bool,
    /// How many times the head was cut.
    cuts: u32,
    late: Vec<(u32, Timestamp, Value)>,
    /// Samples since the last cut.
    appended: u64,
    /// The memory held by samples and numbers of pairs of all series.
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// The cut before which the series was last used.
    used: u32,
    series: Option<Series>,
}

/// One series.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// The labels, as numbers of pairs in the head's index.
    pub(crate) pairs: Box<[u32]>,
    /// Samples since the last cut.
    pub(crate) samples: Arc<Samples>,
    /// Samples that are on their way into a block.
    pub(crate) sealing: Option<Arc<Samples>>,
}

impl Series {
    /// The newest sample ever seen here.
    pub(crate) fn last(&self) -> Option<Sample> {
        self.samples.last().or_else(|| self.sealing.as_ref()?.last())
    }

    /// The newest sample that is still here.
    fn newest_left(&self) -> Result<Option<Sample>, FormatError> {
        let mut column = Column::default();
        for samples in self.sealing.iter().chain([&self.samples]) {
            let mut own = Column::default();
            samples.read(&mut own)?;
            crate::columns::merge(&mut column, &own);
        }
        Ok(crate::columns::samples(&column).pop())
    }

    #[inline]
    fn last_time(&self) -> Option<Timestamp> {
        self.samples.last_time().or_else(|| self.sealing.as_ref()?.last_time())
    }
}

/// What became of samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Late {
    /// Samples older than the newest of their series.
    pub(crate) samples: u64,
    /// Values that gave way to another one of the same time.
    pub(crate) replaced: u64,
}

impl Head {
    /// Finds a series without changing anything.
    pub(crate) fn find(&self, labels: LabelsRef<'_>) -> Option<SeriesRef> {
        let mut pairs = Vec::new();
        if !self.index.find(labels, &mut pairs) {
            return None;
        }
        self.find_pairs(&pairs, self.hasher.hash_one(&*pairs)).map(|slot| self.reference(slot))
    }

    fn find_pairs(&self, pairs: &[u32], hash: u64) -> Option<u32> {
        let tag = Tag::new(hash, 0);
        let is_same = |other: &Tag| {
            other.agrees_with(tag) && pairs_at(&self.slots, other.number) == Some(pairs)
        };
        self.by_pairs.find(tag.spread(), is_same).map(|tag| tag.number)
    }

    /// Finds or adds a series and marks it as used.
    pub(crate) fn resolve(&mut self, labels: LabelsRef<'_>) -> SeriesRef {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.clear();
        self.index.intern(labels, &mut pairs);
        let series = self.resolve_pairs(&pairs, self.hasher.hash_one(&*pairs));
        self.pairs = pairs;
        series
    }

    /// As [`Self::resolve`], of many, in order: the looks into memory do not wait for each other.
    pub(crate) fn resolve_all<'a>(
        &mut self,
        all: impl Iterator<Item = LabelsRef<'a>>,
    ) -> Vec<SeriesRef> {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.clear();
        let mut wanted = Vec::new();
        for labels in all {
            let start = pairs.len();
            self.index.intern(labels, &mut pairs);
            wanted.push((start..pairs.len(), self.hasher.hash_one(&pairs[start..])));
        }
        // What is looked at here is in the processor's caches when a series is added.
        let found: Vec<Option<u32>> = wanted
            .iter()
            .map(|(range, hash)| self.find_pairs(&pairs[range.clone()], *hash))
            .collect();
        let mut resolve = |((range, hash), found): ((Range<usize>, u64), Option<u32>)| match found {
            Some(slot) => self.mark_used(slot),
            None => self.resolve_pairs(&pairs[range], hash),
        };
        let all = wanted.into_iter().zip(found).map(&mut resolve).collect();
        self.pairs = pairs;
        all
    }

    fn resolve_pairs(&mut self, pairs: &[u32], hash: u64) -> SeriesRef {
        let Self { slots, by_pairs, index, free, .. } = self;
        let next = free.last().copied().unwrap_or(slots.len() as u32);
        let tag = Tag::new(hash, next);
        let is_same =
            |other: &Tag| other.agrees_with(tag) && pairs_at(slots, other.number) == Some(pairs);
        let slot = match by_pairs.entry(tag.spread(), is_same, |tag| tag.spread()) {
            Entry::Occupied(entry) => entry.get().number,
            Entry::Vacant(entry) => {
                entry.insert(tag);
                let series = Some(Series {
                    pairs: pairs.into(),
                    samples: Arc::clone(&self.empty),
                    sealing: None,
                });
                if free.pop().is_some() {
                    slots[next as usize].series = series;
                } else {
                    // Four thousand million series do not fit any memory.
                    slots.push(Slot { generation: 0, used: self.cuts, series });
                }
                self.bytes += size_of_val(pairs);
                index.insert(next, pairs);
                next
            }
        };
        self.mark_used(slot)
    }

    fn mark_used(&mut self, slot: u32) -> SeriesRef {
        self.slots[slot as usize].used = self.cuts;
        self.reference(slot)
    }

    /// The labels of a series of this head.
    pub(crate) fn labels(&self, series: &Series) -> Labels {
        self.join(series, &mut LabelsJoiner::default()).to_labels()
    }

    /// As [`Self::labels`], in memory that is used again.
    pub(crate) fn join<'j>(&self, series: &Series, joiner: &'j mut LabelsJoiner) -> LabelsRef<'j> {
        self.index.labels(&series.pairs, joiner)
    }

    /// The slot of a reference that is still valid.
    pub(crate) fn slot(&self, series: SeriesRef) -> Option<u32> {
        let slot = self.slots.get(series.slot as usize)?;
        (slot.generation == series.generation && slot.series.is_some()).then_some(series.slot)
    }

    /// The series in a slot.
    pub(crate) fn series(&self, slot: u32) -> Option<&Series> {
        self.slots.get(slot as usize)?.series.as_ref()
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.by_pairs.len()
    }

    /// How many samples came since the last cut, late ones included.
    pub(crate) fn appended(&self) -> u64 {
        self.appended
    }

    pub(crate) fn index(&self) -> &HeadIndex {
        &self.index
    }

    /// Whether from now on full chunks are closed as they are, which is quick and takes more memory until
    /// the next seal.
    pub(crate) fn set_hasty(&mut self, is_hasty: bool) {
        self.is_hasty = is_hasty;
    }

    /// Adds a sample. One that is not newer than the newest waits for [`Head::finish`].
    #[inline]
    pub(crate) fn append(&mut self, slot: u32, timestamp: Timestamp, value: &Value) {
        let Some(Slot { used, series: Some(series), .. }) = self.slots.get_mut(slot as usize)
        else {
            return;
        };
        *used = self.cuts;
        self.appended += 1;
        if series.last_time().is_some_and(|last| timestamp <= last) {
            self.late.push((slot, timestamp, value.clone()));
        } else {
            let samples = Arc::make_mut(&mut series.samples);
            if self.is_hasty {
                self.bytes = self.bytes.wrapping_add_signed(samples.close_as_it_is());
            }
            let grown = samples.append(timestamp, value);
            self.bytes = self.bytes.wrapping_add_signed(grown);
        }
    }

    /// Puts the samples that came late into their places, at the end of each flush.
    ///
    /// # Errors
    /// When the memory is damaged; the other series are complete.
    pub(crate) fn finish(&mut self) -> Result<Late, FormatError> {
        let mut late = std::mem::take(&mut self.late);
        let mut outcome = Late::default();
        let mut result = Ok(());
        // Stable: of two samples with the same time the later one wins.
        late.sort_by_key(|(slot, timestamp, _)| (*slot, *timestamp));
        for group in late.chunk_by(|a, b| a.0 == b.0) {
            let slot = group[0].0 as usize;
            let Some(series) = self.slots.get_mut(slot).and_then(|s| s.series.as_mut()) else {
                continue;
            };
            let mut column = Column::default();
            for (i, (_, timestamp, value)) in group.iter().enumerate() {
                if let Some(next) = group.get(i + 1).filter(|next| next.1 == *timestamp) {
                    outcome.replaced += u64::from(!is_same_value(value, &next.2));
                    continue;
                }
                column.push(*timestamp, value.clone());
            }
            let newest = series.last();
            let insert = |samples: &mut Samples| samples.insert(&column, newest);
            match change_samples(&mut series.samples, &mut self.bytes, insert) {
                Ok(overlap) => {
                    outcome.samples += column.len() as u64 - overlap.same_time;
                    outcome.replaced += overlap.replaced;
                }
                Err(error) => result = Err(error),
            }
        }
        late.clear();
        self.late = late;
        result.map(|()| outcome)
    }

    /// Sets aside all samples for sealing. Nothing may be set aside already.
    pub(crate) fn cut(&mut self) {
        self.cuts += 1;
        self.appended = 0;
        for series in self.slots.iter_mut().filter_map(|slot| slot.series.as_mut()) {
            if !series.samples.is_empty() {
                series.sealing =
                    Some(std::mem::replace(&mut series.samples, Arc::clone(&self.empty)));
            }
        }
    }

    /// Drops the samples set aside, which a block now holds, and forgets idle series.
    pub(crate) fn finish_seal(&mut self) {
        let mut removed = Vec::new();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            let Some(series) = &mut slot.series else { continue };
            if let Some(sealed) = series.sealing.take() {
                self.bytes -= sealed.bytes();
                if series.samples.last_time().is_none() {
                    series.samples = Arc::new(Samples::after(sealed.last()));
                    self.bytes += series.samples.bytes();
                }
            }
            if series.samples.is_empty() && self.cuts - slot.used >= IDLE_SEALS {
                removed.push(number as u32);
            }
        }
        self.forget(&removed);
    }

    fn forget(&mut self, slots: &[u32]) {
        let mut removed = Vec::with_capacity(slots.len());
        for &slot in slots {
            let entry = &mut self.slots[slot as usize];
            let Some(series) = entry.series.take() else { continue };
            let tag = Tag::new(self.hasher.hash_one(&*series.pairs), slot);
            let is_same = |other: &Tag| other.number == tag.number;
            if let Ok(entry) = self.by_pairs.find_entry(tag.spread(), is_same) {
                entry.remove();
            }
            self.bytes -= size_of_val(&*series.pairs) + series.samples.bytes();
            entry.generation = entry.generation.wrapping_add(1);
            self.free.push(slot);
            removed.push((slot, series.pairs));
        }
        self.index.remove(&removed);
    }

    /// Takes away all samples from `start` to `end`, both inclusive, and returns how many they were.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn remove(&mut self, start: Timestamp, end: Timestamp) -> Result<u64, FormatError> {
        let mut removed = 0;
        for series in self.slots.iter_mut().filter_map(|slot| slot.series.as_mut()) {
            let overlaps = |(min, max): (Timestamp, Timestamp)| min <= end && max >= start;
            if series.samples.time_range().is_some_and(overlaps) {
                let remove = |samples: &mut Samples| samples.remove(start, end);
                removed += change_samples(&mut series.samples, &mut self.bytes, remove)?;
            }
        }
        Ok(removed)
    }

    /// Takes away the samples of one series from `start` to `end`, both inclusive, those set aside for
    /// sealing too, and returns how many they were.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn remove_from(
        &mut self,
        slot: u32,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<u64, FormatError> {
        let Some(series) = self.slots.get_mut(slot as usize).and_then(|s| s.series.as_mut()) else {
            return Ok(0);
        };
        let mut removed = 0;
        for samples in series.sealing.iter_mut().chain([&mut series.samples]) {
            if !samples.is_empty() {
                let remove = |samples: &mut Samples| samples.remove(start, end);
                removed += change_samples(samples, &mut self.bytes, remove)?;
            }
        }
        if series.last_time().is_some_and(|last| (start..=end).contains(&last)) {
            let newest = series.newest_left()?;
            if let Some(samples) = &mut series.sealing {
                let replace = |samples: &mut Samples| samples.replace_newest(newest.clone());
                change_samples(samples, &mut self.bytes, replace);
            }
            let replace = |samples: &mut Samples| samples.replace_newest(newest);
            change_samples(&mut series.samples, &mut self.bytes, replace);
        }
        Ok(removed)
    }

    /// Forgets those of the series that have nothing left.
    pub(crate) fn forget_empty(&mut self, slots: &[u32]) {
        let mut removed = Vec::new();
        for &slot in slots {
            let Some(series) = self.series(slot) else { continue };
            let is_sealing = series.sealing.as_ref().is_some_and(|samples| !samples.is_empty());
            if series.last_time().is_none() && series.samples.is_empty() && !is_sealing {
                removed.push(slot);
            }
        }
        self.forget(&removed);
    }

    /// The memory held by samples and labels, in bytes, without the index.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>() + self.bytes + self.index.text_bytes()
    }

    fn reference(&self, slot: u32) -> SeriesRef {
        SeriesRef { slot, generation: self.slots[slot as usize].generation }
    }
}

fn pairs_at(slots: &Segments<Slot>, slot: u32) -> Option<&[u32]> {
    Some(&slots.get(slot as usize)?.series.as_ref()?.pairs)
}

/// Changes the samples of a series and counts the memory.
fn change_samples<T>(
    samples: &mut Arc<Samples>,
    bytes: &mut usize,
    change: impl FnOnce(&mut Samples) -> T,
) -> T {
    *bytes -= samples.bytes();
    let result = change(Arc::make_mut(samples));
    *bytes += samples.bytes();
    result
}

#[cfg(test)]
mod tests;
