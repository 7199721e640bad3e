//! `[rules]`, `[alerting]`, `[monitors]`, `[runbooks]`: where the other files are.

use std::path::PathBuf;

use serde::Deserialize;

/// `[rules]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Rules {
    /// Prometheus rule files; `*` stands for any part of a file name.
    pub(crate) files: Vec<PathBuf>,
}

/// `[alerting]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Alerting {
    /// A file in Alertmanager's format; without one nothing is sent.
    pub(crate) config: Option<PathBuf>,
}

/// `[monitors]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Monitors {
    /// Monitor files; `*` stands for any part of a file name.
    pub(crate) files: Vec<PathBuf>,
    /// Whether probes may connect to link-local and cloud metadata addresses.
    pub(crate) allow_link_local: bool,
}

/// `[runbooks]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Runbooks {
    /// A folder of Markdown files.
    pub(crate) dir: Option<PathBuf>,
}
