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
//! Several files are asked in their order, and the first that has a rule for a name decides. So a file
//! means the same wherever it stands, and what a file does not know is left to the next.
//!
//! Options that choose between summaries and histograms are read and have no effect: distributions
//! are native histograms, which need no buckets or quantiles. Values are not converted: `ms` stays
//! milliseconds unless a rule has a `scale`.
//!
//! Source: the documentation of `statsd_exporter`, and its `pkg/mapper` for what that leaves open.

use std::{fmt, sync::Arc, time::Duration};

use regex::{Captures, Regex};

use crate::{line::Kind, series::SeriesKind};

mod file;
mod glob;

use glob::{GlobTree, Template};

/// The rules of any number of mapping files; the default has none.
#[derive(Debug, Default)]
pub struct Mapping {
    /// In the order in which they are asked.
    files: Vec<Arc<RuleFile>>,
}

/// Equal when the files are, by name and text.
impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |a: &RuleFile, b: &RuleFile| a.name == b.name && a.source == b.source;
        self.files.len() == other.files.len()
            && self.files.iter().zip(&other.files).all(|(a, b)| is_same(a, b))
    }
}

/// The rules of one file.
#[derive(Debug, Default)]
struct RuleFile {
    /// As given by the caller; empty when there is none.
    name: String,
    /// The file's text, from which all the rest is made.
    source: String,
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

impl From<SeriesKind> for MetricType {
    fn from(kind: SeriesKind) -> Self {
        match kind {
            SeriesKind::Counter => Self::Counter,
            SeriesKind::Gauge | SeriesKind::Set => Self::Gauge,
            SeriesKind::Timer => Self::Observer,
        }
    }
}

#[derive(Debug)]
struct Rule {
    /// Where it begins in its file, from 1.
    line: u64,
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

/// Where a rule is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulePlace<'a> {
    /// The file, as it was named to [`Mapping::parse_named`].
    pub file: &'a str,
    /// The line where the rule begins, from 1.
    pub line: u64,
}

impl fmt::Display for RulePlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line and column. A file that is not YAML, or has an
    /// unknown key, yields one problem.
    pub fn parse(yaml: &str) -> Result<Self, MappingError> {
        Self::parse_named("", yaml)
    }

    /// Reads a mapping file that [`Self::rule_of`] then names.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_named(name: &str, yaml: &str) -> Result<Self, MappingError> {
        let (name, source) = (name.to_owned(), yaml.to_owned());
        let file = RuleFile { name, source, ..file::parse(yaml)? };
        Ok(Self { files: vec![Arc::new(file)] })
    }

    /// All rules of several mappings, those of the first asked first.
    pub fn join<'a>(mappings: impl IntoIterator<Item = &'a Self>) -> Self {
        Self { files: mappings.into_iter().flat_map(|mapping| mapping.files.clone()).collect() }
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.files.iter().map(|file| file.rules.len()).sum()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies the rules to a name as sent, without its tags.
    pub fn apply(&self, name: &str, kind: Kind) -> Outcome {
        self.find(name, kind).map_or(Outcome::Unmatched, |(_, rule, texts)| rule.outcome(&texts))
    }

    /// Where the rule is that decides over a name; `None` when none matches.
    pub fn rule_of(&self, name: &str, kind: impl Into<SeriesKind>) -> Option<RulePlace<'_>> {
        let (file, rule, _) = self.find(name, kind)?;
        Some(RulePlace { file: &file.name, line: rule.line })
    }

    fn find<'n>(
        &self,
        name: &'n str,
        kind: impl Into<SeriesKind>,
    ) -> Option<(&RuleFile, &Rule, Texts<'n>)> {
        let metric_type = kind.into().into();
        self.files.iter().find_map(|file| {
            let (rule, texts) = file.find(name, metric_type)?;
            Some((&**file, rule, texts))
        })
    }
}

/// What the references of a rule stand for.
enum Texts<'n> {
    Glob(Vec<&'n str>),
    Regex(Captures<'n>),
}

impl Texts<'_> {
    fn fill(&self, template: &Template) -> String {
        match self {
            Self::Glob(stars) => template.expand_glob(stars),
            Self::Regex(groups) => template.expand_regex(groups),
        }
    }
}

impl RuleFile {
    fn find<'n>(&self, name: &'n str, metric_type: MetricType) -> Option<(&Rule, Texts<'n>)> {
        let fits =
            |rule: usize| self.rules[rule].metric_type.is_none_or(|wanted| wanted == metric_type);
        if let Some((rule, stars)) = self.globs.find(name, fits) {
            return Some((&self.rules[rule], Texts::Glob(stars)));
        }
        let mut regexes = self.regexes.iter().filter(|(_, rule)| fits(*rule));
        regexes.find_map(|(regex, rule)| {
            Some((&self.rules[*rule], Texts::Regex(regex.captures(name)?)))
        })
    }
}

impl Rule {
    fn outcome(&self, texts: &Texts<'_>) -> Outcome {
        if self.is_drop {
            return Outcome::Drop;
        }
        let labels = self.labels.iter();
        Outcome::Mapped(Mapped {
            name: texts.fill(&self.name),
            labels: labels.map(|(name, value)| (name.clone(), texts.fill(value))).collect(),
            honor_labels: self.honor_labels,
            ttl: self.ttl,
            scale: self.scale,
            help: self.help.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
