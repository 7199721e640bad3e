//! `rate`, `increase` and `delta`.
//!
//! The change over the samples of a window is extrapolated to its borders: all the way when the first
//! or last sample is within 1.1 average distances of the border, else by half a distance; a counter
//! never below zero. Source: `extrapolatedRate` in Prometheus.

use std::sync::Arc;

use model::{
    NativeHistogram,
    histogram::{CUSTOM_BUCKETS_SCHEMA, ResetHint},
};

use super::{Job, RangeFunction};
use crate::{
    annotations::{Combination, Note},
    eval::{StepWindow, Values},
};

pub(super) fn rates(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    let is_counter = function != RangeFunction::Delta;
    let seconds = job.spec.range_ms as f64 / 1000.0;
    let per = if function == RangeFunction::Rate { seconds } else { 1.0 };
    let mut resets = if is_counter { Resets::find(&job.column.floats) } else { Resets::default() };
    let histogram_resets =
        if is_counter { histogram_resets(&job.column.histograms) } else { Vec::new() };
    for (step, window) in job.windows.iter().enumerate() {
        let ((f0, f1), (h0, h1)) = (window.floats, window.histograms);
        if f0 < f1 && h0 < h1 {
            job.note(&Note::MixedFloatsHistograms { metric: job.metric });
        } else if f1 > f0 + 1 {
            let floats = &job.column.floats[f0..f1];
            let change =
                floats[floats.len() - 1] - floats[0] + resets.lost(&job.column.floats, f0, f1);
            let extrapolation = Extrapolation {
                window,
                first_time: job.column.float_times[f0],
                last_time: job.column.float_times[f1 - 1],
                gaps: (f1 - f0 - 1) as f64,
                first: is_counter.then_some(floats[0]),
                change,
            };
            out.floats[step] = change * extrapolation.factor(per);
        } else if h1 > h0 + 1 {
            let Some(mut change) = histogram_change(job, window, is_counter, &histogram_resets)
            else {
                continue;
            };
            let extrapolation = Extrapolation {
                window,
                first_time: job.column.histogram_times[h0],
                last_time: job.column.histogram_times[h1 - 1],
                gaps: (h1 - h0 - 1) as f64,
                first: is_counter.then_some(job.column.histograms[h0].count),
                change: change.count,
            };
            change.scale(extrapolation.factor(per));
            out.set_histogram(step, Arc::new(change));
        }
    }
}

/// What the change over the samples of a window depends on.
pub(super) struct Extrapolation<'a> {
    pub(super) window: &'a StepWindow,
    /// The time of the first sample,
    pub(super) first_time: i64,
    /// that of the last one,
    pub(super) last_time: i64,
    /// and how many distances there are between samples, at least one.
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
        let (first, last, gaps) = (self.first_time, self.last_time, self.gaps);
        let sampled = (last - first) as f64;
        let is_far = |to_border: f64| to_border * gaps >= sampled * 1.1;
        let half_gap = || sampled / gaps / 2.0;
        let mut to_start = (first - self.window.start) as f64;
        if is_far(to_start) {
            to_start = half_gap();
        }
        if let Some(value) = self.first
            && self.change > 0.0
            && value >= 0.0
            && sampled * value < to_start * self.change
        {
            to_start = sampled * (value / self.change);
        }
        let mut to_end = (self.window.end - last) as f64;
        if is_far(to_end) {
            to_end = half_gap();
        }
        (sampled + to_start + to_end) / (sampled * per)
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
    fn find(values: &[f64]) -> Self {
        let mut resets = Self::default();
        let mut total = 0.0;
        for (i, pair) in values.windows(2).enumerate() {
            if pair[1] < pair[0] {
                total += pair[0];
                resets.after.push(i + 1);
                resets.lost.push(total);
            }
        }
        resets
    }

    /// What the resets between the samples `low..high` lost.
    fn lost(&mut self, values: &[f64], low: usize, high: usize) -> f64 {
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

/// For every histogram whether the counter restarted before it.
fn histogram_resets(histograms: &[Arc<NativeHistogram>]) -> Vec<bool> {
    let mut resets = vec![false; histograms.len()];
    for (i, pair) in histograms.windows(2).enumerate() {
        resets[i + 1] = pair[1].is_reset_since(&pair[0]);
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
