//! The alert engine as readers see it: a snapshot after each evaluation.

use std::{sync::Arc, time::Duration};

use model::Timestamp;
use rules::{Group, GroupSpec, Health, Instance, Rule, RuleSet, RuleUid, State};

use super::facts::Facts;

/// How a rule fares.
#[derive(Debug, Clone)]
pub(crate) struct RuleView {
    pub(crate) uid: RuleUid,
    pub(crate) health: Health,
    pub(crate) last_error: Option<String>,
    pub(crate) last_evaluation: Option<Timestamp>,
    pub(crate) last_duration: Duration,
}

/// How a group fares; its rules are in the order of its specification.
#[derive(Debug, Clone)]
pub(crate) struct GroupView {
    pub(crate) rules: Vec<RuleView>,
    pub(crate) missed: u64,
}

/// Everything after one evaluation.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// What the groups say, in the order of [`Self::groups`]; changes with a reload only.
    pub(crate) specs: Arc<Vec<GroupSpec>>,
    pub(crate) facts: Facts,
    pub(crate) groups: Vec<GroupView>,
    pub(crate) instances: Vec<Instance>,
    /// How long the evaluation took.
    pub(crate) duration: Duration,
}

impl View {
    pub(crate) fn new(
        rules: &RuleSet,
        specs: Arc<Vec<GroupSpec>>,
        facts: Facts,
        duration: Duration,
    ) -> Self {
        Self {
            specs,
            facts,
            groups: rules.groups().iter().map(group_view).collect(),
            instances: rules.instances().cloned().collect(),
            duration,
        }
    }

    /// How many rules there are.
    pub(crate) fn rule_count(&self) -> usize {
        self.groups.iter().map(|group| group.rules.len()).sum()
    }

    /// Rules whose last evaluation failed, with their specification.
    pub(crate) fn failing(&self) -> impl Iterator<Item = (&GroupSpec, &Rule, &str)> {
        self.specs.iter().zip(&self.groups).flat_map(|(spec, group)| {
            let rules = spec.rules.iter().zip(&group.rules);
            rules.filter(|(_, view)| view.health == Health::Err).map(move |(rule, view)| {
                (spec, rule, view.last_error.as_deref().unwrap_or_default())
            })
        })
    }

    /// How many alerts are in a state.
    pub(crate) fn count(&self, state: State) -> usize {
        self.instances.iter().filter(|instance| instance.state == state).count()
    }

    /// Alerts that fire, those that are kept firing included.
    pub(crate) fn firing(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|i| matches!(i.state, State::Firing | State::Recovering))
    }

    /// Evaluations that were skipped.
    pub(crate) fn missed(&self) -> u64 {
        self.groups.iter().map(|group| group.missed).sum()
    }
}

fn group_view(group: &Group) -> GroupView {
    GroupView {
        rules: group
            .rules()
            .map(|(_, state)| RuleView {
                uid: state.uid,
                health: state.health,
                last_error: state.last_error.as_ref().map(ToString::to_string),
                last_evaluation: state.last_evaluation,
                last_duration: state.last_duration,
            })
            .collect(),
        missed: group.schedule().missed(),
    }
}
