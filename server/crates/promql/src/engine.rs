//! The way in: options, limits, results and errors.

mod extend;
mod output;
mod plan;
mod workers;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use model::{Labels, Storage, StorageError, Timestamp};

pub use extend::{are_lasting, join, lookahead_ms};
pub use output::{Output, Point, QueryValue, Series, Stats, VectorSample};
pub use plan::{Plan, PlanNode, Work};
pub use workers::{Task, Workers};

use crate::{
    eval::{Evaluator, Steps},
    parser::{Expr, ValueType},
};

/// What every query of an engine has in common.
#[derive(Debug, Clone)]
pub struct Options {
    /// How far back an instant selector looks for a sample. Default 5 minutes.
    pub lookback: Duration,
    /// The most samples a query may hold in memory at once. Default 50 million.
    pub max_samples: usize,
    /// The most series one selector may match. Default 1 million.
    pub max_series: usize,
    /// The most steps of a range query. Default 11,000, as in Prometheus.
    pub max_steps: usize,
    /// The step of subqueries that name none. Default 1 minute.
    pub subquery_step: Duration,
    /// Whether functions that Prometheus calls experimental may be used. Default true.
    pub experimental_functions: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lookback: Duration::from_mins(5),
            max_samples: 50_000_000,
            max_series: 1_000_000,
            max_steps: 11_000,
            subquery_step: Duration::from_mins(1),
            experimental_functions: true,
        }
    }
}

/// What a single query brings along.
#[derive(Clone, Copy, Default)]
pub struct Context<'a> {
    /// Set by whoever no longer wants the answer.
    pub cancelled: Option<&'a AtomicBool>,
    /// Answers true once the query's time is up; asked per series and step.
    pub is_late: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// Replaces [`Options::lookback`].
    pub lookback: Option<Duration>,
    /// Who helps with large queries.
    pub workers: Option<&'a dyn Workers>,
    /// Whether to count the samples that each step sees, see [`Output::steps`].
    pub counts_steps: bool,
    /// Whether to keep account of what each part of the expression does, see [`Output::plan`].
    pub profile: Option<Profiling<'a>>,
}

/// How account is kept of what each part of an expression does.
#[derive(Clone, Copy, Default)]
pub struct Profiling<'a> {
    /// Measures time too; it is asked twice for each series and part.
    pub clock: Option<&'a (dyn Fn() -> Duration + Sync)>,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("cancelled", &self.cancelled)
            .field("has_deadline", &self.is_late.is_some())
            .field("lookback", &self.lookback)
            .field("has_workers", &self.workers.is_some())
            .field("counts_steps", &self.counts_steps)
            .field("profile", &self.profile)
            .finish()
    }
}

impl std::fmt::Debug for Profiling<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiling").field("has_clock", &self.clock.is_some()).finish()
    }
}

impl Context<'_> {
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        if self.cancelled.is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            return Err(EvalError::Canceled);
        }
        if self.is_late.is_some_and(|is_late| is_late()) {
            return Err(EvalError::Timeout);
        }
        Ok(())
    }
}

/// The steps of a range query, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first step.
    pub start: Timestamp,
    /// No step is later.
    pub end: Timestamp,
    /// The distance of the steps in milliseconds, positive.
    pub step_ms: i64,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The request makes no sense.
    #[error("{0}")]
    BadData(String),
    /// The data do not allow an answer.
    #[error("{0}")]
    Execution(String),
    /// The query would hold too many samples in memory.
    #[error(
        "query processing would load too many samples into memory in query execution (limit {limit})"
    )]
    TooManySamples {
        /// [`Options::max_samples`].
        limit: usize,
    },
    /// The query's time was up.
    #[error("query timed out in expression evaluation")]
    Timeout,
    /// Nobody waits for the answer any more.
    #[error("query was canceled in expression evaluation")]
    Canceled,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The error types of Prometheus's HTTP interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// `bad_data`, status 400.
    BadData,
    /// `execution`, status 422.
    Execution,
    /// `timeout`, status 503.
    Timeout,
    /// `canceled`, status 499.
    Canceled,
    /// `internal`, status 500.
    Internal,
}

impl ErrorKind {
    /// The word in `errorType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Internal => "internal",
        }
    }
}

impl EvalError {
    /// What Prometheus's HTTP interface calls it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadData(_) => ErrorKind::BadData,
            Self::Execution(_)
            | Self::TooManySamples { .. }
            | Self::Storage(StorageError::TooManySeries { .. }) => ErrorKind::Execution,
            Self::Timeout => ErrorKind::Timeout,
            Self::Canceled => ErrorKind::Canceled,
            Self::Storage(StorageError::Engine(_)) => ErrorKind::Internal,
        }
    }

    pub(crate) fn duplicate_labels() -> Self {
        Self::Execution("vector cannot contain metrics with the same labelset".to_owned())
    }
}

/// Evaluates expressions over a store.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    options: Options,
}

impl Engine {
    /// An engine with these options.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The value of an expression at one time. A vector is in the order the expression gives it: by
    /// value after `sort` and `topk`, else by labels as stored.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn instant(
        &self,
        storage: &dyn Storage,
        expr: &Expr,
        timestamp: Timestamp,
        ctx: &Context<'_>,
    ) -> Result<Output, EvalError> {
        self.check_experimental(expr)?;
        let steps = Steps { start: timestamp, step: 1, count: 1 };
        let evaluator = Evaluator::new(storage, &self.options, ctx, steps);
        let value = match expr.value_type() {
            ValueType::Scalar => {
                let value = evaluator.scalar(expr, steps)?;
                QueryValue::Scalar { timestamp, value: value[0] }
            }
            ValueType::Text => QueryValue::Text { timestamp, text: text_of(expr) },
            ValueType::Vector => QueryValue::Vector(output::vector(evaluator.result(expr)?, steps)),
            ValueType::Matrix => QueryValue::Matrix(evaluator.raw_matrix(expr)?),
        };
        Ok(evaluator.finish(expr, value))
    }

    /// The values of an expression at every step, as a matrix ascending by labels.
    ///
    /// # Errors
    /// See [`EvalError`]; texts and range vectors have no value per step.
    pub fn range(
        &self,
        storage: &dyn Storage,
        expr: &Expr,
        range: Range,
        ctx: &Context<'_>,
    ) -> Result<Output, EvalError> {
        self.check_experimental(expr)?;
        let steps = self.steps(range)?;
        let evaluator = Evaluator::new(storage, &self.options, ctx, steps);
        let mut series = match expr.value_type() {
            ValueType::Scalar => {
                let values = evaluator.scalar(expr, steps)?;
                vec![Series::on_steps(Labels::empty(), steps, values, None)]
            }
            ValueType::Vector => output::matrix(evaluator.result(expr)?, steps),
            other => {
                return Err(EvalError::BadData(format!(
                    "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                    other.describe()
                )));
            }
        };
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(evaluator.finish(expr, QueryValue::Matrix(series)))
    }

    fn steps(&self, range: Range) -> Result<Steps, EvalError> {
        let Range { start, end, step_ms } = range;
        if step_ms <= 0 {
            return Err(EvalError::BadData(
                "zero or negative query resolution step widths are not accepted, try a positive \
                 integer"
                    .to_owned(),
            ));
        }
        if end < start {
            return Err(EvalError::BadData(
                "end timestamp must not be before start time".to_owned(),
            ));
        }
        let count = end.saturating_sub(start) / step_ms + 1;
        match usize::try_from(count) {
            Ok(count) if count <= self.options.max_steps => {
                Ok(Steps { start, step: step_ms, count })
            }
            _ => Err(EvalError::BadData(format!(
                "exceeded maximum resolution of {} points per timeseries, try decreasing the query \
                 resolution (?step=XX)",
                self.options.max_steps
            ))),
        }
    }

    fn check_experimental(&self, expr: &Expr) -> Result<(), EvalError> {
        if self.options.experimental_functions {
            return Ok(());
        }
        let mut found = None;
        expr.walk(&mut |node| {
            use crate::parser::ExprKind;
            let name = match &node.kind {
                ExprKind::Call(call) if call.function.is_experimental => call.function.name,
                ExprKind::Aggregate(a) if a.op.is_experimental() => a.op.as_str(),
                _ => return,
            };
            found = found.or(Some(name));
        });
        match found {
            Some(name) => Err(EvalError::BadData(format!(
                "function {name:?} is not enabled, allow experimental functions first"
            ))),
            None => Ok(()),
        }
    }
}

fn text_of(expr: &Expr) -> String {
    match &expr.unwrapped().kind {
        crate::parser::ExprKind::Text(text) | crate::parser::ExprKind::Bytes(text) => text.clone(),
        _ => String::new(),
    }
}
