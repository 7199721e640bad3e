//! A tree as text. Parsing what is printed gives an equal tree.

use std::{fmt, time::Duration};

use model::{
    duration::Pretty,
    labels::{Quoted, is_label_name, is_metric_name},
    number::Shortest,
};

use super::{
    At, Cardinality, Expr, ExprKind, Extent, Grouping, Length, LengthOp, Matching, Number, Selector,
};

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::Text(text) => Quoted(text).fmt(f),
            ExprKind::Bytes(escaped) => write!(f, "\"{escaped}\""),
            ExprKind::Selector(selector) => write_selector(f, selector, None),
            ExprKind::Range(range) => write_selector(f, &range.selector, Some(&range.range)),
            ExprKind::Subquery(subquery) => {
                write!(f, "{}[{}:", subquery.expr, subquery.range)?;
                if let Some(step) = &subquery.step {
                    step.fmt(f)?;
                }
                f.write_str("]")?;
                write_time(f, subquery.at, subquery.offset.as_ref())
            }
            ExprKind::Paren(inner) => write!(f, "({inner})"),
            ExprKind::Sign { is_minus, operand } => {
                write!(f, "{}{operand}", if *is_minus { '-' } else { '+' })
            }
            ExprKind::Binary(binary) => {
                write!(f, "{} {}", binary.left, binary.op.as_str())?;
                if binary.returns_bool {
                    f.write_str(" bool")?;
                }
                write!(f, "{} {}", binary.matching, binary.right)
            }
            ExprKind::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                write_list(f, &call.args)?;
                f.write_str(")")
            }
            ExprKind::Aggregate(aggregate) => {
                f.write_str(aggregate.op.as_str())?;
                match &aggregate.grouping {
                    Grouping::By(labels) if labels.is_empty() => {}
                    Grouping::By(labels) => write!(f, " by {} ", Names(labels))?,
                    Grouping::Without(labels) => write!(f, " without {} ", Names(labels))?,
                }
                f.write_str("(")?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.value.abs() * 1000.0;
        if self.is_duration && ms < 9e18 {
            let sign = if self.value < 0.0 { "-" } else { "" };
            return write!(f, "{sign}{}", Pretty(Duration::from_millis(ms.round() as u64)));
        }
        match self.value {
            v if v == f64::INFINITY => f.write_str("Inf"),
            v => Shortest::General(v).fmt(f),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(number) => number.fmt(f),
            Self::Step => f.write_str("step()"),
            Self::Range => f.write_str("range()"),
            Self::Paren(inner) => write!(f, "({inner})"),
            Self::Negative(inner) => write!(f, "-{inner}"),
            Self::Binary(LengthOp::Min, a, b) => write!(f, "min_of({a}, {b})"),
            Self::Binary(LengthOp::Max, a, b) => write!(f, "max_of({a}, {b})"),
            Self::Binary(op, a, b) => write!(f, "{a} {} {b}", op.as_str()),
        }
    }
}

impl LengthOp {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
            Self::Min => "min_of",
            Self::Max => "max_of",
        }
    }
}

impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.labels {
            None => {}
            Some(Grouping::By(labels)) => write!(f, " on {}", Names(labels))?,
            Some(Grouping::Without(labels)) => write!(f, " ignoring {}", Names(labels))?,
        }
        match self.cardinality {
            Cardinality::OneToOne => {}
            Cardinality::ManyToOne => write!(f, " group_left {}", Names(&self.include))?,
            Cardinality::OneToMany => write!(f, " group_right {}", Names(&self.include))?,
        }
        match (self.fill.left, self.fill.right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({left})"),
            (left, right) => {
                left.map_or(Ok(()), |value| write!(f, " fill_left ({value})"))?;
                right.map_or(Ok(()), |value| write!(f, " fill_right ({value})"))
            }
        }
    }
}

/// Label names in parentheses, in quotes where they need them.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, name) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            if is_label_name(name) {
                write!(f, "{comma}{name}")?;
            } else {
                write!(f, "{comma}{}", Quoted(name))?;
            }
        }
        f.write_str(")")
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, items: &[Expr]) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(i, item)| {
        let comma = if i > 0 { ", " } else { "" };
        write!(f, "{comma}{item}")
    })
}

fn write_selector(
    f: &mut fmt::Formatter<'_>,
    selector: &Selector,
    range: Option<&Length>,
) -> fmt::Result {
    let plain = selector.name.as_deref().filter(|name| is_plain_name(name));
    if let Some(name) = plain {
        f.write_str(name)?;
    }
    if plain.is_none() || !selector.matchers.is_empty() {
        f.write_str("{")?;
        let mut comma = "";
        if let (Some(name), None) = (&selector.name, plain) {
            write!(f, "{}", Quoted(name))?;
            comma = ", ";
        }
        for matcher in &selector.matchers {
            write!(f, "{comma}{matcher}")?;
            comma = ", ";
        }
        f.write_str("}")?;
    }
    if let Some(range) = range {
        write!(f, "[{range}]")?;
    }
    match selector.extent {
        Extent::Plain => {}
        Extent::Anchored => f.write_str(" anchored")?,
        Extent::Smoothed => f.write_str(" smoothed")?,
    }
    write_time(f, selector.at, selector.offset.as_ref())
}

/// Whether a name reads as a metric outside braces.
fn is_plain_name(name: &str) -> bool {
    is_metric_name(name) && !super::parse::is_reserved(name)
}

fn write_time(f: &mut fmt::Formatter<'_>, at: Option<At>, offset: Option<&Length>) -> fmt::Result {
    match at {
        None => {}
        Some(At::Start) => f.write_str(" @ start()")?,
        Some(At::End) => f.write_str(" @ end()")?,
        Some(At::Timestamp(ms)) => {
            let sign = if ms < 0 { "-" } else { "" };
            let ms = ms.unsigned_abs();
            write!(f, " @ {sign}{}.{:03}", ms / 1000, ms % 1000)?;
        }
    }
    offset.map_or(Ok(()), |offset| write!(f, " offset {offset}"))
}
