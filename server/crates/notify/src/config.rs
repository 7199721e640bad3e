//! Alertmanager's configuration: routes, receivers, inhibition and time intervals.

mod integrations;
mod parse;
mod reader;
mod receiver;
mod routes;
mod section;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use model::Matcher;

pub use receiver::{
    Authorization, EmailConfig, HttpConfig, Integration, ReceiverConfig, SmtpDefaults, TlsConfig,
    WebhookConfig,
};

use crate::{inhibit::InhibitRule, mute::TimeInterval};

/// How long an alert from outside without an end fires until it counts as over.
pub const DEFAULT_RESOLVE_TIMEOUT: Duration = Duration::from_mins(5);

/// The whole configuration, checked: every receiver and time interval that is named exists.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long an alert from outside without an end fires until it counts as over. Default 5m.
    pub resolve_timeout: Duration,
    /// The root of the route tree; it takes every alert.
    pub route: RouteConfig,
    /// The receivers, names unique.
    pub receivers: Vec<ReceiverConfig>,
    /// The inhibition rules.
    pub inhibit_rules: Vec<InhibitRule>,
    /// Time intervals by name.
    pub time_intervals: BTreeMap<String, Vec<TimeInterval>>,
}

/// A node of the route tree as written; what is not set is inherited from the parent.
#[derive(Debug, Clone, Default)]
pub struct RouteConfig {
    /// Who is told. The root must have one.
    pub receiver: Option<String>,
    /// The labels that make groups; `["..."]` means all labels.
    pub group_by: Option<Vec<String>>,
    /// What an alert must match.
    pub matchers: Vec<Matcher>,
    /// Whether later siblings are tried after a match.
    pub continues: bool,
    /// How long a new group gathers alerts. Default 30s.
    pub group_wait: Option<Duration>,
    /// How long a group waits between notifications. Default 5m, more than zero.
    pub group_interval: Option<Duration>,
    /// After which time an unchanged group is told again. Default 4h, more than zero.
    pub repeat_interval: Option<Duration>,
    /// Time intervals in which this route is silent. Not inherited.
    pub mute_time_intervals: Vec<String>,
    /// Time intervals outside which this route is silent; none means always active. Not inherited.
    pub active_time_intervals: Vec<String>,
    /// The children, tried in order.
    pub routes: Vec<RouteConfig>,
}

/// One thing that is wrong in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Its line, from 1; 0 when the place is unknown.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.path.display(), self.line, self.column, self.message)
    }
}

/// Everything that is wrong in a configuration file, in order of place; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads Alertmanager's format. `path` names the file in errors; files named in the text are
    /// relative to its folder and are read here.
    ///
    /// Email and webhook receivers work; other kinds, and keys that are known but without effect here,
    /// are errors rather than silently ignored. Beyond Alertmanager's keys a webhook has
    /// `signing_secret` and `allow_link_local`. `send_resolved` is true by default for every kind.
    ///
    /// # Errors
    /// Every problem found, with its line and column.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        Self::parse_with(text, path, &SmtpDefaults::default())
    }

    /// As [`Config::parse`], with defaults for mails that the section `global` overrides.
    ///
    /// # Errors
    /// Every problem found, with its line and column.
    pub fn parse_with(text: &str, path: &Path, smtp: &SmtpDefaults) -> Result<Self, ConfigErrors> {
        let reader = reader::Reader::new(path);
        let config = parse::config(&reader, text, smtp);
        reader.finish(config)
    }

    /// The configuration without a file: one route that groups by alert name and tells one receiver,
    /// `default`, with all these integrations. Without any, alerts are kept and shown, but nobody is
    /// told.
    pub fn with_integrations(integrations: Vec<Integration>) -> Self {
        Self {
            resolve_timeout: DEFAULT_RESOLVE_TIMEOUT,
            route: RouteConfig {
                receiver: Some("default".to_owned()),
                group_by: Some(vec![crate::alert::ALERT_NAME.to_owned()]),
                ..RouteConfig::default()
            },
            receivers: vec![ReceiverConfig { name: "default".to_owned(), integrations }],
            inhibit_rules: Vec::new(),
            time_intervals: BTreeMap::new(),
        }
    }
}
