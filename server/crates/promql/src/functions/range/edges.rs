//! What depends on the first or last samples of a window only.

use std::sync::Arc;

use model::{NativeHistogram, histogram::ResetHint};

use super::{Job, RangeFunction, starts::Since};
use crate::{
    annotations::{Combination, Note},
    eval::{StepWindow, Values},
};

/// The first or last sample, its time, or how many there are.
pub(super) fn edges(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    use RangeFunction as F;
    let column = job.column;
    for (step, window) in job.windows.iter().enumerate() {
        let ((f0, f1), (h0, h1)) = (window.floats, window.histograms);
        if f0 == f1 && h0 == h1 {
            continue;
        }
        let first_float = (f0 < f1).then(|| column.float_times[f0]);
        let first_histogram = (h0 < h1).then(|| column.histogram_times[h0]);
        let last_float = (f0 < f1).then(|| column.float_times[f1 - 1]);
        let last_histogram = (h0 < h1).then(|| column.histogram_times[h1 - 1]);
        let histogram = match function {
            F::FirstOverTime => first_histogram
                .filter(|h| first_float.is_none_or(|f| f >= *h))
                .map(|_| &column.histograms[h0]),
            F::LastOverTime => last_histogram
                .filter(|h| last_float.is_none_or(|f| f <= *h))
                .map(|_| &column.histograms[h1 - 1]),
            _ => None,
        };
        if let Some(histogram) = histogram {
            out.set_histogram(step, Arc::clone(histogram));
            continue;
        }
        let seconds = |ms: Option<i64>| ms.map_or(0.0, |ms| ms as f64 / 1000.0);
        out.floats[step] = match function {
            F::FirstOverTime => column.floats[f0],
            F::LastOverTime => column.floats[f1 - 1],
            F::TsOfFirstOverTime => seconds(first_float.into_iter().chain(first_histogram).min()),
            F::TsOfLastOverTime => seconds(last_float.max(last_histogram)),
            F::CountOverTime => (f1 - f0 + h1 - h0) as f64,
            _ => 1.0,
        };
    }
}

/// A sample of either kind.
#[derive(Clone, Copy)]
enum Last<'a> {
    Float(f64),
    Histogram(&'a Arc<NativeHistogram>),
}

/// `irate` and `idelta`: from the last two samples.
pub(super) fn instant_rates(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    let is_rate = function == RangeFunction::Irate;
    for (step, window) in job.windows.iter().enumerate() {
        let Some([(since_before, before), (since, after)]) = last_two(job, window) else {
            continue;
        };
        if since.time == since_before.time {
            continue;
        }
        let began_again = is_rate && since.is_reset_since(since_before);
        let seconds = (since.time - since_before.time) as f64 / 1000.0;
        match (before, after) {
            (Last::Float(before), Last::Float(after)) => {
                // A counter that went down began again at zero.
                let is_reset = began_again || (is_rate && after < before);
                let change = if is_reset { after } else { after - before };
                out.floats[step] = if is_rate { change / seconds } else { change };
            }
            (Last::Histogram(before), Last::Histogram(after)) => {
                let pair = (&**before, &**after);
                if let Some(mut change) = histogram_change(job, pair, is_rate, began_again) {
                    if is_rate {
                        change.divide(seconds);
                    }
                    out.set_histogram(step, Arc::new(change));
                }
            }
            _ => job.note(&Note::MixedFloatsHistograms { metric: job.metric }),
        }
    }
}

fn last_two<'a>(job: &Job<'a>, window: &StepWindow) -> Option<[(Since, Last<'a>); 2]> {
    let (column, starts) = (job.column, job.starts);
    let (mut f, mut h) = (window.floats.1, window.histograms.1);
    let mut found = [None, None];
    for slot in found.iter_mut().rev() {
        let float = (f > window.floats.0).then(|| column.float_times[f - 1]);
        let histogram = (h > window.histograms.0).then(|| column.histogram_times[h - 1]);
        *slot = if histogram > float {
            h -= 1;
            let since = Since::new(&column.histogram_times, &starts.histograms, h);
            Some((since, Last::Histogram(&column.histograms[h])))
        } else {
            float?;
            f -= 1;
            let since = Since::new(&column.float_times, &starts.floats, f);
            Some((since, Last::Float(column.floats[f])))
        };
    }
    let [before, after] = found;
    Some([before?, after?])
}

fn histogram_change(
    job: &Job<'_>,
    (before, after): (&NativeHistogram, &NativeHistogram),
    is_rate: bool,
    began_again: bool,
) -> Option<NativeHistogram> {
    let gauges = [before, after].iter().filter(|h| h.reset_hint == ResetHint::Gauge).count();
    if is_rate && gauges > 0 {
        job.note(&Note::NotACounter { metric: job.metric });
    }
    if !is_rate && gauges < 2 {
        job.note(&Note::NotAGauge { metric: job.metric });
    }
    let mut change = after.clone();
    if !(began_again || (is_rate && after.is_reset_since(before))) {
        match change.subtract(before) {
            Ok(combined) if combined.bounds_reconciled => {
                job.note(&Note::BoundsReconciled(Combination::Subtraction));
            }
            Ok(_) => {}
            Err(_) => {
                job.note(&Note::MixedSchemas { metric: job.metric });
                return None;
            }
        }
    }
    change.reset_hint = ResetHint::Gauge;
    change.compact();
    Some(change)
}
