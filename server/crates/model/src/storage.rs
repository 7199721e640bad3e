//! How readers reach a store. The query engine knows only these traits.
//!
//! Reads are columns: a reader gets the labels of all matching series first, then decodes one series
//! at a time into a buffer it owns and uses again, from as many threads as it likes.

use std::sync::Arc;

use crate::{
    histogram::NativeHistogram,
    labels::Labels,
    matcher::Matcher,
    metadata::Metadata,
    rollup::{RollupColumn, Zone},
    time::Timestamp,
    value::{Sample, Value},
};

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// More series match than the request allows.
    #[error("the selector matches more than {limit} series")]
    TooManySeries {
        /// The limit that was exceeded.
        limit: usize,
    },
    /// The engine below failed.
    #[error("reading from the store failed")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Which series, and which part of them.
#[derive(Debug, Clone, Copy)]
pub struct Select<'a> {
    /// All must hold.
    pub matchers: &'a [Matcher],
    /// The oldest timestamp wanted, inclusive.
    pub start: Timestamp,
    /// The newest timestamp wanted, inclusive.
    pub end: Timestamp,
    /// The most series the caller can take.
    pub max_series: usize,
}

/// A consistent snapshot of the series that matched, in label order.
///
/// A snapshot never shows half a flush, and stays readable while new samples arrive.
pub trait Selection: Send + Sync {
    /// The labels of every series that matched, ascending. A series may turn out to have no sample in
    /// the range.
    fn labels(&self) -> &[Labels];

    /// Decodes the samples of series `index` within the requested range into `out`, which is cleared
    /// first. In a zone of rollups these are the first and the last sample of each window that touches
    /// the range, so that up to a window's length before its start is told too.
    ///
    /// # Errors
    /// When the store below fails.
    fn read(&self, index: usize, out: &mut Column) -> Result<(), StorageError>;

    /// Where samples are known as rollups only, ascending and without gaps; empty where nothing in the
    /// range is.
    fn zones(&self) -> &[Zone] {
        &[]
    }

    /// Decodes the rollups of series `index` that touch the requested range and lie in the zones into
    /// `out`, which is cleared first.
    ///
    /// # Errors
    /// When the store below fails.
    fn read_rollups(&self, index: usize, out: &mut RollupColumn) -> Result<(), StorageError> {
        let _ = index;
        out.clear();
        Ok(())
    }

    /// Tells since when the samples of series `index` count: for every sample that [`Self::read`] gives,
    /// in the same order. `out` is cleared first and stays empty where no sample tells.
    ///
    /// # Errors
    /// When the store below fails.
    fn read_starts(&self, index: usize, out: &mut Starts) -> Result<(), StorageError> {
        let _ = index;
        out.clear();
        Ok(())
    }

    /// The newest sample of series `index` within the range, or, where a zone of rollups has a window
    /// longer than the range, within that length before its end; `None` when there is none. Stores
    /// answer this without decoding where they can.
    ///
    /// # Errors
    /// When the store below fails.
    fn latest(&self, index: usize) -> Result<Option<Sample>, StorageError> {
        let mut column = Column::default();
        self.read(index, &mut column)?;
        Ok(column.last())
    }
}

/// A store that can be read.
pub trait Storage: Send + Sync {
    /// Takes a snapshot of the matching series.
    ///
    /// # Errors
    /// See [`StorageError`].
    fn select(&self, request: &Select<'_>) -> Result<Box<dyn Selection + '_>, StorageError>;

    /// The label sets of all series that match and may have samples in the range, ascending.
    ///
    /// # Errors
    /// See [`StorageError`].
    fn series(&self, request: &Select<'_>) -> Result<Vec<Labels>, StorageError>;

    /// The names of all labels of the matching series, ascending; of all series without matchers.
    ///
    /// # Errors
    /// See [`StorageError`].
    fn label_names(&self, request: &Select<'_>) -> Result<Vec<String>, StorageError>;

    /// The values of one label over the matching series, ascending; of all series without matchers.
    ///
    /// # Errors
    /// See [`StorageError`].
    fn label_values(&self, name: &str, request: &Select<'_>) -> Result<Vec<String>, StorageError>;

    /// What is known of the metrics, ascending by name.
    fn metadata(&self) -> Vec<Metadata>;

    /// What reads so far left out because it cannot be read any more, as sentences. Only a view that is
    /// made for one query knows; a store answers nothing.
    fn left_out(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The samples of one series: numbers and histograms apart, each strictly increasing in time.
///
/// Most series have only one of the two; a series that changed its kind has both, with no timestamp in
/// both.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    /// Times of [`Self::floats`].
    pub float_times: Vec<Timestamp>,
    /// Numbers, staleness markers included.
    pub floats: Vec<f64>,
    /// Times of [`Self::histograms`].
    pub histogram_times: Vec<Timestamp>,
    /// Histograms; a stale one has the marker as its sum.
    pub histograms: Vec<Arc<NativeHistogram>>,
}

/// Since when the samples of a [`Column`] count (their start timestamps): as many as there are samples,
/// or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// Of the numbers; 0 where it is not known.
    pub floats: Vec<Timestamp>,
    /// Of the histograms; 0 where it is not known.
    pub histograms: Vec<Timestamp>,
}

impl Starts {
    /// Empties both and keeps their memory.
    pub fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
    }
}

impl Column {
    /// Empties the column and keeps its memory.
    pub fn clear(&mut self) {
        self.float_times.clear();
        self.floats.clear();
        self.histogram_times.clear();
        self.histograms.clear();
    }

    /// Adds a sample that is newer than all of its kind.
    pub fn push(&mut self, timestamp: Timestamp, value: Value) {
        match value {
            Value::Float(value) => self.push_float(timestamp, value),
            Value::Histogram(histogram) => {
                self.histogram_times.push(timestamp);
                self.histograms.push(histogram);
            }
        }
    }

    /// Adds a number that is newer than all others.
    pub fn push_float(&mut self, timestamp: Timestamp, value: f64) {
        self.float_times.push(timestamp);
        self.floats.push(value);
    }

    /// Removes the newest sample.
    pub fn pop(&mut self) {
        let is_histogram = match (self.float_times.last(), self.histogram_times.last()) {
            (Some(float), Some(histogram)) => histogram > float,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if is_histogram {
            self.histogram_times.pop();
            self.histograms.pop();
        } else {
            self.float_times.pop();
            self.floats.pop();
        }
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.float_times.len() + self.histogram_times.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest sample.
    pub fn last(&self) -> Option<Sample> {
        let float = self.float_times.last().zip(self.floats.last());
        let histogram = self.histogram_times.last().zip(self.histograms.last());
        match (float, histogram) {
            (Some((t, _)), Some((ht, h))) if ht > t => {
                Some(Sample { timestamp: *ht, value: Value::Histogram(Arc::clone(h)) })
            }
            (Some((t, v)), _) => Some(Sample { timestamp: *t, value: Value::Float(*v) }),
            (None, Some((t, h))) => {
                Some(Sample { timestamp: *t, value: Value::Histogram(Arc::clone(h)) })
            }
            (None, None) => None,
        }
    }
}
