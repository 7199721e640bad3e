//! What a rule compares with what: from `a > 5` the quantity `a`, the comparison and the bound, so that
//! a chart can draw the threshold and a sentence can name it.

use notify::{Comparison, Threshold};
use promql::{
    Expr,
    parser::{AggregateOp, Binary, BinaryOp, ExprKind},
};
use quantity::Unit;

/// The comparison that decides whether a rule fires.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// PromQL of the quantity that is compared.
    pub(crate) quantity: String,
    /// What it is compared with.
    pub(crate) threshold: Threshold,
}

/// Finds the comparison; `None` when the rule has none with a number.
///
/// Of `a > 5 and b` and `a > 5 unless b` it is the left side, whose value becomes the alert's.
pub(crate) fn condition(expr: &Expr) -> Option<Condition> {
    let ExprKind::Binary(binary) = &expr.unwrapped().kind else { return None };
    let Binary { op, left, right, .. } = &**binary;
    match op {
        BinaryOp::And | BinaryOp::Unless => condition(left),
        op => {
            let (comparison, mirrored) = comparison(*op)?;
            if let Some(bound) = number(right) {
                let threshold = Threshold { comparison, bound };
                return Some(Condition { quantity: left.to_string(), threshold });
            }
            let threshold = Threshold { comparison: mirrored, bound: number(left)? };
            Some(Condition { quantity: right.to_string(), threshold })
        }
    }
}

/// The unit of an expression's value, as far as it can be told: from the operations, then from the
/// ending of a metric's name, then from what `unit_of_metric` knows.
pub(crate) fn unit(expr: &Expr, unit_of_metric: &dyn Fn(&str) -> Option<Unit>) -> Unit {
    match &expr.unwrapped().kind {
        ExprKind::Selector(selector) => metric_unit(selector.metric_name(), unit_of_metric),
        ExprKind::Range(range) => metric_unit(range.selector.metric_name(), unit_of_metric),
        ExprKind::Subquery(subquery) => unit(&subquery.expr, unit_of_metric),
        ExprKind::Sign { operand, .. } => unit(operand, unit_of_metric),
        ExprKind::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Count | AggregateOp::Group | AggregateOp::CountValues => Unit::None,
            _ => unit(&aggregate.expr, unit_of_metric),
        },
        ExprKind::Call(call) => {
            let inner = call.args.iter().map(|arg| unit(arg, unit_of_metric));
            match call.function.name {
                "rate" | "irate" | "deriv" => per_second(inner.last().unwrap_or_default()),
                "count_over_time" | "absent" | "changes" | "resets" | "histogram_count" => {
                    Unit::None
                }
                "time" | "timestamp" => Unit::Seconds,
                _ => inner.last().unwrap_or_default(),
            }
        }
        ExprKind::Binary(binary) => of_binary(binary, unit_of_metric),
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Bytes(_) | ExprKind::Paren(_) => {
            Unit::None
        }
    }
}

fn of_binary(binary: &Binary, unit_of_metric: &dyn Fn(&str) -> Option<Unit>) -> Unit {
    let left = unit(&binary.left, unit_of_metric);
    let right = unit(&binary.right, unit_of_metric);
    match binary.op {
        BinaryOp::Divide if number(&binary.right).is_none() && left == right => Unit::Ratio,
        BinaryOp::Multiply if left == Unit::Ratio && number(&binary.right) == Some(100.0) => {
            Unit::Percent
        }
        BinaryOp::Add | BinaryOp::Subtract => {
            if left == Unit::None {
                right
            } else {
                left
            }
        }
        op if op.is_comparison() || op.is_set() => left,
        _ => Unit::None,
    }
}

fn per_second(unit: Unit) -> Unit {
    match unit {
        Unit::Bytes => Unit::BytesPerSecond,
        // Seconds per second, such as of CPU time, are a share.
        Unit::Seconds => Unit::Ratio,
        Unit::None => Unit::PerSecond,
        other => other,
    }
}

fn metric_unit(name: Option<&str>, unit_of_metric: &dyn Fn(&str) -> Option<Unit>) -> Unit {
    let Some(name) = name else { return Unit::None };
    // A recorded result is called `level:metric:operations`.
    let metric = name.split(':').nth(1).unwrap_or(name);
    let stem = metric.trim_end_matches("_total");
    match () {
        () if stem.ends_with("_ratio") => Unit::Ratio,
        () if stem.ends_with("_percent") => Unit::Percent,
        () if stem.ends_with("_seconds") => Unit::Seconds,
        () if stem.ends_with("_milliseconds") || stem.ends_with("_ms") => Unit::Milliseconds,
        () if stem.ends_with("_bytes") => Unit::Bytes,
        () => unit_of_metric(name).unwrap_or_default(),
    }
}

fn comparison(op: BinaryOp) -> Option<(Comparison, Comparison)> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    Some(match op {
        BinaryOp::Greater => (Greater, Less),
        BinaryOp::GreaterEqual => (GreaterOrEqual, LessOrEqual),
        BinaryOp::Less => (Less, Greater),
        BinaryOp::LessEqual => (LessOrEqual, GreaterOrEqual),
        BinaryOp::Equal => (Equal, Equal),
        BinaryOp::NotEqual => (NotEqual, NotEqual),
        _ => return None,
    })
}

/// The value of a number that is written out, also as `1 / 60` or `-5`.
fn number(expr: &Expr) -> Option<f64> {
    match &expr.unwrapped().kind {
        ExprKind::Number(number) => Some(number.value),
        ExprKind::Sign { is_minus, operand } => {
            number(operand).map(|value| if *is_minus { -value } else { value })
        }
        ExprKind::Binary(binary) => {
            let (left, right) = (number(&binary.left)?, number(&binary.right)?);
            match binary.op {
                BinaryOp::Add => Some(left + right),
                BinaryOp::Subtract => Some(left - right),
                BinaryOp::Multiply => Some(left * right),
                BinaryOp::Divide => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_with_a_number_is_found() {
        for (text, expected) in [
            ("up == 0", Some(("up", "==", 0.0))),
            ("rate(a[5m]) > 5", Some(("rate(a[5m])", ">", 5.0))),
            ("(a / b > 1 / 20) and on (x) c > 3", Some(("a / b", ">", 0.05))),
            ("10 >= a", Some(("a", "<=", 10.0))),
            ("a < -1 unless b", Some(("a", "<", -1.0))),
            ("a > b", None),
            ("absent(a)", None),
            ("a or b > 1", None),
        ] {
            let found = condition(&promql::parse(text).unwrap());
            let found = found
                .as_ref()
                .map(|c| (c.quantity.as_str(), c.threshold.comparison.as_str(), c.threshold.bound));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn units_follow_the_operations() {
        let known = |name: &str| (name == "http_duration").then_some(Unit::Milliseconds);
        for (text, expected) in [
            ("host_memory_used_ratio", Unit::Ratio),
            ("rate(a_total[5m])", Unit::PerSecond),
            ("sum by (x) (rate(net_received_bytes[1m]))", Unit::BytesPerSecond),
            ("sum(rate(errors[5m])) / sum(rate(all[5m]))", Unit::Ratio),
            ("100 * x", Unit::None),
            ("sum(rate(e[5m])) / sum(rate(a[5m])) * 100", Unit::Percent),
            ("histogram_quantile(0.95, sum(rate(http_duration[5m])))", Unit::Milliseconds),
            ("rate(cpu_seconds_total[1m])", Unit::Ratio),
            ("free_bytes / size_bytes", Unit::Ratio),
            ("free_bytes / 1024", Unit::None),
            ("count(up_seconds)", Unit::None),
            ("service:error_ratio:rate5m", Unit::Ratio),
        ] {
            assert_eq!(unit(&promql::parse(text).unwrap(), &known), expected, "{text}");
        }
    }
}
