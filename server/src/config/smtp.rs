//! `[smtp]`: the mail server that mail receivers use when `alerting.yml` names none.

use std::path::PathBuf;

use serde::Deserialize;

use super::Problems;

/// `[smtp]`.
#[derive(Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Smtp {
    /// Host and port of the mail server, such as `mail.example.com:587`.
    pub(crate) smarthost: Option<String>,
    /// The sender's address.
    pub(crate) from: Option<String>,
    /// The name to sign in with.
    pub(crate) username: Option<String>,
    /// The password.
    pub(crate) password: Option<String>,
    /// A file that holds the password.
    pub(crate) password_file: Option<PathBuf>,
    /// Refuse to send without STARTTLS.
    pub(crate) require_tls: bool,
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            smarthost: None,
            from: None,
            username: None,
            password: None,
            password_file: None,
            require_tls: true,
        }
    }
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp")
            .field("smarthost", &self.smarthost)
            .field("from", &self.from)
            .field("username", &self.username)
            .field("require_tls", &self.require_tls)
            .finish_non_exhaustive()
    }
}

impl Smtp {
    /// Host and port, when both are there.
    pub(crate) fn server(&self) -> Option<(String, u16)> {
        let (host, port) = self.smarthost.as_ref()?.rsplit_once(':')?;
        Some((host.to_owned(), port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.smarthost.is_some() && self.server().is_none() {
            problems.add("smtp.smarthost", "needs a host and a port, such as mail.example.com:587");
        }
        if self.password.is_some() && self.password_file.is_some() {
            problems.add("smtp.password", "is set together with smtp.password_file; keep one");
        }
    }
}
