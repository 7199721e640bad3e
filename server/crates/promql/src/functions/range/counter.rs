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
    let per_second = function == RangeFunction::Rate;
    let resets = if is_counter { Resets::find(&job.column.floats) } else { Resets::default() };
    let histogram_resets =
        if is_counter { histogram_resets(&job.column.histograms) } else { Vec::new() };
    for (step, window) in job.windows.iter().enumerate() {
        let ((f0, f1), (h0, h1)) = (window.floats, window.histograms);
        if f0 < f1 && h0 < h1 {
            job.note(&Note::MixedFloatsHistograms { metric: job.metric });
            continue;
        }
        let seconds = job.spec.range_ms as f64 / 1000.0;
        if f1 > f0 + 1 {
            let floats = &job.column.floats;
            let change = floats[f1 - 1] - floats[f0] + resets.lost(floats, f0, f1);
            let zero_at =
                (is_counter && change > 0.0 && floats[f0] >= 0.0).then(|| floats[f0] / change);
            let factor = extrapolation(&job.column.float_times[f0..f1], window, zero_at);
            out.floats[step] =
                if per_second { change * (factor / seconds) } else { change * factor };
        } else if h1 > h0 + 1 {
            let Some(mut change) = histogram_change(job, window, is_counter, &histogram_resets)
            else {
                continue;
            };
            let first = job.column.histograms[h0].count;
            let zero_at =
                (is_counter && change.count > 0.0 && first >= 0.0).then(|| first / change.count);
            let factor = extrapolation(&job.column.histogram_times[h0..h1], window, zero_at);
            change.scale(if per_second { factor / seconds } else { factor });
            out.set_histogram(step, Arc::new(change));
        }
    }
}

/// By what the change over the samples is multiplied. `zero_at` is how many times the sampled interval
/// before the first sample the counter was zero.
fn extrapolation(times: &[i64], window: &StepWindow, zero_at: Option<f64>) -> f64 {
    let (first, last) = (times[0], times[times.len() - 1]);
    let sampled = (last - first) as f64 / 1000.0;
    let average = sampled / (times.len() - 1) as f64;
    let threshold = average * 1.1;
    let mut to_start = (first - window.start) as f64 / 1000.0;
    if to_start >= threshold {
        to_start = average / 2.0;
    }
    if let Some(zero_at) = zero_at {
        to_start = to_start.min(sampled * zero_at);
    }
    let mut to_end = (window.end - last) as f64 / 1000.0;
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    (sampled + to_start + to_end) / sampled
}

/// Where a counter of numbers went down, found once for all windows.
#[derive(Debug, Default)]
struct Resets {
    /// Indices of the samples after a reset, ascending.
    after: Vec<usize>,
    /// What the resets up to and including each one lost in all.
    lost: Vec<f64>,
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
    fn lost(&self, values: &[f64], low: usize, high: usize) -> f64 {
        if self.after.is_empty() {
            return 0.0;
        }
        let first = self.after.partition_point(|i| *i <= low);
        let last = self.after.partition_point(|i| *i < high);
        let can_subtract = self.lost.last().is_some_and(|total| total.is_finite());
        if last - first < FEW || !can_subtract {
            return self.after[first..last].iter().fold(0.0, |sum, i| sum + values[i - 1]);
        }
        let before = first.checked_sub(1).map_or(0.0, |i| self.lost[i]);
        self.lost[last - 1] - before
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
