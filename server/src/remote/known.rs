//! The series that remote writers have sent lately: how a series as it was sent is found in the store
//! without reading its labels, and how many there may be.
//!
//! There are millions, so nothing is kept here that the store knows: labels are asked of it.

use std::collections::HashMap;

use hashbrown::{HashTable, hash_table::Entry};
use model::{Labels, Segments, Tag, Timestamp};
use tsdb::{SeriesRef, Tsdb};

/// How long between two looks for series that are not sent any more.
const SWEEP_INTERVAL_MS: i64 = 5 * 60_000;
/// The same when there is no room.
const URGENT_SWEEP_INTERVAL_MS: i64 = 30_000;
/// How many forms of its labels a series may come in, on average. Both protocols and a change of the
/// encoder are four; beyond that somebody plays, and the forms are learned again.
const MAX_FORMS: usize = 4;

/// How exactly is noted when a series was last sent.
const USED_STEP_MS: i64 = 60_000;
/// No form has this key.
const NO_KEY: u128 = 0;

/// The number of a form.
pub(super) type Number = u32;

/// A form in which the labels of a series are sent. Most series have one.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// [`NO_KEY`] when the slot is free.
    key: u128,
    series: SeriesRef,
    /// In steps of [`USED_STEP_MS`] since 1970.
    last_used: u32,
    /// What was last said of its metric, as a hash; 0 for nothing.
    said: u32,
}

/// A form in the table by keys, which are hashes already.
fn tag_of(key: u128, number: Number) -> Tag {
    Tag::new((key >> 32) as u64, number)
}

/// There is no room for another series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

/// All series that remote writers keep alive.
#[derive(Debug)]
pub(super) struct KnownSeries {
    max_series: usize,
    /// A series that is not sent for this long makes room; the store forgets it at about the same time.
    idle_ms: i64,
    forms: Segments<Form>,
    free: Vec<Number>,
    by_key: HashTable<Tag>,
    /// The form found last. Senders keep their order, so the next one is most often the one that was
    /// learned after it, and the look into `by_key` can be spared.
    last: Number,
    series: SeriesSet,
    /// What is known of metrics, by hashes of name and content.
    metrics: HashMap<u64, u64, foldhash::fast::RandomState>,
    last_sweep: Timestamp,
    /// How many samples the last request had, a guess for the next one.
    pub(super) expected_samples: usize,
}

impl KnownSeries {
    pub(super) fn new(max_series: usize, idle_ms: i64) -> Self {
        Self {
            max_series,
            idle_ms,
            forms: Segments::default(),
            free: Vec::new(),
            by_key: HashTable::new(),
            last: 0,
            series: SeriesSet::default(),
            metrics: HashMap::default(),
            last_sweep: 0,
            expected_samples: 0,
        }
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.series.count
    }

    /// The series with this key, which is alive from now on.
    #[inline]
    pub(super) fn find(&mut self, key: u128, now: Timestamp) -> Option<(Number, SeriesRef)> {
        if key == NO_KEY {
            return None;
        }
        let guess = self.last.wrapping_add(1);
        let number = match self.forms.get(guess as usize) {
            Some(form) if form.key == key => guess,
            _ => self.look_up(key)?,
        };
        self.last = number;
        let form = self.forms.get_mut(number as usize)?;
        let used = steps(now);
        if form.last_used != used {
            form.last_used = used;
        }
        Some((number, form.series))
    }

    fn look_up(&self, key: u128) -> Option<Number> {
        let is_same = |other: &Tag| self.forms[other.number as usize].key == key;
        self.by_key.find(tag_of(key, 0).spread(), is_same).map(|tag| tag.number)
    }

    /// Forgets what has to go before more is learned. Numbers from before may mean something else.
    pub(super) fn tidy(&mut self, now: Timestamp) {
        self.sweep(now);
        if self.by_key.len() > self.max_series.saturating_mul(MAX_FORMS) {
            self.forget_all();
        }
    }

    /// Whether there is room for so many series more.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.len().saturating_add(more) <= self.max_series
    }

    /// Learns that `key` stands for these labels, and makes the series when it is new.
    ///
    /// # Errors
    /// When it is new and there is no room.
    pub(super) fn learn(
        &mut self,
        key: u128,
        labels: &Labels,
        store: &Tsdb,
        now: Timestamp,
    ) -> Result<(Number, SeriesRef), NoRoom> {
        self.tidy(now);
        let is_known = |found: SeriesRef| self.series.has(found);
        if !self.has_room(1) && !store.lookup(labels).is_some_and(is_known) {
            return Err(NoRoom);
        }
        let series = store.resolve(labels);
        Ok((self.remember(key, series, now), series))
    }

    /// Notes that `key` stands for a series, for which there is room.
    pub(super) fn remember(&mut self, key: u128, series: SeriesRef, now: Timestamp) -> Number {
        self.series.insert(series);
        let next = self.free.last().copied().unwrap_or(self.forms.len() as Number);
        let tag = tag_of(key, next);
        let form = Form { key, series, last_used: steps(now), said: 0 };
        let Self { forms, free, by_key, .. } = self;
        let is_same = |other: &Tag| forms[other.number as usize].key == key;
        let number = match by_key.entry(tag.spread(), is_same, |tag| tag.spread()) {
            // The store forgot the series and made it anew.
            Entry::Occupied(entry) => entry.get().number,
            Entry::Vacant(entry) => {
                entry.insert(tag);
                next
            }
        };
        if (number as usize) < forms.len() {
            free.pop_if(|free| *free == number);
            forms[number as usize] = form;
        } else {
            // Bounded by `max_series` and `MAX_FORMS`.
            forms.push(form);
        }
        self.last = number;
        number
    }

    /// Whether a series says something else of its metric than before.
    pub(super) fn says_new(&mut self, number: Number, said: u64) -> bool {
        let said = (said >> 32) as u32 ^ said as u32;
        let Some(form) = self.forms.get_mut(number as usize) else { return false };
        std::mem::replace(&mut form.said, said) != said
    }

    /// Whether something else is said of a metric than before; never beyond as many metrics as there
    /// may be series.
    pub(super) fn is_new_metadata(&mut self, metadata: &model::Metadata) -> bool {
        use std::hash::BuildHasher as _;
        let hasher = self.metrics.hasher();
        let name = hasher.hash_one(&metadata.metric);
        let content = hasher.hash_one((metadata.kind, &metadata.unit, &metadata.help));
        if self.metrics.len() >= self.max_series && !self.metrics.contains_key(&name) {
            return false;
        }
        self.metrics.insert(name, content) != Some(content)
    }

    /// Forgets series that the store does not know any more.
    pub(super) fn forget(&mut self, mut is_gone: impl FnMut(SeriesRef) -> bool) {
        self.retain(|form| !is_gone(form.series));
    }

    /// Forgets series that are not sent any more.
    fn sweep(&mut self, now: Timestamp) {
        let is_full = self.len() >= self.max_series;
        let interval = if is_full { URGENT_SWEEP_INTERVAL_MS } else { SWEEP_INTERVAL_MS };
        if now.saturating_sub(self.last_sweep) < interval {
            return;
        }
        self.last_sweep = now;
        let oldest = steps(now.saturating_sub(self.idle_ms));
        self.retain(|form| form.last_used >= oldest);
    }

    fn retain(&mut self, mut is_kept: impl FnMut(&Form) -> bool) {
        let mut series = SeriesSet::default();
        for (number, form) in (0..).zip(self.forms.iter_mut()) {
            if form.key == NO_KEY {
                continue;
            }
            if is_kept(form) {
                series.insert(form.series);
                continue;
            }
            let tag = tag_of(form.key, number);
            let is_same = |other: &Tag| other.number == tag.number;
            if let Ok(entry) = self.by_key.find_entry(tag.spread(), is_same) {
                entry.remove();
            }
            form.key = NO_KEY;
            self.free.push(number);
        }
        self.series = series;
    }

    fn forget_all(&mut self) {
        self.forms.clear();
        self.free.clear();
        self.by_key.clear();
        self.series = SeriesSet::default();
    }
}

fn steps(time: Timestamp) -> u32 {
    u32::try_from(time / USED_STEP_MS).unwrap_or_default()
}

/// A set of series by their slots of the store. One that the store forgot and whose slot it gave to
/// another one counts as that other one.
#[derive(Debug, Default)]
struct SeriesSet {
    words: Vec<u64>,
    count: usize,
}

impl SeriesSet {
    fn has(&self, series: SeriesRef) -> bool {
        let slot = series.slot();
        self.words.get(slot as usize / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    fn insert(&mut self, series: SeriesRef) {
        if !self.has(series) {
            let slot = series.slot();
            let at = slot as usize / 64;
            if at >= self.words.len() {
                self.words.resize(at + 1, 0);
            }
            self.words[at] |= 1 << (slot % 64);
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tsdb::engine::MemoryEngine;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn store() -> Tsdb {
        Tsdb::open(Arc::new(MemoryEngine::default()), tsdb::Options::default()).unwrap().0
    }

    fn labels(name: &str) -> Labels {
        Labels::from_pairs([("__name__", name)])
    }

    #[test]
    fn forms_of_the_same_labels_are_one_series() {
        let store = store();
        let mut known = KnownSeries::new(1, HOUR);
        let first = known.learn(1, &labels("a"), &store, 0).unwrap();
        let second = known.learn(2, &labels("a"), &store, 0).unwrap();
        assert_eq!(first.1, second.1);
        assert_eq!(known.find(1, 0), Some(first));
        assert_eq!(known.find(2, 0), Some(second));
        assert_eq!(known.find(3, 0), None);
        assert_eq!(known.len(), 1);
        assert!(!known.has_room(1));
    }

    #[test]
    fn a_full_table_refuses_new_series_until_old_ones_are_idle() {
        let store = store();
        let mut known = KnownSeries::new(2, HOUR);
        known.learn(1, &labels("a"), &store, HOUR).unwrap();
        known.learn(2, &labels("b"), &store, HOUR).unwrap();
        assert_eq!(known.learn(3, &labels("c"), &store, HOUR), Err(NoRoom));
        // One of them goes on.
        assert!(known.find(2, 2 * HOUR).is_some());
        let later = 2 * HOUR + USED_STEP_MS;
        assert!(known.learn(3, &labels("c"), &store, later).is_ok());
        assert_eq!(known.find(1, later), None);
        assert!(known.find(2, later).is_some());
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn a_series_is_found_in_whatever_order_it_comes() {
        let store = store();
        let mut known = KnownSeries::new(10, HOUR);
        let numbers: Vec<_> = (1..=5_u128)
            .map(|key| known.learn(key, &labels(&format!("m{key}")), &store, 0).unwrap())
            .collect();
        for order in [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [2, 4, 1, 5, 3]] {
            for key in order {
                assert_eq!(known.find(key, 0), Some(numbers[key as usize - 1]), "{order:?}");
            }
        }
        assert_eq!(known.find(NO_KEY, 0), None);
    }

    #[test]
    fn what_a_series_says_of_its_metric_is_new_once() {
        let store = store();
        let mut known = KnownSeries::new(2, HOUR);
        let (number, _) = known.learn(1, &labels("a"), &store, 0).unwrap();
        assert!(known.says_new(number, 7));
        assert!(!known.says_new(number, 7));
        assert!(known.says_new(number, 8));
    }
}
