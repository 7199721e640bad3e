//! Fixing the time of every selector of an expression.

use model::Timestamp;

use crate::{
    functions::{QueryPart, Special, range::RangeFunction},
    parser::{At, Expr, ExprKind},
};

/// The expression with all its selectors fixed to a time; nothing when its value depends on the time
/// of the evaluation in another way.
pub(super) fn pin(mut expr: Expr, at: Timestamp) -> Option<Expr> {
    let mut depends = false;
    expr.walk(&mut |node| {
        depends |=
            matches!(&node.kind, ExprKind::Call(call) if depends_on_time(call.function.special));
    });
    if depends {
        return None;
    }
    fix(&mut expr, at);
    Some(expr)
}

fn depends_on_time(special: Special) -> bool {
    match special {
        Special::Date(_)
        | Special::Timestamp
        | Special::StartTimestamp
        | Special::Range(RangeFunction::PredictLinear) => true,
        Special::Query(part) => part != QueryPart::Pi,
        _ => false,
    }
}

/// A subquery that is fixed fixes what is inside it.
fn fix(expr: &mut Expr, at: Timestamp) {
    let slot = match &mut expr.kind {
        ExprKind::Selector(selector) => &mut selector.at,
        ExprKind::Range(range) => &mut range.selector.at,
        ExprKind::Subquery(subquery) => &mut subquery.at,
        ExprKind::Paren(inner) | ExprKind::Sign { operand: inner, .. } => return fix(inner, at),
        ExprKind::Binary(binary) => {
            fix(&mut binary.left, at);
            return fix(&mut binary.right, at);
        }
        ExprKind::Call(call) => return call.args.iter_mut().for_each(|arg| fix(arg, at)),
        ExprKind::Aggregate(aggregate) => {
            if let Some(param) = &mut aggregate.param {
                fix(param, at);
            }
            return fix(&mut aggregate.expr, at);
        }
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Bytes(_) => return,
    };
    if !matches!(slot, Some(At::Timestamp(_))) {
        *slot = Some(At::Timestamp(at));
    }
}
