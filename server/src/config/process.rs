//! `[server]`: where data lives, how the process is reached and what it logs.

use std::path::PathBuf;

use serde::Deserialize;

/// `[server]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Process {
    /// The folder for both databases; made when it is missing.
    pub(crate) data_dir: PathBuf,
    /// How people reach this server, for links in notifications. Default: the address of `[http]`.
    pub(crate) external_url: Option<String>,
    /// Which log lines are written: `error`, `warn`, `info`, `debug`, or a filter such as
    /// `info,sqlx=warn`.
    pub(crate) log: String,
    /// Log lines as JSON, for a log collector.
    pub(crate) json: bool,
}

impl Default for Process {
    fn default() -> Self {
        Self { data_dir: "data".into(), external_url: None, log: "info".into(), json: false }
    }
}
