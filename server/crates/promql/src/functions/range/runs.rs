//! `changes` and `resets`: how often neighbors differ. Whether they do is found once per pair; a window
//! only subtracts two counts.

use super::{Job, RangeFunction};
use crate::eval::Values;

pub(super) fn runs(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    let counts = cumulative(job, function);
    for (step, window) in job.windows.iter().enumerate() {
        let count = window.floats.1 - window.floats.0 + window.histograms.1 - window.histograms.0;
        if count == 0 {
            continue;
        }
        // The samples of both kinds before the window, in the merged order.
        let first = window.floats.0 + window.histograms.0;
        out.floats[step] = f64::from(counts[first + count - 1] - counts[first]);
    }
}

/// For every sample in order of time, how many of those up to it differ from the one before.
fn cumulative(job: &Job<'_>, function: RangeFunction) -> Vec<u32> {
    let column = job.column;
    let mut counts = Vec::with_capacity(column.len());
    let (mut f, mut h, mut total) = (0, 0, 0_u32);
    let mut last: Option<Sample<'_>> = None;
    while f < column.floats.len() || h < column.histograms.len() {
        let takes_float = match (column.float_times.get(f), column.histogram_times.get(h)) {
            (Some(float), Some(histogram)) => float < histogram,
            (float, _) => float.is_some(),
        };
        let sample = if takes_float {
            f += 1;
            Sample::Float(column.floats[f - 1])
        } else {
            h += 1;
            Sample::Histogram(&column.histograms[h - 1])
        };
        if let Some(last) = last {
            total += u32::from(sample.differs_from(last, function));
        }
        counts.push(total);
        last = Some(sample);
    }
    counts
}

#[derive(Clone, Copy)]
enum Sample<'a> {
    Float(f64),
    Histogram(&'a model::NativeHistogram),
}

impl Sample<'_> {
    fn differs_from(self, before: Self, function: RangeFunction) -> bool {
        match (before, self) {
            (Self::Float(before), Self::Float(now)) => is_run_end(function, before, now),
            (Self::Histogram(before), Self::Histogram(now)) => {
                if function == RangeFunction::Resets {
                    now.is_reset_since(before)
                } else {
                    !now.has_same_data(before)
                }
            }
            _ => true,
        }
    }
}

/// Whether a counter was reset, or a number changed, between two samples.
pub(super) fn is_run_end(function: RangeFunction, before: f64, now: f64) -> bool {
    if function == RangeFunction::Resets {
        return now < before;
    }
    now != before && !(now.is_nan() && before.is_nan())
}
