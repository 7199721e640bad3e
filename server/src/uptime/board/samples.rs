//! The board as series.
//!
//! | series | value |
//! |---|---|
//! | `monitor_up` | 1 for `UP` and `DEGRADED`, 0 for `DOWN`; ends while neither is known |
//! | `monitor_state` | 0 unknown, 1 up, 2 degraded, 3 down, 4 maintenance, 5 paused |
//! | `monitor_blips_total` | runs of failures that ended before they were confirmed |
//! | `monitor_duration_seconds` | the last probe |
//! | `monitor_phase_duration_seconds{phase}` | its parts |
//! | `monitor_certificate_expiry_timestamp_seconds` | the end of the certificate it saw |
//!
//! Labels: `monitor`, `kind`, `group` and those of the definition. They say what the ledger says:
//! `monitor_up` turns 0 when downtime is confirmed, not at the first failed check.

use std::collections::HashSet;

use model::{Labels, LabelsBuilder, labels::METRIC_NAME, stale_marker};

use super::{Board, Entry};
use crate::uptime::ledger::State;

/// One value for the present flush. A stale marker says that the series ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MonitorSample {
    /// With the metric's name.
    pub(crate) labels: Labels,
    /// In the base unit that the name ends with.
    pub(crate) value: f64,
}

/// The series of the last flush.
#[derive(Debug, Default)]
pub(super) struct Series(HashSet<Labels>);

impl Board {
    /// The samples of one flush; call it once per flush, after [`Board::tick`].
    pub(crate) fn samples(&mut self) -> Vec<MonitorSample> {
        let mut samples = Vec::new();
        for entry in self.entries.values() {
            entry.add_samples(&mut samples);
        }
        let present: HashSet<Labels> = samples.iter().map(|sample| sample.labels.clone()).collect();
        let ended = self.series.0.difference(&present);
        let value = stale_marker();
        samples.extend(ended.map(|labels| MonitorSample { labels: labels.clone(), value }));
        self.series.0 = present;
        samples
    }
}

impl Entry {
    fn add_samples(&self, samples: &mut Vec<MonitorSample>) {
        let mut builder = LabelsBuilder::default();
        for (name, value) in &self.monitor.labels {
            builder.set(name, value);
        }
        builder.set("monitor", &self.monitor.name);
        builder.set("kind", self.monitor.kind_name());
        builder.set("group", &self.monitor.group);
        let mut add = |name, phase, value| {
            builder.set(METRIC_NAME, name).set("phase", phase);
            samples.push(MonitorSample { labels: builder.build(), value });
        };
        let state = self.ledger.current().state;
        add("monitor_state", "", code(state));
        add("monitor_blips_total", "", self.ledger.memory().blips_total as f64);
        let up = match state {
            State::Up | State::Degraded => 1.0,
            State::Down => 0.0,
            State::Unknown | State::Maintenance | State::Paused => return,
        };
        add("monitor_up", "", up);
        let Some(last) = &self.last else { return };
        add("monitor_duration_seconds", "", last.duration.as_secs_f64());
        for (phase, length) in last.phases.named() {
            add("monitor_phase_duration_seconds", phase, length.as_secs_f64());
        }
        if let Some(expires) = last.certificate_expires {
            let seconds = expires as f64 / 1000.0;
            add("monitor_certificate_expiry_timestamp_seconds", "", seconds);
        }
    }
}

/// The value of `monitor_state`; written down in the module's documentation and never reused.
fn code(state: State) -> f64 {
    match state {
        State::Unknown => 0.0,
        State::Up => 1.0,
        State::Degraded => 2.0,
        State::Down => 3.0,
        State::Maintenance => 4.0,
        State::Paused => 5.0,
    }
}
