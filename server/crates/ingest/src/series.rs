//! What a shard knows of a series and hands to the registry.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use model::{Labels, MetricKind, SeriesId};

use crate::line::Kind;

/// Who sends: a small number that the server gives to an address. Numbers are dense, from 0; 0 stands
/// for everyone whom the server does not tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SourceId(pub u32);

/// How the values of a series are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeriesKind {
    /// A cumulative counter: `c` and `m`.
    Counter,
    /// The last value: `g` and `kv`.
    Gauge,
    /// A cumulative native histogram: `ms`, `h` and `d`.
    Timer,
    /// The number of distinct members in a flush window, stored as a gauge: `s`.
    Set,
}

impl SeriesKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Counter, Self::Gauge, Self::Timer, Self::Set];

    /// The word used in configuration, metrics and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Timer => "timer",
            Self::Set => "set",
        }
    }

    /// The kind of metric that a store sees.
    pub fn metric_kind(self) -> MetricKind {
        match self {
            Self::Counter => MetricKind::Counter,
            Self::Gauge | Self::Set => MetricKind::Gauge,
            Self::Timer => MetricKind::Histogram,
        }
    }
}

impl From<Kind> for SeriesKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Counter | Kind::Meter => Self::Counter,
            Kind::Gauge | Kind::KeyValue => Self::Gauge,
            Kind::Timer | Kind::Histogram | Kind::Distribution => Self::Timer,
            Kind::Set => Self::Set,
        }
    }
}

/// A series as made from the first line that named it. Shared by the shard that made it, its windows
/// and the registry.
#[derive(Debug)]
pub struct Series {
    /// The identity of [`Self::labels`].
    pub id: SeriesId,
    /// The labels, the metric's name among them.
    pub labels: Labels,
    /// How values are added up.
    pub kind: SeriesKind,
    /// Who sent it first.
    pub source: SourceId,
    /// How long it lives without a line, when a mapping rule says so.
    pub ttl_ms: Option<i64>,
    /// What every value is multiplied with; 1 unless a mapping rule says otherwise.
    pub scale: f64,
    is_refused: AtomicBool,
}

impl Series {
    pub(crate) fn new(labels: Labels, kind: SeriesKind, source: SourceId) -> Self {
        let is_refused = AtomicBool::new(false);
        Self { id: labels.id(), labels, kind, source, ttl_ms: None, scale: 1.0, is_refused }
    }

    /// The metric's name.
    pub fn name(&self) -> &str {
        self.labels.metric_name().unwrap_or_default()
    }

    /// Whether the registry refused the series last time. The shard forgets such series first.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    pub(crate) fn set_refused(&self, is_refused: bool) {
        self.is_refused.store(is_refused, Ordering::Relaxed);
    }
}

/// A series that a shard met for the first time, with what the store keeps besides labels.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) series: Arc<Series>,
    /// The name as sent, when it differs from the stored one; else empty.
    pub(crate) original: Box<str>,
    pub(crate) unit: &'static str,
    /// From the mapping rule; else empty.
    pub(crate) help: Box<str>,
}
