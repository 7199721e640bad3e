//! A group of rules with its state: evaluation in order, health, series that end.

mod cycle;
mod schedule;

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use model::{Labels, Timestamp, Value, stale_marker};

pub use schedule::Schedule;

use cycle::Cycle;

use crate::{
    alert::{self, Changes, DuplicateLabels, Instance, Instances},
    query::{AppendError, Query, QueryError, Row, Sink},
    rule::{GroupSpec, Rule, RuleUid},
};

/// What templates see of the process.
#[derive(Debug, Clone, Default)]
pub struct Expander {
    /// `$externalLabels`
    pub external_labels: Labels,
    /// `$externalURL`, without a slash at its end.
    pub external_url: String,
}

/// How a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// It was not evaluated yet.
    #[default]
    Unknown,
    /// Its last evaluation succeeded.
    Ok,
    /// Its last evaluation failed, and changed nothing.
    Err,
}

impl Health {
    /// The word of Prometheus's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Err => "err",
        }
    }
}

/// Why the evaluation of a rule failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The query has no answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Two alerts have the same labels.
    #[error(transparent)]
    DuplicateAlert(#[from] DuplicateLabels),
    /// Two recorded series have the same labels.
    #[error("vector contains metrics with the same labelset after applying rule labels: {0}")]
    DuplicateSeries(Labels),
    /// A recording rule gave more series than its group allows; none was written.
    #[error("exceeded limit of {limit} with {series} series")]
    TooManySeries {
        /// The group's limit.
        limit: usize,
        /// What the rule gave.
        series: usize,
    },
    /// An alerting rule gave more alerts than its group allows; those that were known go on.
    #[error("exceeded limit of {limit}: {dropped} new alerts were left out")]
    TooManyAlerts {
        /// The group's limit.
        limit: usize,
        /// How many did not fit.
        dropped: usize,
    },
    /// The samples were not kept.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// A rule's state.
#[derive(Debug, Clone)]
pub struct RuleState {
    /// The rule's identity.
    pub uid: RuleUid,
    /// How it does.
    pub health: Health,
    /// Why its last evaluation failed.
    pub last_error: Option<RuleError>,
    /// When it was last evaluated.
    pub last_evaluation: Option<Timestamp>,
    /// How long that took, by [`Query::elapsed`].
    pub last_duration: Duration,
    /// Its alerts; empty for a recording rule.
    pub instances: Instances,
    /// The series it wrote at its last evaluation, which end when the next does not write them.
    written: HashSet<Labels>,
}

impl RuleState {
    fn new(uid: RuleUid) -> Self {
        Self {
            uid,
            health: Health::Unknown,
            last_error: None,
            last_evaluation: None,
            last_duration: Duration::ZERO,
            instances: Instances::default(),
            written: HashSet::new(),
        }
    }

    /// Takes back an instance that was stored, and its series, which are to end with it.
    pub(crate) fn restore(&mut self, instance: Instance) {
        let series = alert::series_of(&instance).into_iter().flatten();
        self.written.extend(series.map(|(labels, _)| labels));
        self.instances.restore(instance);
    }
}

/// What one evaluation of one rule came to.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleReport {
    /// The rule.
    pub uid: RuleUid,
    /// The rule's name, for messages.
    pub name: String,
    /// Samples written, staleness markers included.
    pub samples: usize,
    /// Why it failed. With [`RuleError::TooManyAlerts`] the rest of the rule was evaluated.
    pub error: Option<RuleError>,
}

/// What one evaluation of a group came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    /// The group's name, for messages.
    pub group: String,
    /// What must be stored.
    pub changes: Changes,
    /// One report per rule, in order.
    pub rules: Vec<RuleReport>,
}

/// A group of rules with its state.
#[derive(Debug, Clone)]
pub struct Group {
    pub(crate) spec: GroupSpec,
    pub(crate) states: Vec<RuleState>,
    pub(crate) schedule: Schedule,
    /// Series of rules that are gone; they end at the next evaluation.
    pub(crate) orphans: Vec<Labels>,
    last_duration: Duration,
}

impl Group {
    /// A group that was never evaluated.
    pub fn new(spec: GroupSpec) -> Self {
        let states = spec.uids().into_iter().map(RuleState::new).collect();
        let schedule = Schedule::new(&spec.file, &spec.name, spec.interval);
        Self { spec, states, schedule, orphans: Vec::new(), last_duration: Duration::ZERO }
    }

    /// The group as it was written.
    pub fn spec(&self) -> &GroupSpec {
        &self.spec
    }

    /// When it is evaluated, and how many evaluations were missed.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// How long the last evaluation took, by [`Query::elapsed`].
    pub fn last_duration(&self) -> Duration {
        self.last_duration
    }

    /// The rules with their state, in order.
    pub fn rules(&self) -> impl Iterator<Item = (&Rule, &RuleState)> {
        self.spec.rules.iter().zip(&self.states)
    }

    /// All instances of all rules.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.states.iter().flat_map(|state| state.instances.iter())
    }

    /// Evaluates the rules in order, each seeing what those before it wrote. Call it only with
    /// timestamps that increase.
    ///
    /// A rule that fails is reported and changes nothing; the others go on.
    pub fn evaluate(
        &mut self,
        timestamp: Timestamp,
        query: &dyn Query,
        sink: &dyn Sink,
        expander: &Expander,
    ) -> Evaluation {
        let started = query.elapsed();
        let offset_ms = self.spec.query_offset.unwrap_or_default().as_millis() as i64;
        let queried = timestamp.saturating_sub(offset_ms);
        let cycle = Cycle {
            timestamp,
            queried,
            group: &self.spec.name,
            limit: self.spec.limit,
            query,
            sink,
            expander,
        };
        let mut evaluation = Evaluation { group: self.spec.name.clone(), ..Evaluation::default() };
        for (rule, state) in self.spec.rules.iter().zip(&mut self.states) {
            let report = cycle.rule(rule, state, &mut evaluation.changes);
            evaluation.rules.push(report);
        }
        let mut orphans = std::mem::take(&mut self.orphans);
        // Another rule may have taken them up.
        orphans.retain(|labels| !self.writes(labels));
        if !orphans.is_empty() && sink.append(queried, &stale_rows(&orphans)).is_err() {
            self.orphans = orphans;
        }
        self.last_duration = query.elapsed().saturating_sub(started);
        evaluation
    }

    /// Whether a rule wrote this series at its last evaluation.
    pub(crate) fn writes(&self, labels: &Labels) -> bool {
        self.states.iter().any(|state| state.written.contains(labels))
    }

    /// The state of the rule with this uid.
    pub(crate) fn state_mut(&mut self, uid: RuleUid) -> Option<&mut RuleState> {
        self.states.iter_mut().find(|state| state.uid == uid)
    }

    /// Takes over the state of the same rules from the group's former version: those of equal name
    /// and labels, in order. What remains of the former version ends.
    pub(crate) fn take_state(&mut self, former: Self, now: Timestamp, changes: &mut Changes) {
        let is_rescheduled = former.spec.interval != self.spec.interval;
        if !is_rescheduled {
            self.schedule = former.schedule;
        }
        self.last_duration = former.last_duration;
        self.orphans.extend(former.orphans);
        let mut old: BTreeMap<RuleUid, RuleState> =
            former.states.into_iter().map(|state| (state.uid, state)).collect();
        for state in &mut self.states {
            if let Some(former) = old.remove(&state.uid) {
                *state = former;
            }
        }
        for state in old.into_values() {
            self.orphans.extend(end_rule(state, now, changes));
        }
    }

    /// Ends all rules; returns the series that end with them.
    pub(crate) fn end(self, now: Timestamp, changes: &mut Changes) -> Vec<Labels> {
        let mut orphans = self.orphans;
        for state in self.states {
            orphans.extend(end_rule(state, now, changes));
        }
        orphans
    }
}

fn end_rule(mut state: RuleState, now: Timestamp, changes: &mut Changes) -> Vec<Labels> {
    state.instances.end(now, changes);
    state.written.into_iter().collect()
}

/// Series that end at a time.
pub(crate) fn stale_rows(series: &[Labels]) -> Vec<Row> {
    series.iter().map(|labels| (labels.clone(), Value::Float(stale_marker()))).collect()
}

#[cfg(test)]
pub(crate) mod tests;
