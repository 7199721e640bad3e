//! Alerts as the rules (or another Prometheus) hand them over.

use model::{Labels, Timestamp};
use quantity::Unit;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Threshold;

/// The label that holds an alert's name.
pub const ALERT_NAME: &str = "alertname";

/// Whether an alert is on or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    /// The condition holds.
    Firing,
    /// The condition no longer holds.
    Resolved,
}

impl AlertStatus {
    /// `firing` or `resolved`, as Alertmanager writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert in one state. Its identity is the [fingerprint](Alert::fingerprint) of its labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The identifying labels, `alertname` among them.
    pub labels: Labels,
    /// What is told about it: `summary`, `description`, `runbook_url` and others, by name.
    #[serde(default)]
    pub annotations: Labels,
    /// On or over, as its source says.
    pub status: AlertStatus,
    /// When it began to fire.
    pub starts_at: Timestamp,
    /// Once over: when that was. While firing: from when on it counts as over unless renewed, for
    /// sources that only repeat what fires; `None` when the source will tell.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    /// Where the source shows the rule or its expression; may be empty.
    #[serde(default)]
    pub generator_url: String,
    /// The value at the last evaluation.
    #[serde(default)]
    pub value: Option<f64>,
    /// The number the value is compared with, when the rule is such a comparison.
    #[serde(default)]
    pub threshold: Option<Threshold>,
    /// The unit of value and threshold.
    #[serde(default)]
    pub unit: Unit,
    /// The first section of the runbook as Markdown, when the runbook is at hand.
    #[serde(default)]
    pub runbook: Option<String>,
    /// The episode, from the first time the condition held until it was over.
    pub episode: Uuid,
    /// When the source last said something about it.
    pub updated_at: Timestamp,
}

impl Alert {
    /// Prometheus's and Alertmanager's fingerprint of the labels.
    pub fn fingerprint(&self) -> u64 {
        self.labels.fingerprint()
    }

    /// On or over at `now`, an end that has passed included.
    pub fn status_at(&self, now: Timestamp) -> AlertStatus {
        match self.ends_at {
            Some(end) if end <= now => AlertStatus::Resolved,
            _ => self.status,
        }
    }

    /// The alert as it stands at `now`: over with its end, or firing without one.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Self {
        let status = self.status_at(now);
        let ends_at = match status {
            AlertStatus::Firing => None,
            AlertStatus::Resolved => Some(self.ends_at.unwrap_or(now)),
        };
        Self { status, ends_at, ..self.clone() }
    }

    /// The alert's name; empty when it has none.
    pub fn name(&self) -> &str {
        self.labels.value_or_empty(ALERT_NAME)
    }

    /// What the alert is about, in the labels' own words: service, host, monitor, instance or job,
    /// whichever comes first; empty when there is none of them.
    pub fn target(&self) -> &str {
        ["service", "host", "monitor", "instance", "job"]
            .into_iter()
            .find_map(|name| self.labels.get(name))
            .unwrap_or("")
    }

    /// An annotation; `None` when it is not set.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name)
    }

    /// Whether a person is to act at once: severity `page` or `critical`.
    pub fn is_critical(&self) -> bool {
        matches!(self.labels.value_or_empty("severity"), "page" | "critical")
    }

    /// `5.2% > 1%`, or the value alone without a threshold; `None` without a value.
    pub fn reading(&self) -> Option<String> {
        let value = self.unit.format(self.value?);
        Some(match self.threshold {
            None => value,
            Some(threshold) => format!(
                "{value} {} {}",
                threshold.comparison.as_str(),
                self.unit.format(threshold.bound)
            ),
        })
    }
}

/// A fingerprint as Alertmanager writes it: 16 lower-case hexadecimal digits.
pub fn fingerprint_text(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::threshold::Comparison;

    /// A firing alert that began at `starts_at`, with labels written as `name=value,…`.
    pub(crate) fn firing(labels: &str, starts_at: Timestamp) -> Alert {
        let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        let labels = Labels::from_pairs(pairs);
        Alert {
            episode: Uuid::from_u64_pair(labels.fingerprint(), starts_at as u64),
            labels,
            annotations: Labels::empty(),
            status: AlertStatus::Firing,
            starts_at,
            ends_at: None,
            generator_url: String::new(),
            value: None,
            threshold: None,
            unit: Unit::None,
            runbook: None,
            updated_at: starts_at,
        }
    }

    /// The same alert, over at `at`.
    pub(crate) fn resolved(alert: &Alert, at: Timestamp) -> Alert {
        Alert { status: AlertStatus::Resolved, ends_at: Some(at), updated_at: at, ..alert.clone() }
    }

    #[test]
    fn an_end_that_has_passed_means_over() {
        let mut alert = firing("alertname=x", 100);
        assert_eq!(alert.status_at(i64::MAX), AlertStatus::Firing);
        alert.ends_at = Some(200);
        assert_eq!(alert.status_at(199), AlertStatus::Firing);
        assert_eq!(alert.status_at(200), AlertStatus::Resolved);
        assert_eq!(alert.snapshot(199).ends_at, None);
        assert_eq!(alert.snapshot(200).ends_at, Some(200));
    }

    #[test]
    fn the_reading_is_value_against_threshold() {
        let mut alert = firing("alertname=x", 0);
        assert_eq!(alert.reading(), None);
        alert.value = Some(0.052);
        alert.unit = Unit::Ratio;
        assert_eq!(alert.reading().as_deref(), Some("5.2%"));
        alert.threshold = Some(Threshold { comparison: Comparison::Greater, bound: 0.01 });
        assert_eq!(alert.reading().as_deref(), Some("5.2% > 1%"));
    }

    #[test]
    fn an_alert_survives_json() {
        let mut alert = firing("alertname=x,service=checkout", 5);
        alert.value = Some(1.5);
        alert.threshold = Some(Threshold { comparison: Comparison::LessOrEqual, bound: 2.0 });
        let text = serde_json::to_string(&alert).unwrap();
        assert_eq!(serde_json::from_str::<Alert>(&text).unwrap(), alert);
    }
}
