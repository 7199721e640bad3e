//! Every word of the language must occur in a script: what is added without a case fails here.

use std::collections::BTreeSet;

use promql::{
    Expr, FUNCTIONS, parse,
    parser::{
        AggregateOp, At, BinaryOp, Cardinality, ExprKind, Extent, Grouping, Length, LengthOp,
        Matching, Selector, Subquery,
    },
};

use crate::scripts::scripts;

/// The expressions of all cases that can be parsed.
fn expressions() -> Vec<Expr> {
    let texts = scripts().into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    let mut all = Vec::new();
    for text in texts {
        let lines = text.lines().filter(|line| line.starts_with("eval"));
        all.extend(lines.filter_map(|line| parse(expression(line)?).ok()));
    }
    all
}

/// What a line of a script evaluates: the text after the times.
fn expression(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" instant at ").or_else(|| line.split_once(" step "))?;
    rest.split_once(' ').map(|(_, expression)| expression)
}

#[derive(Default)]
struct Words(BTreeSet<&'static str>);

impl Words {
    fn visit(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number(number) if number.is_duration => self.add("a duration as a number"),
            ExprKind::Number(_) => self.add("a number"),
            ExprKind::Text(_) => self.add("a text"),
            ExprKind::Bytes(_) => self.add("a text that is not UTF-8"),
            ExprKind::Selector(selector) => self.selector(selector),
            ExprKind::Range(range) => {
                self.selector(&range.selector);
                self.length("a range of ", &range.range);
            }
            ExprKind::Subquery(subquery) => self.subquery(subquery),
            ExprKind::Paren(_) => self.add("parentheses"),
            ExprKind::Sign { is_minus, .. } => self.add(if *is_minus { "minus" } else { "plus" }),
            ExprKind::Binary(binary) => {
                self.add(binary.op.as_str());
                if binary.returns_bool {
                    self.add("bool");
                }
                self.matching(&binary.matching);
            }
            ExprKind::Call(call) => self.add(call.function.name),
            ExprKind::Aggregate(aggregate) => {
                self.add(aggregate.op.as_str());
                match &aggregate.grouping {
                    Grouping::By(labels) if labels.is_empty() => {}
                    Grouping::By(_) => self.add("by"),
                    Grouping::Without(_) => self.add("without"),
                }
            }
        }
    }

    fn add(&mut self, word: &'static str) {
        self.0.insert(word);
    }

    fn selector(&mut self, selector: &Selector) {
        match selector.extent {
            Extent::Plain => {}
            Extent::Anchored => self.add("anchored"),
            Extent::Smoothed => self.add("smoothed"),
        }
        self.time(selector.at, selector.offset.as_ref());
        for matcher in &selector.matchers {
            self.add(matcher.op.as_str());
        }
    }

    fn subquery(&mut self, subquery: &Subquery) {
        self.length("a subquery of ", &subquery.range);
        match &subquery.step {
            Some(step) => self.length("a subquery's step of ", step),
            None => self.add("a subquery without a step"),
        }
        self.time(subquery.at, subquery.offset.as_ref());
    }

    fn time(&mut self, at: Option<At>, offset: Option<&Length>) {
        match at {
            None => {}
            Some(At::Timestamp(ms)) if ms < 0 => self.add("@ before the epoch"),
            Some(At::Timestamp(_)) => self.add("@"),
            Some(At::Start) => self.add("@ start()"),
            Some(At::End) => self.add("@ end()"),
        }
        if let Some(offset) = offset {
            self.length("an offset of ", offset);
        }
    }

    fn length(&mut self, whose: &'static str, length: &Length) {
        self.add(whose);
        match length {
            Length::Literal(number) if number.value < 0.0 => self.add("a negative length"),
            Length::Literal(number) if number.is_duration => self.add("a duration"),
            Length::Literal(_) => self.add("a length in seconds"),
            Length::Step => self.add("step() as a length"),
            Length::Range => self.add("range() as a length"),
            Length::Paren(inner) => {
                self.add("a length in parentheses");
                self.length(whose, inner);
            }
            Length::Negative(inner) => {
                self.add("the negative of a length");
                self.length(whose, inner);
            }
            Length::Binary(op, left, right) => {
                self.add(match op {
                    LengthOp::Add => "+ of lengths",
                    LengthOp::Subtract => "- of lengths",
                    LengthOp::Multiply => "* of lengths",
                    LengthOp::Divide => "/ of lengths",
                    LengthOp::Modulo => "% of lengths",
                    LengthOp::Power => "^ of lengths",
                    LengthOp::Min => "min_of lengths",
                    LengthOp::Max => "max_of lengths",
                });
                self.length(whose, left);
                self.length(whose, right);
            }
        }
    }

    fn matching(&mut self, matching: &Matching) {
        match &matching.labels {
            None => {}
            Some(Grouping::By(_)) => self.add("on"),
            Some(Grouping::Without(_)) => self.add("ignoring"),
        }
        match matching.cardinality {
            Cardinality::OneToOne => {}
            Cardinality::ManyToOne => self.add("group_left"),
            Cardinality::OneToMany => self.add("group_right"),
        }
        if !matching.include.is_empty() {
            self.add("labels of a group");
        }
        match (matching.fill.left, matching.fill.right) {
            (None, None) => {}
            (Some(_), None) => self.add("fill_left"),
            (None, Some(_)) => self.add("fill_right"),
            (Some(left), Some(right)) if left == right => self.add("fill"),
            (Some(_), Some(_)) => self.add("fill_left and fill_right"),
        }
    }
}

/// What is not in the tables of functions and operators.
const FORMS: &[&str] = &[
    "a duration as a number",
    "a number",
    "a text",
    "a text that is not UTF-8",
    "parentheses",
    "minus",
    "plus",
    "bool",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "labels of a group",
    "fill",
    "fill_left",
    "fill_right",
    "fill_left and fill_right",
    "=",
    "!=",
    "=~",
    "!~",
    "@",
    "@ before the epoch",
    "@ start()",
    "@ end()",
    "an offset of ",
    "a range of ",
    "a subquery of ",
    "a subquery's step of ",
    "a subquery without a step",
    "anchored",
    "smoothed",
    "a duration",
    "a length in seconds",
    "a negative length",
    "the negative of a length",
    "a length in parentheses",
    "step() as a length",
    "range() as a length",
    "+ of lengths",
    "- of lengths",
    "* of lengths",
    "/ of lengths",
    "% of lengths",
    "^ of lengths",
    "min_of lengths",
    "max_of lengths",
];

#[test]
fn every_function_operator_aggregation_and_modifier_has_a_case() {
    let mut words = Words::default();
    for expr in expressions() {
        expr.walk(&mut |node| words.visit(node));
    }
    let known = FUNCTIONS
        .iter()
        .map(|function| function.name)
        .chain(AggregateOp::ALL.iter().map(|op| op.as_str()))
        .chain(BinaryOp::ALL.iter().map(|op| op.as_str()))
        .chain(FORMS.iter().copied());
    let missing: Vec<&str> = known.filter(|word| !words.0.contains(word)).collect();
    assert!(missing.is_empty(), "no script has a case of {missing:?}");
}
