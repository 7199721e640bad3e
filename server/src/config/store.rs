//! `[store]`: how samples are kept.

use std::time::Duration;

use serde::Deserialize;

use super::{Problems, value::Span};

const MIN_RETENTION: Duration = Duration::from_hours(1);

/// `[store]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Store {
    /// How long samples are kept, at least `1h`.
    pub(crate) retention: Span,
    /// How much data is gathered before it is sealed into pages; `20m` to `2h`.
    pub(crate) seal_interval: Span,
}

impl Default for Store {
    fn default() -> Self {
        Self { retention: Span::seconds(30 * 86_400), seal_interval: Span::seconds(3600) }
    }
}

impl Store {
    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.retention.0 < MIN_RETENTION {
            problems.add("store.retention", "must be at least 1h");
        }
        if !(20 * 60..=2 * 3600).contains(&self.seal_interval.0.as_secs()) {
            problems.add("store.seal_interval", "must be between 20m and 2h");
        }
    }
}
