//! Lengths of time, known once the query's steps are.

use super::Evaluator;
use crate::{
    engine::EvalError,
    parser::{Length, LengthOp},
};

impl Evaluator<'_> {
    /// A length that must be positive, in milliseconds.
    pub(crate) fn positive_ms(&self, length: &Length) -> Result<i64, EvalError> {
        let ms = self.ms(length)?;
        if ms <= 0 {
            return Err(EvalError::Execution("duration must be greater than 0".to_owned()));
        }
        Ok(ms)
    }

    /// An offset in milliseconds, zero when there is none.
    pub(crate) fn offset_ms(&self, offset: Option<&Length>) -> Result<i64, EvalError> {
        offset.map_or(Ok(0), |offset| self.ms(offset))
    }

    fn ms(&self, length: &Length) -> Result<i64, EvalError> {
        let ms = (self.seconds(length)? * 1000.0).round();
        // About 290 years, the range of Prometheus.
        if ms.is_nan() || ms.abs() > 9.2e12 {
            return Err(EvalError::Execution("duration is out of range".to_owned()));
        }
        Ok(ms as i64)
    }

    fn seconds(&self, length: &Length) -> Result<f64, EvalError> {
        Ok(match length {
            Length::Literal(number) => number.value,
            Length::Step => self.query_step_seconds(),
            Length::Range => (self.query.end() - self.query.start) as f64 / 1000.0,
            Length::Paren(inner) => self.seconds(inner)?,
            Length::Negative(inner) => -self.seconds(inner)?,
            Length::Binary(op, left, right) => {
                let (left, right) = (self.seconds(left)?, self.seconds(right)?);
                match op {
                    LengthOp::Add => left + right,
                    LengthOp::Subtract => left - right,
                    LengthOp::Multiply => left * right,
                    LengthOp::Divide | LengthOp::Modulo if right == 0.0 => {
                        let what = if *op == LengthOp::Divide { "division" } else { "modulo" };
                        return Err(EvalError::Execution(format!("{what} by zero")));
                    }
                    LengthOp::Divide => left / right,
                    LengthOp::Modulo => left % right,
                    LengthOp::Power => left.powf(right),
                    LengthOp::Min => left.min(right),
                    LengthOp::Max => left.max(right),
                }
            }
        })
    }

    /// The distance of the query's steps, zero for an instant query.
    pub(crate) fn query_step_seconds(&self) -> f64 {
        if self.query.count == 1 && self.query.step == 1 {
            return 0.0;
        }
        self.query.step as f64 / 1000.0
    }
}
