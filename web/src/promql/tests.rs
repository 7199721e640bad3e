use super::*;

#[test]
fn the_place_of_an_error_is_read_from_the_message() {
    let cases = [
        ("prometheus", "1:7: parse error: odd", Some((1, 7, "parse error: odd"))),
        (
            "with a prefix",
            "invalid parameter \"query\": 2:13: parse error",
            Some((2, 13, "parse error")),
        ),
        (
            "in words",
            "unexpected ')' at line 2, column 14",
            Some((2, 14, "unexpected ')' at line 2, column 14")),
        ),
        ("no place", "unknown function foo", None),
        ("a time of day is no place", "at 12:30 nothing was there", None),
        ("zero is no place", "0:1: odd", None),
    ];
    for (name, message, expected) in cases {
        let expected = expected.map(|(line, column, rest)| (Position { line, column }, rest));
        assert_eq!(error_position(message), expected, "{name}");
    }
}

#[test]
fn the_first_metric_is_found() {
    let cases = [
        ("plain", "up", Some("up")),
        ("in a function", "rate(http_requests_total[5m])", Some("http_requests_total")),
        (
            "after labels of an aggregation",
            "sum by (job) (rate(orders_total[5m]))",
            Some("orders_total"),
        ),
        ("aggregation without brackets", "sum by (job) (x)", Some("x")),
        ("a label is no metric", "{job=\"a\"}", None),
        (
            "a name in a string is none",
            "label_replace({x=\"up\"}, \"a\", \"b\", \"c\", \"d\")",
            None,
        ),
        ("a number comes first", "100 * node:cpu:ratio", Some("node:cpu:ratio")),
        ("unfinished string", "x{a=\"b", Some("x")),
        ("nothing", "1 + 2", None),
        ("an offset", "offset_total offset 5m", Some("offset_total")),
    ];
    for (name, expr, expected) in cases {
        assert_eq!(first_metric(expr), expected, "{name}");
    }
}

#[test]
fn units_follow_from_metric_and_function() {
    let cases = [
        ("rate of a counter", "rate(orders_total[5m])", "", Unit::PerSecond),
        ("rate of bytes", "sum(rate(net_bytes_total[1m]))", "", Unit::BytesPerSecond),
        ("percentile", "histogram_quantile(0.95, rate(request_seconds[5m]))", "", Unit::Seconds),
        (
            "unit as sent",
            "histogram_quantile(0.95, rate(checkout_time[5m]))",
            "ms",
            Unit::Milliseconds,
        ),
        ("gauge of bytes", "host_memory_used_bytes", "", Unit::Bytes),
        ("ratio", "host_cpu_used_ratio", "", Unit::Ratio),
        ("quotient", "a_bytes / b_bytes", "", Unit::None),
        ("share of time", "rate(busy_seconds_total[1m])", "", Unit::Ratio),
        ("rate of a timer", "rate(request_seconds[5m])", "", Unit::Seconds),
        ("observations", "histogram_count(rate(request_seconds[5m]))", "", Unit::PerSecond),
        ("no metric", "1 + 1", "", Unit::None),
    ];
    for (name, expr, unit, expected) in cases {
        assert_eq!(guess_unit(expr, unit), expected, "{name}");
    }
}

#[test]
fn a_name_with_quotes_stays_one_string() {
    assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
}

#[test]
fn the_place_of_a_remark_stands_behind_it() {
    let remark = "PromQL info: metric might not be a counter, name (x) (1:6)";
    let (position, text) = remark_position(remark).unwrap();
    assert_eq!((position.line, position.column), (1, 6));
    assert_eq!(text, "PromQL info: metric might not be a counter, name (x)");
    for without in ["results truncated due to limit", "a page is damaged (1:0)", "x (y)"] {
        assert!(remark_position(without).is_none(), "{without}");
    }
}
