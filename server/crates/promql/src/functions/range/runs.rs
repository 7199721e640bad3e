//! `changes` and `resets`: how often neighbors differ. Whether they do is found once per pair; a window
//! only subtracts two counts.

use super::{Job, RangeFunction, starts::Since};
use crate::{eval::Values, parser::Extent};

pub(super) fn runs(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    let counts = cumulative(job, function);
    let column = job.column;
    for (step, window) in job.windows.iter().enumerate() {
        let ((f0, f1), (h0, h1)) = (window.floats, window.histograms);
        // Places in the merged order of both kinds.
        let (mut first, end) = (f0 + h0, f1 + h1);
        if job.spec.extent != Extent::Plain {
            let f = column.float_times[..f1].partition_point(|time| *time <= window.start);
            let h = column.histogram_times[..h1].partition_point(|time| *time <= window.start);
            if f + h == end {
                continue;
            }
            // The last sample before the window, when the lookback reaches it.
            first = first.max((f + h).saturating_sub(1));
        }
        if first < end {
            out.floats[step] = f64::from(counts[end - 1] - counts[first]);
        }
    }
}

/// For every sample in order of time, how many of those up to it differ from the one before.
fn cumulative(job: &Job<'_>, function: RangeFunction) -> Vec<u32> {
    let column = job.column;
    let mut counts = Vec::with_capacity(column.len());
    let (mut f, mut h, mut total) = (0, 0, 0_u32);
    let mut last: Option<(Sample<'_>, Since)> = None;
    while f < column.floats.len() || h < column.histograms.len() {
        let takes_float = match (column.float_times.get(f), column.histogram_times.get(h)) {
            (Some(float), Some(histogram)) => float < histogram,
            (float, _) => float.is_some(),
        };
        let (sample, since) = if takes_float {
            f += 1;
            let since = Since::new(&column.float_times, &job.starts.floats, f - 1);
            (Sample::Float(column.floats[f - 1]), since)
        } else {
            h += 1;
            let since = Since::new(&column.histogram_times, &job.starts.histograms, h - 1);
            (Sample::Histogram(&column.histograms[h - 1]), since)
        };
        if let Some((last, before)) = last {
            let began_again = function == RangeFunction::Resets && since.is_reset_since(before);
            total += u32::from(began_again || sample.differs_from(last, function));
        }
        counts.push(total);
        last = Some((sample, since));
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
            (Self::Float(before), Self::Float(now)) if function == RangeFunction::Resets => {
                now < before
            }
            (Self::Float(before), Self::Float(now)) => {
                now != before && !(now.is_nan() && before.is_nan())
            }
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
