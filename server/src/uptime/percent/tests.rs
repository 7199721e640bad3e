use super::*;
use crate::uptime::ledger::{Check, Finding, Policy, Silence};

const HOUR: i64 = 3_600_000;

fn at(text: &str) -> Timestamp {
    text.parse::<Zoned>().unwrap().timestamp().as_millisecond()
}

fn show(at: Timestamp, zone: &TimeZone) -> String {
    zoned(at, zone).unwrap().strftime("%Y-%m-%d %H:%M").to_string()
}

#[test]
fn windows_are_calendar_periods_against_the_same_elapsed_part() {
    for (name, period, now, current, previous) in [
        (
            "day",
            Period::Day,
            "2026-05-13T15:00[Europe/Berlin]",
            "2026-05-13 00:00",
            ("2026-05-12 00:00", "2026-05-12 15:00"),
        ),
        (
            "week from Monday",
            Period::Week,
            "2026-05-13T15:00[Europe/Berlin]",
            "2026-05-11 00:00",
            ("2026-05-04 00:00", "2026-05-06 15:00"),
        ),
        (
            "the 30th of March against all of February",
            Period::Month,
            "2026-03-30T12:00[UTC]",
            "2026-03-01 00:00",
            ("2026-02-01 00:00", "2026-03-01 00:00"),
        ),
        (
            "quarter over the new year",
            Period::Quarter,
            "2026-02-01T00:00[UTC]",
            "2026-01-01 00:00",
            ("2025-10-01 00:00", "2025-11-01 00:00"),
        ),
        (
            "the day of 23 hours: noon is eleven hours in",
            Period::Day,
            "2026-03-29T12:00[Europe/Berlin]",
            "2026-03-29 00:00",
            ("2026-03-28 00:00", "2026-03-28 11:00"),
        ),
        (
            "the end of the day of 25 hours against a whole day",
            Period::Day,
            "2026-10-25T23:59[Europe/Berlin]",
            "2026-10-25 00:00",
            ("2026-10-24 00:00", "2026-10-25 00:00"),
        ),
        (
            "a day that begins at one o'clock",
            Period::Day,
            "2026-09-06T02:00[America/Santiago]",
            "2026-09-06 01:00",
            ("2026-09-05 00:00", "2026-09-05 01:00"),
        ),
    ] {
        let zone = now.parse::<Zoned>().unwrap().time_zone().clone();
        let windows = windows(period, at(now), &zone).unwrap();
        assert_eq!(show(windows.current.start, &zone), current, "{name}");
        assert_eq!(windows.current.end, at(now), "{name}");
        let (start, end) = (show(windows.previous.start, &zone), show(windows.previous.end, &zone));
        assert_eq!((start.as_str(), end.as_str()), previous, "{name}");
    }
}

#[test]
fn days_have_23_24_or_25_hours_and_touch() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let days = days(90, at("2026-04-10T06:00[Europe/Berlin]"), &zone);
    assert_eq!(days.len(), 90);
    assert!(days.windows(2).all(|pair| pair[0].end == pair[1].start));
    let lengths: Vec<_> = days.iter().map(|day| (day.end - day.start) / HOUR).collect();
    assert_eq!(lengths.iter().filter(|hours| **hours == 23).count(), 1);
    assert_eq!(lengths.iter().filter(|hours| **hours == 24).count(), 88);
    assert_eq!(lengths.last(), Some(&6));
}

#[test]
fn percentages_are_cut_and_never_rounded_up_to_100() {
    for (up, down, decimals, expected) in [
        (99_996, 4, 2, "99.99"),
        (99_996, 4, 3, "99.996"),
        (999_999_999_999, 1, 2, "99.99"),
        (100, 0, 2, "100.00"),
        (0, 100, 2, "0.00"),
        (1, 2, 1, "33.3"),
        (999, 1, 0, "99"),
    ] {
        let totals = Totals { up_ms: up, down_ms: down, ..Totals::default() };
        assert_eq!(
            format_percent(&totals, decimals).as_deref(),
            Some(expected),
            "{up} of {up}+{down}"
        );
    }
    assert_eq!(format_percent(&Totals { unknown_ms: 5, ..Totals::default() }, 2), None);
}

#[test]
fn unknown_and_planned_time_lower_coverage_or_nothing_but_not_availability() {
    let totals = Totals {
        up_ms: 60,
        degraded_ms: 15,
        down_ms: 25,
        unknown_ms: 50,
        maintenance_ms: 30,
        paused_ms: 20,
    };
    assert_eq!(totals.availability(), Some(0.75));
    assert_eq!(totals.coverage(), 0.75);
    assert_eq!(totals.window_ms(), 200);
    let nothing = Totals { unknown_ms: 10, ..Totals::default() };
    assert_eq!((nothing.availability(), nothing.coverage()), (None, 0.0));
}

#[test]
fn changes_are_in_percentage_points_and_milliseconds_of_downtime() {
    let day = at("2026-05-12T00:00[UTC]");
    let policy = Policy {
        interval_ms: 48 * HOUR,
        silent_after_ms: 96 * HOUR,
        silence: Silence::Unknown,
        failures: 1,
    };
    let mut ledger = Ledger::new(policy, day);
    // Yesterday down from 6 to 9 of the first 12 hours, today from 4 to 5.
    let checks = [
        (0, Finding::Good),
        (6, Finding::Failed),
        (9, Finding::Good),
        (28, Finding::Failed),
        (29, Finding::Good),
    ];
    for (sequence, (hour, finding)) in (0..).zip(checks) {
        ledger.check(Check { at: day + hour * HOUR, sequence, finding, detail: "" });
    }
    let figures = figures(&ledger, Period::Day, day + 36 * HOUR, &TimeZone::UTC).unwrap();
    assert_eq!(figures.totals.down_ms, HOUR);
    assert_eq!(figures.change_down_ms, -2 * HOUR);
    let expected = (11.0 / 12.0 - 9.0 / 12.0) * 100.0;
    assert!((figures.change_points.unwrap() - expected).abs() < 1e-9);
}
