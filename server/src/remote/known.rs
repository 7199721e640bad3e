//! The series that remote writers have sent lately: how a series as it was sent is found in the store
//! without reading its labels, and how many there may be.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher as _,
};

use hashbrown::{HashTable, hash_table::Entry};
use model::{Labels, Timestamp};
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
/// No series has this key.
const NO_KEY: u128 = 0;

/// The number of a known series; stays with it as long as it is sent.
pub(super) type Number = u32;

/// What every sample needs of its series, as little as can be: a request touches it for each series it
/// has.
#[derive(Debug, Clone, Copy)]
struct Hot {
    /// The form in which it was sent last; [`NO_KEY`] when the slot is free.
    key: u128,
    series: SeriesRef,
    /// To the nearest [`USED_STEP_MS`].
    last_used: Timestamp,
}

/// What is rarely needed of a series.
#[derive(Debug)]
struct Cold {
    labels: Labels,
    /// What was last said of its metric, as a hash; 0 for nothing.
    said: u64,
}

/// A series with enough of the hash of its labels that a growing table need not hash them again.
#[derive(Debug, Clone, Copy)]
struct Tag {
    hash: u32,
    number: Number,
}

impl Tag {
    fn new(hash: u64, number: Number) -> Self {
        Self { hash: (hash >> 32) as u32, number }
    }

    /// The hash as a table wants it: different at both ends.
    fn spread(self) -> u64 {
        u64::from(self.hash) << 32 | u64::from(self.hash)
    }
}

/// A key in pieces that leave no gap beside a number, of which there are millions.
type PackedKey = [u32; 4];

fn packed(key: u128) -> PackedKey {
    [key as u32, (key >> 32) as u32, (key >> 64) as u32, (key >> 96) as u32]
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
    hot: Vec<Hot>,
    cold: Vec<Option<Cold>>,
    free: Vec<Number>,
    /// The series found last. Senders keep their order, so the next one is most often the one that was
    /// learned after it, and the look into `by_key` can be spared.
    last: Number,
    /// By the labels in the form in which they were sent.
    by_key: HashMap<PackedKey, Number, foldhash::fast::RandomState>,
    /// By the labels themselves.
    by_labels: HashTable<Tag>,
    hasher: foldhash::fast::RandomState,
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
            hot: Vec::new(),
            cold: Vec::new(),
            free: Vec::new(),
            last: 0,
            by_key: HashMap::default(),
            by_labels: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            metrics: HashMap::default(),
            last_sweep: 0,
            expected_samples: 0,
        }
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.by_labels.len()
    }

    /// The series with this key, which is alive from now on.
    #[inline]
    pub(super) fn find(&mut self, key: u128, now: Timestamp) -> Option<(Number, SeriesRef)> {
        if key == NO_KEY {
            return None;
        }
        let guess = self.last.wrapping_add(1);
        let number = match self.hot.get(guess as usize) {
            Some(hot) if hot.key == key => guess,
            _ => *self.by_key.get(&packed(key))?,
        };
        self.last = number;
        let hot = self.hot.get_mut(number as usize)?;
        hot.key = key;
        if now.saturating_sub(hot.last_used) >= USED_STEP_MS {
            hot.last_used = now;
        }
        Some((number, hot.series))
    }

    /// Learns that `key` stands for these labels, and makes the series when it is new.
    ///
    /// # Errors
    /// When it is new and there is no room.
    pub(super) fn learn(
        &mut self,
        key: u128,
        labels: Labels,
        store: &Tsdb,
        now: Timestamp,
    ) -> Result<(Number, SeriesRef), NoRoom> {
        self.sweep(now);
        if self.by_key.len() > self.max_series.saturating_mul(MAX_FORMS) {
            self.by_key.clear();
        }
        let is_full = self.by_labels.len() >= self.max_series;
        let next = self.free.last().copied().unwrap_or(self.hot.len() as Number);
        let tag = Tag::new(self.hasher.hash_one(labels.as_packed()), next);
        let cold = &self.cold;
        let is_same = |other: &Tag| {
            let known = cold.get(other.number as usize).and_then(Option::as_ref);
            other.hash == tag.hash && known.is_some_and(|known| known.labels == labels)
        };
        let (number, series) = match self.by_labels.entry(tag.spread(), is_same, |t| t.spread()) {
            Entry::Occupied(entry) => {
                let number = entry.get().number;
                let hot = &mut self.hot[number as usize];
                (hot.key, hot.last_used) = (key, now);
                (number, hot.series)
            }
            Entry::Vacant(_) if is_full => return Err(NoRoom),
            Entry::Vacant(entry) => {
                entry.insert(tag);
                let series = store.resolve(&labels);
                let hot = Hot { key, series, last_used: now };
                let cold = Some(Cold { labels, said: 0 });
                if let Some(number) = self.free.pop() {
                    (self.hot[number as usize], self.cold[number as usize]) = (hot, cold);
                } else {
                    // Bounded by `max_series`.
                    self.hot.push(hot);
                    self.cold.push(cold);
                }
                (tag.number, series)
            }
        };
        self.by_key.insert(packed(key), number);
        self.last = number;
        Ok((number, series))
    }

    /// The labels of a series.
    pub(super) fn labels(&self, number: Number) -> Option<&Labels> {
        self.cold.get(number as usize)?.as_ref().map(|cold| &cold.labels)
    }

    /// Asks the store for a series again that it has forgotten.
    pub(super) fn renew(&mut self, number: Number, store: &Tsdb) -> Option<SeriesRef> {
        let series = store.resolve(self.labels(number)?);
        self.hot.get_mut(number as usize)?.series = series;
        Some(series)
    }

    /// Whether a series says something else of its metric than before.
    pub(super) fn says_new(&mut self, number: Number, said: u64) -> bool {
        let Some(Some(cold)) = self.cold.get_mut(number as usize) else { return false };
        std::mem::replace(&mut cold.said, said) != said
    }

    /// Whether something else is said of a metric than before; never beyond as many metrics as there
    /// may be series.
    pub(super) fn is_new_metadata(&mut self, metadata: &model::Metadata) -> bool {
        let hasher = self.metrics.hasher();
        let name = hasher.hash_one(&metadata.metric);
        let content = hasher.hash_one((metadata.kind, &metadata.unit, &metadata.help));
        if self.metrics.len() >= self.max_series && !self.metrics.contains_key(&name) {
            return false;
        }
        self.metrics.insert(name, content) != Some(content)
    }

    /// Forgets series that are not sent any more.
    fn sweep(&mut self, now: Timestamp) {
        let is_full = self.by_labels.len() >= self.max_series;
        let interval = if is_full { URGENT_SWEEP_INTERVAL_MS } else { SWEEP_INTERVAL_MS };
        if now.saturating_sub(self.last_sweep) < interval {
            return;
        }
        self.last_sweep = now;
        let oldest = now.saturating_sub(self.idle_ms);
        let mut gone = HashSet::new();
        for (number, (hot, cold)) in self.hot.iter_mut().zip(&mut self.cold).enumerate() {
            if let Some(known) = cold.take_if(|_| hot.last_used < oldest) {
                hot.key = NO_KEY;
                let tag =
                    Tag::new(self.hasher.hash_one(known.labels.as_packed()), number as Number);
                let is_same = |other: &Tag| other.number == tag.number;
                if let Ok(entry) = self.by_labels.find_entry(tag.spread(), is_same) {
                    entry.remove();
                }
                gone.insert(tag.number);
            }
        }
        if !gone.is_empty() {
            self.by_key.retain(|_, number| !gone.contains(number));
            self.free.extend(gone);
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
        let first = known.learn(1, labels("a"), &store, 0).unwrap();
        assert_eq!(known.learn(2, labels("a"), &store, 0), Ok(first));
        assert_eq!(known.find(1, 0), Some(first));
        assert_eq!(known.find(2, 0), Some(first));
        assert_eq!(known.find(3, 0), None);
        assert_eq!(known.len(), 1);
    }

    #[test]
    fn a_full_table_refuses_new_series_until_old_ones_are_idle() {
        let store = store();
        let mut known = KnownSeries::new(2, HOUR);
        known.learn(1, labels("a"), &store, HOUR).unwrap();
        known.learn(2, labels("b"), &store, HOUR).unwrap();
        assert_eq!(known.learn(3, labels("c"), &store, HOUR), Err(NoRoom));
        // One of them goes on.
        assert!(known.find(2, 2 * HOUR).is_some());
        assert!(known.learn(3, labels("c"), &store, 2 * HOUR + 1).is_ok());
        assert_eq!(known.find(1, 2 * HOUR + 1), None);
        assert!(known.find(2, 2 * HOUR + 1).is_some());
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn a_series_is_found_in_whatever_order_it_comes() {
        let store = store();
        let mut known = KnownSeries::new(10, HOUR);
        let numbers: Vec<_> = (1..=5_u128)
            .map(|key| known.learn(key, labels(&format!("m{key}")), &store, 0).unwrap())
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
        let (number, _) = known.learn(1, labels("a"), &store, 0).unwrap();
        assert!(known.says_new(number, 7));
        assert!(!known.says_new(number, 7));
        assert!(known.says_new(number, 8));
    }
}
