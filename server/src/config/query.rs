//! `[query]`: what a query may cost.

use serde::Deserialize;

use super::{
    Problems,
    value::{Bytes, Span},
};

/// `[query]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Query {
    /// How long a query may take.
    pub(crate) timeout: Span,
    /// The most samples a query may hold in memory.
    pub(crate) max_samples: usize,
    /// The most series a selector may match.
    pub(crate) max_series: usize,
    /// How many queries run at the same time; more wait.
    pub(crate) max_concurrent: usize,
    /// How far back an instant selector looks for a sample.
    pub(crate) lookback: Span,
    /// The memory for answers of range queries that are kept, so that a dashboard that is looked at
    /// again computes only the steps that are new or changed. Default `64MiB`; `0B` keeps none.
    pub(crate) cache: Bytes,
    /// From how long on a query is logged, with what each part of it did, and counted. Default `5s`;
    /// `0s` logs none.
    pub(crate) slow: Span,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            timeout: Span::seconds(30),
            max_samples: 50_000_000,
            max_series: 500_000,
            max_concurrent: 8,
            lookback: Span::seconds(300),
            cache: Bytes(64 << 20),
            slow: Span::seconds(5),
        }
    }
}

impl Query {
    pub(super) fn validate(&self, problems: &mut Problems) {
        for (key, is_zero) in [
            ("query.timeout", self.timeout.0.is_zero()),
            ("query.lookback", self.lookback.0.is_zero()),
            ("query.max_samples", self.max_samples == 0),
            ("query.max_series", self.max_series == 0),
            ("query.max_concurrent", self.max_concurrent == 0),
        ] {
            if is_zero {
                problems.add(key, "must not be zero");
            }
        }
    }
}
