//! Small questions to the store. A question without an answer is an empty one here: a page shows what
//! there is, and the log has the error.

use std::collections::BTreeMap;

use model::{Labels, Timestamp, Value};
use promql::{Point, QueryValue, Range};

use crate::query::{Queries, QueryOptions};

/// The number of each series at `at`.
pub(super) async fn numbers(queries: &Queries, expr: &str, at: Timestamp) -> Vec<(Labels, f64)> {
    match queries.instant(expr, at, QueryOptions::default()).await {
        Ok(output) => match output.value {
            QueryValue::Vector(samples) => samples
                .into_iter()
                .filter_map(|sample| match sample.value {
                    Value::Float(value) if value.is_finite() => Some((sample.labels, value)),
                    _ => None,
                })
                .collect(),
            QueryValue::Scalar { value, .. } => vec![(Labels::empty(), value)],
            QueryValue::Text { .. } | QueryValue::Matrix(_) => Vec::new(),
        },
        Err(error) => {
            tracing::warn!(expr, %error, "a question of a page has no answer");
            Vec::new()
        }
    }
}

/// The number of each value of a label at `at`.
pub(super) async fn by_label(
    queries: &Queries,
    label: &str,
    expr: &str,
    at: Timestamp,
) -> BTreeMap<String, f64> {
    numbers(queries, expr, at)
        .await
        .into_iter()
        .filter_map(|(labels, value)| Some((labels.get(label)?.to_owned(), value)))
        .collect()
}

/// A single number at `at`.
pub(super) async fn number(queries: &Queries, expr: &str, at: Timestamp) -> Option<f64> {
    numbers(queries, expr, at).await.first().map(|(_, value)| *value)
}

/// The numbers of each value of a label at the steps of a range, gaps as `None`.
pub(super) async fn lines_by_label(
    queries: &Queries,
    label: &str,
    expr: &str,
    range: Range,
) -> BTreeMap<String, Vec<Option<f64>>> {
    let output = match queries.range(expr, range, QueryOptions::default()).await {
        Ok((output, _)) => output,
        Err(error) => {
            tracing::warn!(expr, %error, "a question of a page has no answer");
            return BTreeMap::new();
        }
    };
    let QueryValue::Matrix(series) = output.value else { return BTreeMap::new() };
    let steps = ((range.end - range.start) / range.step_ms + 1) as usize;
    series
        .iter()
        .filter_map(|series| {
            let mut values = vec![None; steps];
            for (time, point) in series.points() {
                let at = ((time - range.start) / range.step_ms) as usize;
                if let (Point::Float(value), Some(slot)) = (point, values.get_mut(at)) {
                    *slot = Some(value).filter(|value| value.is_finite());
                }
            }
            Some((series.labels.get(label)?.to_owned(), values))
        })
        .collect()
}
