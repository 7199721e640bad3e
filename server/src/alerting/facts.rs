//! What is known of each rule, looked up by its identity.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use model::Storage;
use quantity::Unit;
use rules::{GroupSpec, Rule, RuleUid};
use tsdb::Tsdb;

use super::condition::{Condition, condition, unit};

/// An alerting rule as pages and notifications show it.
#[derive(Debug)]
pub(crate) struct RuleFacts {
    pub(crate) group: String,
    pub(crate) file: String,
    pub(crate) expr: String,
    pub(crate) hold: Duration,
    /// The comparison with a number, when there is one.
    pub(crate) condition: Option<Condition>,
    parsed: promql::Expr,
    unit: OnceLock<Unit>,
}

impl RuleFacts {
    /// The unit of the rule's value. It is found when it is first asked for: by then the metrics exist.
    pub(crate) fn unit(&self, store: &Tsdb) -> Unit {
        *self.unit.get_or_init(|| {
            let metadata = store.metadata();
            unit(&self.parsed, &|metric| {
                let found = metadata.iter().find(|m| m.metric == metric)?;
                (found.unit == "milliseconds").then_some(Unit::Milliseconds)
            })
        })
    }
}

/// The facts of all alerting rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts(Arc<HashMap<RuleUid, RuleFacts>>);

impl Facts {
    pub(crate) fn new(groups: &[GroupSpec]) -> Self {
        let mut facts = HashMap::new();
        for group in groups {
            for (uid, rule) in group.uids().into_iter().zip(&group.rules) {
                let Rule::Alerting(rule) = rule else { continue };
                let parsed = rule.expr.expr().clone();
                facts.insert(
                    uid,
                    RuleFacts {
                        group: group.name.clone(),
                        file: group.file.clone(),
                        expr: rule.expr.text().to_owned(),
                        hold: rule.hold,
                        condition: condition(&parsed),
                        parsed,
                        unit: OnceLock::new(),
                    },
                );
            }
        }
        Self(Arc::new(facts))
    }

    pub(crate) fn get(&self, uid: RuleUid) -> Option<&RuleFacts> {
        self.0.get(&uid)
    }
}
