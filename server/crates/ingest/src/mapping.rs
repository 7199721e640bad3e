//! Mapping rules: dotted names into names and labels, in the file format of `statsd_exporter`.
//!
//! ```yaml
//! defaults: {ttl: 1h}
//! mappings:
//!   - match: "go.response.*.time"        # a glob: `*` is one part between dots
//!     name: go_response_time             # `$1` or `${1}` is the text of the first `*`
//!     labels: {path: "$1"}
//!   - match: 'debug\..*'
//!     match_type: regex                  # not anchored; `$1_x` must be written `${1}_x`
//!     action: drop
//! ```
//! Globs are tried before regular expressions, whatever their order in the file. Of several globs that
//! match the first in the file wins; with `glob_disable_ordering` the one that is literal first. Globs
//! live in a tree by part, so the cost of a lookup depends on the number of parts, not of rules.
//! Expanded names are cleaned like all names.
//!
//! Options that choose between summaries and histograms are read and have no effect: distributions
//! are native histograms, which need no buckets or quantiles. Values are not converted: `ms` stays
//! milliseconds unless a rule has a `scale`.
//!
//! Source: the documentation of `statsd_exporter`, and its `pkg/mapper` for what that leaves open.

use std::{fmt, time::Duration};

use regex::Regex;

use crate::{line::Kind, series::SeriesKind};

mod file;
mod glob;

use glob::{GlobTree, Template};

/// A set of mapping rules; the default has none.
#[derive(Debug, Default)]
pub struct Mapping {
    rules: Vec<Rule>,
    globs: GlobTree,
    /// Rules with a regular expression, in the order of the file.
    regexes: Vec<(Regex, usize)>,
}

/// What a mapping file has wrong, all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MappingError {
    /// In the order of the file; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{}:{}: {}", problem.line, problem.column, problem.message)?;
        }
        Ok(())
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 when unknown.
    pub line: u64,
    /// The column, from 1; 0 when unknown.
    pub column: u64,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Which types of lines a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricType {
    Counter,
    Gauge,
    Observer,
}

impl From<Kind> for MetricType {
    fn from(kind: Kind) -> Self {
        match kind.into() {
            SeriesKind::Counter => Self::Counter,
            SeriesKind::Gauge | SeriesKind::Set => Self::Gauge,
            SeriesKind::Timer => Self::Observer,
        }
    }
}

#[derive(Debug)]
struct Rule {
    is_drop: bool,
    metric_type: Option<MetricType>,
    name: Template,
    labels: Vec<(String, Template)>,
    honor_labels: bool,
    ttl: Option<Duration>,
    scale: f64,
    help: String,
}

/// What a rule makes of a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The new name, not cleaned yet.
    pub name: String,
    /// Labels to add.
    pub labels: Vec<(String, String)>,
    /// Whether a tag of the same name wins over a label of the rule.
    pub honor_labels: bool,
    /// How long series live without a line.
    pub ttl: Option<Duration>,
    /// What every value is multiplied with.
    pub scale: f64,
    /// A sentence for people.
    pub help: String,
}

/// What the rules say of a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// No rule matches: the name is only cleaned.
    Unmatched,
    /// The line is not wanted.
    Drop,
    /// A rule matches.
    Mapped(Mapped),
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line and column. A file that is not YAML, or has an
    /// unknown key, yields one problem.
    pub fn parse(yaml: &str) -> Result<Self, MappingError> {
        file::parse(yaml)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Applies the rules to a name as sent, without its tags.
    pub fn apply(&self, name: &str, kind: Kind) -> Outcome {
        let metric_type = kind.into();
        let fits =
            |rule: usize| self.rules[rule].metric_type.is_none_or(|wanted| wanted == metric_type);
        if let Some((rule, captures)) = self.globs.find(name, fits) {
            return self.rules[rule].outcome(&|template| template.expand_glob(&captures));
        }
        for (regex, rule) in self.regexes.iter().filter(|(_, rule)| fits(*rule)) {
            if let Some(captures) = regex.captures(name) {
                return self.rules[*rule].outcome(&|template| template.expand_regex(&captures));
            }
        }
        Outcome::Unmatched
    }
}

impl Rule {
    fn outcome(&self, expand: &dyn Fn(&Template) -> String) -> Outcome {
        if self.is_drop {
            return Outcome::Drop;
        }
        let labels = self.labels.iter();
        Outcome::Mapped(Mapped {
            name: expand(&self.name),
            labels: labels.map(|(name, value)| (name.clone(), expand(value))).collect(),
            honor_labels: self.honor_labels,
            ttl: self.ttl,
            scale: self.scale,
            help: self.help.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
