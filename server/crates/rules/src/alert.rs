//! The state machine of an alerting rule.
//!
//! ```text
//!            true, for=0 ───────────────▶┐
//! (nothing) ─true─▶ pending ─for over──▶ firing ─false─▶ resolved ─15 min─▶ (nothing)
//!                   │  ▲                 │   ▲ │            ▲
//!                   │  └──`for` raised───┘   │ └false, keep_firing_for>0─▶ recovering ─over─┘
//!                   └─false─▶ (nothing)      └────────────true─────────────┘
//! ```
//!
//! States, times and the conditions between them are Prometheus's (`rules/alerting.go`);
//! `recovering` is what Prometheus calls firing with `keep_firing_for` running, and is `firing` in
//! the series `ALERTS`. Differences, all on the safe side: over the limit only the new alerts that
//! do not fit are left out (Prometheus drops all), and instances are restored as they were stored.
//!
//! An episode begins when the condition starts to hold and ends with `resolved`; the same labels
//! later are another episode. Times that a query failed change nothing: the caller does not come
//! here.

mod instance;

use std::collections::{BTreeMap, btree_map::Entry};

use model::{Labels, Timestamp, Value, labels::METRIC_NAME};

pub use instance::{EpisodeId, EpisodeIdError, Instance, Reason, State, Transition};

use crate::{
    query::Row,
    rule::{AlertingRule, RuleUid},
};

/// How long a resolved instance is kept, so that its end can still be told: 15 minutes.
pub const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;

const ALERT_NAME: &str = "alertname";
const ALERT_STATE: &str = "alertstate";
const ALERTS: &str = "ALERTS";
const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// What changed and must be stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The changes of state, in order of time and, within one evaluation, of labels.
    pub transitions: Vec<Transition>,
    /// Instances whose state or times changed, as they are now.
    pub instances: Vec<Instance>,
    /// Pending episodes that ended without having fired; nothing needs to be kept of them.
    pub dropped: Vec<EpisodeId>,
}

impl Changes {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.transitions.is_empty() && self.dropped.is_empty()
    }

    /// Adds what came later.
    pub fn append(&mut self, mut later: Self) {
        self.transitions.append(&mut later.transitions);
        self.instances.append(&mut later.instances);
        self.dropped.append(&mut later.dropped);
    }

    fn record(&mut self, instance: &Instance, from: Option<State>, at: Timestamp, reason: Reason) {
        self.transitions.push(Transition {
            episode: instance.episode,
            rule_uid: instance.rule_uid,
            labels: instance.labels.clone(),
            from,
            to: instance.state,
            at,
            value: instance.value,
            reason,
        });
        self.instances.push(instance.clone());
    }
}

/// A series for which the condition holds, with labels and annotations expanded.
#[derive(Debug, Clone)]
pub struct Found {
    /// The alert's labels, with `alertname`.
    pub labels: Labels,
    /// The texts.
    pub annotations: BTreeMap<String, String>,
    /// The value of the series; 0 for a histogram.
    pub value: f64,
}

/// Two series give alerts with the same labels, which could not be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("vector contains metrics with the same labelset after applying alert labels: {0}")]
pub struct DuplicateLabels(pub Labels);

/// The instances of one rule, in order of labels.
#[derive(Debug, Clone, Default)]
pub struct Instances(BTreeMap<Labels, Instance>);

/// What does not change during one evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluated<'a> {
    pub(crate) rule: &'a AlertingRule,
    pub(crate) uid: RuleUid,
    pub(crate) group: &'a str,
    pub(crate) timestamp: Timestamp,
    pub(crate) limit: Option<usize>,
}

/// What came out of one evaluation.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) changes: Changes,
    /// New alerts that did not fit into the limit.
    pub(crate) overflow: usize,
}

impl Instances {
    /// All instances, the resolved ones of the last 15 minutes included.
    pub fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.0.values()
    }

    /// How many are pending, firing or recovering.
    pub fn active(&self) -> usize {
        self.iter().filter(|instance| instance.state != State::Resolved).count()
    }

    /// Moves every instance on by one evaluation whose condition holds for `found`.
    pub(crate) fn evaluate(
        &mut self,
        now: Evaluated<'_>,
        found: Vec<Found>,
    ) -> Result<Outcome, DuplicateLabels> {
        let mut present: BTreeMap<Labels, Found> = BTreeMap::new();
        for row in found {
            match present.entry(row.labels.clone()) {
                Entry::Vacant(entry) => _ = entry.insert(row),
                Entry::Occupied(entry) => return Err(DuplicateLabels(entry.key().clone())),
            }
        }
        let mut outcome = Outcome::default();
        self.0.retain(|labels, instance| {
            instance.last_eval = now.timestamp;
            match present.get(labels) {
                // A new episode begins below.
                Some(_) if instance.state == State::Resolved => true,
                Some(_) => {
                    if let Some(row) = present.remove(labels) {
                        instance.value = row.value;
                        instance.annotations = row.annotations;
                    }
                    holds(instance, now, &mut outcome.changes);
                    true
                }
                None => is_kept_when_gone(instance, now, &mut outcome.changes),
            }
        });
        let mut active = self.active();
        for (labels, row) in present {
            if now.limit.is_some_and(|limit| active >= limit) {
                outcome.overflow += 1;
                continue;
            }
            active += 1;
            let instance = begin(now, row, &mut outcome.changes);
            self.0.insert(labels, instance);
        }
        Ok(outcome)
    }

    /// Takes back an instance that was stored. Of several episodes with the same labels the one
    /// that goes on is kept, else the last.
    pub(crate) fn restore(&mut self, instance: Instance) {
        let rank = |i: &Instance| (i.state != State::Resolved, i.active_at);
        let known = self.0.get(&instance.labels);
        if known.is_none_or(|known| rank(known) <= rank(&instance)) {
            self.0.insert(instance.labels.clone(), instance);
        }
    }

    /// Ends every episode because its rule is gone.
    pub(crate) fn end(&mut self, now: Timestamp, changes: &mut Changes) {
        for (_, mut instance) in std::mem::take(&mut self.0) {
            end(&mut instance, now, changes);
        }
    }

    /// The series `ALERTS` and `ALERTS_FOR_STATE` of the active instances.
    pub(crate) fn samples(&self, out: &mut Vec<Row>) {
        out.extend(self.iter().filter_map(series_of).flatten());
    }
}

/// The samples of `ALERTS` and `ALERTS_FOR_STATE` for an instance that is not resolved.
pub(crate) fn series_of(instance: &Instance) -> Option<[Row; 2]> {
    let state = match instance.state {
        State::Pending => "pending",
        State::Firing | State::Recovering => "firing",
        State::Resolved => return None,
    };
    let mut labels = instance.labels.to_builder();
    let since_seconds = instance.active_at.div_euclid(1000) as f64;
    let for_state = labels.set(METRIC_NAME, ALERTS_FOR_STATE).build();
    let alerts = labels.set(METRIC_NAME, ALERTS).set(ALERT_STATE, state).build();
    Some([(alerts, Value::Float(1.0)), (for_state, Value::Float(since_seconds))])
}

/// Ends an episode whose rule is gone: what fired is resolved, what was pending is dropped.
pub(crate) fn end(instance: &mut Instance, now: Timestamp, changes: &mut Changes) {
    match instance.state {
        State::Pending => changes.dropped.push(instance.episode),
        State::Firing | State::Recovering => resolve(instance, now, Reason::RuleRemoved, changes),
        State::Resolved => {}
    }
}

/// The labels of an alert: those of the series without its metric's name, then the rule's, then the
/// rule's name.
pub(crate) fn alert_labels(
    series: &Labels,
    rule: &AlertingRule,
    mut expand: impl FnMut(&crate::template::Template) -> String,
) -> Labels {
    let mut labels = series.to_builder();
    labels.remove(METRIC_NAME);
    for (name, template) in &rule.labels {
        labels.set(name, &expand(template));
    }
    labels.set(ALERT_NAME, &rule.name);
    labels.build()
}

fn begin(now: Evaluated<'_>, row: Found, changes: &mut Changes) -> Instance {
    let is_firing = now.rule.hold.is_zero();
    let instance = Instance {
        episode: EpisodeId::derive(now.uid, row.labels.fingerprint(), now.timestamp),
        rule_uid: now.uid,
        rule: now.rule.name.clone(),
        group: now.group.to_owned(),
        labels: row.labels,
        annotations: row.annotations,
        state: if is_firing { State::Firing } else { State::Pending },
        active_at: now.timestamp,
        fired_at: is_firing.then_some(now.timestamp),
        resolved_at: None,
        keep_firing_since: None,
        value: row.value,
        last_eval: now.timestamp,
    };
    changes.record(&instance, None, now.timestamp, Reason::ConditionHolds);
    instance
}

/// The condition holds for an instance that is not resolved.
fn holds(instance: &mut Instance, now: Evaluated<'_>, changes: &mut Changes) {
    let ts = now.timestamp;
    let held_ms = ts.saturating_sub(instance.active_at);
    let is_held = held_ms >= now.rule.hold.as_millis() as i64;
    let from = instance.state;
    let reason = match (from, is_held) {
        (State::Pending, true) => {
            instance.state = State::Firing;
            instance.fired_at = Some(ts);
            Reason::HoldOver
        }
        (State::Firing | State::Recovering, false) => {
            instance.state = State::Pending;
            instance.fired_at = None;
            instance.keep_firing_since = None;
            Reason::HoldRaised
        }
        (State::Recovering, true) => {
            instance.state = State::Firing;
            instance.keep_firing_since = None;
            Reason::ConditionBack
        }
        (State::Pending, false) | (State::Firing, true) | (State::Resolved, _) => return,
    };
    changes.record(instance, Some(from), ts, reason);
}

/// The condition does not hold for an instance; false when it need not be kept.
fn is_kept_when_gone(instance: &mut Instance, now: Evaluated<'_>, changes: &mut Changes) -> bool {
    let ts = now.timestamp;
    let keep_firing_ms = now.rule.keep_firing.as_millis() as i64;
    match instance.state {
        State::Pending => {
            changes.dropped.push(instance.episode);
            return false;
        }
        State::Firing if keep_firing_ms > 0 => {
            instance.state = State::Recovering;
            instance.keep_firing_since = Some(ts);
            changes.record(instance, Some(State::Firing), ts, Reason::ConditionGone);
        }
        State::Firing => resolve(instance, ts, Reason::ConditionGone, changes),
        State::Recovering => {
            let since = *instance.keep_firing_since.get_or_insert(ts);
            if ts.saturating_sub(since) >= keep_firing_ms {
                resolve(instance, ts, Reason::KeepFiringOver, changes);
            }
        }
        State::Resolved => {
            let since = instance.resolved_at.unwrap_or(ts);
            return ts.saturating_sub(since) <= RESOLVED_RETENTION_MS;
        }
    }
    true
}

fn resolve(instance: &mut Instance, now: Timestamp, reason: Reason, changes: &mut Changes) {
    let from = instance.state;
    instance.state = State::Resolved;
    instance.resolved_at = Some(now);
    changes.record(instance, Some(from), now, reason);
}

#[cfg(test)]
mod tests;
