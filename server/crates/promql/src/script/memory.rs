//! A store in memory, for tests of this and other crates.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    Column, Labels, Matcher, Metadata, NativeHistogram, Sample, Storage, StorageError, Timestamp,
    Value,
    histogram::ResetHint,
    is_stale, stale_marker,
    storage::{Select, Selection, Starts},
};

/// Series in memory, ascending by labels.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    series: BTreeMap<Labels, Column>,
    /// Since when samples count, by series and time, for those that tell.
    starts: BTreeMap<Labels, BTreeMap<Timestamp, Timestamp>>,
}

impl MemoryStorage {
    /// A store without series.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sample. One with the same time is replaced, of whatever kind it was.
    ///
    /// As in a real store, a stale marker takes the kind of the series, and a histogram learns from the
    /// one before it whether the counter was reset in between.
    pub fn append(&mut self, labels: &Labels, timestamp: Timestamp, value: Value) {
        let column = self.series.entry(labels.clone()).or_default();
        remove(column, timestamp);
        let last = column.last();
        match value {
            Value::Float(value) => {
                if let Some(Sample { value: Value::Histogram(_), .. }) = last
                    && is_stale(value)
                {
                    let stale = NativeHistogram { sum: stale_marker(), ..Default::default() };
                    insert_histogram(column, timestamp, Arc::new(stale));
                    return;
                }
                let place = column.float_times.partition_point(|t| *t < timestamp);
                column.float_times.insert(place, timestamp);
                column.floats.insert(place, value);
            }
            Value::Histogram(histogram) => {
                let hint = match last {
                    Some(Sample { timestamp: before, value: Value::Histogram(previous) })
                        if before < timestamp =>
                    {
                        hint_after(&histogram, Some(&previous))
                    }
                    _ => hint_after(&histogram, None),
                };
                let histogram = if hint == histogram.reset_hint {
                    histogram
                } else {
                    Arc::new(NativeHistogram { reset_hint: hint, ..(*histogram).clone() })
                };
                insert_histogram(column, timestamp, histogram);
            }
        }
    }

    /// Tells since when the sample of a series with this time counts.
    pub fn set_start(&mut self, labels: &Labels, timestamp: Timestamp, start: Timestamp) {
        self.starts.entry(labels.clone()).or_default().insert(timestamp, start);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.series.clear();
        self.starts.clear();
    }

    fn matching<'a>(
        &'a self,
        matchers: &'a [Matcher],
    ) -> impl Iterator<Item = (&'a Labels, &'a Column)> + 'a {
        self.series
            .iter()
            .filter(|(labels, _)| matchers.iter().all(|matcher| matcher.matches_labels(labels)))
    }
}

fn remove(column: &mut Column, timestamp: Timestamp) {
    if let Ok(i) = column.float_times.binary_search(&timestamp) {
        column.float_times.remove(i);
        column.floats.remove(i);
    }
    if let Ok(i) = column.histogram_times.binary_search(&timestamp) {
        column.histogram_times.remove(i);
        column.histograms.remove(i);
    }
}

fn insert_histogram(column: &mut Column, timestamp: Timestamp, histogram: Arc<NativeHistogram>) {
    let place = column.histogram_times.partition_point(|t| *t < timestamp);
    column.histogram_times.insert(place, timestamp);
    column.histograms.insert(place, histogram);
}

/// What Prometheus's store would tell of a counter reset when it reads the histogram back.
fn hint_after(histogram: &NativeHistogram, previous: Option<&NativeHistogram>) -> ResetHint {
    let follows = previous
        .filter(|previous| previous.reset_hint != ResetHint::Gauge && !is_stale(previous.sum));
    match (histogram.reset_hint, follows) {
        (known @ (ResetHint::Gauge | ResetHint::Reset), _) => known,
        (_, None) => ResetHint::Unknown,
        (_, Some(previous)) => {
            let unknown = NativeHistogram { reset_hint: ResetHint::Unknown, ..histogram.clone() };
            if unknown.is_reset_since(previous) { ResetHint::Reset } else { ResetHint::NotReset }
        }
    }
}

/// The series that matched, and the range.
struct MemorySelection<'a> {
    labels: Vec<Labels>,
    columns: Vec<&'a Column>,
    starts: &'a BTreeMap<Labels, BTreeMap<Timestamp, Timestamp>>,
    start: Timestamp,
    end: Timestamp,
}

impl Selection for MemorySelection<'_> {
    fn labels(&self) -> &[Labels] {
        &self.labels
    }

    fn read(&self, index: usize, out: &mut Column) -> Result<(), StorageError> {
        out.clear();
        let column = self.columns[index];
        let part = |times: &[Timestamp]| {
            let from = times.partition_point(|t| *t < self.start);
            from..times.partition_point(|t| *t <= self.end).max(from)
        };
        let floats = part(&column.float_times);
        out.float_times.extend_from_slice(&column.float_times[floats.clone()]);
        out.floats.extend_from_slice(&column.floats[floats]);
        let histograms = part(&column.histogram_times);
        out.histogram_times.extend_from_slice(&column.histogram_times[histograms.clone()]);
        out.histograms.extend_from_slice(&column.histograms[histograms]);
        Ok(())
    }

    fn read_starts(&self, index: usize, out: &mut Starts) -> Result<(), StorageError> {
        out.clear();
        let Some(starts) = self.starts.get(&self.labels[index]) else { return Ok(()) };
        let mut column = Column::default();
        self.read(index, &mut column)?;
        let start = |time: &Timestamp| starts.get(time).copied().unwrap_or_default();
        out.floats.extend(column.float_times.iter().map(start));
        out.histograms.extend(column.histogram_times.iter().map(start));
        Ok(())
    }
}

impl Storage for MemoryStorage {
    fn select(&self, request: &Select<'_>) -> Result<Box<dyn Selection + '_>, StorageError> {
        let (labels, columns): (Vec<Labels>, Vec<&Column>) = self
            .series
            .iter()
            .filter(|(labels, _)| request.matchers.iter().all(|m| m.matches_labels(labels)))
            .map(|(labels, column)| (labels.clone(), column))
            .unzip();
        if labels.len() > request.max_series {
            return Err(StorageError::TooManySeries { limit: request.max_series });
        }
        let (start, end, starts) = (request.start, request.end, &self.starts);
        Ok(Box::new(MemorySelection { labels, columns, starts, start, end }))
    }

    fn series(&self, request: &Select<'_>) -> Result<Vec<Labels>, StorageError> {
        Ok(self.matching(request.matchers).map(|(labels, _)| labels.clone()).collect())
    }

    fn label_names(&self, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        let mut names: Vec<String> = self
            .matching(request.matchers)
            .flat_map(|(labels, _)| labels.iter().map(|(name, _)| name.to_owned()))
            .collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn label_values(&self, name: &str, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        let mut values: Vec<String> = self
            .matching(request.matchers)
            .filter_map(|(labels, _)| labels.get(name).map(str::to_owned))
            .collect();
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    fn metadata(&self) -> Vec<Metadata> {
        Vec::new()
    }
}
