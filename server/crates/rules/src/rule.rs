//! Rules and groups as they were written: data without state.

use std::{collections::HashMap, fmt, str::FromStr, time::Duration};

use model::Labels;
use promql::{Expr, ParseError, parser::ValueType};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

use crate::template::Template;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// From 1; 0 for rules that were made by code.
    pub line: usize,
    /// In characters, from 1; 0 for rules that were made by code.
    pub column: usize,
}

impl From<yaml::Place> for Position {
    fn from(place: yaml::Place) -> Self {
        Self { line: place.line as usize, column: place.column as usize }
    }
}

/// A parsed expression with its text.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    expr: Expr,
}

/// Why a text cannot be the expression of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It does not parse.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It gives something that is neither a vector nor a number.
    #[error("the expression is a {0}, a rule needs an instant vector or a scalar")]
    Type(&'static str),
}

impl Expression {
    /// Parses an expression and checks that a rule can use its type.
    ///
    /// # Errors
    /// See [`ExpressionError`].
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let expr = promql::parse(text)?;
        match expr.value_type() {
            ValueType::Vector | ValueType::Scalar => {
                Ok(Self { text: text.trim_end().to_owned(), expr })
            }
            other => Err(ExpressionError::Type(other.describe())),
        }
    }

    /// The expression as it was written, without white space at its end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }
}

/// A rule that alerts on every series its expression returns.
#[derive(Debug, Clone)]
pub struct AlertingRule {
    /// The alert's name, which becomes the label `alertname`.
    pub name: String,
    /// The condition.
    pub expr: Expression,
    /// How long the condition must hold before the alert fires (`for`).
    pub hold: Duration,
    /// How long the alert goes on firing after the condition is gone (`keep_firing_for`).
    pub keep_firing: Duration,
    /// Labels added to those of the series, in order; they win over the series' own.
    pub labels: Vec<(String, Template)>,
    /// Texts for people, in order of the file.
    pub annotations: Vec<(String, Template)>,
    /// Where the rule begins.
    pub position: Position,
}

impl AlertingRule {
    /// A rule that fires at once, with no labels and no annotations; for rules made by code.
    pub fn new(name: impl Into<String>, expr: Expression) -> Self {
        Self {
            name: name.into(),
            expr,
            hold: Duration::ZERO,
            keep_firing: Duration::ZERO,
            labels: Vec::new(),
            annotations: Vec::new(),
            position: Position::default(),
        }
    }
}

/// A rule that writes the result of its expression as new series.
#[derive(Debug, Clone)]
pub struct RecordingRule {
    /// The name of the metric it writes.
    pub metric: String,
    /// What it writes.
    pub expr: Expression,
    /// Labels set on every series, in order; an empty value removes the label.
    pub labels: Vec<(String, String)>,
    /// Where the rule begins.
    pub position: Position,
}

/// A rule.
#[derive(Debug, Clone)]
pub enum Rule {
    /// See [`AlertingRule`].
    Alerting(AlertingRule),
    /// See [`RecordingRule`].
    Recording(RecordingRule),
}

impl Rule {
    /// The alert's or the metric's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Alerting(rule) => &rule.name,
            Self::Recording(rule) => &rule.metric,
        }
    }

    /// The expression.
    pub fn expr(&self) -> &Expression {
        match self {
            Self::Alerting(rule) => &rule.expr,
            Self::Recording(rule) => &rule.expr,
        }
    }

    /// The labels as they were written.
    pub fn labels(&self) -> Labels {
        match self {
            Self::Alerting(rule) => {
                Labels::from_pairs(rule.labels.iter().map(|(name, t)| (name, t.source())))
            }
            Self::Recording(rule) => {
                Labels::from_pairs(rule.labels.iter().map(|(name, value)| (name, value)))
            }
        }
    }

    /// Where the rule begins.
    pub fn position(&self) -> Position {
        match self {
            Self::Alerting(rule) => rule.position,
            Self::Recording(rule) => rule.position,
        }
    }

    /// Whether both do the same, wherever they stand.
    pub fn is_same(&self, other: &Self) -> bool {
        let texts = |pairs: &[(String, Template)]| -> Vec<(String, String)> {
            pairs.iter().map(|(n, t)| (n.clone(), t.source().to_owned())).collect()
        };
        match (self, other) {
            (Self::Alerting(a), Self::Alerting(b)) => {
                a.name == b.name
                    && a.expr.text() == b.expr.text()
                    && a.hold == b.hold
                    && a.keep_firing == b.keep_firing
                    && texts(&a.labels) == texts(&b.labels)
                    && texts(&a.annotations) == texts(&b.annotations)
            }
            (Self::Recording(a), Self::Recording(b)) => {
                a.metric == b.metric && a.expr.text() == b.expr.text() && a.labels == b.labels
            }
            _ => false,
        }
    }
}

/// A group of rules as it was written, or made by code.
///
/// ```
/// use rules::{AlertingRule, Expression, GroupSpec, Rule, Template};
///
/// let expr = Expression::parse("monitor_up{monitor=\"shop\"} == 0")?;
/// let summary = Template::parse("{{ $labels.monitor }} is down")?;
/// let group = GroupSpec {
///     file: "monitors".to_owned(),
///     name: "shop".to_owned(),
///     rules: vec![Rule::Alerting(AlertingRule {
///         annotations: vec![("summary".to_owned(), summary)],
///         ..AlertingRule::new("MonitorDown", expr)
///     })],
///     ..GroupSpec::default()
/// };
/// assert_eq!(group.rules[0].name(), "MonitorDown");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct GroupSpec {
    /// The file's path relative to the folder of rules, or a name for where generated rules come
    /// from. With [`Self::name`] it identifies the group.
    pub file: String,
    /// Unique in its file.
    pub name: String,
    /// The distance of evaluations; `None` for every flush. A process with another default fills it
    /// in before the group is made.
    pub interval: Option<Duration>,
    /// The most alerts or series a rule may produce; `None` for any number.
    pub limit: Option<usize>,
    /// How far in the past the rules look and write; `None` for not at all.
    pub query_offset: Option<Duration>,
    /// Evaluated in this order.
    pub rules: Vec<Rule>,
    /// Where the group begins.
    pub position: Position,
}

impl GroupSpec {
    /// Whether both do the same, wherever they stand in their files.
    pub fn is_same(&self, other: &Self) -> bool {
        self.file == other.file
            && self.name == other.name
            && self.interval == other.interval
            && self.limit == other.limit
            && self.query_offset == other.query_offset
            && self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(a, b)| a.is_same(b))
    }

    /// The identities of the rules, in their order. Rules of one name and equal labels are told
    /// apart by their order.
    pub fn uids(&self) -> Vec<RuleUid> {
        let mut repetitions: HashMap<(&str, Labels), u32> = HashMap::new();
        let uids = self.rules.iter().map(|rule| {
            let (name, labels) = (rule.name(), rule.labels());
            let repetition = repetitions.entry((name, labels.clone())).or_default();
            let uid = RuleUid::new(self, name, &labels, *repetition);
            *repetition += 1;
            uid
        });
        uids.collect()
    }
}

/// The identity of a rule over restarts and reloads: a hash of file, group, name and labels. A
/// change of the expression or of `for` keeps it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleUid(pub u128);

impl RuleUid {
    fn new(group: &GroupSpec, name: &str, labels: &Labels, repetition: u32) -> Self {
        let mut bytes = Vec::new();
        for text in [&group.file, &group.name, name, labels.as_packed()] {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        if repetition > 0 {
            bytes.extend_from_slice(&repetition.to_le_bytes());
        }
        Self(xxh3_128(&bytes))
    }
}

impl fmt::Display for RuleUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RuleUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rule's identity, expected 32 hexadecimal digits")]
pub struct RuleUidError(String);

impl FromStr for RuleUid {
    type Err = RuleUidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| RuleUidError(text.to_owned()))
    }
}

impl Serialize for RuleUid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RuleUid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
