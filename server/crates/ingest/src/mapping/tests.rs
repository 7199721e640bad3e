use proptest::prelude::*;

use super::*;

fn mapping(yaml: &str) -> Mapping {
    Mapping::parse(yaml).unwrap()
}

/// `name{label="value"}` of a mapped name, `drop`, or `-` when nothing matches.
fn apply(mapping: &Mapping, name: &str, kind: Kind) -> String {
    match mapping.apply(name, kind) {
        Outcome::Unmatched => "-".to_owned(),
        Outcome::Drop => "drop".to_owned(),
        Outcome::Mapped(mapped) => {
            let labels: Vec<String> =
                mapped.labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
            format!("{}{{{}}}", mapped.name, labels.join(","))
        }
    }
}

const RULES: &str = r#"
# Comments and options without effect are fine.
defaults:
  observer_type: histogram
  histogram_options: {buckets: [0.1, 1]}
mappings:
  - match: "go.response.*.time"
    name: go_response_time
    labels: {path: "$1", static: "x"}
  - match: "go.*.health.*"
    match_metric_type: counter
    name: "go_${2}_total"
    labels: {service: "$1", empty: "$9", price: "5$"}
    summary_options: {quantiles: [{quantile: 0.5, error: 0.1}]}
  - match: "go.api.health.*"
    name: shadowed_for_counters
  - match: "noise.*"
    action: drop
  - match: '^db\.(\w+)\.(reads|writes)'
    match_type: regex
    name: "db_${2}_total"
    labels: {table: "${1}", both: "$1-$2"}
  - match: 'secret'
    match_type: regex
    action: drop
"#;

#[test]
fn names_are_mapped_by_the_first_glob_and_then_by_expressions() {
    let mapping = mapping(RULES);
    assert_eq!(mapping.len(), 6);
    for (name, kind, expected) in [
        ("go.response.users.time", Kind::Timer, r#"go_response_time{path="users",static="x"}"#),
        ("go.response.users.time.p99", Kind::Timer, "-"),
        ("go.response.time", Kind::Timer, "-"),
        ("go.api.health.ok", Kind::Counter, r#"go_ok_total{empty="",price="5$",service="api"}"#),
        ("go.api.health.ok", Kind::Gauge, "shadowed_for_counters{}"),
        ("noise.x", Kind::Gauge, "drop"),
        ("noise", Kind::Gauge, "-"),
        (
            "db.users.reads.extra",
            Kind::Counter,
            r#"db_reads_total{both="users-reads",table="users"}"#,
        ),
        ("my.secret.name", Kind::Set, "drop"),
        ("", Kind::Counter, "-"),
    ] {
        assert_eq!(apply(&mapping, name, kind), expected, "{name}");
    }
}

#[test]
fn without_ordering_the_literal_part_wins() {
    let rules = "
mappings:
  - {match: 'a.*.c', name: star}
  - {match: 'a.b.*', name: literal}
";
    let unordered = format!("defaults: {{glob_disable_ordering: true}}{rules}");
    assert_eq!(apply(&mapping(rules), "a.b.c", Kind::Counter), "star{}");
    assert_eq!(apply(&mapping(&unordered), "a.b.c", Kind::Counter), "literal{}");
    assert_eq!(apply(&mapping(&unordered), "a.x.c", Kind::Counter), "star{}");
}

#[test]
fn options_of_rules_come_from_the_defaults_when_not_set() {
    let mapping = mapping(
        "
defaults: {ttl: 30s, honor_labels: true, match_type: regex}
mappings:
  - {match: '^a$', name: a}
  - {match: '^b$', name: b, ttl: 1h30m, honor_labels: false, scale: 0.001, help: 'What b is.'}
  - {match: '^c$', name: c, ttl: 0}
",
    );
    let options = |name: &str| match mapping.apply(name, Kind::Timer) {
        Outcome::Mapped(mapped) => {
            (mapped.ttl.map(|ttl| ttl.as_secs()), mapped.honor_labels, mapped.scale, mapped.help)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(options("a"), (Some(30), true, 1.0, String::new()));
    assert_eq!(options("b"), (Some(5_400), false, 0.001, "What b is.".to_owned()));
    assert_eq!(options("c"), (Some(30), true, 1.0, String::new()));
}

#[test]
fn of_several_files_the_first_with_a_rule_decides_and_is_named() {
    let named = |name: &str, yaml: &str| Mapping::parse_named(name, yaml).unwrap();
    let first = named(
        "first.yml",
        "defaults: {ttl: 30s}
mappings:
  - {match: 'b\\.x', match_type: regex, name: first_regex}
  - {match: a.x, match_metric_type: counter, name: first_counter}
",
    );
    let second = named(
        "second.yml",
        "mappings:
  - {match: a.*, name: second}
  - {match: b.x, name: second_glob}
  - {match: c.*, action: drop}
",
    );
    let both = Mapping::join([&first, &second]);
    assert_eq!(both.len(), 5);
    for (name, kind, expected, place) in [
        ("a.x", Kind::Counter, "first_counter{}", Some("first.yml:4")),
        ("a.x", Kind::Gauge, "second{}", Some("second.yml:2")),
        ("a.y", Kind::Counter, "second{}", Some("second.yml:2")),
        ("b.x", Kind::Counter, "first_regex{}", Some("first.yml:3")),
        ("c.x", Kind::Counter, "drop", Some("second.yml:4")),
        ("d.x", Kind::Counter, "-", None),
    ] {
        assert_eq!(apply(&both, name, kind), expected, "{name}");
        let found = both.rule_of(name, kind).map(|place| place.to_string());
        assert_eq!(found.as_deref(), place, "{name}");
    }
    let ttl = |name: &str| match both.apply(name, Kind::Counter) {
        Outcome::Mapped(mapped) => mapped.ttl,
        other => panic!("{other:?}"),
    };
    assert_eq!((ttl("b.x"), ttl("a.y")), (Some(Duration::from_secs(30)), None));

    assert_eq!(both, Mapping::join([&first, &second]));
    assert_ne!(both, Mapping::join([&second, &first]));
    assert_ne!(first, named("first.yml", "mappings: []"));
}

#[test]
fn everything_wrong_with_a_file_is_reported_with_its_place() {
    let error = Mapping::parse(
        "
defaults: {ttl: soon}
mappings:
  - match: 'a.*b'
    name: ok
  - match: a..b
    name: 'not a name'
    labels: {'1st': x, __name__: y}
  - match: '('
    match_type: regex
    scale: 0
  - match: a.b
    name: c
    ttl: 5
",
    )
    .unwrap_err();
    let found: Vec<String> = error
        .problems
        .iter()
        .map(|p| format!("{}:{}: {:.40}", p.line, p.column, p.message))
        .collect();
    let expected = [
        "2:17: `soon` is not a duration, expected somet",
        "4:5: in `a.*b` a `*` must stand alone between",
        "6:5: `a..b` has an empty part between dots",
        "6:5: `not a name` is not a metric's name: let",
        "6:5: `1st` is not a label's name: letters, di",
        "6:5: `__name__` is not a label's name: letter",
        "9:5: invalid regular expression `(`: unclosed",
        "9:5: the rule for `(` has no name to map to",
        "9:5: scale must be a finite number other than",
        "14:10: ttl `5` has no unit, write it like 30s o",
    ];
    assert_eq!(found, expected);
}

#[test]
fn unknown_keys_and_broken_yaml_name_their_place() {
    for (yaml, line, part) in [
        ("mappings:\n  - match: a\n    nmae: b\n", 3, "nmae"),
        ("mappings: [", 1, ""),
        ("mappings:\n  - match: a\n    name: a\n    match_type: exact\n", 4, "exact"),
    ] {
        let error = Mapping::parse(yaml).unwrap_err();
        let [problem] = &error.problems[..] else { panic!("{error}") };
        assert_eq!(problem.line, line, "{error}");
        assert!(problem.message.contains(part), "{error}");
    }
    for empty in ["", "# nothing\n\n"] {
        assert!(mapping(empty).is_empty());
    }
}

/// What the rules of globs mean, rule by rule.
fn naive(globs: &[String], name: &str) -> Option<usize> {
    let fits = |glob: &String| {
        let (glob, name): (Vec<_>, Vec<_>) = (glob.split('.').collect(), name.split('.').collect());
        glob.len() == name.len() && glob.iter().zip(&name).all(|(g, n)| *g == "*" || g == n)
    };
    globs.iter().position(fits)
}

proptest! {
    #[test]
    fn property_the_tree_finds_what_a_list_would(
        globs in proptest::collection::vec("([ab]|\\*)(\\.([ab]|\\*)){0,3}", 1..20),
        names in proptest::collection::vec("[abc](\\.[abc]){0,4}", 1..20),
    ) {
        let mut tree = GlobTree::default();
        for (rule, glob) in globs.iter().enumerate() {
            tree.insert(glob, rule);
        }
        for name in &names {
            let found = tree.find(name, |_| true).map(|(rule, _)| rule);
            prop_assert_eq!(found, naive(&globs, name));
        }
    }

    #[test]
    fn property_any_file_and_template_is_read_or_refused(text in "[a-z:\\-{}\\[\\]$0-9*.\n ]{0,80}") {
        drop(Mapping::parse(&text));
        let template = Template::new(text.clone());
        drop(template.expand_glob(&["x"]));
        prop_assert!(!template.with_placeholders("").contains("$1"));
    }
}
