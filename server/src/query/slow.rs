//! Queries that take long are logged, with what each part of them did.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use model::Timestamp;
use promql::{EvalError, Output};

use super::{Queries, QueryStats};

/// The most of a query's text that is logged, in bytes.
const MAX_TEXT: usize = 2_000;

/// A query under way, to be logged when it takes long.
#[derive(Debug)]
pub(crate) struct SlowLog {
    text: String,
    start: Timestamp,
    end: Timestamp,
    step_ms: i64,
    threshold: Duration,
    stats: Arc<QueryStats>,
}

impl SlowLog {
    /// `span`: first and last step and their distance, 0 for a single one.
    pub(super) fn new(
        queries: &Queries,
        text: &str,
        (start, end, step_ms): (Timestamp, Timestamp, i64),
    ) -> Self {
        let cut = text.floor_char_boundary(MAX_TEXT);
        Self {
            text: text[..cut].to_owned(),
            start,
            end,
            step_ms,
            threshold: queries.limits.slow,
            stats: Arc::clone(&queries.stats),
        }
    }

    /// Logs the query when it took as long as `query.slow`.
    pub(super) fn finish(&self, took: Duration, result: &Result<Output, EvalError>) {
        if self.threshold.is_zero() || took < self.threshold {
            return;
        }
        self.stats.slow.fetch_add(1, Ordering::Relaxed);
        let Self { text, start, end, step_ms, .. } = self;
        let seconds = took.as_secs_f64();
        match result {
            Ok(output) => tracing::warn!(
                query = text,
                start_ms = start,
                end_ms = end,
                step_ms,
                seconds,
                series = output.stats.series,
                samples = output.stats.samples,
                peak_samples = output.stats.peak_samples,
                plan = output.plan.as_ref().map(tracing::field::display),
                "a query took long"
            ),
            Err(error) => tracing::warn!(
                query = text,
                start_ms = start,
                end_ms = end,
                step_ms,
                seconds,
                %error,
                "a query took long and failed"
            ),
        }
    }
}
