//! One flush: windows in, one committed batch out.

use std::collections::HashSet;

use ingest::FlushSink;
use model::{Labels, Metadata, Timestamp, Value};
use rules::{AppendError, Sink};
use tsdb::{Batch, Committed, SeriesRef, Tsdb};

use super::{Pipeline, SeriesTable, latest};
use crate::remote::outgoing::{Outgoing, Row};

/// How far back the value of a counter is looked for when its series is new to this process.
const SEED_MS: i64 = 86_400_000;

/// For how many samples from outside there is room before a list has to move.
const OUTSIDE: usize = 4_096;

/// Gathers what the registry emits.
struct Gathering<'a> {
    store: &'a Tsdb,
    series: &'a mut SeriesTable,
    samples: Vec<(SeriesRef, Value)>,
    dated: Vec<(SeriesRef, Timestamp, Value)>,
    metadata: Vec<Metadata>,
    /// The handle of each sample, for when the store no longer knows a reference. Samples from outside
    /// come after those of the registry and have no handle.
    handles: Vec<u32>,
    dated_handles: Vec<u32>,
    /// The labels of the samples from outside.
    outside: Vec<Labels>,
    /// Handles whose series ended; they keep their meaning until this flush is committed.
    ended: Vec<u32>,
}

impl FlushSink for Gathering<'_> {
    fn sample(&mut self, handle: u32, labels: &Labels, value: Value) {
        let series = self.series.resolve(handle, labels, self.store);
        self.samples.push((series, value));
        self.handles.push(handle);
    }

    fn ended(&mut self, handle: u32) {
        self.ended.push(handle);
    }

    fn timed(&mut self, handle: u32, labels: &Labels, timestamp: Timestamp, value: Value) {
        let series = self.series.resolve(handle, labels, self.store);
        self.dated.push((series, timestamp, value));
        self.dated_handles.push(handle);
    }

    fn metadata(&mut self, metadata: Metadata) {
        self.metadata.push(metadata);
    }
}

impl<'a> Gathering<'a> {
    /// Room for one sample of each of `expected` series, those from outside, and where those that are
    /// new begin. A list of a million that has to move takes its memory twice and touches all of it.
    fn new(store: &'a Tsdb, series: &'a mut SeriesTable, expected: usize) -> Self {
        let new = series.make_room(expected);
        Self {
            store,
            series,
            samples: Vec::with_capacity(expected + OUTSIDE),
            dated: Vec::with_capacity(new),
            metadata: Vec::new(),
            handles: Vec::with_capacity(expected),
            dated_handles: Vec::with_capacity(new),
            outside: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn add_outside(&mut self, labels: Labels, value: f64) {
        self.samples.push((self.store.resolve(&labels), Value::Float(value)));
        self.outside.push(labels);
    }

    fn commit(&self, at: Timestamp) -> Committed {
        self.store.commit(&Batch {
            timestamp: at,
            samples: &self.samples,
            dated: &self.dated,
            metadata: &self.metadata,
        })
    }

    /// All samples with the labels of their series, to be sent on.
    fn rows(&self, at: Timestamp) -> Vec<Row> {
        let outside = self.outside.iter().map(Some);
        let labels = self.handles.iter().map(|handle| self.series.labels(*handle)).chain(outside);
        let samples = labels
            .zip(&self.samples)
            .filter_map(|(labels, (_, value))| Some((labels?.clone(), at, value.clone())));
        let dated = self.dated_handles.iter().zip(&self.dated).filter_map(|(handle, dated)| {
            let (_, timestamp, value) = dated;
            Some((self.series.labels(*handle)?.clone(), *timestamp, value.clone()))
        });
        samples.chain(dated).collect()
    }

    /// Keeps only the samples whose series the store forgot, under fresh references.
    fn retry(&mut self, unknown: &HashSet<SeriesRef>) {
        let Self {
            store, series, samples, dated, handles, dated_handles, outside, metadata, ..
        } = self;
        metadata.clear();
        let labels_of = |sample: usize| outside.get(sample.checked_sub(handles.len())?);
        let mut renew = |sample: &mut SeriesRef, handle: Option<&u32>, outside: Option<&Labels>| {
            if !unknown.contains(sample) {
                return false;
            }
            let fresh = match handle {
                Some(handle) => series.renew(*handle, store),
                None => outside.map(|labels| store.resolve(labels)),
            };
            *sample = fresh.unwrap_or(*sample);
            true
        };
        let mut numbers = 0..;
        samples.retain_mut(|(series, _)| {
            let number = numbers.next().unwrap_or(usize::MAX);
            renew(series, handles.get(number), labels_of(number))
        });
        let mut numbers = 0..;
        dated.retain_mut(|(series, _, _)| {
            let number = numbers.next().unwrap_or(usize::MAX);
            renew(series, dated_handles.get(number), None)
        });
    }

    /// The handles of series that ended may now mean others.
    fn finish(self) {
        for handle in self.ended {
            self.series.forget(handle);
        }
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
        let room = self.registry.room();
        for mut shard in self.listeners.iter().flat_map(|listener| listener.shards()) {
            shard.set_room(room);
        }
        let (store, node) = (&*self.store, &self.node);
        let mut gathering = Gathering::new(store, &mut self.series, self.registry.len());
        let mut seed = |labels: &Labels| {
            latest(store, &node.add(labels), at - SEED_MS, at).unwrap_or_else(|error| {
                // The counter then starts over, which `rate` takes as a reset.
                tracing::error!(%labels, error = %model::text::causes(&error), "cannot read a counter's last value");
                None
            })
        };
        let report = self.registry.flush(at, &mut seed, &mut gathering);
        self.sources.refuse(&report.refused);
        let (outside, metadata) = self.outside.take();
        gathering.metadata.extend(metadata);
        for (labels, value) in outside {
            gathering.add_outside(labels, value);
        }
        let rows = if self.outgoing.is_enabled() { gathering.rows(at) } else { Vec::new() };
        let committed = gathering.commit(at);
        self.outgoing.offer(rows);
        if !committed.unknown.is_empty() {
            // A seal made room between two flushes; the series go on under new references.
            gathering.retry(&committed.unknown.into_iter().collect());
            let again = gathering.commit(at);
            if !again.unknown.is_empty() {
                tracing::error!(series = again.unknown.len(), "the store refused series twice");
            }
        }
        gathering.finish();
        self.stats.note(report, &self.registry, &self.sources);
        committed.appended as usize
    }
}

/// Where rules put their samples: the store, at the time of the flush.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreSink<'a> {
    pub(crate) store: &'a Tsdb,
    pub(crate) outgoing: &'a Outgoing,
}

impl Sink for StoreSink<'_> {
    fn append(&self, timestamp: Timestamp, rows: &[rules::Row]) -> Result<(), AppendError> {
        let samples: Vec<(SeriesRef, Value)> = rows
            .iter()
            .map(|(labels, value)| (self.store.resolve(labels), value.clone()))
            .collect();
        let batch = Batch { timestamp, samples: &samples, ..Batch::default() };
        let committed = self.store.commit(&batch);
        if committed.unknown.is_empty() {
            if self.outgoing.is_enabled() {
                let sent_on = rows.iter().map(|(labels, v)| (labels.clone(), timestamp, v.clone()));
                self.outgoing.offer(sent_on.collect());
            }
            return Ok(());
        }
        Err(AppendError(format!("the store did not take {} series", committed.unknown.len())))
    }
}
