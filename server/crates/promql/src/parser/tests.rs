use proptest::prelude::*;

use super::*;

#[test]
fn expressions_are_printed_in_one_form() {
    for (text, printed) in [
        ("1", "1"),
        ("- 1", "-1"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        ("-inf", "-Inf"),
        ("1h30m", "1h30m"),
        ("'a\\'b'", "\"a'b\""),
        ("up", "up"),
        ("{job='api',code=~\"5..\",}", "{job=\"api\", code=~\"5..\"}"),
        ("{\"my.metric\",\"a b\"!=''}", "{\"my.metric\", \"a b\"!=\"\"}"),
        ("{\"up\"}", "up"),
        ("sum{a='b'}", "sum{a=\"b\"}"),
        ("by + offset", "by + offset"),
        ("x[5m] offset -1m @ start()", "x[5m] @ start() offset -1m"),
        ("x[300] @ -1.5", "x[300] @ -1.500"),
        ("x[step()+1] offset -min_of(step(),1s)", "x[step() + 1] offset -min_of(step(), 1s)"),
        ("x[1m] ANCHORED", "x[1m] anchored"),
        ("rate(x[5m])[1h:]", "rate(x[5m])[1h:]"),
        ("x[1h:1m] offset 2m", "x[1h:1m] offset 2m"),
        ("-a^b", "-a ^ b"),
        ("a+b*c", "a + b * c"),
        ("(a+b)*c", "(a + b) * c"),
        ("a ^ b ^ c", "a ^ b ^ c"),
        ("SUM(a) BY (x, \"y.z\")", "sum by (x, \"y.z\") (a)"),
        ("sum without () (a)", "sum without () (a)"),
        ("topk(3, a)", "topk(3, a)"),
        ("a > BOOL on(x) group_left(y) b", "a > bool on (x) group_left (y) b"),
        ("a + on() fill(0) b", "a + on () fill (0) b"),
        ("a + fill_left(-1) fill_right(2) b", "a + fill_left (-1) fill_right (2) b"),
        ("a </ 5 and b >/ 2", "a </ 5 and b >/ 2"),
        ("a # a comment\n+ 1", "a + 1"),
    ] {
        let expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(expr.to_string(), printed, "{text}");
    }
}

#[test]
fn precedence_and_grouping_follow_prometheus() {
    for (text, grouped) in [
        ("a or b and c", "a or (b and c)"),
        ("a and b == c + d * e ^ f", "a and (b == (c + (d * (e ^ f))))"),
        ("a - b - c", "(a - b) - c"),
        ("a ^ b ^ c", "a ^ (b ^ c)"),
        ("-a * b", "(-a) * b"),
        ("2 ^ -a * b", "(2 ^ (-a)) * b"),
        ("a % b atan2 c", "(a % b) atan2 c"),
    ] {
        assert_eq!(
            without_parens(parse(text).unwrap()),
            without_parens(parse(grouped).unwrap()),
            "{text}"
        );
    }
}

fn without_parens(expr: Expr) -> Expr {
    let kind = match expr.kind {
        ExprKind::Paren(inner) => return without_parens(*inner),
        ExprKind::Sign { is_minus, operand } => {
            ExprKind::Sign { is_minus, operand: Box::new(without_parens(*operand)) }
        }
        ExprKind::Binary(binary) => ExprKind::Binary(Box::new(Binary {
            left: without_parens(binary.left),
            right: without_parens(binary.right),
            ..*binary
        })),
        other => other,
    };
    Expr { kind, ..expr }
}

#[test]
fn errors_name_the_place_and_a_remedy() {
    for (text, message) in [
        ("", "1:1: parse error: no expression found in input"),
        ("a +", "1:4: parse error: unexpected end of input, expected an expression"),
        ("sum(a\n  b)", "2:3: parse error: unexpected identifier `b`, expected `,` or `)`"),
        (
            "rate(x)",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant \
             vector, did you mean `rate(x[5m])`?",
        ),
        (
            "rate(sum(x))",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant \
             vector, did you mean the subquery `rate(sum(x)[5m:])`?",
        ),
        (
            "holt_winters(x[1m], .5, .5)",
            "1:1: parse error: unknown function with name \"holt_winters\", did you mean \
             `double_exponential_smoothing`?",
        ),
        (
            "raate(x[5m])",
            "1:1: parse error: unknown function with name \"raate\", did you mean `rate`?",
        ),
        (
            "sum(x)[5m]",
            "1:7: parse error: ranges only allowed for vector selectors, write a subquery, \
             `sum(x)[5m:]`",
        ),
        (
            "x{job==\"a\"}",
            "1:6: parse error: unexpected `==`, expected `=`, `!=`, `=~` or `!~`, did you mean `=`?",
        ),
        (
            "x{job=api}",
            "1:7: parse error: unexpected identifier `api`, expected a text in quotes, did you mean \
             `job=\"api\"`?",
        ),
        ("x{a=~\"(\"}", "1:6: parse error: invalid regular expression `(`: unclosed group"),
        (
            "{a=\"\"}",
            "1:1: parse error: vector selector must contain at least one non-empty matcher, add a \
             condition such as `__name__=~\".+\"`",
        ),
        (
            "1 > 2",
            "1:1: parse error: comparisons between scalars must use BOOL modifier, write `> bool`",
        ),
        ("a && b", "1:3: parse error: unexpected `&`, write `and`"),
        (
            "sum(x) offset 5m",
            "1:8: parse error: offset modifier must be preceded by an instant vector selector or \
             range vector selector or a subquery, put it right after the selector, inside the \
             function or aggregation",
        ),
        ("x[0s]", "1:3: parse error: duration must be greater than 0"),
        ("\"abc", "1:1: parse error: text is not closed by a quote"),
        (
            "5mm",
            "1:1: parse error: bad number or duration `5mm`, expected something like 10, 1.5e3 or 5m",
        ),
        (
            "topk(x)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1, write topk(10, x)",
        ),
        (
            "a + on(x) group_left(x) b",
            "1:1: parse error: label \"x\" must not occur in ON and GROUP clause at once",
        ),
        ("rate(x[5m], 1)", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 2"),
        (
            "x[5m] + 1",
            "1:1: parse error: binary expression must contain only scalar and instant vector types, did you mean `rate(x[5m])`?",
        ),
        ("x[5m:] smoothed", "1:8: parse error: smoothed modifier is not supported for subqueries"),
        (
            "x[5m] smoothed anchored",
            "1:16: parse error: anchored and smoothed modifiers cannot be used together",
        ),
        (
            "a + fill(0) 1",
            "1:1: parse error: filling in missing series only allowed between instant vectors",
        ),
        (
            "info(x, up)",
            "1:9: parse error: expected label selectors only, got vector selector instead, write them in braces, such as {team=\"a\"}",
        ),
        (
            "x{a=\"\\xff\"}",
            "1:5: parse error: unexpected text \"\\xff\", which is not UTF-8, expected a text in quotes",
        ),
    ] {
        let error = parse(text).map(|expr| expr.to_string()).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn deep_nesting_is_refused_before_the_stack_ends() {
    for text in [
        format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        "-".repeat(10_000) + "1",
        format!("x[{}1{}]", "(".repeat(10_000), ")".repeat(10_000)),
        "abs(".repeat(10_000),
        format!("x offset {}1", "-".repeat(10_000)),
    ] {
        assert!(parse(&text).unwrap_err().message.contains("nested"));
    }
}

#[test]
fn a_long_chain_is_refused_before_the_stack_ends() {
    let chain = |operators: usize| format!("x{}", " or x".repeat(operators));
    assert!(parse(&chain(250)).is_ok());
    assert!(parse(&chain(251)).unwrap_err().message.contains("250 operators"));
}

#[test]
fn every_node_has_its_span() {
    let text = "sum by (a) (rate(x{b=\"c\"}[5m] offset 1m)) / -2";
    let mut found = Vec::new();
    let expr = parse(text).unwrap();
    expr.walk(&mut |node| found.push(&text[node.span.start..node.span.end]));
    assert_eq!(
        found,
        [
            text,
            "sum by (a) (rate(x{b=\"c\"}[5m] offset 1m))",
            "rate(x{b=\"c\"}[5m] offset 1m)",
            "x{b=\"c\"}[5m] offset 1m",
            "-2",
        ]
    );
}

#[test]
fn the_type_of_an_expression_is_known() {
    for (text, expected) in [
        ("1 + 2", ValueType::Scalar),
        ("\"a\"", ValueType::Text),
        ("up + 1", ValueType::Vector),
        ("up[5m]", ValueType::Matrix),
        ("up[5m:1m]", ValueType::Matrix),
        ("scalar(up)", ValueType::Scalar),
        ("(-up)", ValueType::Vector),
    ] {
        assert_eq!(parse(text).unwrap().value_type(), expected, "{text}");
    }
}

/// Texts of expressions by their type, from the grammar.
fn vector() -> impl Strategy<Value = String> {
    let label = prop_oneof![Just("job"), Just("by"), Just("\"a.b\"")];
    let matcher = (
        label.clone(),
        prop_oneof![Just("="), Just("!="), Just("=~"), Just("!~")],
        "[a-z\\n\"é.]{1,4}",
    )
        .prop_map(|(name, op, value)| format!("{name}{op}{}", model::labels::Quoted(&value)));
    let selector = (
        prop_oneof![Just("up"), Just("sum"), Just("a:b"), Just("offset")],
        proptest::collection::vec(matcher, 0..3),
    )
        .prop_map(|(name, matchers)| {
            if matchers.is_empty() {
                name.to_owned()
            } else {
                format!("{name}{{{}}}", matchers.join(","))
            }
        });
    let time = prop_oneof![
        Just(String::new()),
        Just(" offset 1h5m".to_owned()),
        Just(" offset -(2*step())".to_owned()),
        Just(" @ 12.25 offset 3s".to_owned()),
        Just(" @ end()".to_owned()),
    ];
    let length = prop_oneof![
        Just("5m"),
        Just("90"),
        Just("-1m+2h"),
        Just("2^(1m%7)*3"),
        Just("max_of(range(), 1d)")
    ];
    let number = prop_oneof![
        any::<f64>().prop_map(|value| if value.is_finite() {
            format!("{value:e}")
        } else {
            "NaN".to_owned()
        }),
        Just("1h30m".to_owned()),
        Just("-Inf".to_owned()),
    ];
    let leaf =
        (selector.clone(), time.clone()).prop_map(|(selector, time)| format!("{selector}{time}"));
    leaf.prop_recursive(4, 32, 3, move |inner| {
        let names =
            proptest::collection::vec(label.clone(), 0..3).prop_map(|names| names.join(", "));
        prop_oneof![
            inner.clone().prop_map(|e| format!("({e})")),
            inner.clone().prop_map(|e| format!("-{e}")),
            (selector.clone(), length.clone(), time.clone())
                .prop_map(|(s, length, time)| format!("rate({s}[{length}]{time})")),
            (inner.clone(), length.clone(), length.clone(), time.clone()).prop_map(
                |(e, range, step, time)| format!("max_over_time(({e})[{range}:{step}]{time})")
            ),
            (inner.clone(), names.clone()).prop_map(|(e, names)| format!("sum by ({names}) ({e})")),
            (inner.clone(), names.clone(), number.clone())
                .prop_map(|(e, names, k)| format!("topk without ({names}) ({k}, {e})")),
            (inner.clone(), number.clone()).prop_map(|(e, n)| format!("({n} * {e})")),
            (inner.clone(), number.clone()).prop_map(|(e, n)| format!("({e} <= bool {n})")),
            (inner.clone(), inner.clone(), names.clone())
                .prop_map(|(a, b, names)| format!("{a} or ignoring ({names}) {b}")),
            (inner.clone(), inner.clone(), number.clone()).prop_map(|(a, b, n)| format!(
                "{a} ^ on (x) group_right (job) fill_left ({n}) {b}"
            )),
            (inner.clone(), inner).prop_map(|(a, b)| format!(
                "label_replace({a} + {b}, 'x', \"\\t$1\", `y`, '(.*)')"
            )),
        ]
    })
}

proptest! {
    #[test]
    fn property_parsing_what_is_printed_gives_an_equal_tree(text in vector()) {
        let expr = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let printed = expr.to_string();
        let again = parse(&printed).map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
        prop_assert_eq!(&again, &expr, "{} as {}", text, printed);
    }

    #[test]
    fn property_any_text_is_an_expression_or_an_error_with_a_place(text in ".{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len());
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }

    #[test]
    fn property_any_tokens_are_survived(words in proptest::collection::vec(
        prop_oneof![Just("("), Just(")"), Just("["), Just("]"), Just(":"), Just("{"), Just("}"), Just("by"),
                    Just("sum"), Just("rate"), Just("x"), Just("5m"), Just("1"), Just("-"), Just("^"), Just("@"),
                    Just("offset"), Just(","), Just("\"a\""), Just("="), Just("on"), Just("fill"), Just("step")],
        0..25))
    {
        let _result = parse(&words.join(" "));
    }
}
