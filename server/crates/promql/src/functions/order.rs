//! Functions over whole vectors: sorting, `scalar` and `absent`.

use std::cmp::Ordering;

use super::labels::{absent_labels, text_of};
use crate::{
    annotations::Note,
    engine::EvalError,
    eval::{Evaluator, Row, Steps, Values, absent, is_absent},
    parser::{Call, Expr, Span},
};

/// By what a vector is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By value.
    Ascending,
    /// By value, greatest first.
    Descending,
    /// By labels.
    ByLabel,
    /// By labels, last first.
    ByLabelDescending,
}

/// The sort functions. Only the order of a single step is ever seen.
pub(crate) fn sort_rows(
    evaluator: &Evaluator<'_>,
    call: &Call,
    (order, span): (Order, Span),
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    if steps.count > 1 {
        evaluator.note(&Note::SortInRange, span);
    }
    let mut rows = evaluator.rows(&call.args[0], steps)?;
    match order {
        Order::Ascending | Order::Descending => {
            rows.retain_mut(|row| {
                row.values.histograms = None;
                row.values.has_any()
            });
            let descends = order == Order::Descending;
            rows.sort_by(|a, b| nan_last(a.values.floats[0], b.values.floats[0], descends));
        }
        Order::ByLabel | Order::ByLabelDescending => {
            let names: Vec<&str> = call.args[1..].iter().map(text_of).collect();
            rows.sort_by(|a, b| by_labels(a, b, &names));
            if order == Order::ByLabelDescending {
                rows.reverse();
            }
        }
    }
    Ok(rows)
}

fn nan_last(a: f64, b: f64, descends: bool) -> Ordering {
    let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    a.is_nan().cmp(&b.is_nan()).then(if descends { order.reverse() } else { order })
}

fn by_labels(a: &Row, b: &Row, names: &[&str]) -> Ordering {
    names
        .iter()
        .map(|name| natural(a.labels.value_or_empty(name), b.labels.value_or_empty(name)))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.labels.cmp(&b.labels))
}

/// Texts in the order people expect: runs of digits compare as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let ((x, rest_a), (y, rest_b)) = (chunk(a), chunk(b));
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            _ => x.cmp(y),
        };
        if order.is_ne() || (x.is_empty() && y.is_empty()) {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// The run of digits or of other characters at the start, and the rest.
fn chunk(text: &str) -> (&str, &str) {
    let is_digit = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(text.len());
    text.split_at(end)
}

/// `scalar`: the only number of a vector, else NaN.
pub(crate) fn scalar_of(
    evaluator: &Evaluator<'_>,
    arg: &Expr,
    steps: Steps,
) -> Result<Vec<f64>, EvalError> {
    let mut found = absent(steps.count);
    let mut is_repeated = vec![false; steps.count];
    evaluator.stream(arg, steps, &mut |row| {
        for (step, value) in row.values.floats.iter().enumerate() {
            if !is_absent(*value) {
                is_repeated[step] |= !is_absent(found[step]);
                found[step] = *value;
            }
        }
        Ok(())
    })?;
    for (value, is_repeated) in found.iter_mut().zip(is_repeated) {
        if is_repeated || is_absent(*value) {
            *value = f64::NAN;
        }
    }
    Ok(found)
}

/// `absent`: 1 where a vector is empty.
pub(crate) fn absent_rows(
    evaluator: &Evaluator<'_>,
    arg: &Expr,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let mut floats = vec![1.0; steps.count];
    evaluator.stream(arg, steps, &mut |row| {
        for (step, value) in floats.iter_mut().enumerate() {
            if row.values.is_present(step) {
                *value = crate::eval::ABSENT;
            }
        }
        Ok(())
    })?;
    let values = Values { floats, histograms: None };
    if !values.has_any() {
        return Ok(Vec::new());
    }
    evaluator.hold(steps.count)?;
    Ok(vec![Row { labels: absent_labels(arg), drop_name: false, values }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_sort_as_numbers() {
        let mut texts = ["a10", "a9", "b1", "a", "a9b", "10", "9", ""];
        texts.sort_by(|a, b| natural(a, b));
        assert_eq!(texts, ["", "9", "10", "a", "a9", "a9b", "a10", "b1"]);
    }
}
