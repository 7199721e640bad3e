//! Monitors and their uptime.

use serde::{Deserialize, Serialize};

use crate::Panel;

/// The state of a monitor's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonitorState {
    /// Answers as it should.
    Up,
    /// Answers, but slower than allowed.
    Degraded,
    /// Does not answer.
    Down,
    /// Nobody looked.
    Unknown,
    /// Planned work.
    Maintenance,
    /// Switched off.
    Paused,
}

/// Availability over a calendar window so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Uptime {
    /// (up + degraded) / (up + degraded + down), 0 to 1; `None` without any known time.
    pub ratio: Option<f64>,
    /// Change in percentage points against the same elapsed part of the window before.
    pub change_points: Option<f64>,
    /// Time down in this window.
    pub down_ms: i64,
    /// 1 − unknown / window, 0 to 1.
    pub coverage: f64,
}

/// The four calendar windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Uptimes {
    /// Since midnight.
    pub day: Uptime,
    /// Since Monday.
    pub week: Uptime,
    /// Since the first of the month.
    pub month: Uptime,
    /// Since the first of the quarter.
    pub quarter: Uptime,
}

/// One day of the bar chart; the parts sum up to the length of the day so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayBar {
    /// Midnight in the server's time zone.
    pub start_ms: i64,
    /// Time up.
    pub up_ms: i64,
    /// Time degraded.
    pub degraded_ms: i64,
    /// Time down.
    pub down_ms: i64,
    /// Time when nobody looked.
    pub unknown_ms: i64,
    /// Time in maintenance or paused.
    pub excluded_ms: i64,
}

/// A monitor in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorRow {
    /// Its name, unique.
    pub name: String,
    /// The heading it is listed under; may be empty.
    pub group: String,
    /// `http`, `tcp` or `heartbeat`.
    pub kind: String,
    /// What it looks at.
    pub target: String,
    /// Its state now.
    pub state: MonitorState,
    /// Since when.
    pub since_ms: i64,
    /// Duration of the last probe in seconds.
    pub latency_seconds: Option<f64>,
    /// Why it is not up; empty when it is.
    pub detail: String,
    /// Availability.
    pub uptime: Uptimes,
    /// The last 90 days, oldest first.
    pub days: Vec<DayBar>,
}

/// A time when a monitor was down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The first failed check of the confirming run.
    pub start_ms: i64,
    /// The first good check; `None` while it lasts.
    pub end_ms: Option<i64>,
    /// The error of the first failed check.
    pub reason: String,
}

/// Answer of `GET /api/app/monitors/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorPage {
    /// The row of the list.
    pub row: MonitorRow,
    /// Seconds between two checks.
    pub interval_seconds: f64,
    /// Latency by phase.
    pub panels: Vec<Panel>,
    /// Newest first.
    pub outages: Vec<Outage>,
    /// The runbook's name; empty when there is none.
    pub runbook: String,
}
