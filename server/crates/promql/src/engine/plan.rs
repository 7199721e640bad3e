//! What each part of an expression did: the plan of a query with what it came to.

use std::{fmt, time::Duration};

use crate::parser::{Expr, ExprKind, Grouping, Span};

/// The parts of an expression in the order of the text, parents first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The parts that were evaluated, and texts and numbers among them that need no evaluation.
    pub nodes: Vec<PlanNode>,
}

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanNode {
    /// How deep it is nested, 0 for the whole.
    pub depth: usize,
    /// Its place in the text, in bytes.
    pub span: Span,
    /// What it is: `sum by (job)`, `rate`, `x{a="b"}[5m]`.
    pub what: String,
    /// The work done for it.
    pub work: Work,
}

/// What a part of an expression came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// How many series it selected from the store.
    pub series: usize,
    /// How many samples it read from the store.
    pub samples: usize,
    /// How many series it handed on.
    pub rows: usize,
    /// The time spent in it and not in its parts, by all workers together; zero without a clock.
    pub time: Duration,
}

impl Work {
    pub(crate) fn add(&mut self, other: Self) {
        self.series += other.series;
        self.samples += other.samples;
        self.rows += other.rows;
        self.time += other.time;
    }
}

impl Plan {
    /// The parts of an expression, with the work of each.
    pub(crate) fn of(expr: &Expr, work: &dyn Fn(&Expr) -> Work) -> Self {
        let mut plan = Self::default();
        plan.add(expr, 0, work);
        plan
    }

    fn add(&mut self, expr: &Expr, depth: usize, work: &dyn Fn(&Expr) -> Work) {
        if let ExprKind::Paren(inner) = &expr.kind {
            return self.add(inner, depth, work);
        }
        let node = PlanNode { depth, span: expr.span, what: what(expr), work: work(expr) };
        self.nodes.push(node);
        for child in expr.children() {
            self.add(child, depth + 1, work);
        }
    }
}

impl fmt::Display for Plan {
    /// A line for each part, those below it indented.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, node) in self.nodes.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            let Work { series, samples, rows, time } = node.work;
            write!(f, "{:indent$}{}: {rows} rows", "", node.what, indent = 2 * node.depth)?;
            if series > 0 {
                write!(f, ", {series} series and {samples} samples read")?;
            }
            if !time.is_zero() {
                write!(f, ", {:.3} ms", time.as_secs_f64() * 1000.0)?;
            }
        }
        Ok(())
    }
}

/// A part without what is below it.
fn what(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Paren(inner) => what(inner),
        ExprKind::Sign { is_minus, .. } => if *is_minus { "-" } else { "+" }.to_owned(),
        ExprKind::Binary(binary) => binary.op.as_str().to_owned(),
        ExprKind::Call(call) => call.function.name.to_owned(),
        ExprKind::Aggregate(aggregate) => {
            let op = aggregate.op.as_str();
            match &aggregate.grouping {
                Grouping::By(labels) if labels.is_empty() => op.to_owned(),
                Grouping::By(labels) => format!("{op} by ({})", labels.join(", ")),
                Grouping::Without(labels) => format!("{op} without ({})", labels.join(", ")),
            }
        }
        ExprKind::Subquery(_) => "subquery".to_owned(),
        ExprKind::Number(_)
        | ExprKind::Text(_)
        | ExprKind::Bytes(_)
        | ExprKind::Selector(_)
        | ExprKind::Range(_) => expr.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Context, Engine, Options, Profiling, script::MemoryStorage};
    use model::{Labels, Value};

    #[test]
    fn a_plan_says_what_each_part_came_to() {
        let mut storage = MemoryStorage::new();
        for (name, a) in [("x", "1"), ("x", "2"), ("y", "")] {
            let labels = Labels::from_pairs([("__name__", name), ("a", a)]);
            for minute in 0..=10 {
                storage.append(&labels, minute * 60_000, Value::Float(minute as f64));
            }
        }
        let engine = Engine::new(Options::default());
        let expr = crate::parse("sum(rate(x[5m])) / (y > 2)").unwrap();
        let profile = Some(Profiling::default());
        let ctx = Context { profile, ..Context::default() };
        let output = engine.instant(&storage, &expr, 600_000, &ctx).unwrap();
        assert_eq!(
            output.plan.unwrap().to_string(),
            "/: 1 rows\n  sum: 1 rows\n    rate: 2 rows, 2 series and 10 samples read\n      \
             x[5m]: 0 rows\n  >: 1 rows\n    y: 1 rows, 1 series and 1 samples read\n    2: 0 rows"
        );
    }
}
