//! Hosts: what sends host metrics. USE: utilization, saturation, errors.

use serde::{Deserialize, Serialize};

use crate::{AlertSummary, Health, Panel};

/// A host in the table of the overview.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostRow {
    /// The value of the `host` label.
    pub name: String,
    /// The worst of its alerts; unknown when it sends nothing.
    pub health: Health,
    /// Share of CPU time in use, 0 to 1.
    pub cpu_ratio: Option<f64>,
    /// Share of memory in use, 0 to 1.
    pub memory_ratio: Option<f64>,
    /// Share in use of the fullest filesystem, 0 to 1.
    pub disk_ratio: Option<f64>,
    /// Load average over one minute per CPU.
    pub load_per_cpu: Option<f64>,
    /// Bytes received and sent per second.
    pub network_bytes_per_second: Option<f64>,
    /// How many alerts fire.
    pub firing: u32,
    /// When a sample last arrived.
    pub last_seen_ms: Option<i64>,
}

/// A fact about a host, such as its kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What.
    pub name: String,
    /// Its value in words.
    pub value: String,
}

/// One cell of the USE table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The value with its unit, such as `42 %`; `–` when not known.
    pub text: String,
    /// What exactly it is, for the tooltip.
    pub detail: String,
    /// How good or bad it is.
    pub health: Health,
    /// 0 to 1 for a bar behind the text, when that makes sense.
    pub ratio: Option<f64>,
}

/// A resource and how it fares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// CPU, Memory, Disk sda, Network eth0, …
    pub name: String,
    /// How busy it is.
    pub utilization: Cell,
    /// How much work waits for it.
    pub saturation: Cell,
    /// What went wrong.
    pub errors: Cell,
}

/// Answer of `GET /api/app/hosts/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostPage {
    /// The row of the overview.
    pub row: HostRow,
    /// The state in words.
    pub verdict: String,
    /// Kernel, CPUs, memory, time since start.
    pub facts: Vec<Fact>,
    /// Resources × utilization, saturation, errors.
    pub resources: Vec<Resource>,
    /// USE charts.
    pub panels: Vec<Panel>,
    /// Its alerts, firing first.
    pub alerts: Vec<AlertSummary>,
}
