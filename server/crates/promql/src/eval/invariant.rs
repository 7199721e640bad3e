//! Which expressions have the same value at every step.

use crate::functions::{QueryPart, range::RangeFunction};
use crate::{
    functions::Special,
    parser::{Expr, ExprKind},
};

/// Whether the expression need be evaluated only once, because every selector in it has a fixed time.
pub(super) fn is_invariant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Bytes(_) => true,
        ExprKind::Selector(selector) => selector.at.is_some(),
        ExprKind::Range(range) => range.selector.at.is_some(),
        ExprKind::Subquery(subquery) => subquery.at.is_some(),
        ExprKind::Paren(_)
        | ExprKind::Sign { .. }
        | ExprKind::Binary(_)
        | ExprKind::Aggregate(_) => expr.children().into_iter().all(is_invariant),
        ExprKind::Call(call) => {
            let depends_on_step = matches!(
                call.function.special,
                Special::Date(_)
                    | Special::Timestamp
                    | Special::StartTimestamp
                    | Special::Query(QueryPart::Time)
                    | Special::Range(RangeFunction::PredictLinear)
            );
            !depends_on_step && call.args.iter().all(is_invariant)
        }
    }
}
