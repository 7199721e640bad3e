//! How the number of series grew: what there was of each metric during the last day.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use model::Timestamp;
use tsdb::Tsdb;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How often it is looked.
const INTERVAL: i64 = 15 * MINUTE;

/// The most metrics remembered of each look: the largest.
const MAX_METRICS: usize = 2_000;

/// What there was at a time.
#[derive(Debug)]
struct Look {
    at: Timestamp,
    series: u64,
    metrics: HashMap<String, u64>,
    /// Whether there were more metrics than are remembered.
    is_cut: bool,
}

/// Looks at the store now and then, and remembers a day of it: each quarter of the last hour, each hour
/// before. It begins anew when the server starts.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Look>>);

/// What there was an hour and a day ago, as far as that is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) hour: Option<u64>,
    pub(crate) day: Option<u64>,
}

impl Before {
    /// How much more `now` is.
    pub(crate) fn growth(&self, now: u64) -> (Option<i64>, Option<i64>) {
        let growth = |before: u64| now.cast_signed() - before.cast_signed();
        (self.hour.map(growth), self.day.map(growth))
    }
}

impl History {
    /// Looks when it is time; to be called every minute or so.
    pub(crate) fn observe(&self, store: &Tsdb, now: Timestamp) {
        if self.lock().back().is_some_and(|look| (now - look.at).abs() < INTERVAL) {
            return;
        }
        let metrics = store.series_by_metric(MAX_METRICS);
        self.add(now, store.stats().head_series, metrics);
    }

    fn add(&self, at: Timestamp, series: u64, metrics: Vec<(String, u64)>) {
        let is_cut = metrics.len() >= MAX_METRICS;
        let look = Look { at, series, metrics: metrics.into_iter().collect(), is_cut };
        let mut looks = self.lock();
        looks.push_back(look);
        let mut hour = None;
        looks.retain(|look| {
            let age = at - look.at;
            let is_recent = age <= HOUR + INTERVAL;
            let is_first = hour.replace(look.at.div_euclid(HOUR)) != Some(look.at.div_euclid(HOUR));
            age >= 0 && age <= DAY + HOUR && (is_recent || is_first)
        });
    }

    /// How many series there were.
    pub(crate) fn series(&self, now: Timestamp) -> Before {
        self.before(now, |look| Some(look.series))
    }

    /// How many series a metric had.
    pub(crate) fn metric(&self, now: Timestamp, name: &str) -> Before {
        self.before(now, |look| match look.metrics.get(name) {
            // It may have been among those that were too small to be remembered.
            None if look.is_cut => None,
            found => Some(found.copied().unwrap_or_default()),
        })
    }

    fn before(&self, now: Timestamp, of: impl Fn(&Look) -> Option<u64>) -> Before {
        let looks = self.lock();
        let ago = |age: i64| looks.iter().rev().find(|look| now - look.at >= age).and_then(&of);
        Before { hour: ago(HOUR), day: ago(DAY) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_from_an_hour_and_a_day_ago_and_little_is_kept() {
        let history = History::default();
        for quarter in 0..200_u64 {
            let metrics = vec![("a".to_owned(), quarter), ("b".to_owned(), 5)];
            history.add(quarter.cast_signed() * INTERVAL, 5 + quarter, metrics);
        }
        let now = 199 * INTERVAL;
        let before = history.series(now);
        assert_eq!(before.growth(204).0, Some(4));
        assert!((96..=100).contains(&before.growth(204).1.unwrap()), "{before:?}");
        assert_eq!(history.metric(now, "a").hour, Some(195));
        assert_eq!(history.metric(now, "b").growth(5), (Some(0), Some(0)));
        assert_eq!(history.metric(now, "new").growth(7), (Some(7), Some(7)));
        assert!(history.lock().len() <= 32, "{}", history.lock().len());
    }

    #[test]
    fn nothing_is_said_of_a_time_before_the_start() {
        let history = History::default();
        history.add(1_000, 5, Vec::new());
        assert_eq!(history.series(1_000 + HOUR / 2), Before::default());
        assert_eq!(history.series(1_000 + HOUR), Before { hour: Some(5), day: None });
    }
}
