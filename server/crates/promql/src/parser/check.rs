//! Types: what each operator, function and aggregation may be given.

use super::{
    Aggregate, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Grouping, Matching, ParseError,
    Selector, ValueType,
};
use crate::functions::{Special, Variadic};

/// Checks a tree from the bottom up.
pub(super) fn check(text: &str, expr: &Expr) -> Result<(), ParseError> {
    let checker = Checker { text };
    for (i, child) in expr.children().into_iter().enumerate() {
        // The second argument of `info` lists labels, and may well match series without them.
        let is_label_list = i == 1
            && matches!(&expr.kind, ExprKind::Call(call) if call.function.special == Special::Info);
        if !is_label_list {
            check(text, child)?;
        }
    }
    match &expr.kind {
        ExprKind::Selector(selector) => checker.selector(selector, expr),
        ExprKind::Range(range) => checker.selector(&range.selector, expr),
        ExprKind::Sign { operand, .. } => checker.sign(operand),
        ExprKind::Binary(binary) => checker.binary(binary, expr),
        ExprKind::Call(call) => checker.call(call, expr),
        ExprKind::Aggregate(aggregate) => checker.aggregate(aggregate),
        ExprKind::Subquery(subquery) => {
            checker.expect(&subquery.expr, ValueType::Vector, &|found| {
                format!("subquery is only allowed on instant vector, got {found} instead")
            })
        }
        _ => Ok(()),
    }
}

struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn error(&self, expr: &Expr, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, expr.span, message)
    }

    fn source(&self, expr: &Expr) -> &str {
        self.text.get(expr.span.start..expr.span.end).unwrap_or("…")
    }

    fn expect(
        &self,
        expr: &Expr,
        expected: ValueType,
        message: &dyn Fn(&str) -> String,
    ) -> Result<(), ParseError> {
        let found = expr.value_type();
        if found == expected {
            return Ok(());
        }
        Err(self.error(expr, message(found.describe())))
    }

    fn selector(&self, selector: &Selector, expr: &Expr) -> Result<(), ParseError> {
        if selector.all_matchers().iter().any(|matcher| !matcher.matches("")) {
            return Ok(());
        }
        let message = "vector selector must contain at least one non-empty matcher";
        let hint = "add a condition such as `__name__=~\".+\"`";
        Err(self.error(expr, message).with_hint(Some(hint)))
    }

    fn sign(&self, operand: &Expr) -> Result<(), ParseError> {
        match operand.value_type() {
            ValueType::Scalar | ValueType::Vector => Ok(()),
            other => Err(self.error(
                operand,
                format!(
                    "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                    other.describe()
                ),
            )),
        }
    }

    fn call(&self, call: &Call, expr: &Expr) -> Result<(), ParseError> {
        let function = call.function;
        let declared = function.args.len();
        let (least, most) = match function.variadic {
            Variadic::No => (declared, Some(declared)),
            Variadic::Optional(optional) => (declared - 1, Some(declared - 1 + optional)),
            Variadic::Any => (declared - 1, None),
        };
        let given = call.args.len();
        let name = function.name;
        if given < least || most.is_some_and(|most| given > most) {
            let wanted = match most {
                Some(most) if most == least => format!("{least}"),
                Some(most) if given > most => format!("at most {most}"),
                _ => format!("at least {least}"),
            };
            let message = format!("expected {wanted} argument(s) in call to {name:?}, got {given}");
            return Err(self.error(expr, message));
        }
        for (i, arg) in call.args.iter().enumerate() {
            let expected = function.args[i.min(declared - 1)];
            let found = arg.value_type();
            if found != expected {
                let message = format!(
                    "expected type {} in call to function {name:?}, got {}",
                    expected.describe(),
                    found.describe()
                );
                let hint = self.argument_hint(name, arg, found, expected);
                return Err(self.error(arg, message).with_hint(hint));
            }
        }
        if function.special == Special::Info
            && let Some(labels) = call.args.get(1)
        {
            let message = match &labels.kind {
                ExprKind::Selector(selector) if selector.name.is_none() => return Ok(()),
                ExprKind::Selector(_) => {
                    "expected label selectors only, got vector selector instead"
                }
                _ => "expected label selectors only",
            };
            let hint = "write them in braces, such as {team=\"a\"}";
            return Err(self.error(labels, message).with_hint(Some(hint)));
        }
        Ok(())
    }

    /// The most common mistakes with their remedy.
    fn argument_hint(
        &self,
        name: &str,
        arg: &Expr,
        found: ValueType,
        expected: ValueType,
    ) -> Option<String> {
        let source = self.source(arg);
        match (found, expected) {
            (ValueType::Vector, ValueType::Matrix)
                if matches!(arg.unwrapped().kind, ExprKind::Selector(_)) =>
            {
                Some(format!("did you mean `{name}({source}[5m])`?"))
            }
            (ValueType::Vector, ValueType::Matrix) => {
                Some(format!("did you mean the subquery `{name}({source}[5m:])`?"))
            }
            (ValueType::Matrix, ValueType::Vector) => {
                Some("leave the range away, or wrap it in a function such as `rate(…)`".to_owned())
            }
            (ValueType::Scalar, ValueType::Vector) => {
                Some(format!("did you mean `{name}(vector({source}))`?"))
            }
            _ => None,
        }
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<(), ParseError> {
        let found = aggregate.expr.value_type();
        if found != ValueType::Vector {
            let message = format!(
                "expected type instant vector in aggregation expression, got {}",
                found.describe()
            );
            let hint = (found == ValueType::Matrix).then(|| {
                let op = aggregate.op.as_str();
                format!("did you mean `{op}(rate({}))`?", self.source(&aggregate.expr))
            });
            return Err(self.error(&aggregate.expr, message).with_hint(hint));
        }
        let (Some(param), Some(expected)) = (&aggregate.param, aggregate.op.param_type()) else {
            return Ok(());
        };
        self.expect(param, expected, &|found| {
            format!("expected type {} in aggregation parameter, got {found}", expected.describe())
        })?;
        Ok(())
    }

    fn binary(&self, binary: &Binary, expr: &Expr) -> Result<(), ParseError> {
        let Binary { op, left, right, returns_bool, matching } = binary;
        let (l, r) = (left.value_type(), right.value_type());
        for side in [left, right] {
            if !matches!(side.value_type(), ValueType::Scalar | ValueType::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                let hint = (side.value_type() == ValueType::Matrix)
                    .then(|| format!("did you mean `rate({})`?", self.source(side)));
                return Err(self.error(side, message).with_hint(hint));
            }
        }
        let has_scalar = l == ValueType::Scalar || r == ValueType::Scalar;
        if *returns_bool && !op.is_comparison() {
            return Err(self.error(expr, "bool modifier can only be used on comparison operators"));
        }
        if op.is_comparison() && !returns_bool && l == ValueType::Scalar && r == ValueType::Scalar {
            let message = "comparisons between scalars must use BOOL modifier";
            let hint = format!("write `{} bool`", op.as_str());
            return Err(self.error(expr, message).with_hint(Some(hint)));
        }
        if op.is_trim() && l == ValueType::Scalar && r == ValueType::Scalar {
            let message =
                format!("operator {:?} not allowed for operations between scalars", op.as_str());
            return Err(self.error(expr, message));
        }
        if op.is_set() && has_scalar {
            let message =
                format!("set operator {:?} not allowed in binary scalar expression", op.as_str());
            return Err(self.error(expr, message));
        }
        if has_scalar && *matching != Matching::default() {
            let is_filled = matching.fill.left.is_some() || matching.fill.right.is_some();
            let message = if is_filled {
                "filling in missing series only allowed between instant vectors"
            } else {
                "vector matching only allowed between instant vectors"
            };
            return Err(self.error(expr, message));
        }
        self.matching(*op, matching, expr)
    }

    fn matching(&self, op: BinaryOp, matching: &Matching, expr: &Expr) -> Result<(), ParseError> {
        if op.is_set() {
            if matching.cardinality != Cardinality::OneToOne {
                let message = format!("no grouping allowed for {:?} operation", op.as_str());
                return Err(self.error(expr, message));
            }
            if matching.fill.left.is_some() || matching.fill.right.is_some() {
                return Err(
                    self.error(expr, "filling in missing series not allowed for set operators")
                );
            }
        }
        if let Some(Grouping::By(labels)) = &matching.labels
            && let Some(label) = labels.iter().find(|label| matching.include.contains(label))
        {
            let message = format!("label {label:?} must not occur in ON and GROUP clause at once");
            return Err(self.error(expr, message));
        }
        Ok(())
    }
}
