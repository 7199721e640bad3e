//! The tree of an expression.

mod operators;

use model::{MatchOp, Matcher, labels::METRIC_NAME};

pub use operators::{AggregateOp, BinaryOp};

use crate::functions::Function;

/// A run of bytes in the text of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// From the start of this to the end of the other.
    #[must_use]
    pub fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end }
    }

    /// Line and column (in characters) of the start, both from 1.
    pub fn position_in(self, text: &str) -> (usize, usize) {
        let before = text.get(..self.start.min(text.len())).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

/// The number of a node, unique in its tree and stable for one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId(pub u32);

/// What an expression evaluates to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// A number per step.
    Scalar,
    /// A text.
    Text,
    /// A sample per series and step.
    Vector,
    /// Samples of a time range per series and step.
    Matrix,
}

impl ValueType {
    /// As error messages name it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Text => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

/// A node of the tree. Two nodes are equal when they mean the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct Expr {
    /// The node's number.
    pub id: NodeId,
    /// Where the node stands in the text.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The kinds of nodes.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number; a duration is one too, in seconds.
    Number(Number),
    /// A text.
    Text(String),
    /// A text that is not valid UTF-8 and therefore names nothing, as it is written between double quotes.
    Bytes(String),
    /// An instant vector selector.
    Selector(Selector),
    /// A range vector selector.
    Range(RangeSelector),
    /// A range over the results of another expression.
    Subquery(Box<Subquery>),
    /// An expression in parentheses.
    Paren(Box<Expr>),
    /// A sign before an expression that is not a number; true for minus.
    Sign {
        /// Minus instead of plus.
        is_minus: bool,
        /// The operand.
        operand: Box<Expr>,
    },
    /// Two operands.
    Binary(Box<Binary>),
    /// A function.
    Call(Call),
    /// An aggregation over series.
    Aggregate(Box<Aggregate>),
}

/// A number in the text.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    /// Its value, in seconds for a duration.
    pub value: f64,
    /// Whether it was written as a duration.
    pub is_duration: bool,
}

impl PartialEq for Number {
    /// Bit equality, so that a tree with `NaN` equals itself.
    fn eq(&self, other: &Self) -> bool {
        let same_value = self.value.to_bits() == other.value.to_bits()
            || (self.value.is_nan() && other.value.is_nan());
        same_value && self.is_duration == other.is_duration
    }
}

/// Which series, and when.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selector {
    /// The metric's name, when it was given as a name and not as a matcher on `__name__`.
    pub name: Option<String>,
    /// The conditions in braces, in order.
    pub matchers: Vec<Matcher>,
    /// Shifts the evaluation time back.
    pub offset: Option<Length>,
    /// Fixes the evaluation time.
    pub at: Option<At>,
    /// How the borders of a range are treated.
    pub extent: Extent,
}

impl Selector {
    /// All conditions, that on the name included.
    pub fn all_matchers(&self) -> Vec<Matcher> {
        let name = self.name.as_ref().map(|name| Matcher::equal(METRIC_NAME, name.clone()));
        name.into_iter().chain(self.matchers.iter().cloned()).collect()
    }

    /// The metric's name when there can be only one.
    pub fn metric_name(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| {
            self.matchers
                .iter()
                .find(|m| m.name == METRIC_NAME && m.op == MatchOp::Equal)
                .map(|m| m.value.as_str())
        })
    }
}

/// A fixed evaluation time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// Milliseconds since the Unix epoch.
    Timestamp(i64),
    /// The first step of the query.
    Start,
    /// The last step of the query.
    End,
}

/// How the borders of a range are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Samples inside the range only.
    #[default]
    Plain,
    /// The last sample before the range counts as its start (`anchored`).
    Anchored,
    /// Values at the borders are interpolated (`smoothed`).
    Smoothed,
}

/// The samples of a selector within a time range.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeSelector {
    /// Which series; its offset and time belong to the range.
    pub selector: Selector,
    /// How far back, open at the old end.
    pub range: Length,
}

/// The results of an expression over a time range.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// The inner expression.
    pub expr: Expr,
    /// How far back, open at the old end.
    pub range: Length,
    /// The distance of the inner steps, which are multiples of it; the engine's default when absent.
    pub step: Option<Length>,
    /// Shifts the evaluation time back.
    pub offset: Option<Length>,
    /// Fixes the evaluation time.
    pub at: Option<At>,
}

/// A length of time: a literal or an expression of such.
#[derive(Debug, Clone, PartialEq)]
pub enum Length {
    /// Seconds.
    Literal(Number),
    /// The step of the query (`step()`).
    Step,
    /// The time from the first to the last step of the query (`range()`).
    Range,
    /// In parentheses.
    Paren(Box<Self>),
    /// The negative.
    Negative(Box<Self>),
    /// Two operands.
    Binary(LengthOp, Box<Self>, Box<Self>),
}

/// Operators on lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `^`
    Power,
    /// `min_of(a, b)`
    Min,
    /// `max_of(a, b)`
    Max,
}

/// A function with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which function.
    pub function: &'static Function,
    /// The arguments in order.
    pub args: Vec<Expr>,
}

/// An aggregation.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Which aggregation.
    pub op: AggregateOp,
    /// What is aggregated.
    pub expr: Expr,
    /// The argument that some aggregations take first.
    pub param: Option<Expr>,
    /// Which series go together.
    pub grouping: Grouping,
}

/// Which labels make a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouping {
    /// Only these; without any, all series are one group.
    By(Vec<String>),
    /// All but these and the metric's name.
    Without(Vec<String>),
}

/// Two expressions and an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// The left operand.
    pub left: Expr,
    /// The right operand.
    pub right: Expr,
    /// Whether a comparison gives 0 and 1 instead of filtering.
    pub returns_bool: bool,
    /// How series of the two sides find each other.
    pub matching: Matching,
}

/// How series of two sides find each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matching {
    /// The labels that must be equal; `None` means all but the metric's name.
    pub labels: Option<Grouping>,
    /// How many may match how many.
    pub cardinality: Cardinality,
    /// Labels taken over from the side with one series (`group_left(…)`).
    pub include: Vec<String>,
    /// Values for series without a partner.
    pub fill: Fill,
}

/// How many series of the left may match how many of the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cardinality {
    /// One and one.
    #[default]
    OneToOne,
    /// Many left, one right (`group_left`).
    ManyToOne,
    /// One left, many right (`group_right`).
    OneToMany,
}

/// Values that stand in for a missing partner.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// In place of a missing left side.
    pub left: Option<Number>,
    /// In place of a missing right side.
    pub right: Option<Number>,
}

impl Expr {
    /// What the expression evaluates to.
    pub fn value_type(&self) -> ValueType {
        match &self.kind {
            ExprKind::Number(_) => ValueType::Scalar,
            ExprKind::Text(_) | ExprKind::Bytes(_) => ValueType::Text,
            ExprKind::Selector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
            ExprKind::Range(_) | ExprKind::Subquery(_) => ValueType::Matrix,
            ExprKind::Paren(inner) | ExprKind::Sign { operand: inner, .. } => inner.value_type(),
            ExprKind::Binary(binary) => {
                let sides = (binary.left.value_type(), binary.right.value_type());
                if sides == (ValueType::Scalar, ValueType::Scalar) {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
            ExprKind::Call(call) => call.function.returns,
        }
    }

    /// The expression without the parentheses around it.
    pub fn unwrapped(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}
