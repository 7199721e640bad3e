//! Ranges that know their borders: `anchored` takes the last sample before the range as its start,
//! `smoothed` interpolates the values at both borders. Nothing is extrapolated.

use model::Column;

use super::{Job, RangeFunction, runs::is_run_end};
use crate::{
    engine::EvalError,
    eval::{StepWindow, Values},
    parser::Extent,
};

/// The samples of a window and of the lookback around it.
struct Extended<'a> {
    times: &'a [i64],
    values: &'a [f64],
    window: &'a StepWindow,
    is_smoothed: bool,
}

fn no_histograms(window: &StepWindow) -> Result<(), EvalError> {
    if window.histograms.0 < window.histograms.1 {
        return Err(EvalError::Execution(
            "smoothed and anchored modifiers do not work with native histograms".to_owned(),
        ));
    }
    Ok(())
}

impl<'a> Extended<'a> {
    fn new(
        column: &'a Column,
        window: &'a StepWindow,
        extent: Extent,
    ) -> Result<Option<Self>, EvalError> {
        no_histograms(window)?;
        let (low, high) = window.floats;
        Ok((low < high).then(|| Self {
            times: &column.float_times[low..high],
            values: &column.floats[low..high],
            window,
            is_smoothed: extent == Extent::Smoothed,
        }))
    }

    /// The sample that stands for the start, and the one that stands for the end; nothing when no
    /// sample is after the start.
    fn borders(&self) -> Option<(usize, usize)> {
        let newest = self.times.len() - 1;
        let inside = self.times[..newest].partition_point(|t| *t <= self.window.start);
        let first = inside.saturating_sub(1);
        let last = if self.is_smoothed {
            self.times[..newest].partition_point(|t| *t < self.window.end)
        } else {
            newest
        };
        (self.times[last] > self.window.start).then_some((first, last))
    }

    fn left(&self, first: usize, is_counter: bool) -> f64 {
        if self.is_smoothed && self.times[first] < self.window.start && first + 1 < self.times.len()
        {
            return self.interpolate(first, self.window.start, is_counter);
        }
        self.values[first]
    }

    fn right(&self, last: usize, is_counter: bool) -> f64 {
        if self.is_smoothed && last > 0 && self.times[last] > self.window.end {
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
        let part = (at - self.times[i]) as f64 / (self.times[i + 1] - self.times[i]) as f64;
        before + (after - before) * part
    }
}

pub(super) fn rates(
    job: &Job<'_>,
    function: RangeFunction,
    out: &mut Values,
) -> Result<(), EvalError> {
    let is_counter = function != RangeFunction::Delta;
    for (step, window) in job.windows.iter().enumerate() {
        let Some(extended) = Extended::new(job.column, window, job.spec.extent)? else { continue };
        let Some((first, last)) = extended.borders() else { continue };
        let left = extended.left(first, is_counter);
        let right = extended.right(last, is_counter);
        let mut change = right - left;
        if is_counter {
            let from = first + usize::from(extended.times[first] <= window.start);
            let to = last + usize::from(extended.times[last] < window.end);
            change += lost(left, right, extended.values.get(from..to).unwrap_or_default());
        }
        let seconds = job.spec.range_ms as f64 / 1000.0;
        out.floats[step] = if function == RangeFunction::Rate { change / seconds } else { change };
    }
    Ok(())
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

pub(super) fn runs(
    job: &Job<'_>,
    function: RangeFunction,
    out: &mut Values,
) -> Result<(), EvalError> {
    for (step, window) in job.windows.iter().enumerate() {
        let Some(extended) = Extended::new(job.column, window, job.spec.extent)? else { continue };
        let Some((first, _)) = extended.borders() else { continue };
        let ends = extended.values[first..]
            .windows(2)
            .filter(|pair| is_run_end(function, pair[0], pair[1]))
            .count();
        out.floats[step] = ends as f64;
    }
    Ok(())
}

/// A smoothed instant selector: the value at the window's end, interpolated between the samples around
/// it, or the last one before it.
pub(crate) fn smoothed_at(column: &Column, window: &StepWindow) -> Result<Option<f64>, EvalError> {
    let Some(extended) = Extended::new(column, window, Extent::Smoothed)? else { return Ok(None) };
    let at = window.end;
    let next = extended.times.partition_point(|t| *t < at);
    Ok(match extended.times.get(next) {
        Some(time) if *time == at => Some(extended.values[next]),
        Some(_) => next.checked_sub(1).map(|before| extended.interpolate(before, at, false)),
        None => extended.values.last().copied(),
    })
}

/// The samples of a range with those that stand at its borders.
pub(crate) fn with_borders(
    column: &Column,
    window: &StepWindow,
    extent: Extent,
) -> Result<Column, EvalError> {
    let mut out = Column::default();
    let Some(extended) = Extended::new(column, window, extent)? else { return Ok(out) };
    let Some((first, last)) = extended.borders() else { return Ok(out) };
    out.push_float(window.start, extended.left(first, false));
    for (time, value) in extended.times.iter().zip(extended.values) {
        if *time > window.start && *time < window.end {
            out.push_float(*time, *value);
        }
    }
    out.push_float(window.end, extended.right(last, false));
    Ok(out)
}
