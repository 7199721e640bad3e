//! One bar per day.

use std::fmt::Write as _;

use api_types::DayBar;
use leptos::prelude::*;

use crate::format::{availability, duration};
use crate::state::clock::utc_offset_seconds;
use crate::views::CollectViews;

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// How a day was, by its worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Up,
    Degraded,
    /// Down for at most one percent of the known time.
    Dented,
    Down,
    Unknown,
    Excluded,
}

impl Look {
    fn of(day: &DayBar) -> Self {
        let known = day.up_ms + day.degraded_ms + day.down_ms;
        if known == 0 {
            return if day.excluded_ms > day.unknown_ms { Self::Excluded } else { Self::Unknown };
        }
        match day.down_ms {
            0 if day.degraded_ms > 0 => Self::Degraded,
            0 => Self::Up,
            down if down * 100 <= known => Self::Dented,
            _ => Self::Down,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Up => "bar is-up",
            Self::Degraded => "bar is-degraded",
            Self::Dented => "bar is-dented",
            Self::Down => "bar is-down",
            Self::Unknown => "bar is-unknown",
            Self::Excluded => "bar is-excluded",
        }
    }
}

/// What a day was like, in words.
fn describe(day: &DayBar, date: &str) -> String {
    let known = day.up_ms + day.degraded_ms + day.down_ms;
    if known == 0 {
        let why =
            if day.excluded_ms > day.unknown_ms { "in maintenance or paused" } else { "no data" };
        return format!("{date}: {why}");
    }
    let ratio = (day.up_ms + day.degraded_ms) as f64 / known as f64;
    let mut text = format!("{date}: {}", availability(ratio));
    let parts = [("down", day.down_ms), ("degraded", day.degraded_ms), ("unknown", day.unknown_ms)];
    for (name, ms) in parts.into_iter().filter(|part| part.1 > 0) {
        write!(text, ", {} {name}", duration(ms)).expect("writing to a string cannot fail");
    }
    text
}

fn date(start_ms: i64) -> String {
    // Noon keeps the day when the server's zone is not the browser's.
    let noon = start_ms + DAY_MS / 2;
    let moment = chart::time_axis::format_moment(noon, utc_offset_seconds(noon));
    moment.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// The last days as bars, oldest first; each tells its date and its numbers when pointed at.
pub(crate) fn uptime_bars(days: &[DayBar]) -> impl IntoView + use<> {
    let bars = days
        .iter()
        .map(|day| view! { <i class=Look::of(day).class() title=describe(day, &date(day.start_ms))></i> })
        .collect_views();
    let troubled = days.iter().filter(|day| day.down_ms > 0).count();
    let label = format!("Last {} days: downtime on {troubled} of them", days.len());
    view! { <div class="bars" role="img" aria-label=label>{bars}</div> }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(up: i64, degraded: i64, down: i64, unknown: i64, excluded: i64) -> DayBar {
        DayBar {
            start_ms: 0,
            up_ms: up,
            degraded_ms: degraded,
            down_ms: down,
            unknown_ms: unknown,
            excluded_ms: excluded,
        }
    }

    #[test]
    fn a_day_looks_like_its_worst() {
        let cases = [
            ("up", day(DAY_MS, 0, 0, 0, 0), Look::Up),
            ("slow for a while", day(DAY_MS - 10, 10, 0, 0, 0), Look::Degraded),
            ("a short outage", day(DAY_MS - 60_000, 0, 60_000, 0, 0), Look::Dented),
            ("a long outage", day(1, 0, DAY_MS, 0, 0), Look::Down),
            ("nobody looked", day(0, 0, 0, DAY_MS, 0), Look::Unknown),
            ("maintenance all day", day(0, 0, 0, 0, DAY_MS), Look::Excluded),
        ];
        for (name, day, expected) in cases {
            assert_eq!(Look::of(&day), expected, "{name}");
        }
    }

    #[test]
    fn unknown_time_is_not_counted_as_up() {
        let text = describe(&day(900_000, 0, 100_000, 3_600_000, 0), "21 Nov");
        assert_eq!(text, "21 Nov: 90%, 1 min 40 s down, 1 h unknown");
    }
}
