//! `[remote_write]`: what other servers may send us, and where our samples are sent on to.

mod endpoint;

use std::path::Path;

use serde::Deserialize;

pub(crate) use endpoint::EndpointTable;

use super::{Problems, value::Bytes};

/// Larger messages would be in memory as a whole, several at a time.
const MAX_MESSAGE_BYTES: u64 = 256 << 20;

/// `[remote_write]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct RemoteWrite {
    /// How many series senders may keep alive in all; new ones beyond are refused and counted. 0
    /// refuses every series.
    pub(crate) max_series: usize,
    /// The largest request, unpacked; `256MiB` at most.
    pub(crate) max_message: Bytes,
    /// Requests that are worked on at the same time; more wait a moment and are then asked to come
    /// again.
    pub(crate) max_concurrent: usize,
    /// The most exemplars in memory, of all series; the oldest go first. They do not outlive the process.
    /// Default 10,000, which is 2 to 5 MB; 0 keeps none.
    pub(crate) max_exemplars: usize,
    /// Where our samples are sent on to.
    #[serde(rename = "endpoint")]
    pub(crate) endpoints: Vec<EndpointTable>,
}

impl Default for RemoteWrite {
    fn default() -> Self {
        Self {
            max_series: 1_000_000,
            max_message: Bytes(32 << 20),
            max_concurrent: 8,
            max_exemplars: 10_000,
            endpoints: Vec::new(),
        }
    }
}

impl RemoteWrite {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        self.endpoints.iter_mut().for_each(|endpoint| endpoint.resolve_paths(folder));
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        if !(1..=MAX_MESSAGE_BYTES).contains(&self.max_message.0) {
            problems.add("remote_write.max_message", "must be between 1 and 256MiB");
        }
        if !(1..=1_000).contains(&self.max_concurrent) {
            problems.add("remote_write.max_concurrent", "must be between 1 and 1000");
        }
        endpoint::validate(&self.endpoints, problems);
    }
}
