//! Alerts as pages show them.

use std::collections::BTreeMap;

use api_types::{AlertState, AlertSummary};
use rules::{Instance, State};
use tsdb::Tsdb;

use crate::alerting::{View, convert, facts::RuleFacts};

/// Labels that say what an alert is about, the most telling first.
const TARGET_LABELS: [&str; 6] = ["service", "host", "monitor", "instance", "device", "job"];

/// An instance as a row.
pub(crate) fn summary(
    instance: &Instance,
    facts: Option<&RuleFacts>,
    store: &Tsdb,
) -> AlertSummary {
    let label = |name: &str| instance.labels.value_or_empty(name).to_owned();
    let annotation = |name: &str| instance.annotations.get(name).cloned().unwrap_or_default();
    let threshold = facts.and_then(|facts| facts.condition.as_ref()).map(|c| c.threshold);
    let owner = Some(label("owner")).filter(|owner| !owner.is_empty());
    AlertSummary {
        id: instance.episode.to_string(),
        name: instance.rule.clone(),
        state: convert::state(instance.state),
        severity: label("severity"),
        target: target(instance),
        summary: annotation("summary"),
        value: instance.value,
        unit: facts.map(|facts| facts.unit(store)).unwrap_or_default(),
        threshold: threshold.map(|threshold| threshold.bound),
        comparison: threshold.map(|threshold| threshold.comparison.as_str().to_owned()),
        active_since_ms: instance.active_at,
        firing_since_ms: instance.fired_at,
        resolved_at_ms: instance.resolved_at,
        owner: owner.unwrap_or_else(|| label("team")),
        labels: instance
            .labels
            .iter()
            .filter(|(name, _)| *name != "alertname")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn target(instance: &Instance) -> String {
    let found = TARGET_LABELS.iter().find_map(|name| instance.labels.get(name));
    found.unwrap_or_default().to_owned()
}

/// All instances of the view as rows: firing first, then recovering, pending, resolved; in each the most
/// urgent and then the newest first.
pub(crate) fn rows(view: &View, store: &Tsdb) -> Vec<AlertSummary> {
    let mut rows: Vec<AlertSummary> = view
        .instances
        .iter()
        .map(|instance| summary(instance, view.facts.get(instance.rule_uid), store))
        .collect();
    sort(&mut rows);
    rows
}

/// See [`rows`].
pub(crate) fn sort(rows: &mut [AlertSummary]) {
    rows.sort_by_cached_key(|row| {
        let is_minor = !super::is_urgent(&row.severity);
        (
            row.state,
            is_minor,
            std::cmp::Reverse(row.active_since_ms),
            row.name.clone(),
            row.id.clone(),
        )
    });
}

/// Rows that are not over, by the value of one of their labels.
pub(crate) fn by_label(rows: &[AlertSummary], label: &str) -> BTreeMap<String, Vec<AlertSummary>> {
    let mut by: BTreeMap<String, Vec<AlertSummary>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state != AlertState::Resolved) {
        if let Some((_, value)) = row.labels.iter().find(|(name, _)| name == label) {
            by.entry(value.clone()).or_default().push(row.clone());
        }
    }
    by
}

/// The state that a word of the database means.
pub(crate) fn state_of(word: &str) -> AlertState {
    let state = match word {
        "pending" => State::Pending,
        "firing" => State::Firing,
        "recovering" => State::Recovering,
        _ => State::Resolved,
    };
    convert::state(state)
}
