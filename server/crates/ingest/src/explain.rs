//! What becomes of a line, for people who write mapping rules.
//!
//! The line goes through a shard of its own, so nothing is told that a listener would do otherwise.
//! What only the registry knows is left out: limits on series, and names in use with another type.

use model::Labels;

use crate::{
    context::{self, Dialect},
    line::{self, Line},
    mapping::RulePlace,
    reason::Reason,
    series::{SeriesKind, SourceId},
    shard::{Arrival, Shard, ShardOptions},
};

/// What becomes of one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained<'d> {
    /// The series it adds to, in the order of its samples; none for events and service checks.
    pub series: Vec<ExplainedSeries<'d>>,
    /// Why the line, or a part of it, is not used.
    pub refused: Option<Reason>,
    /// The rule that drops it, when that is the reason.
    pub dropped_by: Option<RulePlace<'d>>,
    /// Whether it is an event.
    pub is_event: bool,
    /// Whether it is a service check.
    pub is_service_check: bool,
}

/// A series that a line adds to.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedSeries<'d> {
    /// The labels, the metric's name among them.
    pub labels: Labels,
    /// How values are added up.
    pub kind: SeriesKind,
    /// `milliseconds`, or empty when not known.
    pub unit: &'static str,
    /// What every value is multiplied with.
    pub scale: f64,
    /// The rule that gave name and labels; `None` when none matches.
    pub rule: Option<RulePlace<'d>>,
}

/// Explains one line without its end.
pub fn explain<'d>(dialect: &'d Dialect, text: &[u8]) -> Explained<'d> {
    let mut shard =
        Shard::new(ShardOptions { dialect: dialect.clone(), ..ShardOptions::default() });
    let arrival = Arrival { source: SourceId(0), ..Arrival::default() };
    shard.accept(text, arrival, &mut |_| {});
    let window = shard.take_window();
    let tally = window.tallies.first().map(|(_, tally)| tally);
    let series = window.announced.iter().map(|announced| {
        let series = &announced.series;
        let sent = if announced.original.is_empty() { series.name() } else { &announced.original };
        ExplainedSeries {
            labels: series.labels.clone(),
            kind: series.kind,
            unit: announced.unit,
            scale: series.scale,
            rule: dialect.mapping.rule_of(sent, series.kind),
        }
    });
    let refused = tally.and_then(|tally| tally.rejected.iter().next()).map(|(reason, _)| reason);
    Explained {
        series: series.collect(),
        refused,
        dropped_by: (refused == Some(Reason::MappingDrop))
            .then(|| dropping(dialect, text))
            .flatten(),
        is_event: tally.is_some_and(|tally| tally.events > 0),
        is_service_check: tally.is_some_and(|tally| tally.service_checks > 0),
    }
}

/// The first rule that drops a sample of the line.
fn dropping<'d>(dialect: &'d Dialect, text: &[u8]) -> Option<RulePlace<'d>> {
    let Line::Metric(samples) = line::read(text) else { return None };
    samples.filter_map(Result::ok).find_map(|metric| {
        let resolved = context::resolve(dialect, &metric, SourceId(0));
        let is_dropped = resolved.err() == Some(Reason::MappingDrop);
        is_dropped.then(|| dialect.mapping.rule_of(&context::display_name(&metric), metric.kind))?
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::mapping::Mapping;

    const FIRST: &str = "mappings:
  - {match: 'api.*.time', name: api_time, labels: {path: $1}, scale: 0.001}
  - {match: 'debug.*', action: drop}
";
    const SECOND: &str = "mappings:
  - {match: 'api.*.*', name: api_other}
";

    fn described(explained: &Explained<'_>) -> String {
        let rule = |rule: Option<RulePlace<'_>>| {
            rule.map_or_else(|| "no rule".to_owned(), |place| place.to_string())
        };
        let mut parts: Vec<String> = explained
            .series
            .iter()
            .map(|s| {
                format!("{} {} {}{} {}", s.labels, s.kind.as_str(), s.scale, s.unit, rule(s.rule))
            })
            .collect();
        if let Some(reason) = explained.refused {
            parts.push(format!("{} {}", reason.as_str(), rule(explained.dropped_by)));
        }
        if explained.is_event {
            parts.push("event".to_owned());
        }
        if explained.is_service_check {
            parts.push("service check".to_owned());
        }
        parts.join("; ")
    }

    #[test]
    fn a_line_is_told_with_the_rule_that_decides() {
        let files = [("a.yml", FIRST), ("b.yml", SECOND)];
        let files = files.map(|(name, yaml)| Mapping::parse_named(name, yaml).unwrap());
        let dialect = Dialect { mapping: Arc::new(Mapping::join(&files)), ..Dialect::default() };
        for (text, expected) in [
            (
                "api.users.time:5|ms|#env:dev",
                r#"api_time{env="dev", path="users"} timer 0.001milliseconds a.yml:2"#,
            ),
            ("api.users.calls:1|c", "api_other counter 1 b.yml:2"),
            ("orders.created:1|c", "orders_created counter 1 no rule"),
            ("debug.x:1|c", "mapping_drop a.yml:3"),
            ("a:1:x|c", "a counter 1 no rule; bad_value no rule"),
            ("a:x|c", "bad_value no rule"),
            ("a:1|c:2|g", "a counter 1 no rule; a gauge 1 no rule"),
            ("_e{1,1}:a|b", "event"),
            ("_sc|db|0", "service check"),
            ("", ""),
        ] {
            assert_eq!(described(&explain(&dialect, text.as_bytes())), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn property_every_line_is_taken_or_refused(line in "[a-z.:|#@_{}0-9,=]{0,40}") {
            let mapping = Mapping::parse_named("a.yml", FIRST).unwrap();
            let dialect = Dialect { mapping: Arc::new(mapping), ..Dialect::default() };
            let found = explain(&dialect, line.as_bytes());
            let is_told = !found.series.is_empty()
                || found.refused.is_some()
                || found.is_event
                || found.is_service_check;
            prop_assert_eq!(is_told, !line.is_empty(), "{}: {:?}", line, found);
            let is_dropped = found.refused == Some(Reason::MappingDrop);
            prop_assert_eq!(found.dropped_by.is_some(), is_dropped);
        }
    }
}
