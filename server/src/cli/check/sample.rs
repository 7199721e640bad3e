//! What lines of StatsD become under mapping files, told without a server.

use std::{collections::BTreeMap, fmt::Write as _, io::Read as _, path::Path};

use ingest::{Dialect, Explained, ExplainedSeries, Reason, SeriesKind, explain};
use serde::Serialize;

/// What became of the lines of a sample.
#[derive(Debug, Default, Serialize)]
pub(super) struct Sample {
    lines: Vec<SampleLine>,
}

/// One line of the sample.
#[derive(Debug, Serialize)]
struct SampleLine {
    /// Its place in the sample, from 1.
    number: usize,
    line: String,
    outcome: Outcome,
    /// Why it, or a part of it, is not used: a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The rule that drops it, as `file:line`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    series: Vec<SampleSeries>,
}

/// The worst of what became of a line's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Mapped,
    NoRule,
    Event,
    ServiceCheck,
    Dropped,
    Refused,
}

/// A series that a line adds to.
#[derive(Debug, Serialize)]
struct SampleSeries {
    name: String,
    labels: BTreeMap<String, String>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'static str,
    scale: f64,
    /// The rule that matched, as `file:line`.
    rule: Option<String>,
    #[serde(skip)]
    text: String,
}

impl SampleSeries {
    fn new(series: &ExplainedSeries<'_>) -> Self {
        let labels = series.labels.iter().filter(|(name, _)| *name != model::labels::METRIC_NAME);
        Self {
            name: series.labels.metric_name().unwrap_or_default().to_owned(),
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            r#type: series.kind.as_str(),
            unit: series.unit,
            scale: series.scale,
            rule: series.rule.map(|place| place.to_string()),
            text: series.labels.to_string(),
        }
    }
}

/// Reads the lines, from standard input when the path is `-`.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path)
}

impl Sample {
    /// Tells what a listener without a prefix or labels of its own makes of each line. Empty lines and
    /// those that begin with `#` are left out.
    pub(super) fn of(dialect: &Dialect, bytes: &[u8]) -> Self {
        let mut kinds = BTreeMap::new();
        let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter_map(|(index, line)| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let is_told = !line.is_empty() && !line.starts_with(b"#");
            is_told.then(|| sample_line(index + 1, line, &explain(dialect, line), &mut kinds))
        });
        Self { lines: lines.collect() }
    }

    /// How many lines are refused, in whole or in part.
    pub(super) fn refused(&self) -> usize {
        self.count(Outcome::Refused)
    }

    /// For people: each line with what it becomes, then the numbers.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            // Writing to a text cannot fail.
            let _done = line.write(&mut text);
        }
        let count = |outcome| self.count(outcome);
        let _done = write!(
            text,
            "{} lines: {} mapped, {} without a rule, {} dropped, {} refused",
            self.lines.len(),
            count(Outcome::Mapped),
            count(Outcome::NoRule),
            count(Outcome::Dropped),
            self.refused(),
        );
        text
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.lines.iter().filter(|line| line.outcome == outcome).count()
    }
}

/// `kinds` has the kind of each name so far: a name has one, that of the first line.
fn sample_line(
    number: usize,
    line: &[u8],
    explained: &Explained<'_>,
    kinds: &mut BTreeMap<String, SeriesKind>,
) -> SampleLine {
    let mut reason = explained.refused;
    for series in &explained.series {
        let name = series.labels.metric_name().unwrap_or_default();
        if *kinds.entry(name.to_owned()).or_insert(series.kind) != series.kind {
            reason = reason.or(Some(Reason::TypeConflict));
        }
    }
    let is_mapped = explained.series.iter().any(|series| series.rule.is_some());
    SampleLine {
        number,
        line: String::from_utf8_lossy(line).into_owned(),
        outcome: match reason {
            Some(Reason::MappingDrop) => Outcome::Dropped,
            Some(_) => Outcome::Refused,
            None if explained.is_event => Outcome::Event,
            None if explained.is_service_check => Outcome::ServiceCheck,
            None if is_mapped => Outcome::Mapped,
            None => Outcome::NoRule,
        },
        reason: reason.map(Reason::as_str),
        rule: explained.dropped_by.map(|place| place.to_string()),
        series: explained.series.iter().map(SampleSeries::new).collect(),
    }
}

impl SampleLine {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}: {}", self.number, self.line)?;
        for series in &self.series {
            write!(out, "    {} {}", series.text, series.r#type)?;
            if !series.unit.is_empty() {
                write!(out, " in {}", series.unit)?;
            }
            if series.scale != 1.0 {
                write!(out, " times {}", series.scale)?;
            }
            writeln!(out, ", {}", series.rule.as_deref().unwrap_or("no rule"))?;
        }
        match (self.outcome, self.reason, &self.rule) {
            (Outcome::Dropped, _, Some(rule)) => writeln!(out, "    dropped, {rule}"),
            (Outcome::Event, ..) => writeln!(out, "    an event"),
            (Outcome::ServiceCheck, ..) => writeln!(out, "    a service check"),
            (_, Some(reason), _) => writeln!(out, "    refused, {reason}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ingest::Mapping;

    use super::*;

    const RULES: &str = "mappings:
  - {match: 'api.*.time', name: api_time, labels: {path: $1}, scale: 0.001}
  - {match: 'api.*.calls', name: api_time}
  - {match: 'debug.*', action: drop}
";

    #[test]
    fn every_line_is_told_with_its_rule_or_reason() {
        let mapping = Mapping::parse_named("m.yml", RULES).unwrap();
        let dialect = Dialect { mapping: Arc::new(mapping), ..Dialect::default() };
        let lines = "# sent by the shop\napi.users.time:5|ms|#env:dev\r\n\norders:1|c\ndebug.x:1|c\n\
                     api.users.calls:1|c\nbad:x|c\n_e{1,1}:a|b\n_sc|db|0\n";
        let sample = Sample::of(&dialect, lines.as_bytes());
        insta::assert_snapshot!(sample.text(), @r#"
        2: api.users.time:5|ms|#env:dev
            api_time{env="dev", path="users"} timer in milliseconds times 0.001, m.yml:2
        4: orders:1|c
            orders counter, no rule
        5: debug.x:1|c
            dropped, m.yml:4
        6: api.users.calls:1|c
            api_time counter, m.yml:3
            refused, type_conflict
        7: bad:x|c
            refused, bad_value
        8: _e{1,1}:a|b
            an event
        9: _sc|db|0
            a service check
        7 lines: 1 mapped, 1 without a rule, 1 dropped, 2 refused
        "#);
    }
}
