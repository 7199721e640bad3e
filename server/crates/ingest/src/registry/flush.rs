//! The tick: continue new series, place timestamped samples, emit, expire.

use std::sync::Arc;

use model::{NativeHistogram, Sample, Timestamp, Value, stale_marker};

use super::{
    Entry, FlushReport, FlushSink, GaugeChange, Pending, Registry, Seed, TimedSample, state::State,
};
use crate::{
    reason::Reason,
    series::{SeriesKind, SourceId},
    sketch::{Sketch, saturating_add},
};

impl Registry {
    /// Ends the tick: every live series is emitted at `now`, in order of its handle.
    ///
    /// `now` should be later than at the flush before; `seed` is asked once for each series that is
    /// new here.
    pub fn flush(
        &mut self,
        now: Timestamp,
        seed: &mut Seed<'_>,
        sink: &mut dyn FlushSink,
    ) -> FlushReport {
        let mut pending = std::mem::take(&mut self.pending);
        for metadata in pending.metadata.drain(..) {
            sink.metadata(metadata);
        }
        self.check_times(&mut pending, now);
        let mut report = FlushReport { created: pending.fresh.len(), ..FlushReport::default() };
        for handle in pending.fresh.drain(..) {
            let first = pending.timed.partition_point(|timed| timed.handle < handle);
            let first = pending.timed.get(first).filter(|timed| timed.handle == handle);
            let base_time = first.map_or(now, |timed| timed.timestamp.min(now));
            self.continue_series(handle, base_time - self.options.flush_interval_ms, seed, sink);
        }
        report.timed = self.place_timed(&pending.timed, now, sink);
        self.change_gauges(&pending.gauge_changes);
        self.emit(now, sink, &mut report);
        report.refused = pending.refused.into_iter().collect();
        self.last_flush = Some(now);
        report
    }

    /// Sorts samples with their own time by series and time, and refuses those out of range.
    fn check_times(&self, pending: &mut Pending, now: Timestamp) {
        let (oldest, newest) = (now - self.options.backfill_ms, now + self.options.ahead_ms);
        let mut timed = std::mem::take(&mut pending.timed);
        timed.retain(|sample| {
            let reason = if sample.timestamp < oldest {
                Reason::TooOld
            } else if sample.timestamp > newest {
                Reason::TooNew
            } else {
                return true;
            };
            let entry = self.entries[sample.handle as usize].as_ref();
            let source = entry.map_or(SourceId(0), |entry| entry.series.source);
            pending.refuse(source, reason, 1);
            false
        });
        timed.sort_by_key(|sample| (sample.handle, sample.timestamp));
        pending.timed = timed;
    }

    /// Adds what the store has of a new series, and emits the base that it starts from.
    fn continue_series(
        &mut self,
        handle: u32,
        base_time: Timestamp,
        seed: &mut Seed<'_>,
        sink: &mut dyn FlushSink,
    ) {
        let Some(entry) = &mut self.entries[handle as usize] else {
            return;
        };
        let labels = &entry.series.labels;
        let needs_seed = match &entry.state {
            State::Counter(_) | State::Timer(_) => true,
            State::Gauge(gauge) => gauge.value.is_none(),
            State::Set(_) => false,
        };
        if !needs_seed {
            return;
        }
        let stored = seed(labels).filter(|sample| !sample.value.is_stale());
        let base = match (&mut entry.state, stored.as_ref().map(|sample| &sample.value)) {
            (State::Counter(counter), stored) => {
                let base = match stored {
                    Some(Value::Float(value)) if value.is_finite() => *value,
                    _ => 0.0,
                };
                counter.total = saturating_add(counter.total, base);
                Value::Float(base)
            }
            (State::Timer(timer), stored) => {
                let base = match stored {
                    Some(Value::Histogram(histogram)) => Sketch::from_native(histogram),
                    _ => None,
                }
                .unwrap_or_default();
                timer.add(&base);
                Value::Histogram(Arc::new(base.to_native()))
            }
            (State::Gauge(gauge), Some(Value::Float(value))) if value.is_finite() => {
                gauge.value = Some(*value);
                return;
            }
            _ => return,
        };
        let is_free = |stored: &Sample| stored.timestamp < base_time;
        if stored.as_ref().is_none_or(is_free) {
            sink.timed(handle, labels, base_time, base);
        }
    }

    /// Applies samples with their own time, sorted by series and time; how many were emitted.
    fn place_timed(
        &mut self,
        timed: &[TimedSample],
        now: Timestamp,
        sink: &mut dyn FlushSink,
    ) -> usize {
        let mut emitted = 0;
        let window_start = self.last_flush.unwrap_or(now - self.options.flush_interval_ms);
        for (position, sample) in timed.iter().enumerate() {
            let Some(entry) = &mut self.entries[sample.handle as usize] else {
                continue;
            };
            let is_of_window = sample.timestamp > window_start;
            let value = match &mut entry.state {
                State::Counter(counter) => {
                    counter.add(sample.value);
                    is_of_window.then_some(counter.total)
                }
                State::Gauge(gauge) => {
                    if is_of_window {
                        gauge.value = Some(sample.value);
                    }
                    Some(sample.value)
                }
                State::Timer(_) | State::Set(_) => None,
            };
            let is_last_of_its_time = timed.get(position + 1).is_none_or(|next| {
                (next.handle, next.timestamp) != (sample.handle, sample.timestamp)
            });
            if let Some(value) = value
                && is_last_of_its_time
                && sample.timestamp < now
            {
                let labels = &entry.series.labels;
                sink.timed(sample.handle, labels, sample.timestamp, Value::Float(value));
                emitted += 1;
            }
        }
        emitted
    }

    /// Applies changes that came after the last write that set the gauge.
    fn change_gauges(&mut self, changes: &[GaugeChange]) {
        for change in changes {
            let entry = self.entries[change.handle as usize].as_mut();
            let Some(Entry { state: State::Gauge(gauge), .. }) = entry else {
                continue;
            };
            if gauge.value.is_none() || change.stamp >= gauge.stamp {
                gauge.value = Some(saturating_add(gauge.value.unwrap_or(0.0), change.by));
            }
        }
    }

    fn emit(&mut self, now: Timestamp, sink: &mut dyn FlushSink, report: &mut FlushReport) {
        for handle in 0..self.entries.len() as u32 {
            let Some(entry) = &mut self.entries[handle as usize] else {
                continue;
            };
            if std::mem::take(&mut entry.is_touched) {
                entry.last_touched = now;
            } else if now - entry.last_touched >= self.options.ttl.of(entry) {
                if entry.state.emit().is_some() {
                    sink.sample(handle, &entry.series.labels, stale_value(entry.series.kind));
                }
                sink.ended(handle);
                report.expired += 1;
                self.remove(handle);
                continue;
            }
            report.live[entry.series.kind as usize] += 1;
            if let Some(value) = entry.state.emit() {
                sink.sample(handle, &entry.series.labels, value);
            }
        }
    }
}

fn stale_value(kind: SeriesKind) -> Value {
    match kind {
        SeriesKind::Timer => {
            let sum = stale_marker();
            Value::Histogram(Arc::new(NativeHistogram { sum, ..NativeHistogram::default() }))
        }
        _ => Value::Float(stale_marker()),
    }
}
