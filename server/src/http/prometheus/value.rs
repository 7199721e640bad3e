//! Results as JSON: `[1700000000.5, "1.5"]`, with numbers as texts so that NaN and Inf survive.

use model::{Labels, NativeHistogram, Timestamp, Value, number::Shortest};
use promql::{Point, QueryValue, Series, VectorSample};
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeStruct, SerializeTuple},
};

/// The word in `resultType`.
pub(super) fn kind(value: &QueryValue) -> &'static str {
    match value {
        QueryValue::Scalar { .. } => "scalar",
        QueryValue::Text { .. } => "string",
        QueryValue::Vector(_) => "vector",
        QueryValue::Matrix(_) => "matrix",
    }
}

/// How many results a value has.
pub(super) fn result_count(value: &QueryValue) -> usize {
    match value {
        QueryValue::Scalar { .. } | QueryValue::Text { .. } => 1,
        QueryValue::Vector(samples) => samples.len(),
        QueryValue::Matrix(series) => series.len(),
    }
}

/// A sample of a vector.
#[derive(Debug)]
pub(super) struct VectorItem<'a>(pub(super) &'a VectorSample);

impl Serialize for VectorItem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sample = self.0;
        let time = Seconds(sample.timestamp);
        let mut item = serializer.serialize_struct("sample", 2)?;
        item.serialize_field("metric", &LabelMap(&sample.labels))?;
        match &sample.value {
            Value::Float(value) => item.serialize_field("value", &(time, Number(*value)))?,
            Value::Histogram(h) => item.serialize_field("histogram", &(time, Histogram(h)))?,
        }
        item.end()
    }
}

/// A series of a matrix.
#[derive(Debug)]
pub(super) struct MatrixItem<'a>(pub(super) &'a Series);

impl Serialize for MatrixItem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let series = self.0;
        let mut item = serializer.serialize_struct("series", 3)?;
        item.serialize_field("metric", &LabelMap(&series.labels))?;
        // A series of numbers alone, the usual case, is not looked through twice.
        if !series.has_histograms() || series.points().any(|(_, p)| matches!(p, Point::Float(_))) {
            item.serialize_field("values", &Floats(series))?;
        }
        if series.has_histograms() {
            item.serialize_field("histograms", &Histograms(series))?;
        }
        item.end()
    }
}

struct Floats<'a>(&'a Series);

impl Serialize for Floats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.points().filter_map(|(time, point)| match point {
            Point::Float(value) => Some((Seconds(time), Number(value))),
            Point::Histogram(_) => None,
        }))
    }
}

struct Histograms<'a>(&'a Series);

impl Serialize for Histograms<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.points().filter_map(|(time, point)| match point {
            Point::Histogram(histogram) => Some((Seconds(time), Histogram(histogram))),
            Point::Float(_) => None,
        }))
    }
}

/// Labels as an object.
#[derive(Debug)]
pub(super) struct LabelMap<'a>(pub(super) &'a Labels);

impl Serialize for LabelMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A time in seconds with milliseconds behind the point when there are any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1000 == 0 {
            serializer.serialize_i64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}

/// A number of a series as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(pub(super) f64);

/// A number that is no series' as text: never with an exponent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalar(pub(super) f64);

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Shortest::Plain(self.0))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Shortest::Point(self.0))
    }
}

struct Histogram<'a>(&'a NativeHistogram);

impl Serialize for Histogram<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("histogram", 3)?;
        map.serialize_field("count", &Number(self.0.count))?;
        map.serialize_field("sum", &Number(self.0.sum))?;
        let buckets: Vec<_> =
            self.0.buckets().into_iter().filter(|bucket| bucket.count != 0.0).map(Bucket).collect();
        if !buckets.is_empty() {
            map.serialize_field("buckets", &buckets)?;
        }
        map.end()
    }
}

struct Bucket(model::histogram::Bucket);

impl Serialize for Bucket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // 0: upper bound included, 1: lower, 2: none, 3: both.
        let bounds = match (self.0.lower_inclusive, self.0.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        };
        let mut tuple = serializer.serialize_tuple(4)?;
        tuple.serialize_element(&bounds)?;
        tuple.serialize_element(&Number(self.0.lower))?;
        tuple.serialize_element(&Number(self.0.upper))?;
        tuple.serialize_element(&Number(self.0.count))?;
        tuple.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_prometheus_writes_them() {
        let sample = VectorSample {
            labels: Labels::from_pairs([("__name__", "up"), ("job", "a")]),
            timestamp: 1_500,
            value: Value::Float(f64::NAN),
        };
        assert_eq!(
            serde_json::to_string(&VectorItem(&sample)).unwrap(),
            r#"{"metric":{"__name__":"up","job":"a"},"value":[1.5,"NaN"]}"#
        );
        assert_eq!(
            serde_json::to_string(&(Seconds(2_000), Number(1e21), Scalar(1e21))).unwrap(),
            r#"[2,"1e+21","1000000000000000000000"]"#
        );
    }
}
