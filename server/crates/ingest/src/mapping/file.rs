//! The YAML of a mapping file, and its checks.

use std::{collections::BTreeMap, time::Duration};

use model::{
    duration,
    labels::{is_label_name, is_metric_name},
};
use regex::RegexBuilder;
use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::{Location, Spanned};

use super::{
    MappingError, MetricType, Problem, Rule, RuleFile,
    glob::{GlobTree, Template},
};

/// A regular expression may compile to this many bytes.
const MAX_REGEX_BYTES: usize = 1 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    defaults: Defaults,
    mappings: Vec<Spanned<RawRule>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MatchType {
    #[default]
    Glob,
    Regex,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    #[default]
    Map,
    Drop,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawMetricType {
    Counter,
    Gauge,
    #[serde(alias = "timer")]
    Observer,
}

impl From<RawMetricType> for MetricType {
    fn from(raw: RawMetricType) -> Self {
        match raw {
            RawMetricType::Counter => Self::Counter,
            RawMetricType::Gauge => Self::Gauge,
            RawMetricType::Observer => Self::Observer,
        }
    }
}

/// A duration as text, or the number 0.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum RawDuration {
    Text(String),
    Number(f64),
}

/// What `_ignored` fields hold is not looked at: options of summaries and classic histograms.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Defaults {
    match_type: MatchType,
    glob_disable_ordering: bool,
    ttl: Option<Spanned<RawDuration>>,
    honor_labels: bool,
    #[serde(rename = "observer_type", alias = "timer_type")]
    _ignored_type: Option<IgnoredAny>,
    #[serde(rename = "buckets")]
    _ignored_buckets: Option<IgnoredAny>,
    #[serde(rename = "quantiles")]
    _ignored_quantiles: Option<IgnoredAny>,
    #[serde(rename = "summary_options")]
    _ignored_summary: Option<IgnoredAny>,
    #[serde(rename = "histogram_options")]
    _ignored_histogram: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRule {
    r#match: String,
    name: String,
    labels: BTreeMap<String, String>,
    match_type: Option<MatchType>,
    match_metric_type: Option<RawMetricType>,
    action: Action,
    ttl: Option<Spanned<RawDuration>>,
    scale: Option<f64>,
    honor_labels: Option<bool>,
    help: String,
    #[serde(rename = "observer_type", alias = "timer_type")]
    _ignored_type: Option<IgnoredAny>,
    #[serde(rename = "buckets")]
    _ignored_buckets: Option<IgnoredAny>,
    #[serde(rename = "quantiles")]
    _ignored_quantiles: Option<IgnoredAny>,
    #[serde(rename = "summary_options")]
    _ignored_summary: Option<IgnoredAny>,
    #[serde(rename = "histogram_options")]
    _ignored_histogram: Option<IgnoredAny>,
}

/// Reads the rules of one file, which has no name yet.
pub(super) fn parse(yaml: &str) -> Result<RuleFile, MappingError> {
    let mut problems = Problems::default();
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let file = if yaml.lines().all(is_blank) {
        File::default()
    } else {
        serde_saphyr::from_str(yaml).map_err(|error| {
            let message = error.without_snippet().to_string();
            problems.add(error.location(), message.lines().next().unwrap_or_default());
            problems.take()
        })?
    };
    let rules = build(&file, &mut problems);
    if problems.0.is_empty() { Ok(rules) } else { Err(problems.take()) }
}

fn build(file: &File, problems: &mut Problems) -> RuleFile {
    let default_ttl = problems.read_ttl(file.defaults.ttl.as_ref());
    let globs = GlobTree::new(file.defaults.glob_disable_ordering);
    let mut found = RuleFile { globs, ..RuleFile::default() };
    for Spanned { value: raw, defined, .. } in &file.mappings {
        let at = Some(*defined);
        let rule = found.rules.len();
        match raw.match_type.unwrap_or(file.defaults.match_type) {
            MatchType::Glob => {
                if let Err(message) = check_glob(&raw.r#match) {
                    problems.add(at, &message);
                }
                found.globs.insert(&raw.r#match, rule);
            }
            MatchType::Regex => {
                let mut builder = RegexBuilder::new(&raw.r#match);
                match builder.size_limit(MAX_REGEX_BYTES).build() {
                    Ok(regex) => found.regexes.push((regex, rule)),
                    Err(error) => problems.add(at, &regex_message(&raw.r#match, &error)),
                }
            }
        }
        problems.check_names(at, raw);
        let ttl = problems.read_ttl(raw.ttl.as_ref()).or(default_ttl);
        let labels = raw.labels.iter();
        found.rules.push(Rule {
            line: defined.line(),
            is_drop: raw.action == Action::Drop,
            metric_type: raw.match_metric_type.map(MetricType::from),
            name: Template::new(raw.name.clone()),
            labels: labels.map(|(n, v)| (n.clone(), Template::new(v.clone()))).collect(),
            honor_labels: raw.honor_labels.unwrap_or(file.defaults.honor_labels),
            ttl,
            scale: raw.scale.unwrap_or(1.0),
            help: raw.help.clone(),
        });
    }
    found
}

#[derive(Debug, Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, at: Option<Location>, message: &str) {
        let (line, column) = at.map_or((0, 0), |at| (at.line(), at.column()));
        self.0.push(Problem { line, column, message: message.to_owned() });
    }

    fn take(&mut self) -> MappingError {
        MappingError { problems: std::mem::take(&mut self.0) }
    }

    /// A time to live; none and zero both mean that of the series' type.
    fn read_ttl(&mut self, raw: Option<&Spanned<RawDuration>>) -> Option<Duration> {
        let raw = raw?;
        match &raw.value {
            RawDuration::Number(0.0) => None,
            RawDuration::Number(number) => {
                let message = format!("ttl `{number}` has no unit, write it like 30s or 1h30m");
                self.add(Some(raw.defined), &message);
                None
            }
            RawDuration::Text(text) => match duration::parse(text) {
                Ok(ttl) => Some(ttl).filter(|ttl| !ttl.is_zero()),
                Err(error) => {
                    self.add(Some(raw.defined), &error.to_string());
                    None
                }
            },
        }
    }

    fn check_names(&mut self, at: Option<Location>, raw: &RawRule) {
        let name = Template::new(raw.name.clone());
        if raw.action == Action::Map && raw.name.is_empty() {
            self.add(at, &format!("the rule for `{}` has no name to map to", raw.r#match));
        } else if !raw.name.is_empty() && !is_metric_name(&name.with_placeholders("x")) {
            let rule = "letters, digits, `_`, `:` and references such as $1, no digit in front";
            self.add(at, &format!("`{}` is not a metric's name: {rule}", raw.name));
        }
        for label in raw.labels.keys() {
            if !is_label_name(label) || label.starts_with("__") {
                let rule = "letters, digits and `_`, no digit or `__` in front";
                self.add(at, &format!("`{label}` is not a label's name: {rule}"));
            }
        }
        if raw.scale.is_some_and(|scale| !scale.is_finite() || scale == 0.0) {
            self.add(at, "scale must be a finite number other than 0");
        }
    }
}

fn check_glob(glob: &str) -> Result<(), String> {
    if glob.is_empty() {
        return Err("the rule has nothing to match, write a `match`".to_owned());
    }
    for part in glob.split('.') {
        if part.is_empty() {
            return Err(format!("`{glob}` has an empty part between dots"));
        }
        if part != "*" && part.contains('*') {
            return Err(format!(
                "in `{glob}` a `*` must stand alone between dots; for parts of a word use \
                 `match_type: regex`"
            ));
        }
    }
    Ok(())
}

/// The regex crate draws the pattern with a marker over several lines; the reason is the last one.
fn regex_message(pattern: &str, error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    format!("invalid regular expression `{pattern}`: {reason}")
}
