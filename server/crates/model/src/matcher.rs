//! Label matchers: `job="api"`, `code=~"5.."`.

use std::fmt;

use regex::Regex;

use crate::labels::{Labels, Quoted, is_label_name};

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

impl MatchOp {
    /// The operator as written in PromQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A regular expression that does not compile, or grows too large.
#[derive(Debug, Clone, thiserror::Error)]
#[error("invalid regular expression `{pattern}`: {reason}")]
pub struct MatcherError {
    pattern: String,
    reason: String,
}

/// One condition on one label. A label that is not set has the empty value.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// The comparison.
    pub op: MatchOp,
    /// The text or pattern compared with.
    pub value: String,
    regex: Option<Regex>,
}

impl Matcher {
    /// A matcher of any kind.
    ///
    /// # Errors
    /// When `op` is a regular expression that does not compile.
    pub fn try_new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let value = value.into();
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(compile_anchored(&value)?),
        };
        Ok(Self { name: name.into(), op, value, regex })
    }

    /// `name="value"`.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), op: MatchOp::Equal, value: value.into(), regex: None }
    }

    /// Whether a value of the label passes; pass the empty text for a label that is not set.
    pub fn matches(&self, value: &str) -> bool {
        let is_match =
            self.regex.as_ref().map_or_else(|| value == self.value, |r| r.is_match(value));
        match self.op {
            MatchOp::Equal | MatchOp::Regex => is_match,
            MatchOp::NotEqual | MatchOp::NotRegex => !is_match,
        }
    }

    /// Whether a label set passes.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.value_or_empty(&self.name))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl std::hash::Hash for Matcher {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.name, self.op, &self.value).hash(state);
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_label_name(&self.name) {
            write!(f, "{}{}{}", self.name, self.op.as_str(), Quoted(&self.value))
        } else {
            write!(f, "{}{}{}", Quoted(&self.name), self.op.as_str(), Quoted(&self.value))
        }
    }
}

/// Compiles a pattern the way Prometheus does: anchored at both ends, `.` matches a newline too.
///
/// # Errors
/// When the pattern does not compile or its automaton would exceed the size limit.
pub fn compile_anchored(pattern: &str) -> Result<Regex, MatcherError> {
    regex::RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(4 << 20).build().map_err(
        |e| MatcherError { pattern: pattern.to_owned(), reason: last_line(&e.to_string()) },
    )
}

/// The regex crate draws the pattern with a marker over several lines; the reason is the last one.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_treat_a_missing_label_as_empty() {
        let labels = Labels::from_pairs([("job", "api"), ("text", "a\nb")]);
        for (name, op, value, expected) in [
            ("job", MatchOp::Equal, "api", true),
            ("job", MatchOp::NotEqual, "api", false),
            ("job", MatchOp::Regex, "a", false),
            ("job", MatchOp::Regex, "a.*|b", true),
            ("job", MatchOp::NotRegex, "b|c", true),
            ("none", MatchOp::Equal, "", true),
            ("none", MatchOp::Regex, ".*", true),
            ("none", MatchOp::Regex, ".+", false),
            ("none", MatchOp::NotEqual, "", false),
            ("text", MatchOp::Regex, "a.b", true),
        ] {
            let matcher = Matcher::try_new(name, op, value).unwrap();
            assert_eq!(matcher.matches_labels(&labels), expected, "{matcher}");
        }
    }

    #[test]
    fn a_bad_pattern_is_named_with_its_reason() {
        let error = Matcher::try_new("a", MatchOp::Regex, "(x").unwrap_err();
        assert_eq!(error.to_string(), "invalid regular expression `(x`: unclosed group");
    }
}
