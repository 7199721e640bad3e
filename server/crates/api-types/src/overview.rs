//! The first page.

use serde::{Deserialize, Serialize};

use crate::{AlertSummary, Health, HostRow, MonitorRow, ServiceRow};

/// Answer of `GET /api/app/overview`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// The worst of all.
    pub health: Health,
    /// The state in words: "2 of 14 services need attention".
    pub verdict: String,
    /// Alerts that fire, worst and newest first.
    pub firing: Vec<AlertSummary>,
    /// All monitors, those that are not up first.
    pub monitors: Vec<MonitorRow>,
    /// All services, those in trouble first.
    pub services: Vec<ServiceRow>,
    /// All hosts, those in trouble first.
    pub hosts: Vec<HostRow>,
    /// Where StatsD is listened for, for the empty state: `127.0.0.1:8125`.
    pub statsd_address: String,
}
