//! The flush thread's side: windows of all shards in, every live series out at one time per tick.
//!
//! ```text
//!        last flush              now
//! ───────────┼────────────────────┼──────▶ time
//!            (   merged windows   ]        one sample per live series, at `now`
//! ```
//! - Counters and timers are cumulative and never reset: a series that is new here continues the last
//!   value the store has of it. Counts below zero are taken off increments to come, because a store
//!   reads a falling counter as a restart.
//! - The base that a cumulative series starts from, zero or the stored value, is emitted one interval
//!   before its first sample, so that a rate sees the first increment.
//! - A gauge is the last write over all shards, by arrival stamp. Changes count from the stored value
//!   when nothing was set yet.
//! - A set is the number of distinct members in the window, 0 when it was idle.
//! - A series without a line for its time to live gets a staleness marker and is forgotten.
//! - A metric's name has one kind while any series of that name lives: lines of another kind are
//!   refused and counted, as `statsd_exporter` does. Mapping rules can give them another name.
//! - Samples with their own time: a gauge is stored at that time, and becomes the live value when the
//!   time lies in the open window. A count is added to the cumulative value; it is stored at its own
//!   time when that lies in the open window, and else becomes visible at the tick.

use std::collections::HashMap;

use hashbrown::HashTable;
use model::{Labels, Metadata, Sample, Timestamp, Value};

use crate::{
    reason::{Reason, ReasonCounts},
    series::{Announcement, Series, SeriesKind, SourceId},
    tally::Offenders,
    window::{Cell, Timed, Window},
};

mod flush;
mod names;
mod state;

use names::Names;
use state::State;

/// Where a flush goes.
pub trait FlushSink {
    /// A sample of the tick. A handle belongs to the same labels until [`Self::ended`]. Handles are
    /// small.
    fn sample(&mut self, handle: u32, labels: &Labels, value: Value);

    /// The series ended, after its staleness marker if it had a value to mark. From the next tick on
    /// the handle may be given to another series.
    fn ended(&mut self, handle: u32);

    /// A sample with a time of its own, before the tick; ascending per series.
    fn timed(&mut self, handle: u32, labels: &Labels, timestamp: Timestamp, value: Value);

    /// What is known of a metric, when its name appears.
    fn metadata(&mut self, metadata: Metadata);
}

/// How long series live without a line, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeToLive {
    /// Counters and meters; 1 h.
    pub counter_ms: i64,
    /// Gauges; 1 h.
    pub gauge_ms: i64,
    /// Timers, histograms and distributions; 10 min.
    pub timer_ms: i64,
    /// Sets; 10 min.
    pub set_ms: i64,
}

impl Default for TimeToLive {
    fn default() -> Self {
        let minute_ms = 60_000;
        Self {
            counter_ms: 60 * minute_ms,
            gauge_ms: 60 * minute_ms,
            timer_ms: 10 * minute_ms,
            set_ms: 10 * minute_ms,
        }
    }
}

impl TimeToLive {
    fn of(&self, entry: &Entry) -> i64 {
        entry.ttl_ms.unwrap_or(match entry.series.kind {
            SeriesKind::Counter => self.counter_ms,
            SeriesKind::Gauge => self.gauge_ms,
            SeriesKind::Timer => self.timer_ms,
            SeriesKind::Set => self.set_ms,
        })
    }
}

/// Contexts that may be learned though no series may be made, however low the limit is.
const SPELLINGS: usize = 1_024;

/// How many series may live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub max_series: usize,
    /// By the source that sent them first.
    pub max_series_per_source: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_series: 1_000_000, max_series_per_source: 500_000 }
    }
}

/// The settings of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryOptions {
    /// The time between ticks, in milliseconds.
    pub flush_interval_ms: i64,
    /// How long series live without a line.
    pub ttl: TimeToLive,
    /// How many series may live.
    pub limits: Limits,
    /// How far back a sample's own time may lie, in milliseconds; 1 h.
    pub backfill_ms: i64,
    /// How far ahead it may lie, in milliseconds; it is then taken as the tick's. 10 min.
    pub ahead_ms: i64,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            flush_interval_ms: 10_000,
            ttl: TimeToLive::default(),
            limits: Limits::default(),
            backfill_ms: 3_600_000,
            ahead_ms: 600_000,
        }
    }
}

/// What a flush did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Live series by kind, in the order of [`SeriesKind::ALL`].
    pub live: [usize; 4],
    /// Series that appeared.
    pub created: usize,
    /// Series that ended with a staleness marker.
    pub expired: usize,
    /// Samples emitted with a time of their own.
    pub timed: usize,
    /// Lines accepted by a shard and refused here since the last flush, by who made the series.
    pub refused: Vec<(SourceId, ReasonCounts)>,
}

impl FlushReport {
    /// All live series.
    pub fn live_total(&self) -> usize {
        self.live.iter().sum()
    }
}

/// The live state of every series.
#[derive(Debug)]
pub struct Registry {
    options: RegistryOptions,
    /// By handle; the free ones are empty.
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    handles: HashTable<u32>,
    names: Names,
    by_source: HashMap<SourceId, usize, foldhash::fast::RandomState>,
    offenders: Offenders,
    last_flush: Option<Timestamp>,
    pending: Pending,
}

/// What was merged since the last flush and waits for it.
#[derive(Debug, Default)]
struct Pending {
    /// Series that appeared.
    fresh: Vec<u32>,
    /// Changes to gauges; which of them count is known only when all shards are merged.
    gauge_changes: Vec<GaugeChange>,
    timed: Vec<TimedSample>,
    metadata: Vec<Metadata>,
    refused: HashMap<SourceId, ReasonCounts, foldhash::fast::RandomState>,
}

impl Pending {
    fn refuse(&mut self, source: SourceId, reason: Reason, lines: u64) {
        self.refused.entry(source).or_default().add(reason, lines);
    }
}

#[derive(Debug)]
struct GaugeChange {
    handle: u32,
    by: f64,
    stamp: u64,
}

#[derive(Debug)]
struct TimedSample {
    handle: u32,
    timestamp: Timestamp,
    value: f64,
}

#[derive(Debug)]
struct Entry {
    series: std::sync::Arc<Series>,
    /// What the mapping says now: rules may be loaded anew while the series lives.
    ttl_ms: Option<i64>,
    state: State,
    /// Whether a line came since the last flush.
    is_touched: bool,
    /// The last flush with a line.
    last_touched: Timestamp,
}

impl Registry {
    /// A registry without series.
    pub fn new(options: RegistryOptions) -> Self {
        Self {
            options,
            entries: Vec::new(),
            free: Vec::new(),
            handles: HashTable::new(),
            names: Names::default(),
            by_source: HashMap::default(),
            offenders: Offenders::default(),
            last_flush: None,
            pending: Pending::default(),
        }
    }

    /// Changes limits and times from now on. Live series stay.
    pub fn set_options(&mut self, options: RegistryOptions) {
        self.options = options;
    }

    /// Moves what is remembered of times by as much as the clock was set, so that a clock that was set
    /// forward ends no series, and one that was set back keeps none alive.
    pub fn shift_clock(&mut self, step_ms: i64) {
        for entry in self.entries.iter_mut().flatten() {
            entry.last_touched = entry.last_touched.saturating_add(step_ms);
        }
        self.last_flush = self.last_flush.map(|at| at.saturating_add(step_ms));
    }

    /// How many series live.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Whether no series lives.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// The names refused most often since the start, here and in the shards.
    pub fn offenders(&self) -> &Offenders {
        &self.offenders
    }

    /// How many contexts a shard may learn until the next flush ([`Shard::set_room`]): as many as
    /// series may still be made, and some for other spellings of series that live.
    ///
    /// [`Shard::set_room`]: crate::Shard::set_room
    pub fn room(&self) -> usize {
        let max = self.options.limits.max_series;
        max.saturating_sub(self.len()) + max / 64 + SPELLINGS
    }

    /// How many live series a source has made.
    pub fn series_of_source(&self, source: SourceId) -> usize {
        self.by_source.get(&source).copied().unwrap_or(0)
    }

    /// Adds what a shard collected. New series beyond the limits are refused; known ones go on.
    pub fn merge(&mut self, window: Window) {
        self.offenders.merge(&window.offenders);
        self.make_room(window.announced.len());
        for cell in window.cells {
            self.merge_cell(cell);
        }
        for timed in window.timed {
            self.merge_timed(&timed);
        }
        for announcement in window.announced {
            self.describe(announcement);
        }
    }

    /// Makes room for new series at once: a table that grows looks at all series again each time.
    fn make_room(&mut self, new: usize) {
        let new = new.min(self.options.limits.max_series.saturating_sub(self.len()));
        self.entries.reserve(new.saturating_sub(self.free.len()));
        let entries = &self.entries;
        self.handles.reserve(new, |handle| hash_at(entries, *handle));
    }

    fn merge_cell(&mut self, cell: Cell) {
        let lines = u64::from(cell.lines);
        let Some(handle) = self.admit(&cell.series, lines) else {
            return;
        };
        let entry = self.entries[handle as usize].as_mut().expect("an admitted handle is in use");
        entry.is_touched = true;
        if let Some((by, stamp)) = entry.state.add(cell.delta) {
            self.pending.gauge_changes.push(GaugeChange { handle, by, stamp });
        }
    }

    fn merge_timed(&mut self, timed: &Timed) {
        let Some(handle) = self.admit(&timed.series, 1) else {
            return;
        };
        let entry = self.entries[handle as usize].as_mut().expect("an admitted handle is in use");
        entry.is_touched = true;
        let Timed { timestamp, value, .. } = *timed;
        self.pending.timed.push(TimedSample { handle, timestamp, value });
    }

    /// The handle of a series, which is made when it is new and allowed.
    fn admit(&mut self, series: &std::sync::Arc<Series>, lines: u64) -> Option<u32> {
        let hash = series.id.0 as u64;
        let known = self.handles.find(hash, |handle| {
            self.entries[*handle as usize].as_ref().is_some_and(|e| e.series.id == series.id)
        });
        let refused = match known {
            Some(handle) => {
                let handle = *handle;
                let entry = self.entries[handle as usize].as_mut();
                if let Some(entry) = entry.filter(|entry| entry.series.kind == series.kind) {
                    entry.ttl_ms = series.ttl_ms;
                    return Some(handle);
                }
                Some(Reason::TypeConflict)
            }
            None => self.reason_to_refuse(series),
        };
        if let Some(reason) = refused {
            series.set_refused(true);
            self.pending.refuse(series.source, reason, lines);
            self.offenders.record(series.name(), series.source, reason, lines);
            return None;
        }
        series.set_refused(false);
        Some(self.insert(series))
    }

    fn reason_to_refuse(&self, series: &Series) -> Option<Reason> {
        let limits = &self.options.limits;
        if self.names.kind(series.name()).is_some_and(|kind| kind != series.kind) {
            Some(Reason::TypeConflict)
        } else if self.len() >= limits.max_series {
            Some(Reason::SeriesLimit)
        } else if self.series_of_source(series.source) >= limits.max_series_per_source {
            Some(Reason::SourceSeriesLimit)
        } else {
            None
        }
    }

    fn insert(&mut self, series: &std::sync::Arc<Series>) -> u32 {
        let handle = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            (self.entries.len() - 1) as u32
        });
        self.entries[handle as usize] = Some(Entry {
            series: std::sync::Arc::clone(series),
            ttl_ms: series.ttl_ms,
            state: State::new(series.kind),
            is_touched: true,
            last_touched: 0,
        });
        let entries = &self.entries;
        self.handles.insert_unique(series.id.0 as u64, handle, |handle| hash_at(entries, *handle));
        self.names.add(series);
        *self.by_source.entry(series.source).or_default() += 1;
        self.pending.fresh.push(handle);
        handle
    }

    /// Forgets a series.
    fn remove(&mut self, handle: u32) {
        let Some(entry) = self.entries[handle as usize].take() else {
            return;
        };
        let series = &entry.series;
        if let Ok(found) = self.handles.find_entry(series.id.0 as u64, |other| *other == handle) {
            found.remove();
        }
        self.names.remove(series);
        if let Some(count) = self.by_source.get_mut(&series.source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&series.source);
            }
        }
        self.free.push(handle);
    }

    fn describe(&mut self, announcement: Announcement) {
        let series = &announcement.series;
        if !self.names.is_news(series) {
            return;
        }
        self.pending.metadata.push(Metadata {
            metric: series.name().to_owned(),
            kind: series.kind.metric_kind(),
            unit: announcement.unit.to_owned(),
            help: announcement.help.into(),
            original: announcement.original.into(),
        });
    }
}

/// What the series of a handle is found by.
fn hash_at(entries: &[Option<Entry>], handle: u32) -> u64 {
    entries[handle as usize].as_ref().map_or(0, |entry| entry.series.id.0 as u64)
}

/// Asks the store for the newest value of a series that is not a staleness marker.
pub type Seed<'a> = dyn FnMut(&Labels) -> Option<Sample> + 'a;

#[cfg(test)]
mod tests;
