//! Time intervals in which routes are muted or active: Alertmanager's `time_intervals`.

use std::str::FromStr;

use jiff::{Zoned, civil::Weekday, tz::TimeZone};
use model::Timestamp;

/// One interval of calendar time. Every field that is set must hold; an empty list holds always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeInterval {
    /// Minutes of the day, the end excluded; `(540, 1020)` is 09:00 to 17:00.
    pub times: Vec<(u16, u16)>,
    /// Days of the week from Sunday = 0, both ends included.
    pub weekdays: Vec<(i8, i8)>,
    /// Days of the month, both ends included; negative days count from the end of the month.
    pub days_of_month: Vec<(i8, i8)>,
    /// Months from January = 1, both ends included.
    pub months: Vec<(i8, i8)>,
    /// Years, both ends included.
    pub years: Vec<(i16, i16)>,
    /// The zone in which all of this is read.
    pub location: TimeZone,
}

impl Default for TimeInterval {
    /// Always, in UTC.
    fn default() -> Self {
        Self {
            times: Vec::new(),
            weekdays: Vec::new(),
            days_of_month: Vec::new(),
            months: Vec::new(),
            years: Vec::new(),
            location: TimeZone::UTC,
        }
    }
}

impl TimeInterval {
    /// Whether the moment lies in the interval.
    pub fn contains(&self, at: Timestamp) -> bool {
        let Ok(timestamp) = jiff::Timestamp::from_millisecond(at) else {
            return false;
        };
        let local = timestamp.to_zoned(self.location.clone());
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let weekday = local.weekday().to_sunday_zero_offset();
        holds(&self.times, |(start, end)| (*start..*end).contains(&minute))
            && holds(&self.days_of_month, |range| month_day_is_in(*range, &local))
            && holds(&self.months, |(first, last)| (*first..=*last).contains(&local.month()))
            && holds(&self.weekdays, |(first, last)| (*first..=*last).contains(&weekday))
            && holds(&self.years, |(first, last)| (*first..=*last).contains(&local.year()))
    }
}

fn holds<T>(ranges: &[T], is_in: impl FnMut(&T) -> bool) -> bool {
    ranges.is_empty() || ranges.iter().any(is_in)
}

/// Negative days count from the end; both ends are clamped to the month, and a range that lies wholly
/// outside the month does not hold.
fn month_day_is_in((first, last): (i8, i8), local: &Zoned) -> bool {
    let length = local.days_in_month();
    let absolute = |day: i8| if day < 0 { length + 1 + day } else { day };
    let (first, last) = (absolute(first), absolute(last));
    if first > length || last < 1 {
        return false;
    }
    (first.clamp(1, length)..=last.clamp(1, length)).contains(&local.day())
}

/// Reads `09:00`; `24:00` is the end of the day.
///
/// # Errors
/// Names the text and the format.
pub fn parse_time_of_day(text: &str) -> Result<u16, String> {
    let malformed = || format!("`{text}` is not a time of day, expected something like 09:00");
    let (hours, minutes) = text.split_once(':').ok_or_else(malformed)?;
    if hours.len() != 2 || minutes.len() != 2 {
        return Err(malformed());
    }
    match (hours.parse::<u16>(), minutes.parse::<u16>()) {
        (Ok(24), Ok(0)) => Ok(24 * 60),
        (Ok(hours @ 0..24), Ok(minutes @ 0..60)) => Ok(hours * 60 + minutes),
        _ => Err(malformed()),
    }
}

/// Reads `monday:friday` or `sunday`; names may be written in any case.
///
/// # Errors
/// Names the text and the format.
pub fn parse_weekdays(text: &str) -> Result<(i8, i8), String> {
    let day = |name: &str| {
        [
            Weekday::Sunday,
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
            Weekday::Saturday,
        ]
        .into_iter()
        .zip(["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"])
        .find(|(_, known)| name.eq_ignore_ascii_case(known))
        .map(|(day, _)| day.to_sunday_zero_offset())
        .ok_or_else(|| format!("`{name}` is not a day of the week"))
    };
    ordered(text, range(text, day)?)
}

/// Reads `1:5`, `-3:-1` or `15`.
///
/// # Errors
/// Names the text and the format.
pub fn parse_days_of_month(text: &str) -> Result<(i8, i8), String> {
    let day = |text: &str| match text.parse::<i8>() {
        Ok(day @ (-31..=-1 | 1..=31)) => Ok(day),
        _ => Err(format!("`{text}` is not a day of the month, expected 1 to 31 or -31 to -1")),
    };
    let (first, last) = range(text, day)?;
    // Ends of equal sign can be compared without knowing the month. From the end to the beginning
    // would depend on the month's length, which nobody means.
    if (first < 0) == (last < 0) {
        return ordered(text, (first, last));
    }
    if first < 0 {
        return Err(format!("the range `{text}` ends before it begins"));
    }
    Ok((first, last))
}

/// Reads `january:march`, `1:3` or `12`; names may be written in any case.
///
/// # Errors
/// Names the text and the format.
pub fn parse_months(text: &str) -> Result<(i8, i8), String> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let month = |text: &str| {
        let by_name = NAMES.iter().position(|name| text.eq_ignore_ascii_case(name));
        match by_name.map_or_else(|| text.parse().ok(), |i| i8::try_from(i + 1).ok()) {
            Some(month @ 1..=12) => Ok(month),
            _ => Err(format!("`{text}` is not a month")),
        }
    };
    ordered(text, range(text, month)?)
}

/// Reads `2026` or `2026:2028`.
///
/// # Errors
/// Names the text and the format.
pub fn parse_years(text: &str) -> Result<(i16, i16), String> {
    let year = |text: &str| i16::from_str(text).map_err(|_| format!("`{text}` is not a year"));
    ordered(text, range(text, year)?)
}

fn range<T: Copy>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<(T, T), String> {
    match text.split_once(':') {
        Some((first, last)) => Ok((read(first.trim())?, read(last.trim())?)),
        None => read(text.trim()).map(|only| (only, only)),
    }
}

fn ordered<T: PartialOrd>(text: &str, (first, last): (T, T)) -> Result<(T, T), String> {
    if first > last {
        return Err(format!("the range `{text}` ends before it begins"));
    }
    Ok((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn intervals_hold_when_every_field_does() {
        let hours = TimeInterval {
            times: vec![(540, 1020)],
            weekdays: vec![parse_weekdays("monday:friday").unwrap()],
            ..TimeInterval::default()
        };
        let berlin = TimeInterval {
            times: vec![(540, 600)],
            location: TimeZone::get("Europe/Berlin").unwrap(),
            ..TimeInterval::default()
        };
        let days = |text: &str| TimeInterval {
            days_of_month: vec![parse_days_of_month(text).unwrap()],
            ..TimeInterval::default()
        };
        let season = TimeInterval {
            months: vec![parse_months("December").unwrap(), parse_months("1:2").unwrap()],
            years: vec![parse_years("2025:2026").unwrap()],
            ..TimeInterval::default()
        };
        for (name, interval, moment, expected) in [
            ("empty is always", &TimeInterval::default(), "2026-01-01T00:00:00Z", true),
            ("start is included", &hours, "2026-11-20T09:00:00Z", true),
            ("end is excluded", &hours, "2026-11-20T17:00:00Z", false),
            ("weekday is checked", &hours, "2026-11-21T12:00:00Z", false),
            ("winter time of the zone", &berlin, "2026-01-15T08:30:00Z", true),
            ("summer time of the zone", &berlin, "2026-07-15T08:30:00Z", false),
            ("last days", &days("-3:-1"), "2026-02-26T00:00:00Z", true),
            ("not before the last days", &days("-3:-1"), "2026-02-25T23:59:59Z", false),
            ("clamped at the end", &days("28:31"), "2026-02-28T12:00:00Z", true),
            ("wholly outside the month", &days("30:31"), "2026-02-28T12:00:00Z", false),
            ("mixed signs", &days("15:-1"), "2026-02-28T12:00:00Z", true),
            ("month by name", &season, "2025-12-24T12:00:00Z", true),
            ("month by number", &season, "2026-02-24T12:00:00Z", true),
            ("year is checked", &season, "2027-01-24T12:00:00Z", false),
        ] {
            assert_eq!(interval.contains(at(moment)), expected, "{name}");
        }
    }

    #[test]
    fn bad_ranges_are_named() {
        for (error, expected) in [
            (parse_time_of_day("9:00").unwrap_err(), "not a time of day"),
            (parse_time_of_day("24:01").unwrap_err(), "not a time of day"),
            (parse_weekdays("friday:monday").unwrap_err(), "ends before it begins"),
            (parse_weekdays("fri").unwrap_err(), "not a day of the week"),
            (parse_days_of_month("0").unwrap_err(), "not a day of the month"),
            (parse_days_of_month("-1:3").unwrap_err(), "ends before it begins"),
            (parse_months("13").unwrap_err(), "not a month"),
            (parse_years("soon").unwrap_err(), "not a year"),
        ] {
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(parse_time_of_day("24:00"), Ok(1440));
    }
}
