//! Operators on single values.

use std::sync::Arc;

use model::{
    NativeHistogram,
    histogram::{Combined, Keep, ResetHint},
};

use crate::{
    annotations::{Combination, Note},
    engine::Point,
    parser::BinaryOp,
};

/// Two numbers; a comparison gives 1 or 0.
pub(crate) fn scalars(op: BinaryOp, left: f64, right: f64) -> f64 {
    match compare(op, left, right) {
        Some(holds) => f64::from(u8::from(holds)),
        None => calculate(op, left, right),
    }
}

pub(super) fn calculate(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide => left / right,
        BinaryOp::Modulo => left % right,
        BinaryOp::Power => power(left, right),
        BinaryOp::Atan2 => left.atan2(right),
        _ => f64::NAN,
    }
}

fn power(base: f64, exponent: f64) -> f64 {
    base.powf(exponent)
}

pub(super) fn compare(op: BinaryOp, left: f64, right: f64) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Greater => left > right,
        BinaryOp::Less => left < right,
        BinaryOp::GreaterEqual => left >= right,
        BinaryOp::LessEqual => left <= right,
        _ => return None,
    })
}

/// What an operator makes of two values.
pub(super) enum Outcome {
    Float(f64),
    Histogram(Arc<NativeHistogram>),
    /// The left value, if the comparison holds.
    Compared(bool),
    /// The operator does not know these types.
    Incompatible(Note<'static>),
}

/// Two values of any kind, with what is to be remarked.
pub(super) fn values(
    op: BinaryOp,
    left: Point<'_>,
    right: Point<'_>,
) -> (Outcome, [Option<Note<'static>>; 2]) {
    let none = [None, None];
    match (left, right) {
        (Point::Float(l), Point::Float(r)) => {
            let outcome = match compare(op, l, r) {
                Some(holds) => Outcome::Compared(holds),
                None if op.is_trim() => incompatible("float", op, "float"),
                None => Outcome::Float(calculate(op, l, r)),
            };
            (outcome, none)
        }
        (Point::Float(l), Point::Histogram(r)) => {
            let outcome = match op {
                BinaryOp::Multiply => changed(r, |h| h.scale(l)),
                _ => incompatible("float", op, "histogram"),
            };
            (outcome, none)
        }
        (Point::Histogram(l), Point::Float(r)) => {
            let outcome = match op {
                BinaryOp::Multiply => changed(l, |h| h.scale(r)),
                BinaryOp::Divide => changed(l, |h| h.divide(r)),
                BinaryOp::TrimUpper => changed(l, |h| h.trim(r, Keep::Below)),
                BinaryOp::TrimLower => changed(l, |h| h.trim(r, Keep::Above)),
                _ => incompatible("histogram", op, "float"),
            };
            (outcome, none)
        }
        (Point::Histogram(l), Point::Histogram(r)) => histograms(op, l, r),
    }
}

fn histograms(
    op: BinaryOp,
    left: &Arc<NativeHistogram>,
    right: &NativeHistogram,
) -> (Outcome, [Option<Note<'static>>; 2]) {
    let (how, is_sum) = match op {
        BinaryOp::Equal => return (Outcome::Compared(left.has_same_data(right)), [None, None]),
        BinaryOp::NotEqual => {
            return (Outcome::Compared(!left.has_same_data(right)), [None, None]);
        }
        BinaryOp::Add => (Combination::Addition, true),
        BinaryOp::Subtract => (Combination::Subtraction, false),
        _ => return (incompatible("histogram", op, "histogram"), [None, None]),
    };
    let mut result = (**left).clone();
    let combined = if is_sum { result.add(right) } else { result.subtract(right) };
    let Ok(Combined { reset_conflict, bounds_reconciled }) = combined else {
        let note = Note::IncompatibleLayout { operator: op.as_str() };
        return (Outcome::Incompatible(note), [None, None]);
    };
    if !is_sum {
        result.reset_hint = ResetHint::Gauge;
    }
    result.compact();
    let notes = [
        reset_conflict.then_some(Note::ResetConflict(how)),
        bounds_reconciled.then_some(Note::BoundsReconciled(how)),
    ];
    (Outcome::Histogram(Arc::new(result)), notes)
}

fn changed(histogram: &NativeHistogram, change: impl FnOnce(&mut NativeHistogram)) -> Outcome {
    let mut result = histogram.clone();
    change(&mut result);
    result.compact();
    Outcome::Histogram(Arc::new(result))
}

fn incompatible(left: &'static str, op: BinaryOp, right: &'static str) -> Outcome {
    Outcome::Incompatible(Note::IncompatibleTypes { left, operator: op.as_str(), right })
}
