//! `GET /federate`: the newest samples of series as a text that a Prometheus scrapes.
//!
//! Source: `web/federate.go` in Prometheus, and its text format of version 0.0.4.

use std::{collections::BTreeMap, fmt::Write as _};

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use model::{
    Labels, Matcher, Sample, Storage, StorageError, Timestamp, Value,
    labels::{METRIC_NAME, is_label_name, is_metric_name},
    number::Shortest,
    storage::Select,
};
use tsdb::Tsdb;

use super::{envelope::Failure, params::Params};
use crate::http::Shared;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// A label that the one who scrapes would add; it does not where it is there and empty.
const INSTANCE: &str = "instance";

/// The newest sample of each series that is asked for.
pub(super) async fn federate(
    State(app): State<Shared>,
    params: Params,
) -> Result<Response, Failure> {
    let selectors = params.selectors()?;
    let end = app.clock.now();
    let lookback_ms = app.queries.engine().options().lookback.as_millis() as i64;
    let max_series = app.config.query.max_series;
    let (start, end) = (end.saturating_sub(lookback_ms).saturating_add(1), end);
    let read = move |store: &Tsdb| {
        newest(store, &selectors, &|matchers| Select { matchers, start, end, max_series })
    };
    let found = app.queries.read(read).await?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text(&found)).into_response())
}

/// Where a series stands in the text: metrics by name, those with histograms behind those with numbers.
type Place = (String, bool, Labels);

/// The newest sample of each series that is not stale. One that several selectors match is there once.
fn newest<'m>(
    store: &Tsdb,
    selectors: &'m [Vec<Matcher>],
    select: &dyn Fn(&'m [Matcher]) -> Select<'m>,
) -> Result<BTreeMap<Place, (Timestamp, Value)>, StorageError> {
    let mut found = BTreeMap::new();
    for matchers in selectors {
        let selection = store.select(&select(matchers))?;
        for (number, labels) in selection.labels().iter().enumerate() {
            let newest = selection.latest(number)?.filter(|sample| !sample.value.is_stale());
            let Some(Sample { timestamp, value }) = newest else { continue };
            let name = labels.get(METRIC_NAME).unwrap_or_default().to_owned();
            let is_histogram = matches!(value, Value::Histogram(_));
            found.insert((name, is_histogram, labels.clone()), (timestamp, value));
        }
    }
    Ok(found)
}

fn text(found: &BTreeMap<Place, (Timestamp, Value)>) -> String {
    let mut out = String::new();
    let mut family: Option<(&str, bool)> = None;
    for ((name, is_histogram, labels), (timestamp, value)) in found {
        if name.is_empty() {
            // The format has no line for it.
            continue;
        }
        if family != Some((name, *is_histogram)) {
            family = Some((name, *is_histogram));
            let kind = if *is_histogram { "histogram" } else { "untyped" };
            put(&mut out, format_args!("# TYPE {} {kind}\n", Name(name)));
        }
        let at = *timestamp;
        match value {
            Value::Float(value) => line(&mut out, (name, ""), labels, None, *value, at),
            // The text has no native histograms: what is there of a classic one in any case.
            Value::Histogram(histogram) => {
                let count = histogram.count;
                line(&mut out, (name, "_bucket"), labels, Some("+Inf"), count, at);
                line(&mut out, (name, "_sum"), labels, None, histogram.sum, at);
                line(&mut out, (name, "_count"), labels, None, count, at);
            }
        }
    }
    out
}

fn line(
    out: &mut String,
    (name, suffix): (&str, &str),
    labels: &Labels,
    le: Option<&str>,
    value: f64,
    at: Timestamp,
) {
    let full = format!("{name}{suffix}");
    let is_plain = is_metric_name(&full);
    if is_plain {
        out.push_str(&full);
    }
    out.push('{');
    if !is_plain {
        put(out, format_args!("{},", Escaped(&full)));
    }
    let mut has_instance = false;
    for (label, value) in labels {
        if label != METRIC_NAME {
            has_instance |= label == INSTANCE;
            put(out, format_args!("{}={},", LabelName(label), Escaped(value)));
        }
    }
    if let Some(le) = le {
        put(out, format_args!("le={},", Escaped(le)));
    }
    if !has_instance {
        put(out, format_args!("{INSTANCE}=\"\","));
    }
    // The comma behind the last label.
    out.pop();
    put(out, format_args!("}} {} {at}\n", Shortest::Plain(value)));
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a text does not fail");
}

struct Name<'a>(&'a str);

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if is_metric_name(self.0) { f.write_str(self.0) } else { Escaped(self.0).fmt(f) }
    }
}

struct LabelName<'a>(&'a str);

impl std::fmt::Display for LabelName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if is_label_name(self.0) { f.write_str(self.0) } else { Escaped(self.0).fmt(f) }
    }
}

/// In quotes, with the three characters escaped that the format escapes.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{NativeHistogram, stale_marker};
    use tsdb::{Batch, engine::MemoryEngine};

    use super::*;

    /// The labels of a series, a time and a value.
    type Row<'a> = (&'a [(&'a str, &'a str)], Timestamp, Value);

    fn store(rows: &[Row<'_>]) -> Tsdb {
        let engine = Arc::new(MemoryEngine::new());
        let (store, _) = Tsdb::open(engine, tsdb::Options::default()).unwrap();
        for (labels, timestamp, value) in rows {
            let series = store.resolve(&Labels::from_pairs(labels.iter().copied()));
            let samples = [(series, value.clone())];
            let batch = Batch { timestamp: *timestamp, samples: &samples, ..Batch::default() };
            assert!(store.commit(&batch).is_durable);
        }
        store
    }

    fn federated(store: &Tsdb, names: &[&str]) -> String {
        let selectors: Vec<Vec<Matcher>> =
            names.iter().map(|name| vec![Matcher::equal(METRIC_NAME, *name)]).collect();
        let select = |matchers| Select { matchers, start: 1_000, end: 2_000, max_series: 10 };
        text(&newest(store, &selectors, &select).unwrap())
    }

    #[test]
    fn the_newest_sample_of_each_series_is_written() {
        let store = store(&[
            (&[("__name__", "x"), ("job", "b")], 990, Value::Float(1.0)),
            (&[("__name__", "x"), ("job", "a")], 1_000, Value::Float(2.0)),
            (&[("__name__", "x"), ("job", "a")], 1_010, Value::Float(-2.5)),
            (&[("__name__", "x"), ("job", "gone")], 1_010, Value::Float(3.0)),
            (&[("__name__", "x"), ("job", "gone")], 1_020, Value::Float(stale_marker())),
            (&[("__name__", "a"), ("instance", "h\"\\\n")], 1_030, Value::Float(f64::INFINITY)),
            (&[("__name__", "a b"), ("c d", "e")], 1_040, Value::Float(4.0)),
        ]);
        let text = federated(&store, &["x", "a b", "a", "x"]);
        let expected = concat!(
            "# TYPE a untyped\n",
            "a{instance=\"h\\\"\\\\\\n\"} +Inf 1030\n",
            "# TYPE \"a b\" untyped\n",
            "{\"a b\",\"c d\"=\"e\",instance=\"\"} 4 1040\n",
            "# TYPE x untyped\n",
            "x{job=\"a\",instance=\"\"} -2.5 1010\n",
        );
        assert_eq!(text, expected);
        assert_eq!(federated(&store, &[]), "");
    }

    #[test]
    fn a_native_histogram_is_written_with_its_count_and_sum() {
        let histogram = NativeHistogram { count: 3.0, sum: 4.5, ..NativeHistogram::default() };
        let value = Value::Histogram(Arc::new(histogram));
        let store = store(&[(&[("__name__", "took"), ("job", "a")], 1_000, value)]);
        let expected = concat!(
            "# TYPE took histogram\n",
            "took_bucket{job=\"a\",le=\"+Inf\",instance=\"\"} 3 1000\n",
            "took_sum{job=\"a\",instance=\"\"} 4.5 1000\n",
            "took_count{job=\"a\",instance=\"\"} 3 1000\n",
        );
        assert_eq!(federated(&store, &["took"]), expected);
    }
}
