//! `rate`, `increase` and `delta`.
//!
//! The change over the samples of a window is extrapolated to its borders: all the way when the first
//! or last sample is within 1.1 average distances of the border, else by half a distance; a counter
//! never below zero. Source: `extrapolatedRate` in Prometheus.

mod plain;

use std::sync::Arc;

use model::{
    NativeHistogram,
    histogram::{CUSTOM_BUCKETS_SCHEMA, ResetHint},
};

use super::{Job, RangeFunction, starts::Since};
use crate::{
    annotations::{Combination, Note},
    eval::{StepWindow, Values},
};

pub(crate) use plain::Stretch;

pub(super) fn rates(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    let is_counter = function != RangeFunction::Delta;
    let seconds = job.spec.range_ms as f64 / 1000.0;
    let per = if function == RangeFunction::Rate { seconds } else { 1.0 };
    let mut resets = if is_counter { Resets::find(job) } else { Resets::default() };
    let histogram_resets = if is_counter { histogram_resets(job) } else { Vec::new() };
    let column = job.column;
    if column.histograms.is_empty() && job.starts.floats.is_empty() {
        return plain::rates(job, (is_counter, per), &mut resets, out);
    }
    if is_counter {
        note_overlaps(job, (&column.float_times, &job.starts.floats), |window| window.floats);
        let histograms = (column.histogram_times.as_slice(), job.starts.histograms.as_slice());
        note_overlaps(job, histograms, |window| window.histograms);
    }
    for (step, window) in job.windows.iter().enumerate() {
        let ((f0, f1), (h0, h1)) = (window.floats, window.histograms);
        if f0 < f1 && h0 < h1 {
            job.note(&Note::MixedFloatsHistograms { metric: job.metric });
        } else if f0 < f1 {
            let floats = &column.floats[f0..f1];
            let mut change =
                floats[floats.len() - 1] - floats[0] + resets.lost(&column.floats, f0, f1);
            let start = start_within(&job.starts.floats, f0, column.float_times[f0], window);
            if is_counter && start.is_some() {
                change += floats[0];
            } else if floats.len() == 1 {
                continue;
            }
            let extrapolation = Extrapolation {
                window,
                start: start.filter(|_| is_counter),
                first_time: column.float_times[f0],
                last_time: column.float_times[f1 - 1],
                gaps: (f1 - f0 - 1) as f64,
                first: is_counter.then_some(floats[0]),
                change,
            };
            out.floats[step] = change * extrapolation.factor(per);
        } else if h0 < h1 {
            let first = &column.histograms[h0];
            let start =
                start_within(&job.starts.histograms, h0, column.histogram_times[h0], window)
                    .filter(|_| is_counter);
            let mut change = match (h1 - h0, start) {
                (1, None) => continue,
                (1, Some(_)) => (**first).clone(),
                _ => {
                    let change = histogram_change(job, window, is_counter, &histogram_resets);
                    let Some(mut change) = change else { continue };
                    if start.is_some() && change.add(first).is_err() {
                        job.note(&Note::MixedSchemas { metric: job.metric });
                        continue;
                    }
                    change
                }
            };
            let extrapolation = Extrapolation {
                window,
                start,
                first_time: column.histogram_times[h0],
                last_time: column.histogram_times[h1 - 1],
                gaps: (h1 - h0 - 1) as f64,
                first: is_counter.then_some(first.count),
                change: change.count,
            };
            change.scale(extrapolation.factor(per));
            out.set_histogram(step, Arc::new(change));
        }
    }
}

/// Since when the first sample of a window counts, when that is within the window: the counter was zero
/// then, and nothing need be guessed.
fn start_within(starts: &[i64], first: usize, time: i64, window: &StepWindow) -> Option<i64> {
    let start = starts.get(first).copied()?;
    (start != 0 && start > window.start && start < time).then_some(start)
}

/// What the change over the samples of a window depends on.
pub(super) struct Extrapolation<'a> {
    pub(super) window: &'a StepWindow,
    /// When the counter began, when that is known and within the window.
    pub(super) start: Option<i64>,
    /// The time of the first sample,
    pub(super) first_time: i64,
    /// that of the last one,
    pub(super) last_time: i64,
    /// and how many distances there are between samples, at least one unless the start is known.
    pub(super) gaps: f64,
    /// The first value of a counter, which was zero at some time before.
    pub(super) first: Option<f64>,
    pub(super) change: f64,
}

impl Extrapolation<'_> {
    /// By what the change is multiplied so that it holds for the whole window, divided by `per`.
    ///
    /// Lengths are in milliseconds, and comparisons are multiplied out, so that the usual window costs
    /// a single division.
    pub(super) fn factor(&self, per: f64) -> f64 {
        let sampled = (self.last_time - self.first_time) as f64;
        let (mut to_start, to_end) = self.borders();
        if let Some(start) = self.start {
            let known = (self.last_time - start) as f64;
            return (known + to_end) / (known * per);
        }
        if let Some(value) = self.first
            && self.change > 0.0
            && value >= 0.0
            && sampled * value < to_start * self.change
        {
            to_start = sampled * (value / self.change);
        }
        (sampled + to_start + to_end) / (sampled * per)
    }

    /// How far the change goes on before the first and after the last sample, when it is not known that
    /// the counter was zero.
    fn borders(&self) -> (f64, f64) {
        let sampled = (self.last_time - self.first_time) as f64;
        let within_reach = |to_border: f64| {
            if to_border * self.gaps < sampled * 1.1 {
                to_border
            } else if self.gaps > 0.0 {
                sampled / self.gaps / 2.0
            } else {
                0.0
            }
        };
        let to_start = (self.first_time - self.window.start) as f64;
        let to_end = (self.window.end - self.last_time) as f64;
        (within_reach(to_start), within_reach(to_end))
    }
}

/// Where a counter of numbers went down, found once for all windows.
#[derive(Debug, Default)]
struct Resets {
    /// Indices of the samples after a reset, ascending.
    after: Vec<usize>,
    /// What the resets up to and including each one lost in all.
    lost: Vec<f64>,
    /// The resets within the last window, as a range of `after`. Windows only move forward.
    first: usize,
    last: usize,
}

/// Fewer resets than this in a window are added one by one, as Prometheus does, so that the result is
/// the same to the last bit.
const FEW: usize = 16;

impl Resets {
    fn is_empty(&self) -> bool {
        self.after.is_empty()
    }

    fn find(job: &Job<'_>) -> Self {
        let mut resets = Self::default();
        let mut total = 0.0;
        let began_again = began_again(&job.column.float_times, &job.starts.floats);
        let floats = &job.column.floats;
        // Most columns have no reset, which is found out for several samples at a time.
        let falls: u64 = floats.windows(2).map(|pair| u64::from(pair[1] < pair[0])).sum();
        if falls == 0 && began_again.is_empty() {
            return resets;
        }
        for (i, pair) in floats.windows(2).enumerate() {
            if pair[1] < pair[0] || began_again.get(i).copied().unwrap_or_default() {
                total += pair[0];
                resets.after.push(i + 1);
                resets.lost.push(total);
            }
        }
        resets
    }

    /// What the resets between the samples `low..high` lost.
    #[inline]
    fn lost(&mut self, values: &[f64], low: usize, high: usize) -> f64 {
        if self.after.is_empty() {
            return 0.0;
        }
        while self.after.get(self.first).is_some_and(|i| *i <= low) {
            self.first += 1;
        }
        self.last = self.last.max(self.first);
        while self.after.get(self.last).is_some_and(|i| *i < high) {
            self.last += 1;
        }
        if self.first == self.last {
            return 0.0;
        }
        let can_subtract = self.lost.last().is_some_and(|total| total.is_finite());
        if self.last - self.first < FEW || !can_subtract {
            let inside = &self.after[self.first..self.last];
            return inside.iter().fold(0.0, |sum, i| sum + values[i - 1]);
        }
        let before = self.first.checked_sub(1).map_or(0.0, |i| self.lost[i]);
        self.lost[self.last - 1] - before
    }
}

/// For every pair of neighbors whether the later tells that it began to count after the earlier; empty
/// where no sample tells anything.
fn began_again(times: &[i64], starts: &[i64]) -> Vec<bool> {
    pairs(times, starts).map(|(before, now)| now.is_reset_since(before)).collect()
}

/// Neighbors with what they tell of their beginning.
fn pairs<'a>(times: &'a [i64], starts: &'a [i64]) -> impl Iterator<Item = (Since, Since)> + 'a {
    let since = |i| Since::new(times, starts, i);
    (1..starts.len()).map(move |i| (since(i - 1), since(i)))
}

/// Remarks when samples of one window claim the same time for themselves.
fn note_overlaps(
    job: &Job<'_>,
    (times, starts): (&[i64], &[i64]),
    range: impl Fn(&StepWindow) -> (usize, usize),
) {
    let overlaps = pairs(times, starts).map(|(before, now)| now.overlaps(before));
    let places: Vec<usize> =
        overlaps.enumerate().filter_map(|(i, overlaps)| overlaps.then_some(i)).collect();
    let is_inside = |window: &StepWindow| {
        let (low, high) = range(window);
        places.iter().any(|place| *place >= low && place + 1 < high)
    };
    if !places.is_empty() && job.windows.iter().any(is_inside) {
        job.note(&Note::StartOverlap { metric: job.metric });
    }
}

/// For every histogram whether the counter restarted before it.
fn histogram_resets(job: &Job<'_>) -> Vec<bool> {
    let histograms = &job.column.histograms;
    let began_again = began_again(&job.column.histogram_times, &job.starts.histograms);
    let mut resets = vec![false; histograms.len()];
    for (i, pair) in histograms.windows(2).enumerate() {
        let told = began_again.get(i).copied().unwrap_or_default();
        resets[i + 1] = told || pair[1].is_reset_since(&pair[0]);
    }
    resets
}

/// The change over the histograms of a window, a gauge; nothing when their layouts cannot be combined.
fn histogram_change(
    job: &Job<'_>,
    window: &StepWindow,
    is_counter: bool,
    resets: &[bool],
) -> Option<NativeHistogram> {
    let (low, high) = window.histograms;
    let histograms = &job.column.histograms[low..high];
    let (first, last) = (&histograms[0], &histograms[histograms.len() - 1]);
    let is_gauge = |h: &NativeHistogram| h.reset_hint == ResetHint::Gauge;
    if is_counter && histograms.iter().any(|h| is_gauge(h)) {
        job.note(&Note::NotACounter { metric: job.metric });
    }
    // A first sample before a reset does not count, whatever its layout.
    let skips_first = is_counter && resets[low + 1];
    let relevant = if skips_first { &histograms[1..] } else { histograms };
    let is_custom = relevant[0].schema == CUSTOM_BUCKETS_SCHEMA;
    let checked = if is_counter { relevant } else { &[] };
    let is_mixed = last.has_custom_buckets() != is_custom
        || checked.iter().any(|h| h.has_custom_buckets() != is_custom);
    if is_mixed {
        job.note(&Note::MixedSchemas { metric: job.metric });
        return None;
    }
    let mut change = (**last).clone();
    let lowest = if is_counter {
        relevant.iter().map(|h| h.schema).min()
    } else {
        Some(first.schema.min(last.schema))
    };
    change.reduce_resolution(lowest.unwrap_or(last.schema));
    let nothing;
    let subtrahend: &NativeHistogram = if skips_first {
        nothing = NativeHistogram {
            schema: relevant[0].schema,
            custom_bounds: relevant[0].custom_bounds.clone(),
            ..NativeHistogram::default()
        };
        &nothing
    } else {
        first
    };
    let subtracted = change.subtract(subtrahend).ok()?;
    if subtracted.bounds_reconciled {
        job.note(&Note::BoundsReconciled(Combination::Subtraction));
    }
    if is_counter {
        for (pair, is_reset) in histograms.windows(2).zip(&resets[low + 1..high]).skip(1) {
            if *is_reset {
                let added = change.add(&pair[0]).ok()?;
                if added.bounds_reconciled {
                    job.note(&Note::BoundsReconciled(Combination::Addition));
                }
            }
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        job.note(&Note::NotAGauge { metric: job.metric });
    }
    change.reset_hint = ResetHint::Gauge;
    change.compact();
    Some(change)
}
