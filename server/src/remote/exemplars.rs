//! Exemplars: single observations with a hint where to look further, such as a trace.
//!
//! They are in memory only, as in Prometheus: at most so many, of which the oldest give way to new ones.
//! Source of the rules: `tsdb/exemplar.go` in Prometheus.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use model::{Labels, Matcher, Timestamp};
use remote::Exemplar;

use super::books::lock;

/// The most characters of all names and values of an exemplar's labels, as OpenMetrics has it.
const MAX_LABEL_CHARS: usize = 128;

/// Exemplars of all series.
#[derive(Debug)]
pub(crate) struct Exemplars {
    most: usize,
    ring: Mutex<Ring>,
    pub(crate) stats: ExemplarStats,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct ExemplarStats {
    pub(crate) stored: AtomicU64,
    /// Those that gave way to newer ones.
    pub(crate) overwritten: AtomicU64,
    /// Those older than the newest of their series.
    pub(crate) out_of_order: AtomicU64,
    /// Those with labels that are too long or make no sense.
    pub(crate) bad_labels: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    /// Of each series those that are there, oldest first; never an empty list.
    series: HashMap<Labels, VecDeque<Exemplar>>,
    /// The series of each exemplar in the order in which they came.
    order: VecDeque<Labels>,
}

/// What becomes of an exemplar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stored,
    Duplicate,
    OutOfOrder,
    BadLabels,
}

impl Exemplars {
    /// `most`: how many are kept; 0 keeps none.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ring: Mutex::default(), stats: ExemplarStats::default() }
    }

    /// How many are in memory.
    pub(crate) fn len(&self) -> usize {
        lock(&self.ring).order.len()
    }

    /// Adds exemplars with the labels of their series; returns how many were stored. One that is there
    /// already is passed over, as clients send the last one again and again.
    pub(crate) fn add(&self, new: impl Iterator<Item = (Labels, Exemplar)>) -> u64 {
        let count = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let mut ring = lock(&self.ring);
        let mut stored = 0;
        for (labels, exemplar) in new {
            match ring.fate(&labels, &exemplar) {
                Fate::Duplicate => {}
                Fate::OutOfOrder => count(&self.stats.out_of_order),
                Fate::BadLabels => count(&self.stats.bad_labels),
                Fate::Stored => {
                    ring.put(labels, exemplar);
                    stored += 1;
                    count(&self.stats.stored);
                    if ring.order.len() > self.most {
                        ring.drop_oldest();
                        count(&self.stats.overwritten);
                    }
                }
            }
        }
        stored
    }

    /// Counts exemplars whose labels made no sense in the message.
    pub(crate) fn note_bad(&self, number: u64) {
        self.stats.bad_labels.fetch_add(number, Ordering::Relaxed);
    }

    /// The exemplars from `start` to `end`, both inclusive, of series that match all of one of the lists
    /// of matchers: by the labels of their series, oldest first. Series without any are left out.
    pub(crate) fn select(
        &self,
        selectors: &[Vec<Matcher>],
        start: Timestamp,
        end: Timestamp,
    ) -> Vec<(Labels, Vec<Exemplar>)> {
        let is_asked_for = |labels: &Labels| {
            selectors
                .iter()
                .any(|matchers| matchers.iter().all(|matcher| matcher.matches_labels(labels)))
        };
        let ring = lock(&self.ring);
        let mut found: Vec<(Labels, Vec<Exemplar>)> = ring
            .series
            .iter()
            .filter(|(labels, _)| is_asked_for(labels))
            .filter_map(|(labels, all)| {
                let is_in_time = |exemplar: &&Exemplar| (start..=end).contains(&exemplar.timestamp);
                let all: Vec<Exemplar> = all.iter().filter(is_in_time).cloned().collect();
                (!all.is_empty()).then(|| (labels.clone(), all))
            })
            .collect();
        drop(ring);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }
}

impl Ring {
    fn fate(&self, labels: &Labels, exemplar: &Exemplar) -> Fate {
        let chars = |text: &str| text.chars().count();
        let length: usize =
            exemplar.labels.iter().map(|(name, value)| chars(name) + chars(value)).sum();
        if length > MAX_LABEL_CHARS {
            return Fate::BadLabels;
        }
        let Some(newest) = self.series.get(labels).and_then(VecDeque::back) else {
            return Fate::Stored;
        };
        // Those of one time come in the order of their values: a native histogram has several.
        let order = (exemplar.timestamp.cmp(&newest.timestamp))
            .then_with(|| exemplar.value.total_cmp(&newest.value))
            .then_with(|| exemplar.labels.cmp(&newest.labels));
        match order {
            std::cmp::Ordering::Greater => Fate::Stored,
            std::cmp::Ordering::Equal => Fate::Duplicate,
            std::cmp::Ordering::Less => Fate::OutOfOrder,
        }
    }

    fn put(&mut self, labels: Labels, exemplar: Exemplar) {
        self.order.push_back(labels.clone());
        self.series.entry(labels).or_default().push_back(exemplar);
    }

    fn drop_oldest(&mut self) {
        let Some(labels) = self.order.pop_front() else { return };
        // Those of a series are in the order in which they came, so the first one is meant.
        if let Some(all) = self.series.get_mut(&labels) {
            all.pop_front();
            if all.is_empty() {
                self.series.remove(&labels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(job: &str) -> Labels {
        Labels::from_pairs([("__name__", "x"), ("job", job)])
    }

    fn exemplar(timestamp: Timestamp, value: f64, trace: &str) -> Exemplar {
        Exemplar { labels: Labels::from_pairs([("trace_id", trace)]), value, timestamp }
    }

    /// What is kept of a job.
    fn times(exemplars: &Exemplars, job: &str) -> Vec<Timestamp> {
        let matchers = vec![Matcher::equal("job", job)];
        let found = exemplars.select(&[matchers], Timestamp::MIN, Timestamp::MAX);
        found.into_iter().flat_map(|(_, all)| all).map(|exemplar| exemplar.timestamp).collect()
    }

    fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    #[test]
    fn the_oldest_of_all_series_gives_way() {
        let exemplars = Exemplars::new(3);
        for (job, timestamp) in [("a", 10), ("b", 5), ("a", 20), ("a", 30)] {
            assert_eq!(
                exemplars.add([(series(job), exemplar(timestamp, 1.0, "t"))].into_iter()),
                1
            );
        }
        assert_eq!((times(&exemplars, "a"), times(&exemplars, "b")), (vec![20, 30], vec![5]));
        exemplars.add([(series("a"), exemplar(40, 1.0, "t"))].into_iter());
        assert_eq!((times(&exemplars, "a"), times(&exemplars, "b")), (vec![20, 30, 40], vec![]));
        assert_eq!((exemplars.len(), count(&exemplars.stats.overwritten)), (3, 2));
    }

    #[test]
    fn only_what_is_newer_is_stored() {
        for (name, new, fate) in [
            ("the same again", exemplar(10, 2.0, "m"), Fate::Duplicate),
            ("an older one", exemplar(9, 3.0, "z"), Fate::OutOfOrder),
            ("a smaller value at the same time", exemplar(10, 1.0, "z"), Fate::OutOfOrder),
            ("a larger value at the same time", exemplar(10, 2.5, "a"), Fate::Stored),
            ("later labels at the same time", exemplar(10, 2.0, "n"), Fate::Stored),
            ("labels of 128 characters", exemplar(11, 0.0, &"ä".repeat(120)), Fate::Stored),
            ("labels of 129 characters", exemplar(11, 0.0, &"ä".repeat(121)), Fate::BadLabels),
        ] {
            let exemplars = Exemplars::new(10);
            exemplars.add([(series("a"), exemplar(10, 2.0, "m"))].into_iter());
            let stored = exemplars.add([(series("a"), new)].into_iter());
            assert_eq!(stored, u64::from(fate == Fate::Stored), "{name}");
            let stats = &exemplars.stats;
            assert_eq!(count(&stats.out_of_order), u64::from(fate == Fate::OutOfOrder), "{name}");
            assert_eq!(count(&stats.bad_labels), u64::from(fate == Fate::BadLabels), "{name}");
        }
    }

    #[test]
    fn what_is_asked_for_is_found_in_order() {
        let exemplars = Exemplars::new(10);
        let all = [("b", 1), ("a", 2), ("a", 3), ("c", 9)];
        exemplars.add(all.into_iter().map(|(job, at)| (series(job), exemplar(at, 1.0, "t"))));
        let jobs = ["a", "b", "c"].map(|job| vec![Matcher::equal("job", job)]);
        let found = exemplars.select(&jobs, 1, 2);
        let shown: Vec<_> =
            found.iter().map(|(labels, all)| (labels.get("job").unwrap(), all.len())).collect();
        assert_eq!(shown, [("a", 1), ("b", 1)]);
    }

    proptest! {
        #[test]
        fn property_no_more_are_kept_than_allowed(
            most in 0_usize..6,
            new in proptest::collection::vec((0_usize..3, 0_i64..20), 0..60),
        ) {
            let exemplars = Exemplars::new(most);
            for (job, at) in new {
                let job = ["a", "b", "c"][job];
                exemplars.add([(series(job), exemplar(at, 1.0, "t"))].into_iter());
                prop_assert!(exemplars.len() <= most);
                let ring = lock(&exemplars.ring);
                let all: usize = ring.series.values().map(VecDeque::len).sum();
                prop_assert_eq!(ring.order.len(), all);
                prop_assert!(ring.series.values().all(|all| !all.is_empty()));
            }
            let (stored, gone) = (count(&exemplars.stats.stored), count(&exemplars.stats.overwritten));
            prop_assert_eq!(stored - gone, exemplars.len() as u64);
        }
    }
}
