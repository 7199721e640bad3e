//! Walking a tree.

use super::{Expr, ExprKind, Selector};

impl Expr {
    /// The direct children, in the order of the text.
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Number(_)
            | ExprKind::Text(_)
            | ExprKind::Bytes(_)
            | ExprKind::Selector(_)
            | ExprKind::Range(_) => Vec::new(),
            ExprKind::Subquery(subquery) => vec![&subquery.expr],
            ExprKind::Paren(inner) | ExprKind::Sign { operand: inner, .. } => vec![inner],
            ExprKind::Binary(binary) => vec![&binary.left, &binary.right],
            ExprKind::Call(call) => call.args.iter().collect(),
            ExprKind::Aggregate(aggregate) => {
                aggregate.param.iter().chain([&aggregate.expr]).collect()
            }
        }
    }

    /// Calls `visit` for this node and all below it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// All selectors in the order of the text, those of ranges included.
    pub fn selectors(&self) -> Vec<&Selector> {
        let mut selectors = Vec::new();
        self.walk(&mut |expr| match &expr.kind {
            ExprKind::Selector(selector) => selectors.push(selector),
            ExprKind::Range(range) => selectors.push(&range.selector),
            _ => {}
        });
        selectors
    }
}
