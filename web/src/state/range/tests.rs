use super::*;

const NOW: i64 = 1_795_248_007_123;

#[test]
fn a_range_is_read_from_the_url() {
    let last = |ms| Range::Last { ms };
    let cases = [
        ("nothing", None, None, None, None),
        ("minutes", Some("15m"), None, None, Some(last(15 * MINUTE))),
        ("weeks", Some("2w"), None, None, Some(last(14 * DAY))),
        ("nonsense", Some("soon"), None, None, None),
        ("too short", Some("0m"), None, None, None),
        ("beyond numbers", Some("99999999999999d"), None, None, None),
        (
            "fixed",
            None,
            Some("1000"),
            Some("61000"),
            Some(Range::Fixed { from_ms: 1_000, to_ms: 61_000 }),
        ),
        (
            "fixed wins",
            Some("1d"),
            Some("1000"),
            Some("61000"),
            Some(Range::Fixed { from_ms: 1_000, to_ms: 61_000 }),
        ),
        ("the wrong way round", Some("1d"), Some("61000"), Some("1000"), Some(last(DAY))),
    ];
    for (name, range, from, to, expected) in cases {
        assert_eq!(Range::parse(range, from, to), expected, "{name}");
    }
}

#[test]
fn a_range_survives_the_url() {
    for (written, _) in QUICK {
        let range = Range::parse(Some(written), None, None).unwrap();
        let pairs = range.pairs();
        let value = pairs.first().map(|pair| pair.1.as_str());
        assert_eq!(Range::parse(value, None, None), Some(range), "{written}");
    }
}

#[test]
fn a_range_reaches_back_far_enough() {
    assert_eq!(Range::reaching(5 * MINUTE), Range::Last { ms: HOUR });
    assert_eq!(Range::reaching(2 * HOUR), Range::Last { ms: 3 * HOUR });
    assert_eq!(Range::reaching(400 * DAY), Range::Last { ms: 30 * DAY });
}

#[test]
fn points_lie_on_multiples_of_the_step() {
    let cases = [
        ("an hour", HOUR, 10 * SECOND),
        ("five minutes", 5 * MINUTE, SECOND),
        ("a day", DAY, 5 * MINUTE),
        ("a month", 30 * DAY, 2 * HOUR),
        ("three years", 1_095 * DAY, 7 * DAY),
    ];
    for (name, ms, step) in cases {
        let span = Range::Last { ms }.span(NOW);
        assert_eq!(span.step_ms, step, "{name}");
        assert_eq!((span.start_ms % step, span.end_ms % step), (0, 0), "{name}");
        assert!(span.end_ms <= NOW && span.end_ms > NOW - step, "{name}");
    }
}

#[test]
fn moving_on_keeps_the_grid() {
    let first = Range::Last { ms: HOUR }.span(NOW);
    let later = Range::Last { ms: HOUR }.span(NOW + 10_000);
    assert_eq!(later.start_ms, first.start_ms + 10_000);
    assert_eq!(Range::Last { ms: HOUR }.span(NOW + 1), first);
}

#[test]
fn a_range_is_told_in_words() {
    assert_eq!(Range::Last { ms: HOUR }.label(0), "Last 1 hour");
    assert_eq!(Range::Last { ms: 90 * MINUTE }.label(0), "Last 90m");
    let fixed = Range::Fixed { from_ms: 1_795_248_000_000, to_ms: 1_795_251_600_000 };
    assert_eq!(fixed.label(0), "21 Nov 08:00 – 09:00");
    let days = Range::Fixed { from_ms: 1_795_248_000_000, to_ms: 1_795_351_600_000 };
    assert_eq!(days.label(0), "21 Nov 08:00 – 22 Nov 12:46");
}

#[test]
fn links_carry_the_range() {
    let day = Range::Last { ms: DAY };
    assert_eq!(with_range("/services/a", DEFAULT), "/services/a");
    assert_eq!(with_range("/services/a", day), "/services/a?range=1d");
    assert_eq!(with_range("/explore?q=up", day), "/explore?q=up&range=1d");
}
