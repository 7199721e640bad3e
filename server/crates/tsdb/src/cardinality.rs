//! How many series there are of what, in the head.
//!
//! The index is looked at piece by piece, so that flushes and new series wait for none of it longer
//! than a moment. What changes meanwhile may be counted or not.

use model::{Timestamp, labels::METRIC_NAME};

use crate::{head::index::HeadIndex, store::Tsdb};

/// So many values are looked at while writers wait.
const VALUES_PER_HOLD: usize = 8_192;

/// What the series of the head are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Series.
    pub series: u64,
    /// Different pairs of label and value.
    pub pairs: u64,
    /// The time of the oldest flush in the head; `None` when there is none.
    pub oldest: Option<Timestamp>,
    /// Series by metric, the most first.
    pub metrics: Vec<(String, u64)>,
    /// All labels, those with the most values first.
    pub labels: Vec<LabelCardinality>,
    /// Series by label and value, the most first.
    pub series_by_pair: Vec<((String, String), u64)>,
}

/// What the series of the head have of one label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelCardinality {
    /// The label.
    pub name: String,
    /// Different values.
    pub values: u64,
    /// Series that have it.
    pub series: u64,
    /// The bytes that name and value take in all these series.
    pub bytes: u64,
}

impl Tsdb {
    /// Counts the series of the head. Of metrics and pairs at most `limit` are told.
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        let mut metrics = Top::new(limit);
        let mut pairs = Top::new(limit);
        let mut found = Cardinality {
            series: self.stats().head_series,
            oldest: self.unsealed_since(),
            ..Cardinality::default()
        };
        let names: Vec<String> = self.with_head_index(|index| {
            let names = index.names().map(str::to_owned);
            names.collect()
        });
        for name in names {
            let is_metric = name == METRIC_NAME;
            let mut label = LabelCardinality { name, ..LabelCardinality::default() };
            let name = label.name.clone();
            self.each_value(&name, &mut |value, series| {
                label.values += 1;
                label.series += series;
                label.bytes += series * (name.len() + value.len()) as u64;
                if is_metric {
                    metrics.add(series, || value.to_owned());
                }
                pairs.add(series, || (name.clone(), value.to_owned()));
            });
            found.pairs += label.values;
            found.labels.push(label);
        }
        found.labels.sort_by(|a, b| b.values.cmp(&a.values).then_with(|| a.name.cmp(&b.name)));
        found.metrics = metrics.finish();
        found.series_by_pair = pairs.finish();
        found
    }

    /// Series of each metric in the head, at most `limit` metrics, the largest first.
    pub fn series_by_metric(&self, limit: usize) -> Vec<(String, u64)> {
        let mut metrics = Top::new(limit);
        self.each_value(METRIC_NAME, &mut |value, series| {
            metrics.add(series, || value.to_owned());
        });
        metrics.finish()
    }

    fn each_value(&self, name: &str, visit: &mut dyn FnMut(&str, u64)) {
        let mut from = 0;
        while self.with_head_index(|index| {
            index.each_value(name, from..from + VALUES_PER_HOLD, &mut *visit)
        }) {
            from += VALUES_PER_HOLD;
        }
    }

    fn with_head_index<T>(&self, read: impl FnOnce(&HeadIndex) -> T) -> T {
        read(self.state().head.index())
    }
}

/// The largest so many of what is added.
struct Top<T> {
    limit: usize,
    all: Vec<(u64, T)>,
    /// Nothing smaller can be among them.
    least: u64,
}

impl<T: Ord> Top<T> {
    fn new(limit: usize) -> Self {
        Self { limit, all: Vec::new(), least: 0 }
    }

    fn add(&mut self, count: u64, what: impl FnOnce() -> T) {
        if count < self.least {
            return;
        }
        self.all.push((count, what()));
        if self.all.len() >= self.limit.saturating_mul(2).saturating_add(1_000) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.all.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        if self.all.len() > self.limit {
            self.all.truncate(self.limit);
            self.least = self.all.last().map_or(u64::MAX, |(count, _)| *count);
        }
    }

    fn finish(mut self) -> Vec<(T, u64)> {
        self.cut();
        self.all.into_iter().map(|(count, what)| (what, count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_the_top_is_that_of_a_sorted_list(
            counts in proptest::collection::vec(0_u64..50, 0..3_000),
            limit in 0_usize..40,
        ) {
            let mut top = Top::new(limit);
            for (at, &count) in counts.iter().enumerate() {
                top.add(count, || at);
            }
            let mut expected: Vec<(usize, u64)> = counts.into_iter().enumerate().collect();
            expected.sort_by_key(|&(at, count)| (std::cmp::Reverse(count), at));
            expected.truncate(limit);
            prop_assert_eq!(top.finish(), expected);
        }
    }
}
