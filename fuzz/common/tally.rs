//! A sink that counts, and looks at what it is given.

use std::{convert::Infallible, fmt::Display, sync::Arc};

use model::{Labels, Metadata, NativeHistogram, Timestamp};

/// How much of each there was.
#[derive(Debug, Default)]
pub struct Tally {
    pub samples: u64,
    pub histograms: u64,
    pub described: u64,
    pub refused: u64,
    pub skipped: u64,
}

impl import::Sink for Tally {
    type Error = Infallible;

    fn push(&mut self, labels: &Labels, samples: &[(Timestamp, f64)]) -> Result<(), Infallible> {
        check(labels);
        self.samples += samples.len() as u64;
        Ok(())
    }

    fn push_histograms(
        &mut self,
        labels: &Labels,
        histograms: &[(Timestamp, Arc<NativeHistogram>)],
    ) -> Result<(), Infallible> {
        check(labels);
        self.histograms += histograms.len() as u64;
        Ok(())
    }

    fn describe(&mut self, _: Metadata) {
        self.described += 1;
    }

    fn refuse(&mut self, place: &dyn Display, reason: &dyn Display) {
        assert!(!format!("{place}: {reason}").is_empty());
        self.refused += 1;
    }

    fn skip_values(&mut self, count: u64) {
        self.skipped += count;
    }
}

/// Labels are sorted, each is there once, and none is empty.
fn check(labels: &Labels) {
    let pairs: Vec<(&str, &str)> = labels.iter().collect();
    assert!(pairs.is_sorted_by(|a, b| a.0 < b.0), "{labels}");
    assert!(pairs.iter().all(|(_, value)| !value.is_empty()), "{labels}");
}
