//! Inhibition: an alert that mutes others while it fires.

use std::collections::HashMap;

use model::{Labels, Matcher};

/// While an alert with the source matchers fires, alerts with the target matchers are muted if both
/// have equal values for all labels in `equal`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InhibitRule {
    /// What the muting alert must match.
    pub source_matchers: Vec<Matcher>,
    /// What the muted alert must match.
    pub target_matchers: Vec<Matcher>,
    /// Labels that must have the same value on both; missing on both counts as the same.
    pub equal: Vec<String>,
}

impl InhibitRule {
    fn is_source(&self, labels: &Labels) -> bool {
        self.source_matchers.iter().all(|matcher| matcher.matches_labels(labels))
    }

    fn is_target(&self, labels: &Labels) -> bool {
        self.target_matchers.iter().all(|matcher| matcher.matches_labels(labels))
    }

    fn equal_values(&self, labels: &Labels) -> Vec<String> {
        self.equal.iter().map(|name| labels.value_or_empty(name).to_owned()).collect()
    }
}

/// The sources that fire at one moment, ready to be asked about targets.
#[derive(Debug, Clone, Default)]
pub struct Inhibitor {
    rules: Vec<(InhibitRule, Sources)>,
}

/// Sources by their values of the labels that must be equal.
type Sources = HashMap<Vec<String>, Vec<Source>>;

#[derive(Debug, Clone)]
struct Source {
    fingerprint: u64,
    is_target_too: bool,
}

impl Inhibitor {
    /// Finds the sources among the alerts that fire.
    pub fn new<'a>(
        rules: &[InhibitRule],
        firing: &(impl Iterator<Item = &'a Labels> + Clone),
    ) -> Self {
        let rules = rules
            .iter()
            .map(|rule| {
                let mut sources = Sources::new();
                for labels in firing.clone().filter(|labels| rule.is_source(labels)) {
                    sources.entry(rule.equal_values(labels)).or_default().push(Source {
                        fingerprint: labels.fingerprint(),
                        is_target_too: rule.is_target(labels),
                    });
                }
                (rule.clone(), sources)
            })
            .collect();
        Self { rules }
    }

    /// The fingerprint of an alert that mutes these labels. An alert that matches both sides of a rule
    /// is not muted by one that matches both sides as well, and so never by itself.
    pub fn inhibiting(&self, labels: &Labels) -> Option<u64> {
        self.rules.iter().filter(|(rule, _)| rule.is_target(labels)).find_map(|(rule, sources)| {
            let is_source_too = rule.is_source(labels);
            sources
                .get(&rule.equal_values(labels))?
                .iter()
                .find(|source| !(is_source_too && source.is_target_too))
                .map(|source| source.fingerprint)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matchers;

    fn rule(source: &str, target: &str, equal: &[&str]) -> InhibitRule {
        InhibitRule {
            source_matchers: matchers::parse(source).unwrap(),
            target_matchers: matchers::parse(target).unwrap(),
            equal: equal.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn inhibition_follows_alertmanager() {
        let critical = "severity=critical";
        let warning = "severity=warning";
        for (name, rule, firing, target, expected) in [
            (
                "same cluster",
                rule(critical, warning, &["cluster"]),
                "severity=critical,cluster=a",
                "severity=warning,cluster=a",
                true,
            ),
            (
                "other cluster",
                rule(critical, warning, &["cluster"]),
                "severity=critical,cluster=a",
                "severity=warning,cluster=b",
                false,
            ),
            (
                "missing equals missing",
                rule(critical, warning, &["cluster"]),
                "severity=critical",
                "severity=warning",
                true,
            ),
            (
                "missing differs from set",
                rule(critical, warning, &["cluster"]),
                "severity=critical",
                "severity=warning,cluster=a",
                false,
            ),
            (
                "not a source",
                rule(critical, warning, &[]),
                "severity=warning",
                "severity=warning",
                false,
            ),
            (
                "not a target",
                rule(critical, warning, &[]),
                "severity=critical",
                "severity=info",
                false,
            ),
            ("not by itself", rule("job=api", "job=api", &[]), "job=api", "job=api", false),
            (
                "both sides by both sides",
                rule("job=api", "job=api", &[]),
                "job=api,a=1",
                "job=api,a=2",
                false,
            ),
            (
                "both sides by a source only",
                rule("job=~\"api|db\"", "job=api", &[]),
                "job=db",
                "job=api",
                true,
            ),
        ] {
            let labels = |text: &str| {
                Labels::from_pairs(text.split(',').filter_map(|pair| pair.split_once('=')))
            };
            let firing = [labels(firing)];
            let inhibitor = Inhibitor::new(&[rule], &firing.iter());
            assert_eq!(inhibitor.inhibiting(&labels(target)).is_some(), expected, "{name}");
        }
    }
}
