use proptest::prelude::*;

use super::*;

/// Labels, a value and a query that knows two series of `up`.
fn expand_with(template: &str, value: f64) -> String {
    let labels = Labels::from_pairs([("__name__", "m"), ("instance", "db-1:9100"), ("job", "db")]);
    let query = |text: &str| match text {
        "up" => Ok(vec![
            (Labels::from_pairs([("instance", "b"), ("__value__", "x")]), 1.5),
            (Labels::from_pairs([("instance", "a")]), 11.0),
        ]),
        "none" => Ok(Vec::new()),
        _ => Err("no such metric".to_owned()),
    };
    let context = Context {
        name: "A",
        labels: &labels,
        value: &model::Value::Float(value),
        external_labels: &Labels::from_pairs([("cluster", "eu")]),
        external_url: "https://bw.example/base",
        now: 1_435_065_584_128,
        query: &query,
    };
    match Template::parse(template) {
        Ok(template) => template.expand(&context),
        Err(error) => format!("<parse error at {}: {error}>", error.offset),
    }
}

#[track_caller]
fn check(template: &str, expected: &str) {
    assert_eq!(expand_with(template, 42.0), expected, "{template}");
}

#[test]
fn values_are_printed_as_go_prints_floats() {
    for (value, expected) in [
        (42.0, "42"),
        (0.0, "0"),
        (-0.0, "-0"),
        (0.123_456, "0.123456"),
        (123_456.0, "123456"),
        (1e6, "1e+06"),
        (123_456_789.0, "1.23456789e+08"),
        (1_234_567.891, "1.234567891e+06"),
        (0.0001, "0.0001"),
        (0.000_012, "1.2e-05"),
        (1e100, "1e+100"),
        (5e-324, "5e-324"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
    ] {
        assert_eq!(expand_with("{{ $value }}", value), expected);
        assert_eq!(expand_with("{{ .Value }}", value), expected);
    }
}

#[test]
fn printf_formats_as_go() {
    for (name, template, expected) in [
        ("default precision", r#"{{ printf "%f" 1.5 }}"#, "1.500000"),
        ("precision", r#"{{ printf "%.2f" $value }}"#, "42.00"),
        ("width", r#"[{{ printf "%6.1f" $value }}]"#, "[  42.0]"),
        ("left", r#"[{{ printf "%-6.1f" $value }}]"#, "[42.0  ]"),
        ("zeros", r#"{{ printf "%06.1f" -1.5 }}"#, "-001.5"),
        ("plus", r#"{{ printf "%+d" 3 }}"#, "+3"),
        ("general", r#"{{ printf "%g %g" 1e6 0.1 }}"#, "1e+06 0.1"),
        ("general with precision", r#"{{ printf "%.3g" 1234.5 }}"#, "1.23e+03"),
        ("exponent", r#"{{ printf "%e" 123456.789 }}"#, "1.234568e+05"),
        ("capital exponent", r#"{{ printf "%.1E" 0.000123 }}"#, "1.2E-04"),
        ("default verb", r#"{{ printf "%v %v %v" $value "x" true }}"#, "42 x true"),
        ("map", r#"{{ printf "%v" $externalLabels }}"#, "map[cluster:eu]"),
        ("quoted", r#"{{ printf "%q" "a\"b\n" }}"#, r#""a\"b\n""#),
        ("cut text", r#"{{ printf "%.2s" "äöü" }}"#, "äö"),
        ("padded text", r#"[{{ printf "%5s" "ab" }}]"#, "[   ab]"),
        ("hexadecimal", r#"{{ printf "%x %X %#x" 255 255 255 }}"#, "ff FF 0xff"),
        ("hexadecimal text", r#"{{ printf "%x" "hi" }}"#, "6869"),
        ("hexadecimal float", r#"{{ printf "%x" 1.5 }}"#, "0x1.8p+00"),
        ("octal and binary", r#"{{ printf "%o %b" 8 5 }}"#, "10 101"),
        ("character", r#"{{ printf "%c %U" 65 65 }}"#, "A U+0041"),
        ("truth", r#"{{ printf "%t" true }}"#, "true"),
        ("percent", r#"{{ printf "%d%%" 5 }}"#, "5%"),
        ("width argument", r#"[{{ printf "%*d" 4 7 }}]"#, "[   7]"),
        ("wrong verb in a pipeline", r#"{{ 1e308 | printf "%s" }}"#, "%!s(float64=1e+308)"),
        ("type", r#"{{ printf "%T" $value }}"#, "float64"),
        ("wrong verb", r#"{{ printf "%d" $value }}"#, "%!d(float64=42)"),
        ("wrong verb for a text", r#"{{ printf "%.1f" "x" }}"#, "%!f(string=x)"),
        ("integer as float", r#"{{ printf "%.1f" 30 }}"#, "%!f(int=30)"),
        ("missing", r#"{{ printf "%s" }}"#, "%!s(MISSING)"),
        ("extra", r#"{{ printf "x" 1 }}"#, "x%!(EXTRA int=1)"),
        ("no verb", r#"{{ printf "5%" }}"#, "5%!(NOVERB)"),
        ("huge width", r#"{{ printf "%99999999d" 1 }}"#, "%!(BADWIDTH)1"),
    ] {
        assert_eq!(expand_with(template, 42.0), expected, "{name}");
    }
}

#[test]
fn labels_are_fields_and_a_missing_one_is_empty() {
    for (template, expected) in [
        ("{{ $labels.job }}", "db"),
        ("{{ .Labels.job }}", "db"),
        ("{{ $.Labels.job }}", "db"),
        ("[{{ $labels.nope }}]", "[]"),
        ("{{ index $labels \"job\" }}", "db"),
        ("{{ $labels }}", "map[__name__:m instance:db-1:9100 job:db]"),
        ("{{ $externalLabels.cluster }} {{ .ExternalLabels.cluster }}", "eu eu"),
        ("{{ $externalURL }} {{ externalURL }}", "https://bw.example/base https://bw.example/base"),
        ("{{ pathPrefix }}", "/base"),
        ("{{ len $labels }}", "3"),
    ] {
        check(template, expected);
    }
}

#[test]
fn control_structures_follow_go() {
    for (name, template, expected) in [
        ("if", "{{ if $labels.job }}a{{ else }}b{{ end }}", "a"),
        ("else if", "{{ if false }}a{{ else if 1 }}b{{ else }}c{{ end }}", "b"),
        ("else", "{{ if eq $labels.job \"x\" }}a{{ else }}c{{ end }}", "c"),
        ("with", "{{ with $labels.job }}<{{ . }}>{{ end }}", "<db>"),
        ("with else", "{{ with $labels.nope }}a{{ else }}b{{ end }}", "b"),
        ("else with", "{{ with 0 }}a{{ else with 7 }}{{ . }}{{ end }}", "7"),
        (
            "range",
            "{{ range query \"up\" }}{{ .Labels.instance }}={{ .Value }};{{ end }}",
            "b=1.5;a=11;",
        ),
        (
            "range with variables",
            "{{ range $i, $s := query \"up\" }}{{ $i }}{{ $s | value }} {{ end }}",
            "01.5 111 ",
        ),
        (
            "range over labels",
            "{{ range $k, $v := $externalLabels }}{{ $k }}={{ $v }}{{ end }}",
            "cluster=eu",
        ),
        ("range over a number", "{{ range $i := 3 }}{{ $i }}{{ end }}", "012"),
        ("range else", "{{ range query \"none\" }}x{{ else }}none{{ end }}", "none"),
        ("break", "{{ range 5 }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "01"),
        ("continue", "{{ range 4 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "023"),
        ("variable", "{{ $x := 1 }}{{ $x = 2 }}{{ $x }}", "2"),
        ("scope", "{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ("assigned inside", "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("define", "{{ define \"t\" }}[{{ . }}]{{ end }}{{ template \"t\" $labels.job }}", "[db]"),
        (
            "template without argument",
            "{{ define \"t\" }}{{ . }}{{ end }}{{ template \"t\" }}",
            "<no value>",
        ),
        ("block", "{{ block \"b\" 5 }}{{ . }}{{ end }}", "5"),
        ("comment", "a{{/* no */}}b{{- /* no */ -}} c", "abc"),
        ("trim", "a {{- 1 -}} b", "a1b"),
        ("raw text", "{{ `a\\n` }}", "a\\n"),
        ("pipeline", "{{ \"x\" | printf \"%s%s\" \"a\" }}", "ax"),
        ("parentheses", "{{ (query \"up\" | first).Labels.instance }}", "b"),
        ("no braces", "just } text {", "just } text {"),
    ] {
        assert_eq!(expand_with(template, 42.0), expected, "{name}");
    }
}

#[test]
fn comparisons_want_values_of_one_kind() {
    for (template, expected) in [
        ("{{ eq 1 1 }} {{ eq 1 2 3 1 }} {{ ne 1 2 }}", "true true true"),
        ("{{ lt 1 2 }} {{ le 2 2 }} {{ gt 1 2 }} {{ ge 2 2 }}", "true true false true"),
        ("{{ gt $value 5.0 }} {{ lt \"a\" \"b\" }}", "true true"),
        ("{{ and 1 0 }} {{ or 0 \"x\" }} {{ not 0 }}", "0 x true"),
        ("{{ and false (query \"bad\") }}", "false"),
        (
            "{{ gt $value 5 }}",
            "<error expanding template: error executing template __alert_A: template: \
             __alert_A:1:115: executing \"__alert_A\" at <gt $value 5>: error calling gt: \
             incompatible types for comparison>",
        ),
    ] {
        check(template, expected);
    }
}

#[test]
fn numbers_are_written_for_people() {
    for (function, table) in [
        (
            "humanize",
            &[
                (0.0, "0"),
                (1.0, "1"),
                (1_234_567.0, "1.235M"),
                (-1e4, "-10k"),
                (0.12, "120m"),
                (1e-9, "1n"),
                (1e27, "1000Y"),
                (f64::NAN, "NaN"),
                (f64::INFINITY, "+Inf"),
            ][..],
        ),
        (
            "humanize1024",
            &[(0.0, "0"), (1.0, "1"), (1_048_576.0, "1Mi"), (1500.0, "1.465ki"), (0.5, "0.5")],
        ),
        (
            "humanizeDuration",
            &[
                (0.0, "0s"),
                (0.1, "100ms"),
                (1e-9, "1ns"),
                (59.9, "59.9s"),
                (60.0, "1m 0s"),
                (3600.0, "1h 0m 0s"),
                (86_400.0, "1d 0h 0m 0s"),
                (-90_061.0, "-1d 1h 1m 1s"),
                (f64::NAN, "NaN"),
            ],
        ),
        ("humanizePercentage", &[(0.0, "0%"), (0.123_45, "12.35%"), (1.0, "100%"), (2.5, "250%")]),
        (
            "humanizeTimestamp",
            &[
                (0.0, "1970-01-01 00:00:00 +0000 UTC"),
                (1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
                (f64::INFINITY, "+Inf"),
            ],
        ),
    ] {
        for (value, expected) in table {
            let template = format!("{{{{ $value | {function} }}}}");
            assert_eq!(expand_with(&template, *value), *expected, "{function} {value}");
        }
    }
}

#[test]
fn functions_of_prometheus_do_what_they_do_there() {
    for (template, expected) in [
        ("{{ query \"up\" | first | label \"instance\" }}", "b"),
        ("{{ query \"up\" | first | value }}", "1.5"),
        ("{{ query \"up\" | first | strvalue }}", "x"),
        (
            "{{ range query \"up\" | sortByLabel \"instance\" }}{{ .Labels.instance }}{{ end }}",
            "ab",
        ),
        ("{{ \"43200\" | humanizeDuration }}", "12h 0m 0s"),
        ("{{ \"aa bb CC\" | title }} {{ toUpper \"a\" }} {{ toLower \"A\" }}", "Aa Bb CC A a"),
        ("{{ match \"a+\" \"baab\" }} {{ match \"^a$\" \"ba\" }}", "true false"),
        ("{{ reReplaceAll \"(a)(b)\" \"${2}$1x\" \"ab\" }}", "b"),
        ("{{ reReplaceAll \"(a)(b)\" \"$2$1\" \"xaby\" }}", "xbay"),
        (
            "{{ stripPort $labels.instance }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"a\" }}",
            "db-1 ::1 a",
        ),
        ("{{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"10.0.0.1:80\" }}", "a:80 10.0.0.1:80"),
        ("{{ graphLink \"up == 1\" }}", "/graph?g0.expr=up+%3D%3D+1&g0.tab=0"),
        ("{{ tableLink \"up\" }}", "/graph?g0.expr=up&g0.tab=1"),
        ("{{ parseDuration \"1h30m\" }}", "5400"),
        ("{{ (args 1 \"b\").arg1 }} {{ args 1 }}", "b map[arg0:1]"),
        ("{{ safeHtml \"<b>\" }} {{ html \"<'>\" }}", "<b> &lt;&#39;&gt;"),
        ("{{ js \"a'<\" }} {{ urlquery \"a b&\" }}", "a\\'\\u003C a+b%26"),
        ("{{ urlQueryEscape \"ä/\" }}", "%C3%A4%2F"),
        ("{{ now }}", "1.435065584128e+09"),
        (
            "{{ (now | toTime).Year }} {{ (0 | toTime).Format \"Jan 2, 2006 at 3:04pm (MST)\" }}",
            "2015 Jan 1, 1970 at 12:00pm (UTC)",
        ),
        ("{{ 5400.5 | toDuration }} {{ (90 | toDuration).Minutes }}", "1h30m0.5s 1.5"),
        ("{{ slice \"abcd\" 1 3 }} {{ print 1 2 \"x\" 3 }}{{ println }}", "bc 1 2x3\n"),
        ("{{ index (query \"up\") 1 | value }}", "11"),
    ] {
        check(template, expected);
    }
}

#[test]
fn a_failure_becomes_a_text_with_its_place() {
    for (template, expected) in [
        (
            "{{ query \"none\" | first }}",
            "1:130: executing \"__alert_A\" at <first>: error calling first: first() called on \
             vector with no elements",
        ),
        (
            "x\n  {{ query \"bad\" }}",
            "2:5: executing \"__alert_A\" at <query \"bad\">: error calling query: no such metric",
        ),
        (
            "{{ $labels.job.x }}",
            "1:122: executing \"__alert_A\" at <$labels.job.x>: can't evaluate field x in type string",
        ),
        (
            "{{ .Nope }}",
            "1:115: executing \"__alert_A\" at <.Nope>: can't evaluate field Nope in type struct { \
             Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value \
             interface {} }",
        ),
        ("{{ toUpper 5 }}", "1:123: executing \"__alert_A\" at <5>: expected string; found 5"),
        (
            "{{ $value | toUpper }}",
            "1:124: executing \"__alert_A\" at <toUpper>: wrong type for value; expected string; \
             got float64",
        ),
        (
            "{{ toUpper }}",
            "1:115: executing \"__alert_A\" at <toUpper>: wrong number of args for toUpper: want 1 \
             got 0",
        ),
        (
            "{{ \"x\" | humanize }}",
            "1:121: executing \"__alert_A\" at <humanize>: error calling humanize: \
             strconv.ParseFloat: parsing \"x\": invalid syntax",
        ),
        (
            "{{ template \"t\" }}",
            "1:115: executing \"__alert_A\" at <{{template \"t\"}}>: template \"t\" not defined",
        ),
        (
            "{{ $value 1 }}",
            "1:115: executing \"__alert_A\" at <$value>: can't give argument to non-function $value",
        ),
    ] {
        let text = format!(
            "<error expanding template: error executing template __alert_A: template: \
             __alert_A:{expected}>"
        );
        check(template, &text);
    }
}

#[test]
fn mistakes_are_found_while_parsing() {
    for (template, offset, message) in [
        ("{{ $x }}", 3, "undefined variable \"$x\""),
        ("{{ nope 1 }}", 3, "function \"nope\" not defined"),
        ("a {{ if 1 }}b", 5, "{{if}} without {{end}}"),
        ("{{ end }}", 3, "unexpected {{end}}"),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", 23, "expected end; found {{else}}"),
        ("{{ break }}", 3, "{{break}} outside {{range}}"),
        ("ab {{ $value ", 3, "unclosed action"),
        ("{{ \"a }}", 3, "unterminated quoted string"),
        ("{{ (1 }}", 6, "unclosed left paren"),
        ("{{ 1 ) }}", 5, "unexpected right paren"),
        ("{{ }}", 3, "missing value for command"),
        ("{{ 1 | 2 }}", 7, "non executable command in pipeline stage 2"),
        ("{{ 1 | }}", 5, "missing value after |"),
        ("{{ 3x }}", 3, "bad number syntax: \"3x\""),
        ("{{ ? }}", 3, "unrecognized character in action: '?'"),
        ("{{ $labels.a-b }}", 12, "bad character '-' after a name"),
        ("{{/* x }}", 0, "unclosed comment"),
        ("{{ define \"t\" }}{{ $labels.x }}{{ end }}", 19, "undefined variable \"$labels\""),
        ("{{ \"x\".y }}", 6, "unexpected . after term \"\\\"x\\\"\""),
    ] {
        let error = Template::parse(template).unwrap_err();
        assert_eq!((error.offset, error.message.as_str()), (offset, message), "{template}");
    }
}

#[test]
fn a_slip_in_a_name_gets_a_hint() {
    for (template, hint) in [
        ("{{ $label.x }}", Some("$labels")),
        ("{{ $value | humanise }}", Some("humanize")),
        ("{{ $nothing }}", None),
        ("{{ frobnicate }}", None),
    ] {
        let error = Template::parse(template).unwrap_err();
        assert_eq!(error.hint.as_deref(), hint, "{template}");
    }
}

#[test]
fn loops_depth_text_and_queries_are_bounded() {
    for (name, template, message) in [
        ("loop", "{{ range 1000000000 }}{{ end }}", "does not come to an end"),
        ("text", "{{ range 99999 }}0123456789{{ end }}", "is longer than 65536 bytes"),
        (
            "doubling",
            "{{ $x := \"0123456789\" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}",
            "is longer than 65536 bytes",
        ),
        (
            "recursion",
            "{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}",
            "exceeded maximum template depth",
        ),
        ("queries", "{{ range 11 }}{{ $x := query \"up\" }}{{ end }}", "more than 10 queries"),
        (
            "nested maps",
            "{{ $x := args 1 }}{{ range 99 }}{{ $x = args $x $x }}{{ end }}",
            "cannot be put into args again",
        ),
        (
            "replacement",
            "{{ $x := printf \"%9999d\" 1 }}{{ reReplaceAll \"(.*)\" \"$1$1$1$1$1$1$1\" $x }}",
            "is longer than 65536 bytes",
        ),
    ] {
        let text = expand_with(template, 1.0);
        assert!(text.contains(message), "{name}: {}", &text[..text.len().min(300)]);
    }
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(99), ")".repeat(99));
    assert!(Template::parse(&nested).unwrap_err().message.contains("nested deeper"));
}

#[test]
fn what_a_template_uses_is_found_in_its_actions_only() {
    let template = Template::parse("$value {{ $labels.a | toUpper }}").unwrap();
    assert!(template.uses(&["toUpper"]));
    assert!(!template.uses(&["$value"]));
}

proptest! {
    #[test]
    fn property_any_text_is_expanded_or_refused(text in r#"(\{\{-? ?|-? ?\}\}|if|else|end|range|with|define "t"|template "t"|\$x|:=|=|\$labels|\.a|[a-z."`'|()% 0-9é-]){0,30}"#) {
        let _text = expand_with(&text, 1.0);
    }

    #[test]
    fn property_text_without_braces_is_kept(text in "[^{]*") {
        prop_assert_eq!(expand_with(&text, 1.0), text);
    }

    #[test]
    fn property_a_printed_float_reads_back(value in proptest::num::f64::NORMAL) {
        prop_assert_eq!(expand_with("{{ $value }}", value).parse::<f64>().unwrap(), value);
    }

    #[test]
    fn property_printf_never_panics(format in "[%a-zA-Z0-9.*#+ -]{0,12}", value in any::<f64>()) {
        let template = format!("{{{{ printf \"{format}\" $value 5 \"x\" }}}}");
        let _text = expand_with(&template, value);
    }
}
