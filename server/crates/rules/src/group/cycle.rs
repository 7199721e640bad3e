//! One evaluation of a group's rules.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use model::{Labels, Timestamp, Value, labels::METRIC_NAME};

use super::{Expander, Health, RuleError, RuleReport, RuleState, stale_rows};
use crate::{
    alert::{self, Changes, Evaluated, Found},
    query::{AppendError, Query, Row, Sink},
    rule::{AlertingRule, RecordingRule, Rule},
    template::{self, Template},
};

/// The most different queries the templates of one rule may make in one evaluation.
const MAX_TEMPLATE_QUERIES: usize = 100;

/// What a template's query came to.
type Answer = Result<Vec<(Labels, f64)>, String>;

/// The answers to the queries of a rule's templates, by their text.
type Answers = HashMap<String, Answer>;

/// What the rules of one evaluation have in common.
pub(super) struct Cycle<'a> {
    pub(super) timestamp: Timestamp,
    /// The time of queries and samples: the offset earlier.
    pub(super) queried: Timestamp,
    pub(super) group: &'a str,
    pub(super) limit: Option<usize>,
    pub(super) query: &'a dyn Query,
    pub(super) sink: &'a dyn Sink,
    pub(super) expander: &'a Expander,
}

impl Cycle<'_> {
    pub(super) fn rule(
        &self,
        rule: &Rule,
        state: &mut RuleState,
        changes: &mut Changes,
    ) -> RuleReport {
        let started = self.query.elapsed();
        let mut samples = 0;
        let result = match rule {
            Rule::Alerting(rule) => self.alerting(rule, state, changes, &mut samples),
            Rule::Recording(rule) => self.recording(rule, state, &mut samples),
        };
        let error = result.err();
        state.health = if error.is_some() { Health::Err } else { Health::Ok };
        state.last_error.clone_from(&error);
        state.last_evaluation = Some(self.timestamp);
        state.last_duration = self.query.elapsed().saturating_sub(started);
        RuleReport { uid: state.uid, name: rule.name().to_owned(), samples, error }
    }

    fn alerting(
        &self,
        rule: &AlertingRule,
        state: &mut RuleState,
        changes: &mut Changes,
        samples: &mut usize,
    ) -> Result<(), RuleError> {
        let rows = self.query.instant(rule.expr.expr(), self.queried)?;
        let answers = RefCell::default();
        let found = rows.iter().map(|row| self.expand(rule, row, &answers)).collect();
        let now = Evaluated {
            rule,
            uid: state.uid,
            group: self.group,
            timestamp: self.timestamp,
            limit: self.limit,
        };
        let outcome = state.instances.evaluate(now, found)?;
        changes.append(outcome.changes);
        let mut rows = Vec::new();
        state.instances.samples(&mut rows);
        *samples = self.write(rows, &mut state.written)?;
        match (outcome.overflow, self.limit) {
            (0, _) | (_, None) => Ok(()),
            (dropped, Some(limit)) => Err(RuleError::TooManyAlerts { limit, dropped }),
        }
    }

    fn expand(&self, rule: &AlertingRule, row: &Row, answers: &RefCell<Answers>) -> Found {
        let (labels, value) = row;
        let query = |text: &str| self.template_query(text, answers);
        let context = template::Context {
            name: &rule.name,
            labels,
            value,
            external_labels: &self.expander.external_labels,
            external_url: &self.expander.external_url,
            now: self.timestamp,
            query: &query,
        };
        let expand = |template: &Template| template.expand(&context);
        Found {
            labels: alert::alert_labels(labels, rule, expand),
            annotations: rule.annotations.iter().map(|(n, t)| (n.clone(), expand(t))).collect(),
            value: number(value),
        }
    }

    /// Answers a query of a template; the same query of another alert of the rule is not asked
    /// again.
    fn template_query(&self, text: &str, answers: &RefCell<Answers>) -> Answer {
        if let Some(answer) = answers.borrow().get(text) {
            return answer.clone();
        }
        if answers.borrow().len() >= MAX_TEMPLATE_QUERIES {
            return Err(format!(
                "more than {MAX_TEMPLATE_QUERIES} queries by the rule's templates"
            ));
        }
        let answer = self.ask(text);
        answers.borrow_mut().insert(text.to_owned(), answer.clone());
        answer
    }

    fn ask(&self, text: &str) -> Answer {
        let expr = promql::parse(text).map_err(|e| e.to_string())?;
        let rows = self.query.instant(&expr, self.timestamp).map_err(|e| e.to_string())?;
        Ok(rows.into_iter().map(|(labels, value)| (labels, number(&value))).collect())
    }

    fn recording(
        &self,
        rule: &RecordingRule,
        state: &mut RuleState,
        samples: &mut usize,
    ) -> Result<(), RuleError> {
        let mut rows = self.query.instant(rule.expr.expr(), self.queried)?;
        let mut seen = HashSet::with_capacity(rows.len());
        for (labels, _) in &mut rows {
            let mut builder = labels.to_builder();
            builder.set(METRIC_NAME, &rule.metric);
            for (name, value) in &rule.labels {
                builder.set(name, value);
            }
            *labels = builder.build();
            if !seen.insert(labels.clone()) {
                return Err(RuleError::DuplicateSeries(labels.clone()));
            }
        }
        if let Some(limit) = self.limit.filter(|limit| rows.len() > *limit) {
            return Err(RuleError::TooManySeries { limit, series: rows.len() });
        }
        *samples = self.write(rows, &mut state.written)?;
        Ok(())
    }

    /// Writes samples, and the end of the series that were written before and are not among them.
    fn write(
        &self,
        mut rows: Vec<Row>,
        written: &mut HashSet<Labels>,
    ) -> Result<usize, AppendError> {
        let current: HashSet<Labels> = rows.iter().map(|(labels, _)| labels.clone()).collect();
        let mut ended: Vec<Labels> = written.difference(&current).cloned().collect();
        ended.sort();
        rows.extend(stale_rows(&ended));
        if !rows.is_empty() {
            self.sink.append(self.queried, &rows)?;
        }
        *written = current;
        Ok(rows.len())
    }
}

/// What Prometheus keeps of a sample in an alert: a histogram has the number 0.
fn number(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Histogram(_) => 0.0,
    }
}
