//! Straight lines through windows, the area below their samples, and exponential smoothing.

use super::{Job, Kahan, RangeFunction};
use crate::{
    engine::EvalError,
    eval::{StepWindow, Values},
};

/// `deriv` and `predict_linear`.
pub(super) fn regressions(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    for (step, window) in job.windows.iter().enumerate() {
        let Some((times, values)) = at_least_two(job, window) else { continue };
        out.floats[step] = if function == RangeFunction::Deriv {
            // A time near the samples keeps the numbers small.
            line(times, values, times[0]).0
        } else {
            let (slope, now) = line(times, values, job.steps.at(step));
            slope * job.params[0][step] + now
        };
    }
}

/// The numbers of a window when there are two, noting histograms beside them.
fn at_least_two<'a>(job: &Job<'a>, window: &StepWindow) -> Option<(&'a [i64], &'a [f64])> {
    let (low, high) = window.floats;
    if low < high && window.histograms.0 < window.histograms.1 {
        job.note_ignored_histograms();
    }
    (high > low + 1).then(|| (&job.column.float_times[low..high], &job.column.floats[low..high]))
}

/// The slope per second of the line of least squares, and its value at a time.
fn line(times: &[i64], values: &[f64], at: i64) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let count = values.len() as f64;
    let mut sums = [Kahan::default(); 4];
    for (time, y) in times.iter().zip(values) {
        let x = (time - at) as f64 / 1000.0;
        for (sum, value) in sums.iter_mut().zip([x, *y, x * y, x * x]) {
            sum.add(value);
        }
    }
    let [x, y, xy, xx] = sums.map(|sum| sum.sum + sum.compensation);
    let covariance = xy - x * y / count;
    let variance = xx - x * x / count;
    let slope = covariance / variance;
    (slope, y / count - slope * x / count)
}

/// `integral`: the area in seconds from the first sample to the last, where between two of them the
/// first one holds (0), the second one (1) or the line between both (2).
pub(super) fn integrals(job: &Job<'_>, out: &mut Values) -> Result<(), EvalError> {
    for (step, window) in job.windows.iter().enumerate() {
        let Some((times, values)) = at_least_two(job, window) else { continue };
        let strategy = job.params.first().map_or(2.0, |strategy| strategy[step]);
        let height: fn(f64, f64) -> f64 = match strategy {
            0.0 => |first, _| first,
            1.0 => |_, second| second,
            2.0 => |first, second| first.midpoint(second),
            _ => {
                return Err(EvalError::Execution(format!(
                    "invalid strategy of integral. Expected: 0, 1 or 2, got: {strategy}"
                )));
            }
        };
        let mut area = Kahan::default();
        for (time, value) in times.windows(2).zip(values.windows(2)) {
            area.add(height(value[0], value[1]) * ((time[1] - time[0]) as f64 / 1000.0));
        }
        out.floats[step] = area.sum + area.compensation;
    }
    Ok(())
}

/// `double_exponential_smoothing` (Holt's linear method).
pub(super) fn smoothing(job: &Job<'_>, out: &mut Values) -> Result<(), EvalError> {
    for (step, window) in job.windows.iter().enumerate() {
        let (smoothing, trend) = (job.params[0][step], job.params[1][step]);
        for (what, factor) in [("smoothing", smoothing), ("trend", trend)] {
            if factor <= 0.0 || factor >= 1.0 {
                let symbol = if what == "trend" { "tf" } else { "sf" };
                return Err(EvalError::Execution(format!(
                    "invalid {what} factor. Expected: 0 < {symbol} < 1, got: {factor:.6}"
                )));
            }
        }
        let Some((_, values)) = at_least_two(job, window) else { continue };
        let mut before = 0.0;
        let mut level = values[0];
        let mut slope = values[1] - values[0];
        for (i, value) in values.iter().enumerate().skip(1) {
            if i > 1 {
                slope = trend * (level - before) + (1.0 - trend) * slope;
            }
            let next = smoothing * value + (1.0 - smoothing) * (level + slope);
            (before, level) = (level, next);
        }
        out.floats[step] = level;
    }
    Ok(())
}
