//! `[agent]`: the host collector that is built in.

use serde::Deserialize;

use super::{Problems, value::Span};

/// `[agent]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Agent {
    /// Whether this machine's own metrics are collected.
    pub(crate) enabled: bool,
    /// How often.
    pub(crate) interval: Span,
    /// The value of the `host` label. Default: the machine's name.
    pub(crate) host: Option<String>,
}

impl Default for Agent {
    fn default() -> Self {
        Self { enabled: true, interval: Span::seconds(10), host: None }
    }
}

impl Agent {
    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.interval.0.as_secs() == 0 {
            problems.add("agent.interval", "must be at least 1s");
        }
    }
}
