//! One flush: windows in, one committed batch out.

use std::collections::HashSet;

use ingest::FlushSink;
use model::{Labels, Metadata, Timestamp, Value};
use rules::{AppendError, Row, Sink};
use tsdb::{Batch, Committed, SeriesRef, Tsdb};

use super::{Pipeline, SeriesTable, latest};
use crate::http::error::chain;

/// How far back the value of a counter is looked for when its series is new to this process.
const SEED_MS: i64 = 86_400_000;
/// Marks samples that do not come from the registry.
const NO_HANDLE: u32 = u32::MAX;

/// Gathers what the registry emits.
struct Gathering<'a> {
    store: &'a Tsdb,
    series: &'a mut SeriesTable,
    samples: Vec<(SeriesRef, Value)>,
    dated: Vec<(SeriesRef, Timestamp, Value)>,
    metadata: Vec<Metadata>,
    /// Handle and labels of each sample, in the order of `samples` and then of `dated`; used when the
    /// store no longer knows a reference.
    origins: Vec<(u32, Labels)>,
    dated_origins: Vec<(u32, Labels)>,
}

impl FlushSink for Gathering<'_> {
    fn sample(&mut self, handle: u32, labels: &Labels, value: Value) {
        let series = self.series.resolve(handle, labels, self.store);
        if value.is_stale() {
            self.series.forget(handle);
        }
        self.samples.push((series, value));
        self.origins.push((handle, labels.clone()));
    }

    fn timed(&mut self, handle: u32, labels: &Labels, timestamp: Timestamp, value: Value) {
        let series = self.series.resolve(handle, labels, self.store);
        self.dated.push((series, timestamp, value));
        self.dated_origins.push((handle, labels.clone()));
    }

    fn metadata(&mut self, metadata: Metadata) {
        self.metadata.push(metadata);
    }
}

impl Gathering<'_> {
    fn commit(&self, at: Timestamp) -> Committed {
        self.store.commit(&Batch {
            timestamp: at,
            samples: &self.samples,
            dated: &self.dated,
            metadata: &self.metadata,
        })
    }

    /// Keeps only the samples whose series the store forgot, under fresh references.
    fn retry(&mut self, unknown: &HashSet<SeriesRef>) {
        let Self { store, series, samples, dated, origins, dated_origins, metadata } = self;
        metadata.clear();
        let mut fresh = |handle: u32, labels: &Labels| {
            if handle == NO_HANDLE {
                return store.resolve(labels);
            }
            series.forget(handle);
            series.resolve(handle, labels, store)
        };
        let mut kept = origins.iter();
        samples.retain_mut(|(series, _)| {
            let (handle, labels) = kept.next().expect("every sample has an origin");
            let is_unknown = unknown.contains(series);
            if is_unknown {
                *series = fresh(*handle, labels);
            }
            is_unknown
        });
        let mut kept = dated_origins.iter();
        dated.retain_mut(|(series, _, _)| {
            let (handle, labels) = kept.next().expect("every sample has an origin");
            let is_unknown = unknown.contains(series);
            if is_unknown {
                *series = fresh(*handle, labels);
            }
            is_unknown
        });
    }
}

impl Pipeline {
    /// Closes all windows and commits what they hold at `at`; returns how many samples.
    pub(super) fn store_windows(&mut self, at: Timestamp) -> usize {
        for mut shard in self.listeners.iter().flat_map(|listener| listener.shards()) {
            let window = shard.take_window();
            drop(shard);
            self.sources.record(&window.tallies, at);
            self.registry.merge(window);
        }
        let store = &*self.store;
        let mut gathering = Gathering {
            store,
            series: &mut self.series,
            samples: Vec::new(),
            dated: Vec::new(),
            metadata: Vec::new(),
            origins: Vec::new(),
            dated_origins: Vec::new(),
        };
        let mut seed = |labels: &Labels| {
            latest(store, labels, at - SEED_MS, at).unwrap_or_else(|error| {
                // The counter then starts over, which `rate` takes as a reset.
                tracing::error!(%labels, error = %chain(&error), "cannot read a counter's last value");
                None
            })
        };
        let report = self.registry.flush(at, &mut seed, &mut gathering);
        let (outside, metadata) = self.outside.take();
        gathering.metadata.extend(metadata);
        for (labels, value) in outside {
            gathering.samples.push((store.resolve(&labels), Value::Float(value)));
            gathering.origins.push((NO_HANDLE, labels));
        }
        let committed = gathering.commit(at);
        if !committed.unknown.is_empty() {
            // A seal made room between two flushes; the series go on under new references.
            gathering.retry(&committed.unknown.into_iter().collect());
            let again = gathering.commit(at);
            if !again.unknown.is_empty() {
                tracing::error!(series = again.unknown.len(), "the store refused series twice");
            }
        }
        self.stats.note(report, &self.registry, &self.sources);
        committed.appended as usize
    }
}

/// Where rules put their samples: the store, at the time of the flush.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreSink<'a> {
    pub(crate) store: &'a Tsdb,
}

impl Sink for StoreSink<'_> {
    fn append(&self, timestamp: Timestamp, rows: &[Row]) -> Result<(), AppendError> {
        let samples: Vec<(SeriesRef, Value)> = rows
            .iter()
            .map(|(labels, value)| (self.store.resolve(labels), value.clone()))
            .collect();
        let batch = Batch { timestamp, samples: &samples, ..Batch::default() };
        let committed = self.store.commit(&batch);
        if committed.unknown.is_empty() {
            return Ok(());
        }
        Err(AppendError(format!("the store did not take {} series", committed.unknown.len())))
    }
}
