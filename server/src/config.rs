//! The configuration: one type per section, with defaults, and all errors at once.
//!
//! Settings come from the defaults, then the file, then `BELLWETHER_SECTION__KEY` in the environment,
//! then flags. Paths in a file are relative to the file's folder.

pub(crate) mod agent;
pub(crate) mod auth;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod process;
pub(crate) mod query;
pub(crate) mod remote_write;
pub(crate) mod smtp;
pub(crate) mod statsd;
pub(crate) mod store;
pub(crate) mod value;

use serde::Deserialize;

pub(crate) use load::{Source, load};

/// Everything that can be set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) server: process::Process,
    pub(crate) http: http::Http,
    pub(crate) auth: auth::Auth,
    pub(crate) statsd: statsd::Statsd,
    pub(crate) events: events::Events,
    pub(crate) store: store::Store,
    pub(crate) query: query::Query,
    pub(crate) remote_write: remote_write::RemoteWrite,
    pub(crate) rules: files::Rules,
    pub(crate) alerting: files::Alerting,
    pub(crate) monitors: files::Monitors,
    pub(crate) runbooks: files::Runbooks,
    pub(crate) smtp: smtp::Smtp,
    pub(crate) agent: agent::Agent,
}

/// Collects what is wrong with a configuration that could be read.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<(String, String)>);

impl Problems {
    /// Notes a problem with the setting `key`, such as `statsd.flush_interval`.
    pub(crate) fn add(&mut self, key: &str, message: impl Into<String>) {
        self.0.push((key.to_owned(), message.into()));
    }
}

impl Config {
    /// Checks what types alone cannot.
    fn validate(&self, problems: &mut Problems) {
        self.http.validate(problems);
        self.auth.validate(&self.http, problems);
        self.statsd.validate(problems);
        self.events.validate(problems);
        self.store.validate(problems);
        self.query.validate(problems);
        self.remote_write.validate(problems);
        self.smtp.validate(problems);
        self.agent.validate(problems);
    }
}
