//! Times and durations as Go prints them, and the few methods templates call on them.

use jiff::{Timestamp as Instant, civil::DateTime, tz::TimeZone};
use model::Timestamp;

use super::value::Value;

/// Go's `time.Time.String()` in UTC: `2015-06-23 13:31:24.128 +0000 UTC`.
pub(super) fn display(timestamp: Timestamp) -> String {
    let Some(civil) = civil(timestamp) else {
        return format!("{timestamp} ms");
    };
    let fraction = fraction(i64::from(civil.subsec_nanosecond()), 9);
    let (year, month, day) = (civil.year(), civil.month(), civil.day());
    let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction} +0000 UTC")
}

/// Go's `time.Duration.String()`: `1h0m0.5s`, `1.5ms`, `0s`.
pub(super) fn duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let with_fraction = |unit: u64, digits: usize, name: &str| {
        let fraction = fraction((total % unit) as i64, digits);
        format!("{sign}{}{fraction}{name}", total / unit)
    };
    match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => with_fraction(1_000, 3, "µs"),
        1_000_000..1_000_000_000 => with_fraction(1_000_000, 6, "ms"),
        _ => {
            let seconds = total / 1_000_000_000;
            let fraction = fraction((total % 1_000_000_000) as i64, 9);
            let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            match (hours, minutes) {
                (0, 0) => format!("{sign}{rest}{fraction}s"),
                (0, _) => format!("{sign}{minutes}m{rest}{fraction}s"),
                _ => format!("{sign}{hours}h{minutes}m{rest}{fraction}s"),
            }
        }
    }
}

/// The result of a method of Go's `time.Time`; `None` for one that is not offered.
pub(super) fn time_method(timestamp: Timestamp, name: &str) -> Option<Value> {
    let civil = civil(timestamp)?;
    Some(match name {
        "Year" => Value::Int(civil.year().into()),
        "Month" => Value::text(MONTHS[usize::from(civil.month().unsigned_abs() - 1)]),
        "Day" => Value::Int(civil.day().into()),
        "Hour" => Value::Int(civil.hour().into()),
        "Minute" => Value::Int(civil.minute().into()),
        "Second" => Value::Int(civil.second().into()),
        "YearDay" => Value::Int(civil.day_of_year().into()),
        "Weekday" => Value::text(weekday(civil)),
        "Unix" => Value::Int(timestamp.div_euclid(1000)),
        "UnixMilli" => Value::Int(timestamp),
        "UTC" => Value::Time(timestamp),
        "String" => Value::text(display(timestamp)),
        _ => return None,
    })
}

/// The result of a method of Go's `time.Duration`; `None` for one that is not offered.
pub(super) fn duration_method(nanoseconds: i64, name: &str) -> Option<Value> {
    let seconds = nanoseconds as f64 / 1e9;
    Some(match name {
        "Hours" => Value::Float(seconds / 3600.0),
        "Minutes" => Value::Float(seconds / 60.0),
        "Seconds" => Value::Float(seconds),
        "Milliseconds" => Value::Int(nanoseconds / 1_000_000),
        "Microseconds" => Value::Int(nanoseconds / 1_000),
        "Nanoseconds" => Value::Int(nanoseconds),
        "String" => Value::text(duration(nanoseconds)),
        _ => return None,
    })
}

/// Writes a time in one of Go's layouts, which spell out the second of January 2006, 15:04:05.
pub(super) fn format_layout(timestamp: Timestamp, layout: &str) -> Option<String> {
    let civil = civil(timestamp)?;
    let mut out = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some(part) = LAYOUT.iter().find(|part| rest.starts_with(**part)) {
            out.push_str(&layout_part(part, civil));
            rest = &rest[part.len()..];
        } else if let Some(digits) = fraction_digits(rest) {
            let nanoseconds = format!("{:09}", civil.subsec_nanosecond());
            out.push_str(&rest[..1]);
            out.push_str(&nanoseconds[..digits]);
            rest = &rest[1 + digits..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Some(out)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Longer parts before those they start with.
const LAYOUT: [&str; 22] = [
    "2006", "January", "Jan", "Monday", "Mon", "MST", "Z07:00", "-07:00", "-0700", "15", "01",
    "02", "03", "04", "05", "06", "PM", "1", "2", "3", "4", "5",
];

fn layout_part(part: &str, civil: DateTime) -> String {
    let month = MONTHS[usize::from(civil.month().unsigned_abs() - 1)];
    let hour_of_12 = (civil.hour() + 11) % 12 + 1;
    match part {
        "2006" => format!("{:04}", civil.year()),
        "06" => format!("{:02}", civil.year().rem_euclid(100)),
        "January" => month.to_owned(),
        "Jan" => month[..3].to_owned(),
        "01" => format!("{:02}", civil.month()),
        "1" => civil.month().to_string(),
        "02" => format!("{:02}", civil.day()),
        "2" => civil.day().to_string(),
        "Monday" => weekday(civil).to_owned(),
        "Mon" => weekday(civil)[..3].to_owned(),
        "15" => format!("{:02}", civil.hour()),
        "03" => format!("{hour_of_12:02}"),
        "3" => hour_of_12.to_string(),
        "04" => format!("{:02}", civil.minute()),
        "4" => civil.minute().to_string(),
        "05" => format!("{:02}", civil.second()),
        "5" => civil.second().to_string(),
        "PM" => if civil.hour() >= 12 { "PM" } else { "AM" }.to_owned(),
        "MST" => "UTC".to_owned(),
        "Z07:00" => "Z".to_owned(),
        "-07:00" => "+00:00".to_owned(),
        _ => "+0000".to_owned(),
    }
}

/// `.000` or `,000` in a layout: how many digits of the fraction it asks for.
fn fraction_digits(rest: &str) -> Option<usize> {
    let zeros = rest.strip_prefix(['.', ','])?;
    let digits = zeros.bytes().take_while(|b| *b == b'0').count();
    let ends = !zeros[digits..].starts_with(|c: char| c.is_ascii_digit());
    (ends && (1..=9).contains(&digits)).then_some(digits)
}

fn weekday(civil: DateTime) -> &'static str {
    const DAYS: [&str; 7] =
        ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    DAYS[usize::from(civil.weekday().to_sunday_zero_offset().unsigned_abs())]
}

fn civil(timestamp: Timestamp) -> Option<DateTime> {
    Some(TimeZone::UTC.to_datetime(Instant::from_millisecond(timestamp).ok()?))
}

/// `.5` for a part of a unit that has `digits` decimal digits; nothing for zero.
fn fraction(part: i64, digits: usize) -> String {
    if part == 0 {
        return String::new();
    }
    let text = format!("{part:0digits$}");
    format!(".{}", text.trim_end_matches('0'))
}
