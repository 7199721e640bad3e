//! The horizontal axis: ticks at calendar steps in the reader's zone.

use crate::Window;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Steps that are the same length everywhere.
const STEPS_MS: [i64; 21] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
];

/// Steps in months, for what is longer.
const STEPS_MONTHS: [i64; 6] = [1, 2, 3, 6, 12, 60];

/// The first Monday after the epoch: weeks are counted from it, in days.
const FIRST_MONDAY: i64 = 4;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A fitted horizontal axis.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeAxis {
    /// Where ticks are, milliseconds since the Unix epoch, ascending, within the window.
    pub ticks: Vec<f64>,
    /// The text of each tick.
    pub labels: Vec<String>,
}

impl TimeAxis {
    /// An axis for `window` with at most `max` ticks, in the zone `utc_offset_seconds` east of UTC.
    ///
    /// One offset holds for the whole window: over a change of daylight saving time the ticks before
    /// it are an hour off the full hour.
    pub fn fit(window: Window, max: usize, utc_offset_seconds: i32) -> Self {
        let offset = i64::from(utc_offset_seconds) * SECOND;
        let (from, to) = (window.from_ms + offset as f64, window.to_ms + offset as f64);
        let max = max.max(1) as f64;
        let span = window.span_ms();
        let step = STEPS_MS.into_iter().find(|step| span / *step as f64 <= max);
        let (local, step) = match step {
            Some(step) => (even_ticks(from, to, step), step),
            None => (month_ticks(from, to, max), 28 * DAY),
        };
        let labels = local.iter().map(|tick| label(*tick, step)).collect();
        let ticks = local.iter().map(|tick| (tick - offset) as f64).collect();
        Self { ticks, labels }
    }
}

fn even_ticks(from: f64, to: f64, step: i64) -> Vec<i64> {
    let origin = if step >= 7 * DAY { FIRST_MONDAY * DAY } else { 0 };
    let first = ((from - origin as f64) / step as f64).ceil() as i64;
    let last = ((to - origin as f64) / step as f64).floor() as i64;
    (first..=last).map(|i| origin + i * step).collect()
}

fn month_ticks(from: f64, to: f64, max: f64) -> Vec<i64> {
    let months = (to - from) / (30.44 * DAY as f64);
    let step = STEPS_MONTHS.into_iter().find(|step| months / *step as f64 <= max).unwrap_or(120);
    let (year, month, _) = civil((from / DAY as f64).floor() as i64);
    let first = (year * 12 + month - 1).div_euclid(step) * step;
    (0..)
        .map(|i| first + i * step)
        .map(|month| days_from_civil(month.div_euclid(12), month.rem_euclid(12) + 1) * DAY)
        .skip_while(|tick| (*tick as f64) < from)
        .take_while(|tick| *tick as f64 <= to)
        .take(100)
        .collect()
}

/// The label of a tick at `local_ms`, milliseconds since the epoch on the reader's clock.
fn label(local_ms: i64, step: i64) -> String {
    let (day, ms) = (local_ms.div_euclid(DAY), local_ms.rem_euclid(DAY));
    if ms == 0 || step >= DAY {
        let (year, month, day) = civil(day);
        let name = MONTHS[(month - 1).rem_euclid(12) as usize];
        return match (step >= 28 * DAY, month) {
            (true, 1) => year.to_string(),
            (true, _) => name.to_owned(),
            (false, _) => format!("{day} {name}"),
        };
    }
    let (hour, minute, second) = (ms / HOUR, ms / MINUTE % 60, ms / SECOND % 60);
    if step < MINUTE {
        format!("{hour:02}:{minute:02}:{second:02}")
    } else {
        format!("{hour:02}:{minute:02}")
    }
}

/// A moment in full on the reader's clock: `21 Nov 2026 15:16:05`.
pub fn format_moment(time_ms: i64, utc_offset_seconds: i32) -> String {
    let local = time_ms + i64::from(utc_offset_seconds) * SECOND;
    let (year, month, day) = civil(local.div_euclid(DAY));
    let name = MONTHS[(month - 1).rem_euclid(12) as usize];
    let ms = local.rem_euclid(DAY);
    let (hour, minute, second) = (ms / HOUR, ms / MINUTE % 60, ms / SECOND % 60);
    format!("{day} {name} {year} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are counted from March, in eras of 400 years, so that the leap day comes last.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * march_month + 2) / 5 + 1)
}

/// The first day of a month counted from 1970-01-01: the inverse of [`civil`].
fn days_from_civil(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * march_month + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-21 08:00:00 UTC, a Saturday.
    const MORNING: f64 = 1_795_248_000_000.0;

    #[track_caller]
    fn check(hours: f64, max: usize, offset: i32, expected: &[&str]) {
        let window = Window::new(MORNING, MORNING + hours * HOUR as f64);
        assert_eq!(TimeAxis::fit(window, max, offset).labels, expected);
    }

    #[test]
    fn ticks_fall_on_calendar_steps() {
        check(1.0, 6, 0, &["08:00", "08:10", "08:20", "08:30", "08:40", "08:50", "09:00"]);
        check(0.02, 4, 0, &["08:00:00", "08:00:30", "08:01:00"]);
        check(24.0, 4, 0, &["12:00", "18:00", "22 Nov", "06:00"]);
        check(24.0 * 28.0, 5, 0, &["23 Nov", "30 Nov", "7 Dec", "14 Dec"]);
        check(24.0 * 200.0, 8, 0, &["Dec", "2027", "Feb", "Mar", "Apr", "May", "Jun"]);
    }

    #[test]
    fn ticks_are_full_hours_of_the_readers_zone() {
        // India is five and a half hours ahead.
        check(2.0, 3, 19_800, &["14:00", "15:00"]);
    }

    #[test]
    fn a_moment_is_written_in_the_readers_zone() {
        assert_eq!(format_moment(MORNING as i64, 3_600), "21 Nov 2026 09:00:00");
    }

    proptest! {
        #[test]
        fn property_ticks_are_few_ascending_and_inside(
            from in -4e12_f64..9e12, span in 1e3_f64..1e12, max in 1_usize..20, offset in -50_000_i32..50_000,
        ) {
            let window = Window::new(from, from + span);
            let axis = TimeAxis::fit(window, max, offset);
            prop_assert!(axis.ticks.len() <= max + 2);
            prop_assert!(axis.ticks.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(axis.ticks.iter().all(|tick| *tick >= window.from_ms && *tick <= window.to_ms));
        }

        #[test]
        fn property_civil_dates_round_trip(day in -1_000_000_i64..1_000_000) {
            let (year, month, of_month) = civil(day);
            prop_assert_eq!(days_from_civil(year, month) + of_month - 1, day);
        }
    }
}
