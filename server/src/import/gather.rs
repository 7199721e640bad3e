//! What an import has read so far, and what became of it.

use std::{fmt::Display, sync::Arc};

use import::Sink;
use model::{Labels, Metadata, NativeHistogram, Timestamp};
use serde::Serialize;
use tsdb::{ImportBatch, Imported, MaintainError, Tsdb};

use super::ImportError;

/// Samples and labels held before they are written; what is written takes about as much again.
const BATCH_BYTES: usize = 64 << 20;
/// Refused lines that are told one by one; all are counted.
const MAX_TOLD: usize = 20;

/// What an import came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Outcome {
    /// Samples read.
    pub(crate) read: u64,
    /// Samples that are in the store now and were not before.
    pub(crate) added: u64,
    /// Samples that were there already.
    pub(crate) present: u64,
    /// Samples older than the store's retention.
    pub(crate) too_old: u64,
    /// Samples of the future.
    pub(crate) too_new: u64,
    /// Values that are no number, such as gaps that were written as `null`.
    pub(crate) skipped_values: u64,
    /// Lines, or series of a block, that were refused.
    pub(crate) refused: u64,
    /// The first of these, with place and reason.
    pub(crate) errors: Vec<String>,
    /// Blocks written.
    pub(crate) blocks: u64,
}

/// Gathers samples and writes them whenever there are enough.
#[derive(Debug)]
pub(crate) struct Importer<'a> {
    store: &'a Tsdb,
    now: Timestamp,
    batch: ImportBatch,
    outcome: Outcome,
}

impl<'a> Importer<'a> {
    pub(crate) fn new(store: &'a Tsdb, now: Timestamp) -> Self {
        Self { store, now, batch: ImportBatch::default(), outcome: Outcome::default() }
    }

    /// Samples read so far.
    pub(crate) fn read(&self) -> u64 {
        self.outcome.read
    }

    /// Writes what is left and tells what became of everything.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) fn finish(mut self) -> Result<Outcome, ImportError> {
        self.write().map_err(ImportError::Sink)?;
        Ok(self.outcome)
    }

    fn write_if_full(&mut self) -> Result<(), MaintainError> {
        if self.batch.bytes() >= BATCH_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), MaintainError> {
        let batch = std::mem::take(&mut self.batch);
        let Imported { added, present, too_old, too_new, blocks } =
            self.store.import(batch, self.now)?;
        self.outcome.added += added;
        self.outcome.present += present;
        self.outcome.too_old += too_old;
        self.outcome.too_new += too_new;
        self.outcome.blocks += blocks;
        Ok(())
    }
}

impl Sink for Importer<'_> {
    type Error = MaintainError;

    fn push(&mut self, labels: &Labels, samples: &[(Timestamp, f64)]) -> Result<(), MaintainError> {
        self.outcome.read += samples.len() as u64;
        self.batch.push(labels, samples);
        self.write_if_full()
    }

    fn push_histograms(
        &mut self,
        labels: &Labels,
        histograms: &[(Timestamp, Arc<NativeHistogram>)],
    ) -> Result<(), MaintainError> {
        self.outcome.read += histograms.len() as u64;
        self.batch.push_histograms(labels, histograms);
        self.write_if_full()
    }

    fn describe(&mut self, metadata: Metadata) {
        self.batch.describe(metadata);
    }

    /// It is counted, and told if it is among the first.
    fn refuse(&mut self, place: &dyn Display, reason: &dyn Display) {
        self.outcome.refused += 1;
        if self.outcome.errors.len() < MAX_TOLD {
            self.outcome.errors.push(format!("{place}: {reason}"));
        }
    }

    fn skip_values(&mut self, count: u64) {
        self.outcome.skipped_values += count;
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} samples read, {} added in {} blocks, {} there already",
            self.read, self.added, self.blocks, self.present
        )?;
        for (count, what) in [
            (self.too_old, "samples older than the retention were left out"),
            (self.too_new, "samples of the future were left out"),
            (self.skipped_values, "values are no numbers"),
            (self.refused, "lines or series were refused"),
        ] {
            if count > 0 {
                write!(f, "; {count} {what}")?;
            }
        }
        Ok(())
    }
}
