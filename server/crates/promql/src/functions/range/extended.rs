//! Ranges that know their borders: `anchored` takes the last sample before the range as its start,
//! `smoothed` interpolates the values at both borders. Nothing is extrapolated.

mod histograms;

use std::sync::Arc;

use model::{Column, NativeHistogram};

use super::{Job, RangeFunction};
use crate::{
    annotations::Note,
    engine::EvalError,
    eval::{Evaluator, StepWindow, Values},
    parser::{Extent, Span},
};

/// The samples of one kind in a window and in the lookback around it, at least one.
struct Extended<'a, T> {
    times: &'a [i64],
    values: &'a [T],
    window: &'a StepWindow,
    is_smoothed: bool,
}

/// What a window with the lookback around it holds. Samples of both kinds cannot be combined.
enum Kind<'a> {
    Nothing,
    Floats(Extended<'a, f64>),
    Histograms(Extended<'a, Arc<NativeHistogram>>),
    Mixed,
}

impl<'a> Kind<'a> {
    fn of(column: &'a Column, window: &'a StepWindow, extent: Extent) -> Self {
        let ((f0, f1), (h0, h1)) = (window.floats, window.histograms);
        let is_smoothed = extent == Extent::Smoothed;
        match (f0 < f1, h0 < h1) {
            (false, false) => Self::Nothing,
            (true, true) => Self::Mixed,
            (true, false) => Self::Floats(Extended {
                times: &column.float_times[f0..f1],
                values: &column.floats[f0..f1],
                window,
                is_smoothed,
            }),
            (false, true) => Self::Histograms(Extended {
                times: &column.histogram_times[h0..h1],
                values: &column.histograms[h0..h1],
                window,
                is_smoothed,
            }),
        }
    }
}

impl<T> Extended<'_, T> {
    /// The sample that stands for the start, and the one that stands for the end; nothing when no
    /// sample tells of the range.
    fn borders(&self) -> Option<(usize, usize)> {
        let newest = self.times.len() - 1;
        let inside = self.times[..newest].partition_point(|t| *t <= self.window.start);
        let first = inside.saturating_sub(1);
        let last = if self.is_smoothed {
            self.times[..newest].partition_point(|t| *t < self.window.end)
        } else {
            newest
        };
        let is_later = self.is_smoothed && self.times[first] > self.window.end;
        (self.times[last] > self.window.start && !is_later).then_some((first, last))
    }

    /// Whether the value at the start lies between a sample and the next.
    fn interpolates_start(&self, first: usize) -> bool {
        self.is_smoothed && self.times[first] < self.window.start && first + 1 < self.times.len()
    }

    /// Whether the value at the end lies between a sample and the one before.
    fn interpolates_end(&self, last: usize) -> bool {
        self.is_smoothed && last > 0 && self.times[last] > self.window.end
    }

    /// The sample at a time, or the two around it and how much of the way between them has passed.
    fn around(&self, at: i64) -> Around {
        let next = self.times.partition_point(|t| *t < at);
        match (self.times.get(next), next.checked_sub(1)) {
            (Some(time), _) if *time == at => Around::Sample(next),
            (Some(_), Some(before)) => Around::Between(before),
            (Some(_), None) => Around::Nothing,
            (None, _) => Around::Last(self.times.len() - 1),
        }
    }

    /// How much of the way from a sample to the next has passed at a time.
    fn share(&self, i: usize, at: i64) -> f64 {
        (at - self.times[i]) as f64 / (self.times[i + 1] - self.times[i]) as f64
    }
}

/// What is known at a time.
enum Around {
    Nothing,
    /// This sample.
    Sample(usize),
    /// This sample, which is the last one before.
    Last(usize),
    /// This sample and the next.
    Between(usize),
}

impl Extended<'_, f64> {
    fn left(&self, first: usize, is_counter: bool) -> f64 {
        if self.interpolates_start(first) {
            return self.interpolate(first, self.window.start, is_counter);
        }
        self.values[first]
    }

    fn right(&self, last: usize, is_counter: bool) -> f64 {
        if self.interpolates_end(last) {
            return self.interpolate(last - 1, self.window.end, is_counter);
        }
        self.values[last]
    }

    /// The value between a sample and the next at a time; a counter that was reset rises from zero.
    fn interpolate(&self, i: usize, at: i64, is_counter: bool) -> f64 {
        let (mut before, after) = (self.values[i], self.values[i + 1]);
        if is_counter && after < before {
            before = 0.0;
        }
        before + (after - before) * self.share(i, at)
    }

    fn change(&self, is_counter: bool) -> Option<f64> {
        let (first, last) = self.borders()?;
        let left = self.left(first, is_counter);
        let right = self.right(last, is_counter);
        if !is_counter {
            return Some(right - left);
        }
        let from = first + usize::from(self.times[first] <= self.window.start);
        let to = last + usize::from(self.times[last] < self.window.end);
        let inside = self.values.get(from..to).unwrap_or_default();
        Some(right - left + lost(left, right, inside))
    }
}

/// What a counter lost by resets on its way from `left` over `values` to `right`.
fn lost(left: f64, right: f64, values: &[f64]) -> f64 {
    let mut lost = 0.0;
    let mut before = left;
    for value in values.iter().chain([&right]) {
        if *value < before {
            lost += before;
        }
        before = *value;
    }
    lost
}

/// `rate`, `increase` and `delta`.
pub(super) fn rates(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    let is_counter = function != RangeFunction::Delta;
    let seconds = job.spec.range_ms as f64 / 1000.0;
    let per = if function == RangeFunction::Rate { seconds } else { 1.0 };
    for (step, window) in job.windows.iter().enumerate() {
        match Kind::of(job.column, window, job.spec.extent) {
            Kind::Nothing => {}
            Kind::Mixed => job.note(&Note::MixedFloatsHistograms { metric: job.metric }),
            Kind::Floats(floats) => {
                if let Some(change) = floats.change(is_counter) {
                    out.floats[step] = change / per;
                }
            }
            Kind::Histograms(histograms) => {
                if let Some(mut change) = histograms.change(job, is_counter) {
                    change.divide(per);
                    out.set_histogram(step, Arc::new(change));
                }
            }
        }
    }
}

/// A smoothed instant selector: the value at the window's end, interpolated between the samples around
/// it, or the last one before it.
pub(crate) fn smoothed_at(
    evaluator: &Evaluator<'_>,
    (metric, span): (&str, Span),
    (column, window): (&Column, &StepWindow),
    (step, values): (usize, &mut Values),
) {
    let at = window.end;
    match Kind::of(column, window, Extent::Smoothed) {
        Kind::Nothing => {}
        Kind::Mixed => evaluator.note(&Note::MixedFloatsHistograms { metric }, span),
        Kind::Floats(floats) => {
            values.floats[step] = match floats.around(at) {
                Around::Nothing => return,
                Around::Sample(i) | Around::Last(i) => floats.values[i],
                Around::Between(i) => floats.interpolate(i, at, false),
            };
        }
        Kind::Histograms(histograms) => {
            let remarks = histograms::Remarks { evaluator, metric, span };
            if let Some(found) = histograms.at(at, &remarks) {
                values.set_histogram(step, found);
            }
        }
    }
}

/// The numbers of a range with those that stand at its borders.
pub(crate) fn with_borders(
    column: &Column,
    window: &StepWindow,
    extent: Extent,
) -> Result<Column, EvalError> {
    let mut out = Column::default();
    let floats = match Kind::of(column, window, extent) {
        Kind::Nothing => return Ok(out),
        Kind::Floats(floats) => floats,
        Kind::Mixed | Kind::Histograms(_) => {
            let word = if extent == Extent::Anchored { "anchored" } else { "smoothed" };
            let message = format!("{word} modifier is not supported with histograms");
            return Err(EvalError::Execution(message));
        }
    };
    let Some((first, last)) = floats.borders() else { return Ok(out) };
    out.push_float(window.start, floats.left(first, false));
    for (time, value) in floats.times.iter().zip(floats.values) {
        if *time > window.start && *time < window.end {
            out.push_float(*time, *value);
        }
    }
    out.push_float(window.end, floats.right(last, false));
    Ok(out)
}
