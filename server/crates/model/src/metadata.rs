//! What is known of a metric besides its samples.

use serde::{Deserialize, Serialize};

/// The kind of a metric in Prometheus's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Only grows; read with `rate` or `increase`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
    /// Not known.
    Unknown,
}

impl MetricKind {
    /// The word used by Prometheus's metadata API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of a metric by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The metric's name as stored.
    pub metric: String,
    /// Its kind.
    pub kind: MetricKind,
    /// The unit of the values as they were sent, such as `milliseconds`; empty when not known.
    pub unit: String,
    /// A sentence for people; empty when not known.
    pub help: String,
    /// The name as it was sent, when cleaning changed it (`orders.created`); empty otherwise.
    pub original: String,
}
