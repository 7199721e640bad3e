use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::rule::{AlertingRule, Rule};

fn alerting(group: &GroupSpec, index: usize) -> &AlertingRule {
    match &group.rules[index] {
        Rule::Alerting(rule) => rule,
        Rule::Recording(rule) => panic!("{} is a recording rule", rule.metric),
    }
}

#[test]
fn every_key_of_the_format_is_read() {
    let groups = parse(
        "rules/a.yml",
        r#"
groups:
  - name: api
    interval: 1m
    limit: 10
    query_offset: 30s
    labels: {team: web, tier: "1"}
    rules:
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors[5m]))
        labels: {tier: 2}
      - alert: ErrorsHigh
        expr: |
          job:errors:rate5m
            > 5
        for: 10m
        keep_firing_for: 5m
        labels:
          severity: page
        annotations:
          summary: '{{ $labels.job }} has {{ $value }} errors a second'
          empty:
  - name: empty
"#,
    )
    .unwrap();
    let [api, empty] = groups.as_slice() else { panic!("{groups:?}") };
    assert_eq!((api.file.as_str(), api.name.as_str()), ("rules/a.yml", "api"));
    assert_eq!(api.interval, Some(Duration::from_mins(1)));
    assert_eq!(api.query_offset, Some(Duration::from_secs(30)));
    assert_eq!(api.limit, Some(10));
    assert_eq!(api.position, Position { line: 3, column: 5 });
    assert_eq!(api.rules[0].name(), "job:errors:rate5m");
    assert_eq!(api.rules[0].labels().to_string(), r#"{team="web", tier="2"}"#);
    let rule = alerting(api, 1);
    assert_eq!(rule.expr.text(), "job:errors:rate5m\n  > 5");
    assert_eq!((rule.hold.as_secs(), rule.keep_firing.as_secs()), (600, 300));
    assert_eq!(api.rules[1].labels().to_string(), r#"{severity="page", team="web", tier="1"}"#);
    let names: Vec<&str> = rule.annotations.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["summary", "empty"]);
    assert!(empty.rules.is_empty() && empty.interval.is_none());
}

#[test]
fn a_file_without_groups_is_fine() {
    for text in ["", "groups:", "groups: []", "# nothing\n"] {
        assert_eq!(parse("a.yml", text).unwrap().len(), 0, "{text:?}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_reported_with_their_places() {
    let errors = parse(
        "a.yml",
        r#"groups:
- name: one
  intervall: 1m
  interval: 1x
  limit: many
  rules:
  - alert: A
    expr: up ==
    for: soon
    labels: {__name__: x, a: [1]}
    annotations:
      summary: "a \"b\" {{ $nope }}"
  - record: "a{b}"
    expr: up[5m]
    for: 1m
  - expr: up
  - alert: B
    record: b
    expr: up
  - alert: ""
  - alert: C
    expr: |
      sum(
        rate(up[5m])
      ) by nonsense (
- name: one
  rules: 5
"#,
    )
    .unwrap_err();
    let places: Vec<String> = errors
        .iter()
        .map(|e| format!("{}:{} {}", e.position.line, e.position.column, e.message))
        .collect();
    let expected = [
        "3:3 unknown key `intervall` in a group",
        "4:13 bad duration in `interval`",
        "5:10 `many` in `limit` is not a whole number",
        "8:", // inside of the expression
        "9:10 bad duration in `for`",
        "10:14 `__name__` is not a valid name in `labels`",
        "10:30 `a` in `labels` must be a text",
        "12:28 bad template in `summary`: undefined variable \"$nope\"",
        "13:13 `a{b}` is not a metric's name",
        "14:11 the expression is a range vector",
        "15:5 a recording rule has no `for`",
        "16:5 a rule has neither `alert` nor `record`",
        "17:5 a rule has both `alert` and `record`",
        "20:5 `expr` is missing",
        "20:12 `alert` is empty",
        "25:", // inside of the expression, after its indentation
        "26:3 the group `one` is in this file twice",
        "27:10 `rules` must be a list",
    ];
    assert_eq!(places.len(), expected.len(), "{places:#?}");
    for (place, expected) in places.iter().zip(expected) {
        assert!(place.starts_with(expected), "{place} is not {expected}");
    }
    assert_eq!(
        errors[0].to_string(),
        "a.yml:3:3: unknown key `intervall` in a group (did you mean `interval`?)"
    );
}

#[test]
fn a_text_that_is_not_yaml_has_one_error_with_its_place() {
    for (text, line) in [
        ("groups:\n- name: a\n  name: b\n", 3),
        ("groups:\n- name: \"a\n  rules: [\n", 3),
        ("groups: []\n---\ngroups: []\n", 3),
        ("groups: [", 1),
    ] {
        let errors = parse("a.yml", text).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].position.line >= line, "{text:?}: {}", errors[0]);
        assert!(!errors[0].message.contains('\n'), "{}", errors[0]);
    }
}

#[test]
fn deep_nesting_is_refused_without_exhausting_the_stack() {
    for depth in [100, 1_000, 100_000] {
        for text in ["[".repeat(depth), "- ".repeat(depth), "{a: ".repeat(depth)] {
            assert_eq!(parse("a.yml", &text).unwrap_err().len(), 1);
        }
        let closed = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(parse("a.yml", &closed).unwrap_err().len(), 1);
    }
}

#[test]
fn an_equal_rule_twice_is_a_mistake_and_another_expression_is_not() {
    let file = |second: &str| {
        format!(
            "groups:\n- name: g\n  rules:\n  - {{alert: A, expr: up == 0, labels: {{s: x}}}}\n  - {second}\n"
        )
    };
    let same = parse("a.yml", &file("{alert: A, expr: up == 0, labels: {s: x}, for: 5m}"));
    assert_eq!(
        same.unwrap_err()[0].to_string(),
        "a.yml:5:5: the rule `A` is in this group twice (remove one of them, or tell them apart by a \
         label)"
    );
    let other = parse("a.yml", &file("{alert: A, expr: up == 1, labels: {s: x}}")).unwrap();
    let uids = other[0].uids();
    assert_ne!(uids[0], uids[1]);
}

#[test]
fn a_place_in_a_text_is_found_in_every_way_to_write_it() {
    // Each text has an `@` where the expression goes wrong.
    for (name, text) in [
        ("plain", "expr: up @@ 1"),
        ("double quotes", r#"expr: "a{b=\"c\"} @@ 1""#),
        ("unicode escape", r#"expr: "a{b=\"\u00e9\"} @@ 1""#),
        ("single quotes", "expr: 'a{b=\"it''s\"} @@ 1'"),
        ("literal block", "expr: |\n      up\n\n        @@ 1\n"),
        ("folded block", "expr: >-\n      up\n      @@ 1\n"),
        ("plain over lines", "expr: up\n      @@ 1"),
    ] {
        let file = format!("groups:\n- name: g\n  rules:\n  - alert: A\n    {text}\n");
        let marked = file.find("@@").map(|at| {
            let before = &file[..at];
            (before.matches('\n').count() + 1, before.len() - before.rfind('\n').unwrap())
        });
        let errors = parse("a.yml", &file).unwrap_err();
        let place = (errors[0].position.line, errors[0].position.column);
        let (line, column) = marked.unwrap();
        let is_near = place.0 == line && (column..=column + 2).contains(&place.1);
        assert!(is_near, "{name}: {} is not at {line}:{column}", errors[0]);
    }
}

proptest! {
    #[test]
    fn property_any_text_is_read_or_refused(text in r#"(groups:|- name: a|  rules:|  - alert: A|    expr: |up|\||"|'|\n|  |\{|\}|\[|&a|\*a|for: |[a-z0-9é:]){0,40}"#) {
        if let Err(errors) = parse("a.yml", &text) {
            prop_assert!(!errors.is_empty());
        }
    }
}
