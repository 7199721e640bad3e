//! Percentages over calendar windows: the one way to compute uptime.
//!
//! - `availability = (UP + DEGRADED) / (UP + DEGRADED + DOWN)`, time-weighted;
//! - `coverage = 1 − UNKNOWN / window`.
//!
//! A window is the calendar day, ISO week, month or quarter so far, in a time zone: a day with a
//! change of the clocks has 23 or 25 hours. It is compared with the same elapsed milliseconds of the
//! period before, at most the whole of that. Changes are in percentage points.

use jiff::{
    Timestamp as Instant, ToSpan, Zoned,
    civil::{Date, date},
    tz::TimeZone,
};
use model::Timestamp;

use super::ledger::{Ledger, State};

#[cfg(test)]
mod tests;

/// Milliseconds in each state.
#[expect(clippy::struct_field_names, reason = "a raw number carries its unit in its name")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Time `UP`.
    pub(crate) up_ms: i64,
    /// Time `DEGRADED`.
    pub(crate) degraded_ms: i64,
    /// Time `DOWN`.
    pub(crate) down_ms: i64,
    /// Time `UNKNOWN`.
    pub(crate) unknown_ms: i64,
    /// Time in `MAINTENANCE`.
    pub(crate) maintenance_ms: i64,
    /// Time `PAUSED`.
    pub(crate) paused_ms: i64,
}

impl Totals {
    /// Adds time in a state.
    pub(crate) fn add(&mut self, state: State, ms: i64) {
        *match state {
            State::Up => &mut self.up_ms,
            State::Degraded => &mut self.degraded_ms,
            State::Down => &mut self.down_ms,
            State::Unknown => &mut self.unknown_ms,
            State::Maintenance => &mut self.maintenance_ms,
            State::Paused => &mut self.paused_ms,
        } += ms;
    }

    /// The length of the window.
    pub(crate) fn window_ms(&self) -> i64 {
        self.available_ms() + self.down_ms + self.unknown_ms + self.excluded_ms()
    }

    /// Time `UP` or `DEGRADED`.
    pub(crate) fn available_ms(&self) -> i64 {
        self.up_ms + self.degraded_ms
    }

    /// Time that counts neither way by intention.
    pub(crate) fn excluded_ms(&self) -> i64 {
        self.maintenance_ms + self.paused_ms
    }

    /// From 0 to 1; `None` when no time is known, which is neither 0 nor 1.
    pub(crate) fn availability(&self) -> Option<f64> {
        let known = self.available_ms() + self.down_ms;
        (known > 0).then(|| self.available_ms() as f64 / known as f64)
    }

    /// From 0 to 1; 1 for an empty window.
    pub(crate) fn coverage(&self) -> f64 {
        let window = self.window_ms();
        if window == 0 { 1.0 } else { 1.0 - self.unknown_ms as f64 / window as f64 }
    }
}

/// The availability as a percentage with `decimals` digits, cut and not rounded: 99.996 % is `99.99`,
/// and only no downtime at all is `100.00`. `None` when no time is known.
#[cfg_attr(not(test), expect(dead_code, reason = "for pages that the server renders"))]
pub(crate) fn format_percent(totals: &Totals, decimals: u32) -> Option<String> {
    let available = u128::try_from(totals.available_ms()).ok()?;
    let known = available + u128::try_from(totals.down_ms).ok()?;
    if known == 0 {
        return None;
    }
    let unit = 10_u128.pow(decimals.min(9));
    let hundredths = available * 100 * unit / known;
    let (whole, rest) = (hundredths / unit, hundredths % unit);
    let width = decimals.min(9) as usize;
    Some(if width == 0 { whole.to_string() } else { format!("{whole}.{rest:0width$}") })
}

/// A calendar window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    /// Since midnight.
    Day,
    /// Since Monday.
    Week,
    /// Since the first of the month.
    Month,
    /// Since the first of January, April, July or October.
    Quarter,
}

/// Half-open `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Inclusive.
    pub(crate) start: Timestamp,
    /// Exclusive.
    pub(crate) end: Timestamp,
}

/// A period so far, and the same elapsed part of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    /// From the start of the period to now.
    pub(crate) current: Window,
    /// As long as `current`, but at most the whole period before.
    pub(crate) previous: Window,
}

/// The windows of a period at `now`; `None` at the edges of the calendar (the years ±9999).
pub(crate) fn windows(period: Period, now: Timestamp, zone: &TimeZone) -> Option<Windows> {
    let today = zoned(now, zone)?.date();
    let first = match period {
        Period::Day => today,
        Period::Week => {
            today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?
        }
        Period::Month => today.first_of_month(),
        Period::Quarter => date(today.year(), (today.month() - 1) / 3 * 3 + 1, 1),
    };
    let before = match period {
        Period::Day => first.checked_sub(1.day()),
        Period::Week => first.checked_sub(1.week()),
        Period::Month => first.checked_sub(1.month()),
        Period::Quarter => first.checked_sub(3.months()),
    }
    .ok()?;
    let (start, start_before) = (midnight(first, zone)?, midnight(before, zone)?);
    let end_before = start_before + (now - start).min(start - start_before);
    Some(Windows {
        current: Window { start, end: now },
        previous: Window { start: start_before, end: end_before },
    })
}

/// A period's figures and how they changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    /// This period so far.
    pub(crate) totals: Totals,
    /// Availability now minus before, in percentage points; `None` unless both are known.
    pub(crate) change_points: Option<f64>,
    /// Downtime now minus before.
    pub(crate) change_down_ms: i64,
}

/// A period's figures at `now`.
pub(crate) fn figures(
    ledger: &Ledger,
    period: Period,
    now: Timestamp,
    zone: &TimeZone,
) -> Option<Figures> {
    let Windows { current, previous } = windows(period, now, zone)?;
    let totals = ledger.totals(current.start, current.end);
    let before = ledger.totals(previous.start, previous.end);
    let change = |(now, before): (f64, f64)| (now - before) * 100.0;
    Some(Figures {
        totals,
        change_points: totals.availability().zip(before.availability()).map(change),
        change_down_ms: totals.down_ms - before.down_ms,
    })
}

/// Starts and ends of the last `count` calendar days, oldest first; the last one is today and ends at
/// `now`.
pub(crate) fn days(count: u16, now: Timestamp, zone: &TimeZone) -> Vec<Window> {
    let Some(today) = zoned(now, zone).map(|now| now.date()) else { return Vec::new() };
    let midnights: Vec<Timestamp> = (0..i64::from(count))
        .rev()
        .filter_map(|ago| midnight(today.checked_sub(ago.days()).ok()?, zone))
        .collect();
    let ends = midnights.iter().skip(1).copied().chain(std::iter::once(now));
    midnights.iter().zip(ends).map(|(start, end)| Window { start: *start, end }).collect()
}

fn zoned(at: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    Some(Instant::from_millisecond(at).ok()?.to_zoned(zone.clone()))
}

/// The first instant of a day; where the clocks skip midnight, that is one o'clock.
fn midnight(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(day.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}
