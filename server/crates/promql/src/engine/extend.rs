//! Answers of range queries that are kept and extended.
//!
//! The value of most expressions at a step depends on samples around that step only, not on the other
//! steps of the query. Then the answer for a longer or later range can be put together from one for
//! earlier steps and one for the rest.

use std::{cmp::Ordering, time::Duration};

use model::Timestamp;

use super::output::Series;
use crate::{
    Annotations, Level, Range,
    eval::{Steps, Values},
    functions::{QueryPart, Special},
    parser::{Expr, ExprKind, Extent, Length, Selector},
};

/// How far after a step, in milliseconds, samples may lie on which the value at the step depends; zero
/// for most expressions. `None` when the value depends on the other steps of the query, so that answers
/// cannot be put together.
pub fn lookahead_ms(expr: &Expr, lookback: Duration) -> Option<i64> {
    let of_selector = |selector: &Selector| {
        if selector.at.is_some() {
            return None;
        }
        let margin = match selector.extent {
            Extent::Smoothed => i64::try_from(lookback.as_millis()).ok()?,
            Extent::Plain | Extent::Anchored => 0,
        };
        margin.checked_sub(offset_ms(selector.offset.as_ref())?)
    };
    let own = match &expr.kind {
        ExprKind::Selector(selector) => of_selector(selector)?,
        ExprKind::Range(range) => {
            seconds(&range.range)?;
            of_selector(&range.selector)?
        }
        ExprKind::Subquery(subquery) => {
            seconds(&subquery.range)?;
            if let Some(step) = &subquery.step {
                seconds(step)?;
            }
            if subquery.at.is_some() {
                return None;
            }
            let inner = lookahead_ms(&subquery.expr, lookback)?;
            return inner.checked_sub(offset_ms(subquery.offset.as_ref())?).map(|ms| ms.max(0));
        }
        ExprKind::Call(call) => match call.function.special {
            Special::Query(QueryPart::Start | QueryPart::End | QueryPart::Range)
            | Special::Info => return None,
            _ => 0,
        },
        _ => 0,
    };
    let children = expr.children().into_iter();
    children
        .map(|child| lookahead_ms(child, lookback))
        .try_fold(own.max(0), |most, child| child.map(|child| most.max(child)))
}

fn offset_ms(offset: Option<&Length>) -> Option<i64> {
    offset.map_or(Some(0), |offset| Some((seconds(offset)? * 1000.0).round() as i64))
}

/// A length that does not depend on the query.
fn seconds(length: &Length) -> Option<f64> {
    match length {
        Length::Literal(number) => Some(number.value),
        Length::Paren(inner) => seconds(inner),
        Length::Negative(inner) => seconds(inner).map(|seconds| -seconds),
        Length::Step | Length::Range | Length::Binary(..) => None,
    }
}

/// Whether all remarks hold for every range, because they are about names and not about samples.
pub fn are_lasting(annotations: &Annotations) -> bool {
    annotations.iter().all(|annotation| {
        annotation.level == Level::Info
            && annotation.message.starts_with("metric might not be a counter")
    })
}

/// The answer for the steps of `range`: from `old` up to `until`, inclusive, and from `new` after it.
/// All are matrices ascending by labels, on steps that lie a multiple of the range's apart from it.
pub fn join(range: Range, until: Timestamp, old: &[Series], new: &[Series]) -> Vec<Series> {
    let count = usize::try_from((range.end - range.start) / range.step_ms + 1).unwrap_or(0);
    let steps = Steps { start: range.start, step: range.step_ms, count };
    let border = usize::try_from((until - range.start).div_euclid(range.step_ms) + 1)
        .unwrap_or(0)
        .min(count);
    let mut joined = Vec::with_capacity(old.len().max(new.len()));
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return joined,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.labels.cmp(&new.labels),
        };
        let earlier = if order.is_le() { old.next() } else { None };
        let later = if order.is_ge() { new.next() } else { None };
        let Some(labels) = earlier.or(later).map(|series| series.labels.clone()) else { continue };
        let mut values = Values::absent(count);
        if let Some(earlier) = earlier {
            earlier.copy_to(&mut values, steps, 0..border);
        }
        if let Some(later) = later {
            later.copy_to(&mut values, steps, border..count);
        }
        if values.has_any() {
            joined.push(Series::on_steps(labels, steps, values.floats, values.histograms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_other_steps_cannot_be_extended() {
        for (text, expected) in [
            ("sum by (a) (rate(x[5m]))", Some(0)),
            ("x offset 5m", Some(0)),
            ("x offset -5m", Some(300_000)),
            ("max_over_time(rate(x[5m] offset -2m)[1h:1m] offset 1m)", Some(60_000)),
            ("1 + time() * step()", Some(0)),
            ("x @ 100", None),
            ("x @ end()", None),
            ("x - start()", None),
            ("rate(x[range()])", None),
            ("topk(3, x) / on() group_left() (y > 2)", Some(0)),
            ("rate(x[5m] smoothed)", Some(300_000)),
        ] {
            let expr = crate::parse(text).unwrap();
            assert_eq!(lookahead_ms(&expr, Duration::from_mins(5)), expected, "{text}");
        }
    }
}
