//! Where samples go.

use std::{error::Error, fmt::Display, io, sync::Arc};

use model::{Labels, Metadata, NativeHistogram, Timestamp};

/// Takes what was read.
pub trait Sink {
    /// Why something cannot be taken; it ends the reading.
    type Error: Error + 'static;

    /// Takes numbers of one series, in any order.
    ///
    /// # Errors
    /// When they cannot be taken.
    fn push(&mut self, labels: &Labels, samples: &[(Timestamp, f64)]) -> Result<(), Self::Error>;

    /// Takes native histograms of one series, in any order.
    ///
    /// # Errors
    /// When they cannot be taken.
    fn push_histograms(
        &mut self,
        labels: &Labels,
        histograms: &[(Timestamp, Arc<NativeHistogram>)],
    ) -> Result<(), Self::Error>;

    /// Takes what is said of a metric.
    fn describe(&mut self, metadata: Metadata);

    /// Is told of something that cannot be read, and that reading goes on behind it.
    fn refuse(&mut self, place: &dyn Display, reason: &dyn Display);

    /// Is told of values that are no numbers, such as gaps.
    fn skip_values(&mut self, count: u64);
}

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E: Error + 'static> {
    /// The input cannot be read.
    #[error("the input cannot be read")]
    Read(#[from] io::Error),
    /// A block of Prometheus is not what it should be.
    #[error("{0}")]
    Block(String),
    /// What was read cannot be taken.
    #[error("what was read cannot be stored")]
    Sink(#[source] E),
}
