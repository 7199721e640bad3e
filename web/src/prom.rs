//! Prometheus's HTTP API, as far as the pages ask it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use web_sys::AbortSignal;

use crate::api::{self, Failure};
use crate::legend::Labels;
use crate::state::range::Span;
use crate::url;

/// A series on the grid of a [`Span`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Sorted by name.
    pub(crate) labels: Labels,
    /// One value per point of the grid; NaN is a gap.
    pub(crate) values: Vec<f64>,
}

/// A value at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Sorted by name; empty for a scalar.
    pub(crate) labels: Labels,
    /// The value, or the summary of a histogram, as the server wrote it.
    pub(crate) value: Reading,
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading {
    Number(f64),
    Histogram { count: f64, sum: f64 },
    Text(String),
}

/// The answer to a query over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Matrix {
    pub(crate) lines: Vec<Line>,
    /// Series that are histograms, which a chart cannot show as lines.
    pub(crate) histograms: usize,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct RangeData {
    result: Vec<RangeSeries>,
}

#[derive(Deserialize)]
struct RangeSeries {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", tag = "resultType", content = "result")]
enum InstantData {
    Vector(Vec<InstantSeries>),
    Scalar((f64, String)),
    String((f64, String)),
    Matrix(Vec<RangeSeries>),
}

#[derive(Deserialize)]
struct InstantSeries {
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    histogram: Option<(f64, HistogramBody)>,
}

#[derive(Deserialize)]
struct HistogramBody {
    count: String,
    sum: String,
}

/// What is known about a metric.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Metadata {
    /// `counter`, `gauge`, `histogram`, …
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) help: String,
    #[serde(default)]
    pub(crate) unit: String,
}

async fn ask<T: DeserializeOwned>(path: &str, abort: Option<&AbortSignal>) -> Result<T, Failure> {
    api::get::<Envelope<T>>(path, abort).await.map(|envelope| envelope.data)
}

/// Evaluates an expression at every point of a grid.
pub(crate) async fn query_range(
    expr: &str,
    span: Span,
    abort: Option<&AbortSignal>,
) -> Result<Matrix, Failure> {
    let seconds = |ms: i64| format!("{}", ms as f64 / 1e3);
    let (start, end, step) = (seconds(span.start_ms), seconds(span.end_ms), seconds(span.step_ms));
    let query = url::query(&[("query", expr), ("start", &start), ("end", &end), ("step", &step)]);
    let data: RangeData = ask(&format!("/api/v1/query_range{query}"), abort).await?;
    Ok(on_grid(data.result, span))
}

/// Evaluates an expression at one moment.
pub(crate) async fn query(
    expr: &str,
    time_ms: i64,
    abort: Option<&AbortSignal>,
) -> Result<Vec<Row>, Failure> {
    let time = format!("{}", time_ms as f64 / 1e3);
    let query = url::query(&[("query", expr), ("time", &time)]);
    let data: InstantData = ask(&format!("/api/v1/query{query}"), abort).await?;
    Ok(rows(data))
}

/// Names of the labels, of one metric when it is given.
pub(crate) async fn label_names(metric: &str) -> Result<Vec<String>, Failure> {
    ask(&format!("/api/v1/labels{}", matching(metric)), None).await
}

/// Values of a label, of one metric when it is given.
pub(crate) async fn label_values(label: &str, metric: &str) -> Result<Vec<String>, Failure> {
    ask(&format!("/api/v1/label/{}/values{}", url::encode(label), matching(metric)), None).await
}

/// What is known about all metrics, by name.
pub(crate) async fn metadata() -> Result<BTreeMap<String, Vec<Metadata>>, Failure> {
    ask("/api/v1/metadata", None).await
}

fn matching(metric: &str) -> String {
    if metric.is_empty() { String::new() } else { url::query(&[("match[]", metric)]) }
}

fn on_grid(series: Vec<RangeSeries>, span: Span) -> Matrix {
    let points = ((span.end_ms - span.start_ms) / span.step_ms + 1).max(0) as usize;
    let mut matrix = Matrix::default();
    for series in series {
        if series.values.is_empty() {
            matrix.histograms += 1;
            continue;
        }
        let mut values = vec![f64::NAN; points];
        for (seconds, text) in series.values {
            let offset = (seconds * 1e3).round() as i64 - span.start_ms;
            let index = usize::try_from(offset / span.step_ms).ok().filter(|_| offset >= 0);
            if let Some(value) = index.and_then(|index| values.get_mut(index)) {
                *value = number(&text);
            }
        }
        matrix.lines.push(Line { labels: series.metric.into_iter().collect(), values });
    }
    matrix
}

fn rows(data: InstantData) -> Vec<Row> {
    let scalar = |value| vec![Row { labels: Labels::new(), value }];
    match data {
        InstantData::Scalar((_, text)) => scalar(Reading::Number(number(&text))),
        InstantData::String((_, text)) => scalar(Reading::Text(text)),
        InstantData::Matrix(series) => {
            let last = |series: RangeSeries| {
                let text = series.values.last().map_or("NaN", |value| value.1.as_str());
                Row {
                    value: Reading::Number(number(text)),
                    labels: series.metric.into_iter().collect(),
                }
            };
            series.into_iter().map(last).collect()
        }
        InstantData::Vector(series) => series
            .into_iter()
            .map(|series| Row {
                value: match (series.value, series.histogram) {
                    (Some((_, text)), _) => Reading::Number(number(&text)),
                    (None, Some((_, histogram))) => Reading::Histogram {
                        count: number(&histogram.count),
                        sum: number(&histogram.sum),
                    },
                    (None, None) => Reading::Number(f64::NAN),
                },
                labels: series.metric.into_iter().collect(),
            })
            .collect(),
    }
}

/// Prometheus writes numbers as text, infinities as `+Inf` and `-Inf`.
fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start_ms: 10_000, end_ms: 40_000, step_ms: 10_000 };

    fn matrix(json: &str) -> Matrix {
        on_grid(serde_json::from_str::<Envelope<RangeData>>(json).unwrap().data.result, SPAN)
    }

    #[test]
    fn missing_points_are_gaps() {
        let matrix = matrix(
            r#"{"status":"success","data":{"resultType":"matrix","result":[
                {"metric":{"job":"a"},"values":[[10,"1.5"],[30.000,"+Inf"]]}]}}"#,
        );
        let values = &matrix.lines[0].values;
        assert_eq!(values.len(), 4);
        assert_eq!((values[0], values[2]), (1.5, f64::INFINITY));
        assert!(values[1].is_nan() && values[3].is_nan());
    }

    #[test]
    fn points_beyond_the_grid_are_ignored() {
        let matrix = matrix(
            r#"{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[0,"1"],[20,"2"],[99,"3"]]}]}}"#,
        );
        assert_eq!(matrix.lines[0].values[1], 2.0);
        assert_eq!(matrix.lines[0].values.iter().filter(|value| value.is_finite()).count(), 1);
    }

    #[test]
    fn histograms_are_counted_not_drawn() {
        let matrix = matrix(
            r#"{"data":{"resultType":"matrix","result":[{"metric":{},"histograms":[[10,{"count":"3","sum":"9"}]]}]}}"#,
        );
        assert_eq!((matrix.lines.len(), matrix.histograms), (0, 1));
    }

    #[test]
    fn every_kind_of_instant_answer_is_read() {
        let read =
            |json: &str| rows(serde_json::from_str::<Envelope<InstantData>>(json).unwrap().data);
        let vector = read(
            r#"{"data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2"]},
                {"metric":{},"histogram":[1,{"count":"4","sum":"0.5","buckets":[]}]}]}}"#,
        );
        assert_eq!(vector[0].value, Reading::Number(2.0));
        assert_eq!(vector[1].value, Reading::Histogram { count: 4.0, sum: 0.5 });
        let scalar = read(r#"{"data":{"resultType":"scalar","result":[1,"42"]}}"#);
        assert_eq!(scalar[0].value, Reading::Number(42.0));
        let string = read(r#"{"data":{"resultType":"string","result":[1,"x"]}}"#);
        assert_eq!(string[0].value, Reading::Text("x".to_owned()));
    }
}
