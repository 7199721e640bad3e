//! Samples that do not come as StatsD: results of monitors and the server's own metrics.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use model::{Labels, Metadata};

/// The most series kept between two flushes; monitors and own metrics are far fewer.
const MAX_SERIES: usize = 100_000;

#[derive(Debug, Default)]
struct Inner {
    samples: HashMap<Labels, f64>,
    metadata: Vec<Metadata>,
    dropped: u64,
}

/// What waits for the next flush; the last value of a series counts.
#[derive(Debug, Default)]
pub(crate) struct Outside(Mutex<Inner>);

impl Outside {
    /// Has samples stored at the next flush. Over the limit new series are dropped and counted.
    pub(crate) fn push(&self, samples: impl IntoIterator<Item = (Labels, f64)>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (labels, value) in samples {
            if inner.samples.len() >= MAX_SERIES && !inner.samples.contains_key(&labels) {
                inner.dropped += 1;
                continue;
            }
            inner.samples.insert(labels, value);
        }
    }

    /// Says what metrics are.
    pub(crate) fn describe(&self, metadata: impl IntoIterator<Item = Metadata>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).metadata.extend(metadata);
    }

    /// Samples that were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).dropped
    }

    pub(super) fn take(&self) -> (Vec<(Labels, f64)>, Vec<Metadata>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.samples.drain().collect(), std::mem::take(&mut inner.metadata))
    }
}
