//! What a shard adds up between two flush ticks.

use std::sync::Arc;

use model::Timestamp;

use crate::{
    distinct::Distinct,
    series::{Announcement, Series, SeriesKind, SourceId},
    sketch::Sketch,
    tally::{Offenders, Tally},
};

/// The open flush window of one shard: per series what was added, and the books per source.
///
/// A window stands on its own: it can be merged by any registry, in any order with others.
#[derive(Debug, Default)]
pub struct Window {
    /// One entry per context touched; a series with several spellings has several.
    pub(crate) cells: Vec<Cell>,
    pub(crate) announced: Vec<Announcement>,
    pub(crate) timed: Vec<Timed>,
    /// Names refused before they became a series.
    pub(crate) offenders: Offenders,
    /// The books of every source that sent something, in no order.
    pub tallies: Vec<(SourceId, Tally)>,
}

impl Window {
    /// How many series, counted once per spelling, got a value.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether no series got a value.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.timed.is_empty()
    }
}

/// What was added to one series.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) series: Arc<Series>,
    pub(crate) delta: Delta,
    /// How many lines it took.
    pub(crate) lines: u32,
    /// Whether the series has a scale: asking it would touch one more cache line per sample.
    pub(crate) is_scaled: bool,
}

/// The addition itself, by the kind of the series.
#[derive(Debug)]
pub(crate) enum Delta {
    Counter(f64),
    Gauge(GaugeDelta),
    Timer(Box<Sketch>),
    Set(Box<Distinct>),
}

impl Delta {
    pub(crate) fn new(kind: SeriesKind) -> Self {
        match kind {
            SeriesKind::Counter => Self::Counter(0.0),
            SeriesKind::Gauge => Self::Gauge(GaugeDelta::default()),
            SeriesKind::Timer => Self::Timer(Box::default()),
            SeriesKind::Set => Self::Set(Box::default()),
        }
    }
}

/// Gauge operations in order of arrival, folded: set to a value, or changed by one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct GaugeDelta {
    pub(crate) value: f64,
    pub(crate) is_absolute: bool,
    /// The arrival of the last operation.
    pub(crate) stamp: u64,
}

/// A sample that brought its own time.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) series: Arc<Series>,
    pub(crate) timestamp: Timestamp,
    pub(crate) value: f64,
}
