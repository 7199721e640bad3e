//! `[events]`: events and service checks that clients send.

use std::time::Duration;

use serde::Deserialize;

use super::{Problems, value::Span};

const MIN_RETENTION: Duration = Duration::from_hours(1);
const MAX_PER_MINUTE: u32 = 100_000;
const MAX_CHECKS: usize = 50_000;

/// `[events]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Events {
    /// How long events and the history of service checks are kept, at least `1h`.
    pub(crate) retention: Span,
    /// Events that one sender may send in a minute, all of them at once if it likes; all senders
    /// together may send ten times as many. More are dropped and counted.
    pub(crate) max_per_minute: u32,
    /// A service check that was not heard of for so long is unknown.
    pub(crate) check_ttl: Span,
    /// Service checks with a name, host and tags of their own. More are dropped and counted.
    pub(crate) max_checks: usize,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            retention: Span::seconds(90 * 86_400),
            max_per_minute: 120,
            check_ttl: Span::seconds(600),
            max_checks: 10_000,
        }
    }
}

impl Events {
    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.retention.0 < MIN_RETENTION {
            problems.add("events.retention", "must be at least 1h");
        }
        if !(1..=MAX_PER_MINUTE).contains(&self.max_per_minute) {
            problems
                .add("events.max_per_minute", format!("must be between 1 and {MAX_PER_MINUTE}"));
        }
        if self.check_ttl.0.as_secs() < 10 {
            problems.add("events.check_ttl", "must be at least 10s");
        }
        if !(1..=MAX_CHECKS).contains(&self.max_checks) {
            problems.add("events.max_checks", format!("must be between 1 and {MAX_CHECKS}"));
        }
    }
}
