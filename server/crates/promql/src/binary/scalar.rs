//! Operators between a vector and a number per step. Series by series, nothing is held.

use std::sync::Arc;

use super::arithmetic::{Outcome, calculate, compare, values};
use crate::{
    annotations::Note,
    engine::{EvalError, Point},
    eval::{Evaluator, RowRef, Sink, Steps, Values, is_absent},
    parser::{Binary, Span, ValueType},
};

impl Evaluator<'_> {
    pub(crate) fn stream_with_scalar(
        &self,
        binary: &Binary,
        span: Span,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let scalar_is_left = binary.left.value_type() == ValueType::Scalar;
        let (vector, scalar) = if scalar_is_left {
            (&binary.right, &binary.left)
        } else {
            (&binary.left, &binary.right)
        };
        let numbers = self.scalar(scalar, steps)?;
        let mut output = Values::default();
        let changes_name = binary.op.changes_quantity() || binary.returns_bool;
        self.stream(vector, steps, &mut |row| {
            output.reset(steps.count);
            let operation = Operation { binary, numbers: &numbers, scalar_is_left };
            if binary.op.is_trim() {
                if row.values.floats.iter().any(|value| !is_absent(*value)) {
                    let operator = binary.op.as_str();
                    let note = Note::IncompatibleTypes { left: "float", operator, right: "float" };
                    self.note(&note, span);
                }
            } else {
                operation.floats(row.values, &mut output);
            }
            if row.values.histograms.is_some() {
                self.histograms(&operation, row.values, &mut output, span);
            }
            if output.has_any() {
                let drop_name = row.drop_name || changes_name;
                sink(RowRef { labels: row.labels, drop_name, values: &output })?;
            }
            Ok(())
        })
    }

    fn histograms(
        &self,
        operation: &Operation<'_>,
        input: &Values,
        output: &mut Values,
        span: Span,
    ) {
        for (step, histogram) in input.histograms.iter().flatten().enumerate() {
            let Some(histogram) = histogram else { continue };
            let vector = Point::Histogram(histogram);
            let number = Point::Float(operation.numbers[step]);
            let (left, right) =
                if operation.scalar_is_left { (number, vector) } else { (vector, number) };
            let (outcome, _) = values(operation.binary.op, left, right);
            match outcome {
                Outcome::Float(value) => output.floats[step] = value,
                Outcome::Histogram(result) => output.set_histogram(step, result),
                Outcome::Compared(holds) if operation.binary.returns_bool => {
                    output.floats[step] = f64::from(u8::from(holds));
                }
                Outcome::Compared(true) => output.set_histogram(step, Arc::clone(histogram)),
                Outcome::Compared(false) => {}
                Outcome::Incompatible(note) => self.note(&note, span),
            }
        }
    }
}

struct Operation<'a> {
    binary: &'a Binary,
    numbers: &'a [f64],
    scalar_is_left: bool,
}

impl Operation<'_> {
    fn floats(&self, input: &Values, output: &mut Values) {
        let op = self.binary.op;
        let pairs = input.floats.iter().zip(self.numbers).zip(&mut output.floats);
        for ((value, number), out) in pairs.filter(|((value, _), _)| !is_absent(**value)) {
            let (left, right) =
                if self.scalar_is_left { (*number, *value) } else { (*value, *number) };
            *out = match compare(op, left, right) {
                None => calculate(op, left, right),
                Some(holds) if self.binary.returns_bool => f64::from(u8::from(holds)),
                Some(true) => *value,
                Some(false) => continue,
            };
        }
    }
}
