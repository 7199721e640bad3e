//! From a node to what evaluates it.

use std::sync::Arc;

use model::{Column, Labels};

use super::{
    Evaluator, Row, RowRef, Sink, Steps, Values, WindowSpec, invariant::is_invariant, is_absent,
};
use crate::{
    engine::EvalError,
    functions::{QueryPart, Special, dates, histogram, labels, math, order, range::RangeFunction},
    parser::{Call, Expr, ExprKind, Extent, Subquery, ValueType},
};

/// A series of a subquery: its labels, whether its name is dropped, and its samples.
pub(crate) type SubquerySeries = (Labels, bool, Column);

impl Evaluator<'_> {
    /// A number per step.
    pub(crate) fn scalar(&self, expr: &Expr, steps: Steps) -> Result<Vec<f64>, EvalError> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(vec![number.value; steps.count]),
            ExprKind::Paren(inner) => self.scalar(inner, steps),
            ExprKind::Sign { is_minus, operand } => {
                let mut values = self.scalar(operand, steps)?;
                if *is_minus {
                    for value in &mut values {
                        *value = -*value;
                    }
                }
                Ok(values)
            }
            ExprKind::Binary(binary) => {
                let mut left = self.scalar(&binary.left, steps)?;
                let right = self.scalar(&binary.right, steps)?;
                for (l, r) in left.iter_mut().zip(right) {
                    *l = crate::binary::arithmetic::scalars(binary.op, *l, r);
                }
                Ok(left)
            }
            ExprKind::Call(call) => self.scalar_call(call, steps),
            _ => Err(EvalError::Execution("expression has no scalar value".to_owned())),
        }
    }

    fn scalar_call(&self, call: &Call, steps: Steps) -> Result<Vec<f64>, EvalError> {
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let constant = match call.function.special {
            Special::ScalarOf => return order::scalar_of(self, &call.args[0], steps),
            Special::Extreme(greatest) => {
                let mut left = self.scalar(&call.args[0], steps)?;
                let right = self.scalar(&call.args[1], steps)?;
                for (l, r) in left.iter_mut().zip(right) {
                    *l = math::extreme(greatest, *l, r);
                }
                return Ok(left);
            }
            Special::Query(QueryPart::Time) => return Ok(steps.iter().map(seconds).collect()),
            Special::Query(QueryPart::Start) => seconds(self.query.start),
            Special::Query(QueryPart::End) => seconds(self.query.end()),
            Special::Query(QueryPart::Range) => seconds(self.query.end() - self.query.start),
            Special::Query(QueryPart::Step) => self.query_step_seconds(),
            Special::Query(QueryPart::Pi) => std::f64::consts::PI,
            _ => return Err(EvalError::Execution("function has no scalar value".to_owned())),
        };
        Ok(vec![constant; steps.count])
    }

    /// All rows of a vector expression, held in memory.
    pub(crate) fn rows(&self, expr: &Expr, steps: Steps) -> Result<Vec<Row>, EvalError> {
        self.counted(expr, || self.rows_of_part(expr, steps))
    }

    fn rows_of_part(&self, expr: &Expr, steps: Steps) -> Result<Vec<Row>, EvalError> {
        if steps.count > 1 && is_invariant(expr) {
            let rows = self.rows(expr, steps.first())?;
            self.hold(rows.len() * (steps.count - 1))?;
            let broadcast = |row: Row| Row { values: row.values.broadcast(steps.count), ..row };
            return Ok(rows.into_iter().map(broadcast).collect());
        }
        match &expr.kind {
            ExprKind::Paren(inner) => self.rows(inner, steps),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, expr.span, steps),
            ExprKind::Binary(binary)
                if binary.left.value_type() == ValueType::Vector
                    && binary.right.value_type() == ValueType::Vector =>
            {
                self.vector_binary(binary, expr.span, steps)
            }
            ExprKind::Call(call) => match call.function.special {
                Special::HistogramQuantile => {
                    self.held(histogram::quantile_rows(self, call, steps)?, steps)
                }
                Special::HistogramQuantiles => {
                    self.held(histogram::quantiles_rows(self, call, steps)?, steps)
                }
                Special::HistogramFraction => {
                    self.held(histogram::fraction_rows(self, call, steps)?, steps)
                }
                Special::Absent => order::absent_rows(self, &call.args[0], steps),
                Special::Info => labels::info_rows(self, call, steps),
                Special::LabelJoin => labels::join_rows(self, call, steps),
                Special::LabelReplace => labels::replace_rows(self, call, steps),
                Special::Sort(by) => order::sort_rows(self, call, (by, expr.span), steps),
                Special::VectorOf => {
                    let floats = self.scalar(&call.args[0], steps)?;
                    self.held(vec![unnamed(floats)], steps)
                }
                Special::Date(part) if call.args.is_empty() => {
                    let of_step = |ms: i64| part.of(ms.div_euclid(1000));
                    self.held(vec![unnamed(steps.iter().map(of_step).collect())], steps)
                }
                Special::Range(RangeFunction::AbsentOverTime) => self.absent_over_time(call, steps),
                _ => self.collect(expr, steps),
            },
            _ => self.collect(expr, steps),
        }
    }

    /// Counts rows that were computed anew.
    fn held(&self, rows: Vec<Row>, steps: Steps) -> Result<Vec<Row>, EvalError> {
        self.hold(rows.len() * steps.count)?;
        Ok(rows)
    }

    fn collect(&self, expr: &Expr, steps: Steps) -> Result<Vec<Row>, EvalError> {
        let pieces = self.in_pieces(expr, steps, &|piece| {
            let mut rows = Vec::new();
            piece.stream(expr, steps, &mut |row| {
                piece.hold(steps.count)?;
                rows.push(row.to_row());
                Ok(())
            })?;
            Ok(rows)
        })?;
        Ok(pieces.into_iter().flatten().collect())
    }

    /// Gives back the memory of rows that are no longer needed.
    pub(crate) fn release_rows(&self, rows: usize, steps: Steps) {
        self.release(rows * steps.count);
    }

    /// The rows of a vector expression one by one. Those computed series by series are never held.
    pub(crate) fn stream(
        &self,
        expr: &Expr,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        self.stream_counted(expr, steps, sink)
    }

    pub(super) fn stream_part(
        &self,
        expr: &Expr,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let is_wide_constant = steps.count > 1 && is_invariant(expr);
        match &expr.kind {
            _ if is_wide_constant => self.stream_rows(expr, steps, sink),
            ExprKind::Paren(inner) => self.stream(inner, steps, sink),
            ExprKind::Selector(selector) => self.stream_selector(selector, steps, sink),
            ExprKind::Sign { is_minus: false, operand } => self.stream(operand, steps, sink),
            ExprKind::Sign { is_minus: true, operand } => {
                self.stream_mapped(operand, steps, sink, &mut |input, output| {
                    negate(input, output);
                    Ok(())
                })
            }
            ExprKind::Binary(binary)
                if binary.left.value_type() == ValueType::Scalar
                    || binary.right.value_type() == ValueType::Scalar =>
            {
                self.stream_with_scalar(binary, expr.span, steps, sink)
            }
            ExprKind::Call(call) => self.stream_call(call, expr, steps, sink),
            _ => self.stream_rows(expr, steps, sink),
        }
    }

    fn stream_rows(&self, expr: &Expr, steps: Steps, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        let rows = self.rows(expr, steps)?;
        let count = rows.len();
        rows.iter().try_for_each(|row| sink(row.as_ref()))?;
        self.release_rows(count, steps);
        Ok(())
    }

    fn stream_call(
        &self,
        call: &Call,
        expr: &Expr,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        match call.function.special {
            Special::Math(function) => {
                let params = call.args[1..]
                    .iter()
                    .map(|arg| self.scalar(arg, steps))
                    .collect::<Result<Vec<_>, _>>()?;
                self.stream_mapped(&call.args[0], steps, sink, &mut |input, output| {
                    math::apply(function, &params, input, output);
                    Ok(())
                })
            }
            Special::Date(part) if !call.args.is_empty() => {
                self.stream_mapped(&call.args[0], steps, sink, &mut |input, output| {
                    dates::apply(part, input, output);
                    Ok(())
                })
            }
            Special::HistogramPart(part) => {
                self.stream_mapped(&call.args[0], steps, sink, &mut |input, output| {
                    histogram::apply_part(part, input, output);
                    Ok(())
                })
            }
            Special::Timestamp => self.stream_timestamps(&call.args[0], steps, sink),
            Special::StartTimestamp => self.stream_starts(&call.args[0], steps, sink),
            Special::Range(function) if function != RangeFunction::AbsentOverTime => {
                self.stream_range(call, function, steps, sink)
            }
            _ => self.stream_rows(expr, steps, sink),
        }
    }

    /// Computes every row's values anew, into one reused buffer, and drops the name.
    fn stream_mapped(
        &self,
        operand: &Expr,
        steps: Steps,
        sink: &mut Sink<'_>,
        map: &mut dyn FnMut(&Values, &mut Values) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let mut output = Values::default();
        self.stream(operand, steps, &mut |row| {
            output.reset(steps.count);
            map(row.values, &mut output)?;
            if output.has_any() {
                sink(RowRef { labels: row.labels, drop_name: true, values: &output })?;
            }
            Ok(())
        })
    }

    fn stream_timestamps(
        &self,
        operand: &Expr,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let mut output = Values::default();
        let mut emit = |row: RowRef<'_>, times: &mut dyn Iterator<Item = f64>| {
            output.reset(steps.count);
            for (step, time) in times.enumerate() {
                if row.values.is_present(step) {
                    output.floats[step] = time;
                }
            }
            sink(RowRef { labels: row.labels, drop_name: true, values: &output })
        };
        if let ExprKind::Selector(selector) = &operand.unwrapped().kind {
            return self.stream_selected(selector, steps, &mut |row, times| {
                emit(row, &mut times.iter().copied())
            });
        }
        self.stream(operand, steps, &mut |row| {
            emit(row, &mut steps.iter().map(|ms| ms as f64 / 1000.0))
        })
    }

    /// The series of a subquery over all windows of the outer steps.
    pub(crate) fn subquery(
        &self,
        subquery: &Subquery,
        steps: Steps,
    ) -> Result<(Vec<SubquerySeries>, WindowSpec), EvalError> {
        let spec = WindowSpec {
            range_ms: self.positive_ms(&subquery.range)?,
            offset_ms: self.offset_ms(subquery.offset.as_ref())?,
            at: self.at(subquery.at),
            extent: Extent::Plain,
            lookback_ms: self.lookback_ms,
        };
        let step = match &subquery.step {
            Some(step) => self.positive_ms(step)?,
            None => i64::try_from(self.options.subquery_step.as_millis()).unwrap_or(60_000).max(1),
        };
        let (oldest, newest) = spec.time_range(&steps);
        // The first multiple of the step within the windows.
        let start =
            oldest.saturating_sub(1).div_euclid(step).saturating_add(1).saturating_mul(step);
        if start > newest {
            return Ok((Vec::new(), spec));
        }
        let count = usize::try_from((newest - start) / step + 1).unwrap_or(usize::MAX);
        if count > self.options.max_samples {
            return Err(EvalError::TooManySamples { limit: self.options.max_samples });
        }
        let inner = Steps { start, step, count };
        let rows = self.rows(&subquery.expr, inner)?;
        self.release_rows(rows.len(), inner);
        let series = rows.into_iter().map(|row| {
            let column = to_column(&row.values, &inner);
            (row.labels, row.drop_name, column)
        });
        Ok((series.collect(), spec))
    }
}

fn unnamed(floats: Vec<f64>) -> Row {
    Row { labels: Labels::empty(), drop_name: false, values: Values { floats, histograms: None } }
}

fn negate(input: &Values, output: &mut Values) {
    for (out, value) in output.floats.iter_mut().zip(&input.floats) {
        if !is_absent(*value) {
            *out = -*value;
        }
    }
    for (step, histogram) in input.histograms.iter().flatten().enumerate() {
        if let Some(histogram) = histogram {
            let mut negative = (**histogram).clone();
            negative.scale(-1.0);
            output.set_histogram(step, Arc::new(negative));
        }
    }
}

/// The values of a row as samples. What is known of counter resets does not hold between the inner
/// steps, so histograms forget it.
fn to_column(values: &Values, steps: &Steps) -> Column {
    use model::histogram::ResetHint;
    let mut column = Column::default();
    for (step, value) in values.floats.iter().enumerate() {
        if let Some(histogram) = values.histogram(step) {
            let histogram = match histogram.reset_hint {
                ResetHint::Reset | ResetHint::NotReset => {
                    let mut unknown = (**histogram).clone();
                    unknown.reset_hint = ResetHint::Unknown;
                    Arc::new(unknown)
                }
                ResetHint::Unknown | ResetHint::Gauge => Arc::clone(histogram),
            };
            column.histogram_times.push(steps.at(step));
            column.histograms.push(histogram);
        } else if !is_absent(*value) {
            column.push_float(steps.at(step), *value);
        }
    }
    column
}
