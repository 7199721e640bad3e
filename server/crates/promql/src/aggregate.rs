//! Aggregations over series.
//!
//! Rows arrive one by one. The group of a row is found once, by a key of its labels; then every value
//! goes into the group's accumulator of its step. No label set is made per step.

mod group;
mod ranked;
mod simple;
mod sums;
mod values;

use crate::{
    engine::EvalError,
    eval::{Evaluator, Row, Steps},
    parser::{Aggregate, AggregateOp, Span},
};

impl Evaluator<'_> {
    /// The rows of an aggregation, one per group or, for those that pick series, one per series.
    pub(crate) fn aggregate(
        &self,
        aggregate: &Aggregate,
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let rows = match aggregate.op {
            AggregateOp::Sum
            | AggregateOp::Avg
            | AggregateOp::Count
            | AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Group
            | AggregateOp::Stddev
            | AggregateOp::Stdvar => simple::aggregate(self, aggregate, steps)?,
            AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => ranked::pick(self, aggregate, span, steps)?,
            AggregateOp::Quantile => values::quantiles(self, aggregate, steps)?,
            AggregateOp::CountValues => values::count_values(self, aggregate, steps)?,
        };
        self.hold(rows.len() * steps.count)?;
        Ok(rows)
    }
}
