//! From a query's result to a picture.

use chart::still::StillSeries;
use model::{Labels, labels::METRIC_NAME};
use promql::{Point, QueryValue, Range, Series};

/// The most lines in one picture; more cannot be told apart.
pub(crate) const MAX_LINES: usize = 20;

/// The lines of a range query's result, on its steps. Histograms have no line.
pub(crate) fn lines(
    value: &QueryValue,
    range: Range,
    keep: impl Fn(&Labels) -> bool,
) -> Vec<StillSeries> {
    let QueryValue::Matrix(all) = value else { return Vec::new() };
    let kept: Vec<&Series> = all.iter().filter(|series| keep(&series.labels)).collect();
    let shared = shared_labels(&kept);
    kept.iter()
        .take(MAX_LINES)
        .map(|series| StillSeries {
            name: name(&series.labels, &shared),
            key: series.labels.to_string(),
            values: values(series, range),
        })
        .collect()
}

fn values(series: &Series, range: Range) -> Vec<f64> {
    let steps = (range.end - range.start) / range.step_ms + 1;
    let mut values = vec![f64::NAN; usize::try_from(steps).unwrap_or_default()];
    for (time, point) in series.points() {
        let at = usize::try_from((time - range.start) / range.step_ms).unwrap_or(usize::MAX);
        if let (Point::Float(value), Some(slot)) = (point, values.get_mut(at)) {
            *slot = value;
        }
    }
    values
}

/// Labels that all series have with the same value say nothing about any of them.
fn shared_labels(series: &[&Series]) -> Labels {
    let Some((first, others)) = series.split_first() else { return Labels::empty() };
    others.iter().fold(first.labels.clone(), |shared, series| {
        shared.without(|name| series.labels.get(name) != shared.get(name))
    })
}

fn name(labels: &Labels, shared: &Labels) -> String {
    let differing: Vec<&str> = labels
        .iter()
        .filter(|(name, _)| shared.get(name).is_none())
        .map(|(_, value)| value)
        .collect();
    match differing[..] {
        [] => labels.get(METRIC_NAME).unwrap_or_default().to_owned(),
        _ => differing.join(" "),
    }
}
