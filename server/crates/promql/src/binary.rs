//! Binary operators.

pub(crate) mod arithmetic;
mod pairs;
mod scalar;
mod sets;
mod signature;

use crate::{
    engine::EvalError,
    eval::{Evaluator, Row, Steps},
    parser::{Binary, Span},
};

impl Evaluator<'_> {
    /// An operator between two vectors.
    pub(crate) fn vector_binary(
        &self,
        binary: &Binary,
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let left = self.rows(&binary.left, steps)?;
        let right = self.rows(&binary.right, steps)?;
        let held = left.len() + right.len();
        let rows = if binary.op.is_set() {
            sets::combine(binary.op, left, right, &binary.matching, steps)?
        } else {
            pairs::combine(self, binary, span, &left, &right, steps)?
        };
        self.release_rows(held, steps);
        self.hold(rows.len() * steps.count)?;
        Ok(rows)
    }
}
