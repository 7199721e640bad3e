//! `[auth]`: who may come in.

use serde::Deserialize;

use super::{Problems, http::Http};

/// How people prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthMode {
    /// Name and password; a one-time link in the log makes the first admin.
    #[default]
    Password,
    /// Everybody is admin. Only on a loopback address.
    None,
}

/// `[auth]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Auth {
    /// See [`AuthMode`].
    pub(crate) mode: AuthMode,
}

impl Auth {
    pub(super) fn validate(&self, http: &Http, problems: &mut Problems) {
        let is_loopback = http.address().is_none_or(|address| address.ip().is_loopback());
        if self.mode == AuthMode::None && !is_loopback {
            problems.add(
                "auth.mode",
                format!(
                    "\"none\" lets everybody in and {} is not a loopback address; use \"password\" or \
                     listen on 127.0.0.1",
                    http.listen
                ),
            );
        }
    }
}
