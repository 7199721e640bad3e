//! The server's own health.

use serde::{Deserialize, Serialize};

/// A number that says what happened, and whether it should worry anybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// Grouping: Ingest, Store, Rules, Notifications.
    pub part: String,
    /// What is counted, in words.
    pub name: String,
    /// Its value with unit, for people.
    pub text: String,
    /// What it means and what to do when it grows; may be empty.
    pub help: String,
    /// Whether the value is a sign of trouble.
    pub is_bad: bool,
}

/// A sender of StatsD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its address without the port.
    pub address: String,
    /// `udp`, `tcp`, …
    pub transport: String,
    /// Datagrams received.
    pub datagrams: u64,
    /// Lines received.
    pub lines: u64,
    /// Lines refused.
    pub bad_lines: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Series it made.
    pub series: u64,
    /// When it last sent.
    pub last_seen_ms: i64,
}

/// A place that notifications go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// The receiver's name in the configuration.
    pub name: String,
    /// `email`, `webhook`, …
    pub kind: String,
    /// Where to, without secrets.
    pub target: String,
}

/// Answer of `GET /api/app/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version, commit.
    pub version: String,
    /// When the process started.
    pub started_ms: i64,
    /// What is wrong with the server itself, in words; empty when nothing is.
    pub problems: Vec<String>,
    /// Everything that is counted.
    pub counters: Vec<Counter>,
    /// Who sends.
    pub sources: Vec<Source>,
    /// Where notifications go.
    pub receivers: Vec<Receiver>,
}
