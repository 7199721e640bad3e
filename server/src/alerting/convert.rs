//! From the rules engine's records to those of the database, the dispatcher and the API.

use std::sync::Arc;

use api_types::AlertState;
use db::meta::alerts::{AlertCommit, InstanceRow, TransitionRow};
use notify::{Alert, AlertStatus};
use rules::{Changes, Instance, State};
use tsdb::Tsdb;
use uuid::Uuid;

use super::facts::{Facts, RuleFacts};
use crate::runbooks::RunbookShelf;

/// What an alert needs to know besides its instance.
#[derive(Debug)]
pub(crate) struct AlertContext {
    /// How people reach this server, without a slash at the end.
    pub(crate) external_url: String,
    pub(crate) store: Arc<Tsdb>,
    pub(crate) runbooks: Arc<RunbookShelf>,
}

impl AlertContext {
    /// The alert that a dispatcher is told of; `None` while it is only pending.
    pub(crate) fn alert(&self, instance: &Instance, facts: Option<&RuleFacts>) -> Option<Alert> {
        let starts_at = instance.fired_at?;
        let status = match instance.state {
            State::Pending => return None,
            State::Firing | State::Recovering => AlertStatus::Firing,
            State::Resolved => AlertStatus::Resolved,
        };
        let runbook_url = instance.annotations.get("runbook_url");
        Some(Alert {
            labels: instance.labels.clone(),
            annotations: model::Labels::from_pairs(
                instance.annotations.iter().map(|(name, text)| (name, self.absolute(name, text))),
            ),
            status,
            starts_at,
            ends_at: instance.resolved_at,
            generator_url: facts.map(|facts| self.explore_url(&facts.expr)).unwrap_or_default(),
            value: Some(instance.value),
            threshold: facts.and_then(|facts| facts.condition.as_ref()).map(|c| c.threshold),
            unit: facts.map(|facts| facts.unit(&self.store)).unwrap_or_default(),
            runbook: runbook_url.and_then(|url| self.runbooks.first_section(url)),
            episode: Uuid::from_u128(instance.episode.0),
            updated_at: instance.last_eval,
        })
    }

    /// A runbook of ours is linked by a relative path in a rule; people outside need the whole address.
    fn absolute(&self, name: &str, text: &str) -> String {
        if name == "runbook_url" && !text.is_empty() && !text.contains("://") {
            return format!("{}/{}", self.external_url, text.trim_start_matches('/'));
        }
        text.to_owned()
    }

    fn explore_url(&self, expr: &str) -> String {
        let query = serde_urlencoded::to_string([("q", expr)]).unwrap_or_default();
        format!("{}/explore?{query}", self.external_url)
    }

    /// The alerts of all instances that are not merely pending.
    pub(crate) fn alerts<'a>(
        &self,
        instances: impl Iterator<Item = &'a Instance>,
        facts: &Facts,
    ) -> Vec<Alert> {
        instances.filter_map(|i| self.alert(i, facts.get(i.rule_uid))).collect()
    }
}

/// The state as the API names it.
pub(crate) fn state(state: State) -> AlertState {
    match state {
        State::Pending => AlertState::Pending,
        State::Firing => AlertState::Firing,
        State::Recovering => AlertState::Recovering,
        State::Resolved => AlertState::Resolved,
    }
}

/// Adds what changed to what is to be written. Of several records of one instance the last counts.
pub(crate) fn add_changes(commit: &mut AlertCommit, changes: &Changes) {
    for instance in &changes.instances {
        let row = instance_row(instance);
        match commit.instances.iter_mut().find(|known| known.episode == row.episode) {
            Some(known) => *known = row,
            None => commit.instances.push(row),
        }
    }
    commit.transitions.extend(changes.transitions.iter().map(|transition| TransitionRow {
        episode: transition.episode.to_string(),
        at: transition.at,
        state: transition.to.as_str().to_owned(),
        value: transition.value,
        reason: transition.reason.to_string(),
    }));
    commit.dropped.extend(changes.dropped.iter().map(ToString::to_string));
}

fn instance_row(instance: &Instance) -> InstanceRow {
    InstanceRow {
        episode: instance.episode.to_string(),
        name: instance.rule.clone(),
        state: instance.state.as_str().to_owned(),
        active_at: instance.active_at,
        resolved_at: instance.resolved_at,
        body: serde_json::to_string(instance).expect("an instance has text keys only"),
    }
}
