//! Alerts and what became of them.

use serde::{Deserialize, Serialize};

use crate::{Panel, Runbook, Unit, number::or_nan};

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// The condition holds and has held for the hold duration.
    Firing,
    /// The condition no longer holds, but the alert is kept firing for a while.
    Recovering,
    /// The condition holds, not yet for the hold duration.
    Pending,
    /// Over.
    Resolved,
}

/// An alert in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertSummary {
    /// The identity of this episode, in the URL of its page.
    pub id: String,
    /// The alert's name.
    pub name: String,
    /// Where it stands.
    pub state: AlertState,
    /// The `severity` label; empty when there is none.
    pub severity: String,
    /// What it is about: service, host or instance, in words.
    pub target: String,
    /// The `summary` annotation.
    pub summary: String,
    /// The value at the last evaluation; NaN when it was no number.
    #[serde(deserialize_with = "or_nan")]
    pub value: f64,
    /// The unit of value and threshold.
    #[serde(default)]
    pub unit: Unit,
    /// The threshold, when the rule compares with a number.
    pub threshold: Option<f64>,
    /// The comparison with the threshold, such as `>`.
    pub comparison: Option<String>,
    /// When the condition began to hold.
    pub active_since_ms: i64,
    /// When it began to fire.
    pub firing_since_ms: Option<i64>,
    /// When it was over.
    pub resolved_at_ms: Option<i64>,
    /// The `owner` or `team` label; empty when there is none.
    pub owner: String,
    /// All labels but the name.
    pub labels: Vec<(String, String)>,
}

/// Answer of `GET /api/app/alerts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertList {
    /// Firing first, then recovering, pending, resolved; the newest first in each.
    pub alerts: Vec<AlertSummary>,
    /// How many rules there are.
    pub rules: u32,
    /// Rules whose last evaluation failed.
    pub failing_rules: Vec<FailingRule>,
}

/// A rule that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingRule {
    /// The rule's group.
    pub group: String,
    /// The rule's name.
    pub name: String,
    /// Why.
    pub error: String,
}

/// A change of an alert's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at_ms: i64,
    /// The state after it.
    pub to: AlertState,
    /// The value then; NaN when it was no number.
    #[serde(deserialize_with = "or_nan")]
    pub value: f64,
    /// Why, in words; may be empty.
    pub reason: String,
}

/// How far a notification got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// Waits for its turn.
    Pending,
    /// Sent and accepted by the other side.
    Sent,
    /// Failed, will be tried again.
    Retrying,
    /// Given up.
    Dead,
}

/// A notification about an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// When it was decided.
    pub created_ms: i64,
    /// When the other side accepted it.
    pub sent_ms: Option<i64>,
    /// The receiver's name in the configuration.
    pub receiver: String,
    /// `email`, `webhook`, …
    pub kind: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// How far it got.
    pub state: NotificationState,
    /// How often it was tried.
    pub attempts: u32,
    /// The last error; empty when there was none.
    pub error: String,
}

/// Answer of `GET /api/app/alerts/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertDetail {
    /// The row of the list.
    pub summary: AlertSummary,
    /// The `description` annotation.
    pub description: String,
    /// The `impact` annotation.
    pub impact: String,
    /// All annotations.
    pub annotations: Vec<(String, String)>,
    /// The rule's expression.
    pub expr: String,
    /// The rule's group and file.
    pub source: String,
    /// The hold duration in Prometheus's notation; empty when it is zero.
    pub hold: String,
    /// The expression without its comparison, with the threshold as a line.
    pub panel: Option<Panel>,
    /// Oldest first.
    pub transitions: Vec<Transition>,
    /// Oldest first.
    pub notifications: Vec<Notification>,
    /// The runbook named by `runbook_url`, when it is one of ours.
    pub runbook: Option<Runbook>,
    /// The `runbook_url` annotation; empty when there is none.
    pub runbook_url: String,
}
