//! How rules reach the world: a question, and a place for answers.

use std::time::Duration;

use model::{Labels, Storage, Timestamp, Value};
use promql::{Context, Engine, Expr, QueryValue};

/// A series of an instant query's result.
pub type Row = (Labels, Value);

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QueryError(pub String);

/// Why samples could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AppendError(pub String);

/// Answers instant queries.
pub trait Query {
    /// The value of an expression at a time; a number is one row without labels.
    ///
    /// # Errors
    /// When there is no answer, which is not the same as an empty one: a rule then changes nothing.
    fn instant(&self, expr: &Expr, timestamp: Timestamp) -> Result<Vec<Row>, QueryError>;

    /// A time that only grows, from any beginning, by which evaluations are measured. Where there
    /// is none they take no time.
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// Takes the samples that rules produce.
pub trait Sink {
    /// Called once after each rule that produced something, before the next rule of the group is
    /// asked: a query at `timestamp` that follows must see these samples. A series that ended has
    /// the staleness marker.
    ///
    /// # Errors
    /// When the samples are not kept; the rule is then reported as failed.
    fn append(&self, timestamp: Timestamp, samples: &[Row]) -> Result<(), AppendError>;
}

/// The query engine over a store.
#[derive(Clone, Copy)]
pub struct EngineQuery<'a> {
    /// Evaluates.
    pub engine: &'a Engine,
    /// Holds the samples.
    pub storage: &'a dyn Storage,
    /// Cancels and bounds each query.
    pub context: Context<'a>,
}

impl std::fmt::Debug for EngineQuery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineQuery").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Query for EngineQuery<'_> {
    fn instant(&self, expr: &Expr, timestamp: Timestamp) -> Result<Vec<Row>, QueryError> {
        let output = self
            .engine
            .instant(self.storage, expr, timestamp, &self.context)
            .map_err(|e| QueryError(e.to_string()))?;
        match output.value {
            QueryValue::Vector(samples) => {
                Ok(samples.into_iter().map(|sample| (sample.labels, sample.value)).collect())
            }
            QueryValue::Scalar { value, .. } => Ok(vec![(Labels::empty(), Value::Float(value))]),
            QueryValue::Text { .. } | QueryValue::Matrix(_) => {
                Err(QueryError("rule result is not a vector or scalar".to_owned()))
            }
        }
    }
}

/// Queries with a stopwatch, so that evaluations are measured.
#[derive(Clone, Copy)]
pub struct Timed<'a> {
    /// Answers.
    pub query: &'a dyn Query,
    /// See [`Query::elapsed`].
    pub elapsed: &'a dyn Fn() -> Duration,
}

impl std::fmt::Debug for Timed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timed").finish_non_exhaustive()
    }
}

impl Query for Timed<'_> {
    fn instant(&self, expr: &Expr, timestamp: Timestamp) -> Result<Vec<Row>, QueryError> {
        self.query.instant(expr, timestamp)
    }

    fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use promql::script::MemoryStorage;

    use super::*;
    use crate::{file, group::Expander, set::RuleSet};

    /// The real engine over a store that takes what rules write.
    #[derive(Default)]
    struct World {
        engine: Engine,
        storage: RefCell<MemoryStorage>,
    }

    impl World {
        fn push(&self, name: &str, timestamp: Timestamp, value: f64) {
            let labels = Labels::from_pairs([("__name__", name), ("job", "api")]);
            self.storage.borrow_mut().append(&labels, timestamp, Value::Float(value));
        }
    }

    impl Query for World {
        fn instant(&self, expr: &Expr, timestamp: Timestamp) -> Result<Vec<Row>, QueryError> {
            let storage = self.storage.borrow();
            let query = EngineQuery {
                engine: &self.engine,
                storage: &*storage,
                context: Context::default(),
            };
            query.instant(expr, timestamp)
        }
    }

    impl Sink for World {
        fn append(&self, timestamp: Timestamp, samples: &[Row]) -> Result<(), AppendError> {
            for (labels, value) in samples {
                self.storage.borrow_mut().append(labels, timestamp, value.clone());
            }
            Ok(())
        }
    }

    #[test]
    fn rules_run_on_the_engine_from_samples_to_resolved() {
        let world = World::default();
        let yaml = r#"
groups:
- name: g
  rules:
  - {record: job:errors:rate1m, expr: "sum by (job) (rate(errors_total[1m]))"}
  - alert: Errors
    expr: job:errors:rate1m > 5
    for: 20s
    annotations: {summary: '{{ $labels.job }}: {{ $value | printf "%.1f" }}/s'}
  - {alert: Meta, expr: 'ALERTS{alertname="Errors", alertstate="firing"}'}
"#;
        let mut set = RuleSet::new(file::parse("a.yml", yaml).unwrap());
        let mut story = Vec::new();
        let mut errors = 0.0;
        for i in 0..30 {
            let timestamp = i * 10_000;
            errors += if (8..14).contains(&i) { 100.0 } else { 0.0 };
            world.push("errors_total", timestamp, errors);
            for evaluation in set.evaluate_due(timestamp, &world, &world, &Expander::default()) {
                assert!(evaluation.rules.iter().all(|rule| rule.error.is_none()));
                story.extend(evaluation.changes.instances.into_iter().map(|instance| {
                    let summary = instance.annotations.get("summary").cloned().unwrap_or_default();
                    format!(
                        "{}s {} {} {summary}",
                        timestamp / 1000,
                        instance.rule,
                        instance.state.as_str()
                    )
                }));
            }
        }
        assert_eq!(
            story,
            [
                "110s Errors pending api: 6.7/s",
                "130s Errors firing api: 10.0/s",
                "130s Meta firing ",
                "160s Errors resolved api: 6.0/s",
                "160s Meta resolved ",
            ]
        );
    }

    #[test]
    fn a_number_is_a_row_without_labels() {
        let world = World::default();
        let rows = world.instant(&promql::parse("1 + 1").unwrap(), 0).unwrap();
        assert_eq!(rows, [(Labels::empty(), Value::Float(2.0))]);
    }
}
