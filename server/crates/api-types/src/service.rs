//! Services: what sends metrics with a `service` label. RED: rate, errors, duration.

use serde::{Deserialize, Serialize};

use crate::{AlertSummary, Health, MonitorRow, Panel, RunbookRow};

/// A service in the table of the overview.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// The value of the `service` label.
    pub name: String,
    /// The worst of its alerts; unknown when it sends nothing.
    pub health: Health,
    /// Requests per second over the last five minutes.
    pub rate: Option<f64>,
    /// Share of requests that failed, 0 to 1.
    pub error_ratio: Option<f64>,
    /// 95th percentile of the duration in seconds.
    pub p95_seconds: Option<f64>,
    /// Requests per second over the last hour, oldest first; `None` is a gap.
    pub sparkline: Vec<Option<f64>>,
    /// Availability this day of the monitors that belong to it, 0 to 1.
    pub uptime_day: Option<f64>,
    /// How many alerts fire.
    pub firing: u32,
    /// When a sample last arrived.
    pub last_seen_ms: Option<i64>,
}

/// Answer of `GET /api/app/services/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServicePage {
    /// The row of the overview.
    pub row: ServiceRow,
    /// The state in words: "Healthy: 120 requests a second, 0.2 % fail, p95 84 ms".
    pub verdict: String,
    /// Rate, errors, duration.
    pub red: Vec<Panel>,
    /// Charts of other metrics of the service.
    pub more: Vec<Panel>,
    /// Its alerts, firing first.
    pub alerts: Vec<AlertSummary>,
    /// Its monitors.
    pub monitors: Vec<MonitorRow>,
    /// Its runbooks.
    pub runbooks: Vec<RunbookRow>,
    /// Names of all metrics with its label.
    pub metrics: Vec<String>,
}
