//! `[http]`: where the UI and the APIs are served.

use std::net::SocketAddr;

use serde::Deserialize;

use super::Problems;

/// `[http]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Http {
    /// Address and port; port 0 takes a free one.
    pub(crate) listen: String,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".into() }
    }
}

impl Http {
    /// The address, when it is valid.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.address().is_none() {
            problems.add(
                "http.listen",
                format!("`{}` is not an address with a port, expected 127.0.0.1:8080", self.listen),
            );
        }
    }
}
