use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use model::is_stale;

use super::*;
use crate::{file, query::Timed};

/// Answers by the text of the expression, and with what the sink holds.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) answers: HashMap<String, Result<Vec<Row>, String>>,
    /// The last sample of each series, by its labels as text.
    pub(crate) stored: RefCell<BTreeMap<String, (Timestamp, f64)>>,
    rows: RefCell<Vec<Row>>,
    asked: RefCell<Vec<(String, Timestamp)>>,
    pub(crate) is_full: bool,
}

impl World {
    pub(crate) fn answer(&mut self, expr: &str, rows: &[(&str, f64)]) {
        let row = |(instance, value): &(&str, f64)| {
            let pairs = [("__name__", "m"), ("instance", *instance)];
            (Labels::from_pairs(pairs), Value::Float(*value))
        };
        self.answers.insert(expr.to_owned(), Ok(rows.iter().map(row).collect()));
    }

    pub(crate) fn fail(&mut self, expr: &str) {
        self.answers.insert(expr.to_owned(), Err("the store is slow".to_owned()));
    }

    /// Series that have not ended, as `labels value`.
    pub(crate) fn live(&self) -> Vec<String> {
        let stored = self.stored.borrow();
        let live = stored.iter().filter(|(_, (_, value))| !is_stale(*value));
        live.map(|(labels, (_, value))| format!("{labels} {value}")).collect()
    }
}

impl Query for World {
    fn instant(&self, expr: &promql::Expr, timestamp: Timestamp) -> Result<Vec<Row>, QueryError> {
        let text = expr.to_string();
        self.asked.borrow_mut().push((text.clone(), timestamp));
        if let Some(answer) = self.answers.get(&text) {
            return answer.clone().map_err(QueryError);
        }
        let rows = self.rows.borrow();
        let named = rows.iter().filter(|(labels, _)| labels.metric_name() == Some(text.as_str()));
        Ok(named.cloned().collect())
    }
}

impl Sink for World {
    fn append(&self, timestamp: Timestamp, samples: &[Row]) -> Result<(), AppendError> {
        if self.is_full {
            return Err(AppendError("the disk is full".to_owned()));
        }
        for (labels, value) in samples {
            let Value::Float(number) = value else { continue };
            self.stored.borrow_mut().insert(labels.to_string(), (timestamp, *number));
        }
        self.rows.borrow_mut().extend_from_slice(samples);
        Ok(())
    }
}

pub(crate) fn specs(yaml: &str) -> Vec<GroupSpec> {
    file::parse("a.yml", yaml).unwrap()
}

fn group(rules: &str) -> Group {
    let yaml = format!("groups:\n- name: g\n{rules}");
    Group::new(specs(&yaml).remove(0))
}

fn evaluate(group: &mut Group, world: &World, timestamp: Timestamp) -> Evaluation {
    let expander = Expander {
        external_labels: Labels::from_pairs([("dc", "eu")]),
        external_url: "http://bw".to_owned(),
    };
    group.evaluate(timestamp, world, world, &expander)
}

#[test]
fn a_rule_sees_what_the_rules_before_it_wrote() {
    let mut group = group(
        "  rules:
  - {record: level, expr: raw, labels: {team: x, instance: ''}}
  - {alert: High, expr: level}",
    );
    let mut world = World::default();
    world.answer("raw", &[("a", 3.0)]);
    let evaluation = evaluate(&mut group, &world, 1000);
    assert_eq!(
        world.live(),
        [
            r#"ALERTS_FOR_STATE{alertname="High", team="x"} 1"#,
            r#"ALERTS{alertname="High", alertstate="firing", team="x"} 1"#,
            r#"level{team="x"} 3"#,
        ]
    );
    assert_eq!(evaluation.rules.iter().map(|r| r.samples).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(evaluation.changes.transitions.len(), 1);
}

#[test]
fn rules_and_groups_are_timed() {
    let mut group = group("  rules:\n  - {record: r, expr: raw}\n  - {record: s, expr: raw}");
    let world = World::default();
    let one_second_a_query = || Duration::from_secs(world.asked.borrow().len() as u64);
    let query = Timed { query: &world, elapsed: &one_second_a_query };
    group.evaluate(0, &query, &world, &Expander::default());
    let seconds: Vec<u64> = group.rules().map(|(_, s)| s.last_duration.as_secs()).collect();
    assert_eq!((seconds, group.last_duration().as_secs()), (vec![1, 1], 2));
}

#[test]
fn series_that_are_no_longer_written_end() {
    let mut group =
        group("  rules:\n  - {record: r, expr: raw}\n  - {alert: A, expr: raw, for: 1s}");
    let mut world = World::default();
    world.answer("raw", &[("a", 1.0), ("b", 1.0)]);
    evaluate(&mut group, &world, 0);
    world.answer("raw", &[("b", 2.0)]);
    evaluate(&mut group, &world, 1000);
    assert_eq!(
        world.live(),
        [
            r#"ALERTS_FOR_STATE{alertname="A", instance="b"} 0"#,
            r#"ALERTS{alertname="A", alertstate="firing", instance="b"} 1"#,
            r#"r{instance="b"} 2"#,
        ],
        "the pending series and those of instance a have ended"
    );
    let ended = world.stored.borrow()[r#"r{instance="a"}"#];
    assert!(ended.0 == 1000 && is_stale(ended.1));
}

#[test]
fn a_query_that_fails_changes_nothing_and_is_reported() {
    let mut group = group("  rules:\n  - {alert: A, expr: raw}\n  - {record: r, expr: other}");
    let mut world = World::default();
    world.answer("raw", &[("a", 1.0)]);
    world.answer("other", &[("a", 1.0)]);
    evaluate(&mut group, &world, 0);
    let before = world.live();
    world.fail("raw");
    let evaluation = evaluate(&mut group, &world, 1000);
    assert!(evaluation.changes.is_empty());
    assert_eq!(world.live(), before, "its series go on");
    let (_, state) = group.rules().next().unwrap();
    assert_eq!(state.health, Health::Err);
    assert_eq!(state.last_error.as_ref().unwrap().to_string(), "the store is slow");
    assert_eq!(state.instances.active(), 1);
    let healths: Vec<&str> = group.rules().map(|(_, s)| s.health.as_str()).collect();
    assert_eq!(healths, ["err", "ok"], "the other rules go on");
    world.answer("raw", &[("a", 1.0)]);
    evaluate(&mut group, &world, 2000);
    assert_eq!(group.rules().next().unwrap().1.last_error, None);
}

#[test]
fn labels_and_annotations_are_expanded() {
    let mut group = group(
        r#"  rules:
  - alert: A
    expr: raw
    labels: {instance: "x-{{ $labels.instance }}", value: "{{ $value }}"}
    annotations:
      text: '{{ $labels.__name__ }} {{ $value }} {{ $externalLabels.dc }} {{ $externalURL }}'
      asked: '{{ with query "raw" }}{{ . | first | value }}{{ end }}'
      bad: '{{ $labels.instance.x }}'"#,
    );
    let mut world = World::default();
    world.answer("raw", &[("a", 1e6)]);
    let changes = evaluate(&mut group, &world, 0).changes;
    let instance = &changes.instances[0];
    assert_eq!(instance.labels.to_string(), r#"{alertname="A", instance="x-a", value="1e+06"}"#);
    assert_eq!(instance.annotations["text"], "m 1e+06 eu http://bw");
    assert_eq!(instance.annotations["asked"], "1e+06");
    assert!(instance.annotations["bad"].starts_with("<error expanding template: error executing"));
}

#[test]
fn the_templates_of_a_rule_ask_the_same_query_once_and_not_too_many() {
    let mut group = group(
        r#"  rules:
  - alert: A
    expr: raw
    annotations:
      same: '{{ query "raw" | len }}'
      each: '{{ query $labels.instance | len }}'"#,
    );
    let mut world = World::default();
    let names: Vec<String> = (0..150).map(|i| format!("i{i}")).collect();
    let rows: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    world.answer("raw", &rows);
    evaluate(&mut group, &world, 0);
    assert_eq!(world.asked.borrow().len(), 1 + 100);
    let count = |name: &str, text: &str| {
        group.instances().filter(|i| i.annotations[name].contains(text)).count()
    };
    assert_eq!(count("same", "150"), 150);
    assert_eq!((count("each", "more than 100 queries"), count("each", "0")), (51, 150));
}

#[test]
fn queries_and_samples_are_moved_by_the_offset_and_alert_times_are_not() {
    let mut group = group("  query_offset: 1m\n  rules:\n  - {alert: A, expr: raw}");
    let mut world = World::default();
    world.answer("raw", &[("a", 1.0)]);
    let changes = evaluate(&mut group, &world, 100_000).changes;
    assert_eq!(*world.asked.borrow(), [("raw".to_owned(), 40_000)]);
    assert!(world.stored.borrow().values().all(|(ts, _)| *ts == 40_000));
    assert_eq!(changes.instances[0].active_at, 100_000);
}

#[test]
fn rules_fail_on_equal_labels_and_over_the_limit() {
    for (name, rule, expected) in [
        (
            "equal recorded series",
            "{record: r, expr: raw, labels: {instance: ''}}",
            "vector contains metrics with the same labelset after applying rule labels: r",
        ),
        (
            "equal alerts",
            "{alert: A, expr: raw, labels: {instance: ''}}",
            "vector contains metrics with the same labelset after applying alert labels: \
             {alertname=\"A\"}",
        ),
        ("too many series", "{record: r, expr: raw}", "exceeded limit of 1 with 2 series"),
        (
            "too many alerts",
            "{alert: A, expr: raw}",
            "exceeded limit of 1: 1 new alerts were left out",
        ),
    ] {
        let mut group = group(&format!("  limit: 1\n  rules:\n  - {rule}"));
        let mut world = World::default();
        world.answer("raw", &[("a", 1.0), ("b", 2.0)]);
        let evaluation = evaluate(&mut group, &world, 0);
        let error = evaluation.rules[0].error.as_ref().unwrap();
        assert_eq!(error.to_string(), expected, "{name}");
        let fits = usize::from(matches!(error, RuleError::TooManyAlerts { .. }));
        assert_eq!(group.instances().count(), fits, "{name}");
        assert_eq!(world.live().len(), 2 * fits, "{name}");
    }
}

#[test]
fn samples_that_are_not_kept_are_reported_and_the_alert_goes_on() {
    let mut group = group("  rules:\n  - {alert: A, expr: raw}");
    let mut world = World { is_full: true, ..World::default() };
    world.answer("raw", &[("a", 1.0)]);
    let evaluation = evaluate(&mut group, &world, 0);
    assert_eq!(evaluation.changes.transitions.len(), 1);
    assert_eq!(evaluation.rules[0].error, Some(AppendError("the disk is full".to_owned()).into()));
}
