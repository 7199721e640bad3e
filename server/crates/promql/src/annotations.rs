//! Remarks on a result: warnings about data that was left out, infos about probable mistakes.
//!
//! The texts are Prometheus's (`util/annotations`), because people search for them.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    time::Duration,
};

use model::{Timestamp, duration::Pretty, labels::Quoted, number::Shortest};

use crate::parser::Span;

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// The result lacks something.
    Warning,
    /// The result is complete, but perhaps not what was meant.
    Info,
}

/// A remark on a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// How much it matters.
    pub level: Level,
    /// The text without the level's prefix and without the place.
    pub message: String,
    /// What in the expression it is about.
    pub span: Span,
    /// What was forced to grow, over all steps.
    forced: Option<Forced>,
}

/// How far the buckets of classic histograms had to be changed so that they grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forced {
    /// The lowest bound of a changed bucket.
    pub(crate) from: f64,
    /// The highest bound of a changed bucket.
    pub(crate) to: f64,
    /// The greatest change.
    pub(crate) difference: f64,
    /// The first step.
    pub(crate) first: Timestamp,
    /// The last step.
    pub(crate) last: Timestamp,
    /// How many histograms.
    pub(crate) samples: usize,
}

impl Forced {
    fn join(self, other: Self) -> Self {
        Self {
            from: self.from.min(other.from),
            to: self.to.max(other.to),
            difference: self.difference.max(other.difference),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            samples: self.samples + other.samples,
        }
    }
}

impl fmt::Display for Forced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            Shortest::General(self.from),
            Shortest::General(self.to),
            TwoDigits(self.difference),
            self.samples,
            Rfc3339(self.first),
            Rfc3339(self.last)
        )
    }
}

/// A number with two significant digits, Go's `%.2g`.
struct TwoDigits(f64);

impl fmt::Display for TwoDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1e}", self.0);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if (-4..2).contains(&exponent) {
            return write!(f, "{}", text.parse::<f64>().unwrap_or(self.0));
        }
        let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(f, "{mantissa}e{sign}{:02}", exponent.abs())
    }
}

impl Annotation {
    /// The whole text with its place in the expression's text, as Prometheus writes it:
    /// `PromQL warning: … (1:7)`.
    pub fn render(&self, text: &str) -> String {
        let (line, column) = self.span.position_in(text);
        format!("{self} ({line}:{column})")
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Info => "info",
        };
        write!(f, "PromQL {level}: {}", self.message)?;
        match &self.forced {
            Some(forced) => write!(f, ", {forced}"),
            None => Ok(()),
        }
    }
}

/// The remarks on a result, each text once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotations {
    all: Vec<Annotation>,
    /// Where in `all` a text is, by level and text.
    places: HashMap<(Level, String), usize>,
}

impl Annotations {
    /// All of them in the order they came up.
    pub fn iter(&self) -> std::slice::Iter<'_, Annotation> {
        self.all.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The texts of one level with their places in the expression's text.
    pub fn render(&self, level: Level, text: &str) -> Vec<String> {
        self.iter().filter(|a| a.level == level).map(|a| a.render(text)).collect()
    }

    pub(crate) fn add(&mut self, note: &Note<'_>, span: Span) {
        let (level, message) = (note.level(), note.to_string());
        self.put(Annotation { level, message, span, forced: note.forced() });
    }

    /// Adds those of another piece of the query.
    pub fn join(&mut self, other: Self) {
        other.all.into_iter().for_each(|annotation| self.put(annotation));
    }

    fn put(&mut self, annotation: Annotation) {
        match self.places.entry((annotation.level, annotation.message.clone())) {
            Entry::Occupied(place) => {
                let known = &mut self.all[*place.get()];
                known.span = annotation.span;
                known.forced = known.forced.zip(annotation.forced).map(|(a, b)| a.join(b));
            }
            Entry::Vacant(place) => {
                place.insert(self.all.len());
                self.all.push(annotation);
            }
        }
    }
}

impl<'a> IntoIterator for &'a Annotations {
    type Item = &'a Annotation;
    type IntoIter = std::slice::Iter<'a, Annotation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Which combination of histograms a remark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Combination {
    Addition,
    Subtraction,
    Aggregation,
}

impl Combination {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

/// What can be remarked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Note<'a> {
    InvalidQuantile(f64),
    InvalidRatio { given: f64, used: f64 },
    SortInRange,
    StartOverlap { metric: &'a str },
    BadBucketLabel { metric: &'a str, label: &'a str },
    MixedFloatsHistograms { metric: &'a str },
    MixedFloatsHistogramsInAggregation,
    MixedClassicNative { metric: &'a str },
    NotACounter { metric: &'a str },
    NotAGauge { metric: &'a str },
    MixedSchemas { metric: &'a str },
    IncompatibleLayout { operator: &'a str },
    ResetConflict(Combination),
    PossiblyNotACounter { metric: &'a str },
    NotACounterByType { metric: &'a str, kind: &'a str },
    ForcedMonotonicity { metric: &'a str, forced: Forced },
    IncompatibleTypes { left: &'a str, operator: &'a str, right: &'a str },
    IgnoredInAggregation { aggregation: &'a str },
    IgnoredInMixedRange { metric: &'a str },
    QuantileNaN { metric: &'a str },
    QuantileSkewed { metric: &'a str },
    FractionNaN { metric: &'a str },
    BoundsReconciled(Combination),
    FromRollups { until: Timestamp, window_ms: i64 },
    ApproximateFromRollups,
}

impl Note<'_> {
    fn forced(&self) -> Option<Forced> {
        match self {
            Self::ForcedMonotonicity { forced, .. } => Some(*forced),
            _ => None,
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::InvalidQuantile(_)
            | Self::InvalidRatio { .. }
            | Self::SortInRange
            | Self::StartOverlap { .. }
            | Self::BadBucketLabel { .. }
            | Self::MixedFloatsHistograms { .. }
            | Self::MixedFloatsHistogramsInAggregation
            | Self::MixedClassicNative { .. }
            | Self::NotACounter { .. }
            | Self::NotAGauge { .. }
            | Self::MixedSchemas { .. }
            | Self::IncompatibleLayout { .. }
            | Self::ResetConflict(_) => Level::Warning,
            Self::PossiblyNotACounter { .. }
            | Self::NotACounterByType { .. }
            | Self::ForcedMonotonicity { .. }
            | Self::IncompatibleTypes { .. }
            | Self::IgnoredInAggregation { .. }
            | Self::IgnoredInMixedRange { .. }
            | Self::QuantileNaN { .. }
            | Self::QuantileSkewed { .. }
            | Self::FractionNaN { .. }
            | Self::FromRollups { .. }
            | Self::ApproximateFromRollups
            | Self::BoundsReconciled(_) => Level::Info,
        }
    }
}

/// ` for metric name "x"`, or nothing for a series without a name.
struct ForMetric<'a>(&'a str);

impl fmt::Display for ForMetric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " for metric name {}", Quoted(self.0))
    }
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::InvalidQuantile(q) => {
                write!(f, "quantile value should be between 0 and 1, got {}", Shortest::General(q))
            }
            Self::InvalidRatio { given, used } => write!(
                f,
                "ratio value should be between -1 and 1, got {}, capping to {}",
                Shortest::General(given),
                Shortest::General(used)
            ),
            Self::SortInRange => f.write_str(
                "sort is ineffective for range queries since results are always ordered by labels",
            ),
            Self::StartOverlap { metric } => write!(
                f,
                "a sample counts from before the sample before it for metric name {}",
                Quoted(metric)
            ),
            Self::BadBucketLabel { metric, label } => write!(
                f,
                "bucket label \"le\" is missing or has a malformed value of {}{}",
                Quoted(label),
                ForMetric(metric)
            ),
            Self::MixedFloatsHistograms { metric } => write!(
                f,
                "encountered a mix of histograms and floats for metric name {}",
                Quoted(metric)
            ),
            Self::MixedFloatsHistogramsInAggregation => {
                f.write_str("encountered a mix of histograms and floats for aggregation")
            }
            Self::MixedClassicNative { metric } => write!(
                f,
                "vector contains a mix of classic and native histograms{}",
                ForMetric(metric)
            ),
            Self::NotACounter { metric } => {
                write!(f, "this native histogram metric is not a counter: {}", Quoted(metric))
            }
            Self::NotAGauge { metric } => {
                write!(f, "this native histogram metric is not a gauge: {}", Quoted(metric))
            }
            Self::MixedSchemas { metric } => write!(
                f,
                "vector contains a mix of histograms with exponential and custom buckets schemas \
                 for metric name {}",
                Quoted(metric)
            ),
            Self::IncompatibleLayout { operator } => {
                write!(f, "incompatible bucket layout encountered for binary operator {operator}")
            }
            Self::ResetConflict(how) => {
                write!(f, "conflicting counter resets during histogram {}", how.as_str())
            }
            Self::PossiblyNotACounter { metric } => write!(
                f,
                "metric might not be a counter, name does not end in \
                 _total/_sum/_count/_bucket: {}",
                Quoted(metric)
            ),
            Self::NotACounterByType { metric, kind } => write!(
                f,
                "metric might not be a counter, __type__ label is not set to \"counter\" or \
                 \"histogram\", got {}: {}",
                Quoted(kind),
                Quoted(metric)
            ),
            Self::ForcedMonotonicity { metric, .. } => write!(
                f,
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)\
                 {}",
                ForMetric(metric)
            ),
            Self::IncompatibleTypes { left, operator, right } => write!(
                f,
                "incompatible sample types encountered for binary operator {}: {left} {operator} \
                 {right}",
                Quoted(operator)
            ),
            Self::IgnoredInAggregation { aggregation } => {
                write!(f, "ignored histogram in {aggregation} aggregation")
            }
            Self::IgnoredInMixedRange { metric } => write!(
                f,
                "ignored histograms in a range containing both floats and histograms for metric \
                 name {}",
                Quoted(metric)
            ),
            Self::QuantileNaN { metric } => write!(
                f,
                "input to histogram_quantile has NaN observations, result is NaN{}",
                ForMetric(metric)
            ),
            Self::QuantileSkewed { metric } => write!(
                f,
                "input to histogram_quantile has NaN observations, result is skewed higher{}",
                ForMetric(metric)
            ),
            Self::FractionNaN { metric } => write!(
                f,
                "input to histogram_fraction has NaN observations, which are excluded from all \
                 fractions{}",
                ForMetric(metric)
            ),
            Self::FromRollups { until, window_ms } => write!(
                f,
                "samples up to {} are known from rollups of {} only",
                Rfc3339(until),
                Pretty(Duration::from_millis(window_ms.unsigned_abs()))
            ),
            Self::ApproximateFromRollups => {
                f.write_str("result is approximate, from the first and last sample of each rollup")
            }
            Self::BoundsReconciled(how) => {
                write!(f, "mismatched custom buckets were reconciled during {}", how.as_str())
            }
        }
    }
}

/// A timestamp in UTC to the second.
struct Rfc3339(i64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = crate::functions::dates::Civil::at(self.0.div_euclid(1000));
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            date.year, date.month, date.day, date.hour, date.minute, date.second
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_with_its_last_place() {
        let mut annotations = Annotations::default();
        let span = |start| Span { start, end: start + 1 };
        annotations.add(&Note::InvalidQuantile(2.0), span(0));
        annotations.add(&Note::PossiblyNotACounter { metric: "x" }, span(3));
        annotations.add(&Note::InvalidQuantile(2.0), span(6));
        let text = "ab\ncd efg";
        assert_eq!(
            annotations.render(Level::Warning, text),
            ["PromQL warning: quantile value should be between 0 and 1, got 2 (2:4)"]
        );
        assert_eq!(annotations.render(Level::Info, text).len(), 1);
    }

    #[test]
    fn forced_buckets_are_told_over_all_steps() {
        let forced = |bound, difference, at| Forced {
            from: bound,
            to: bound,
            difference,
            first: at,
            last: at,
            samples: 1,
        };
        let mut annotations = Annotations::default();
        for (bound, difference, at) in [(2.5, 10.0, 86_400_000), (100.0, 0.5, 0)] {
            let forced = forced(bound, difference, at);
            let note = Note::ForcedMonotonicity { metric: "m", forced };
            annotations.add(&note, Span::default());
        }
        let [text] = &annotations.render(Level::Info, "x")[..] else { panic!("{annotations:?}") };
        assert!(
            text.ends_with(
                "for metric name \"m\", from buckets 2.5 to 100, with a max diff of 10, over 2 \
                 samples from 1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z (1:1)"
            ),
            "{text}"
        );
    }
}
