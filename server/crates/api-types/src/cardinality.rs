//! What the series in memory are made of.

use serde::{Deserialize, Serialize};

use crate::Source;

/// Answer of `GET /api/app/cardinality`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cardinality {
    /// Series in memory: those written lately.
    pub series: u64,
    /// How many more than about an hour ago; absent when the server did not run then.
    pub hour_growth: Option<i64>,
    /// How many more than about a day ago; absent when the server did not run then.
    pub day_growth: Option<i64>,
    /// The largest metrics, the largest first.
    pub metrics: Vec<MetricCardinality>,
    /// All labels, those with the most values first.
    pub labels: Vec<LabelCardinality>,
    /// The pairs of label and value that most series have.
    pub pairs: Vec<PairCardinality>,
    /// Who made series over StatsD, the most first.
    pub sources: Vec<Source>,
    /// Who writes by remote write, by samples.
    pub remote_writers: Vec<WriterCardinality>,
}

/// The series of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricCardinality {
    /// The metric.
    pub name: String,
    /// Its series.
    pub series: u64,
    /// How many more than about an hour ago; absent when that is not known.
    pub hour_growth: Option<i64>,
    /// How many more than about a day ago; absent when that is not known.
    pub day_growth: Option<i64>,
}

/// What series have of a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelCardinality {
    /// The label.
    pub name: String,
    /// Different values.
    pub values: u64,
    /// Series that have it.
    pub series: u64,
    /// The bytes that name and value take in all these series.
    pub bytes: u64,
}

/// The series that share a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCardinality {
    /// The label.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Series that have it.
    pub series: u64,
}

/// Who writes by remote write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterCardinality {
    /// The name of the token or account.
    pub name: String,
    /// Samples written since the server started.
    pub samples: u64,
    /// When it last wrote.
    pub last_seen_ms: i64,
}
