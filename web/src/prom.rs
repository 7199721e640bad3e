//! Prometheus's HTTP API, as far as the pages ask it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use web_sys::AbortSignal;

use crate::api::{self, Failure};
use crate::json;
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
    /// Warnings and infos, each with its place.
    pub(crate) remarks: Vec<String>,
}

/// What the parts of a query over time did, and what it came to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Explained {
    /// In the order of the text, parents first.
    pub(crate) plan: Vec<Part>,
    pub(crate) samples: SampleCounts,
    pub(crate) timings: Timings,
    /// `None` when answers to this query are not kept.
    pub(crate) cache: Option<KeptSteps>,
    pub(crate) limits: Limits,
}

/// A part of an expression.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(crate) struct Part {
    /// 0 for the whole expression.
    pub(crate) depth: usize,
    /// Its place in the text, in bytes.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What it is, without what is below it.
    pub(crate) what: String,
    /// Series and samples that it read from the store.
    pub(crate) series: u64,
    pub(crate) samples: u64,
    /// Series that it handed on.
    pub(crate) rows: u64,
    /// The time spent in it and not in its parts, by all threads together.
    pub(crate) seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SampleCounts {
    /// The most that were in memory at once.
    pub(crate) peak_samples: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timings {
    /// From the question to the result, in seconds.
    pub(crate) exec_total_time: f64,
}

/// Steps whose answer the server keeps, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct KeptSteps {
    pub(crate) kept: u64,
    pub(crate) steps: u64,
}

/// What a query may take.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Limits {
    pub(crate) samples: u64,
    pub(crate) series: u64,
    pub(crate) seconds: f64,
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

async fn ask<T: DeserializeOwned>(path: &str) -> Result<T, Failure> {
    let answer = api::tree(path, None).await?;
    json::read(answer["data"].clone()).map_err(Failure::unreadable)
}

/// The address of a query over time.
fn range_path(expr: &str, span: Span) -> String {
    let seconds = |ms: i64| format!("{}", ms as f64 / 1e3);
    let (start, end, step) = (seconds(span.start_ms), seconds(span.end_ms), seconds(span.step_ms));
    let query = url::query(&[("query", expr), ("start", &start), ("end", &end), ("step", &step)]);
    format!("/api/v1/query_range{query}")
}

/// Evaluates an expression at every point of a grid.
pub(crate) async fn query_range(
    expr: &str,
    span: Span,
    abort: Option<&AbortSignal>,
) -> Result<Matrix, Failure> {
    let answer = api::tree(&range_path(expr, span), abort).await?;
    Ok(Matrix { remarks: remarks(&answer), ..on_grid(&answer["data"], span) })
}

/// Evaluates an expression at every point of a grid only to see what each part of it does.
pub(crate) async fn explain(
    expr: &str,
    span: Span,
    abort: Option<&AbortSignal>,
) -> Result<Explained, Failure> {
    // The answer itself is of no use here.
    let path = format!("{}&explain=1&limit=1", range_path(expr, span));
    let answer = api::tree(&path, abort).await?;
    json::read(answer["data"]["stats"].clone()).map_err(Failure::unreadable)
}

/// Evaluates an expression at one moment: the values, then warnings and infos.
pub(crate) async fn query(
    expr: &str,
    time_ms: i64,
    abort: Option<&AbortSignal>,
) -> Result<(Vec<Row>, Vec<String>), Failure> {
    let time = format!("{}", time_ms as f64 / 1e3);
    let query = url::query(&[("query", expr), ("time", &time)]);
    let answer = api::tree(&format!("/api/v1/query{query}"), abort).await?;
    Ok((rows(&answer["data"]), remarks(&answer)))
}

/// The warnings of an answer, then its infos.
fn remarks(answer: &Value) -> Vec<String> {
    let lists = ["warnings", "infos"].into_iter().filter_map(|name| answer[name].as_array());
    lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Names of the labels, of one metric when it is given.
pub(crate) async fn label_names(metric: &str) -> Result<Vec<String>, Failure> {
    ask(&format!("/api/v1/labels{}", matching(metric))).await
}

/// Values of a label, of one metric when it is given.
pub(crate) async fn label_values(label: &str, metric: &str) -> Result<Vec<String>, Failure> {
    ask(&format!("/api/v1/label/{}/values{}", url::encode(label), matching(metric))).await
}

/// What is known about all metrics, by name.
pub(crate) async fn metadata() -> Result<BTreeMap<String, Vec<Metadata>>, Failure> {
    ask("/api/v1/metadata").await
}

fn matching(metric: &str) -> String {
    if metric.is_empty() { String::new() } else { url::query(&[("match[]", metric)]) }
}

/// The series of an answer.
fn series(data: &Value) -> &[Value] {
    data["result"].as_array().map_or(&[], Vec::as_slice)
}

fn labels(series: &Value) -> Labels {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metric = series["metric"].as_object();
    metric.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn on_grid(data: &Value, span: Span) -> Matrix {
    let points = ((span.end_ms - span.start_ms) / span.step_ms + 1).max(0) as usize;
    let mut matrix = Matrix::default();
    for series in series(data) {
        let Some(known) = series["values"].as_array() else {
            matrix.histograms += 1;
            continue;
        };
        let mut values = vec![f64::NAN; points];
        for point in known {
            let seconds = point[0].as_f64().unwrap_or(f64::NAN);
            let offset = (seconds * 1e3).round() as i64 - span.start_ms;
            let index = usize::try_from(offset / span.step_ms).ok().filter(|_| offset >= 0);
            if let Some(value) = index.and_then(|index| values.get_mut(index)) {
                *value = number(&point[1]);
            }
        }
        matrix.lines.push(Line { labels: labels(series), values });
    }
    matrix
}

fn rows(data: &Value) -> Vec<Row> {
    let scalar = |value| vec![Row { labels: Labels::new(), value }];
    let result = &data["result"];
    match data["resultType"].as_str() {
        Some("scalar") => scalar(Reading::Number(number(&result[1]))),
        Some("string") => scalar(Reading::Text(result[1].as_str().unwrap_or_default().to_owned())),
        _ => series(data)
            .iter()
            .map(|series| Row { labels: labels(series), value: reading(series) })
            .collect(),
    }
}

/// The value of a series: of a matrix the last one.
fn reading(series: &Value) -> Reading {
    let last = series["values"].as_array().and_then(|values| values.last());
    let histogram = &series["histogram"][1];
    if histogram.is_null() {
        Reading::Number(number(&last.unwrap_or(&series["value"])[1]))
    } else {
        Reading::Histogram { count: number(&histogram["count"]), sum: number(&histogram["sum"]) }
    }
}

/// Prometheus writes numbers as text, infinities as `+Inf` and `-Inf`.
fn number(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start_ms: 10_000, end_ms: 40_000, step_ms: 10_000 };

    fn matrix(text: &str) -> Matrix {
        on_grid(&json::parse(text).unwrap()["data"], SPAN)
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
    fn an_explained_answer_is_read() {
        let text = r#"{"timings":{"evalTotalTime":0.5,"execTotalTime":0.25},"cache":null,
            "samples":{"peakSamples":90},
            "limits":{"samples":50,"series":40,"seconds":30.0},
            "plan":[{"depth":1,"start":4,"end":9,"what":"rate","series":3,"samples":7,"rows":2,"seconds":0.5}]}"#;
        let explained: Explained = json::read(json::parse(text).unwrap()).unwrap();
        assert_eq!((explained.cache, explained.samples.peak_samples), (None, 90));
        assert_eq!((explained.timings.exec_total_time, explained.limits.seconds), (0.25, 30.0));
        let part = &explained.plan[0];
        assert_eq!((part.depth, part.what.as_str(), part.samples), (1, "rate", 7));
    }

    #[test]
    fn warnings_come_before_infos() {
        let answer = json::parse(r#"{"infos":["i"],"warnings":["a","b"]}"#).unwrap();
        assert_eq!(remarks(&answer), ["a", "b", "i"]);
        assert!(remarks(&Value::Null).is_empty());
    }

    #[test]
    fn every_kind_of_instant_answer_is_read() {
        let read = |text: &str| rows(&json::parse(text).unwrap()["data"]);
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
