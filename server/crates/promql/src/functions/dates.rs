//! Parts of a date in UTC.

use crate::eval::{Values, is_absent};

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatePart {
    /// `year`
    Year,
    /// `month`, from 1
    Month,
    /// `day_of_month`, from 1
    DayOfMonth,
    /// `day_of_week`, 0 is Sunday
    DayOfWeek,
    /// `day_of_year`, from 1
    DayOfYear,
    /// `days_in_month`
    DaysInMonth,
    /// `hour`
    Hour,
    /// `minute`
    Minute,
}

impl DatePart {
    /// The part of the time this many seconds after the epoch.
    pub(crate) fn of(self, seconds: i64) -> f64 {
        let date = Civil::at(seconds);
        let part = match self {
            Self::Year => date.year,
            Self::Month => date.month,
            Self::DayOfMonth => date.day,
            // The epoch was a Thursday.
            Self::DayOfWeek => (seconds.div_euclid(86_400) + 4).rem_euclid(7),
            Self::DayOfYear => {
                let first = days_from_civil(date.year, 1, 1);
                seconds.div_euclid(86_400) - first + 1
            }
            Self::DaysInMonth => {
                let (year, month) =
                    if date.month == 12 { (date.year + 1, 1) } else { (date.year, date.month + 1) };
                days_from_civil(year, month, 1) - days_from_civil(date.year, date.month, 1)
            }
            Self::Hour => date.hour,
            Self::Minute => date.minute,
        };
        part as f64
    }
}

/// Replaces every number of a row, seconds since the epoch, by a part of its date.
pub(crate) fn apply(part: DatePart, input: &Values, output: &mut Values) {
    for (out, value) in output.floats.iter_mut().zip(&input.floats) {
        if !is_absent(*value) {
            *out = part.of(whole_seconds(*value));
        }
    }
}

/// What is not within 64 bits is at the end of them, infinities below zero and NaN as well: so
/// Prometheus has it on the usual machines, where such numbers wrap.
fn whole_seconds(value: f64) -> i64 {
    const END: f64 = i64::MAX as f64;
    if (-END..END).contains(&value) { value as i64 } else { i64::MAX }
}

/// A date and time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

impl Civil {
    /// The date this many seconds after the epoch.
    ///
    /// Years are counted from March, so that the leap day is the last of its year; 400 years have
    /// 146,097 days.
    pub(crate) fn at(seconds: i64) -> Self {
        let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: time / 3_600,
            minute: time / 60 % 60,
            second: time % 60,
        }
    }
}

/// Days from the epoch to a date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_known_dates() {
        for (seconds, part, expected) in [
            (0, DatePart::DayOfWeek, 4.0),
            (951_782_400, DatePart::DayOfMonth, 29.0),
            (951_782_400, DatePart::DaysInMonth, 29.0),
            (978_307_199, DatePart::DayOfYear, 366.0),
            (-1, DatePart::Year, 1969.0),
            (-1, DatePart::Minute, 59.0),
            (4_107_542_400, DatePart::Month, 3.0),
            (i64::MAX, DatePart::DayOfYear, 339.0),
        ] {
            assert_eq!(part.of(seconds), expected, "{part:?} of {seconds}");
        }
    }

    proptest! {
        #[test]
        fn property_a_date_leads_back_to_its_day(seconds in -i64::MAX..i64::MAX) {
            let date = Civil::at(seconds);
            prop_assert_eq!(days_from_civil(date.year, date.month, date.day), seconds.div_euclid(86_400));
            prop_assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
        }
    }
}
