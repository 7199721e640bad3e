//! The time range of a page: part of its URL, shared by all of its charts.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::live::use_live;
use crate::state::clock::{now_ms, utc_offset_seconds};
use crate::url;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Ranges offered by the picker: as written in the URL, and in words.
pub(crate) const QUICK: [(&str, &str); 10] = [
    ("5m", "Last 5 minutes"),
    ("15m", "Last 15 minutes"),
    ("1h", "Last 1 hour"),
    ("3h", "Last 3 hours"),
    ("6h", "Last 6 hours"),
    ("12h", "Last 12 hours"),
    ("1d", "Last 24 hours"),
    ("2d", "Last 2 days"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
];

/// The range of a page whose URL names none.
pub(crate) const DEFAULT: Range = Range::Last { ms: HOUR };

/// Points per series that a query asks for at most.
const MAX_POINTS: i64 = 360;

/// Distances of points that queries use.
const STEPS: [i64; 21] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    20 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
];

/// A stretch of time to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// The last stretch up to now; moves on.
    Last {
        /// Its length in milliseconds.
        ms: i64,
    },
    /// A fixed stretch, milliseconds since the Unix epoch.
    Fixed {
        /// Its start.
        from_ms: i64,
        /// Its end.
        to_ms: i64,
    },
}

/// The grid on which the charts of a page ask for values; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "raw numbers carry their unit in their name")]
pub(crate) struct Span {
    /// First point, milliseconds since the Unix epoch, a multiple of the step.
    pub(crate) start_ms: i64,
    /// Last point, likewise.
    pub(crate) end_ms: i64,
    /// Distance of two points in milliseconds.
    pub(crate) step_ms: i64,
}

impl Range {
    /// Reads the parameters of a URL; `None` when they are missing or cannot be read.
    pub(crate) fn parse(range: Option<&str>, from: Option<&str>, to: Option<&str>) -> Option<Self> {
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        if let (Some(from_ms), Some(to_ms)) = (number(from), number(to))
            && from_ms < to_ms
            && from_ms >= 0
        {
            return Some(Self::Fixed { from_ms, to_ms });
        }
        range.and_then(parse_duration).map(|ms| Self::Last { ms })
    }

    /// The shortest of the offered ranges that reaches back to a moment.
    pub(crate) fn reaching(ms: i64) -> Self {
        let lengths = QUICK.iter().filter_map(|quick| parse_duration(quick.0));
        let ms = lengths.filter(|length| *length >= HOUR).find(|length| *length >= ms);
        Self::Last { ms: ms.unwrap_or(30 * DAY) }
    }

    /// The parameters of a URL.
    pub(crate) fn pairs(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Last { ms } => vec![("range", write_duration(ms))],
            Self::Fixed { from_ms, to_ms } => {
                vec![("from", from_ms.to_string()), ("to", to_ms.to_string())]
            }
        }
    }

    /// The grid of this range at a moment. The end is rounded down to the step, so that a chart moves
    /// on by whole steps and earlier points keep their values.
    pub(crate) fn span(self, now_ms: i64) -> Span {
        let (from, to) = match self {
            Self::Last { ms } => (now_ms - ms, now_ms),
            Self::Fixed { from_ms, to_ms } => (from_ms, to_ms),
        };
        let length = to - from;
        let step_ms =
            STEPS.into_iter().find(|step| length / step <= MAX_POINTS).unwrap_or(30 * DAY);
        let end_ms = to.div_euclid(step_ms) * step_ms;
        let start_ms = from.div_euclid(step_ms) * step_ms;
        Span { start_ms, end_ms: end_ms.max(start_ms + step_ms), step_ms }
    }

    /// The range in words, with times in a zone that is `utc_offset_seconds` east of UTC.
    pub(crate) fn label(self, utc_offset_seconds: i32) -> String {
        match self {
            Self::Last { ms } => {
                let written = write_duration(ms);
                let quick = QUICK.iter().find(|quick| quick.0 == written);
                quick.map_or_else(|| format!("Last {written}"), |quick| quick.1.to_owned())
            }
            Self::Fixed { from_ms, to_ms } => {
                let moment = |ms| chart::time_axis::format_moment(ms, utc_offset_seconds);
                let (from, to) = (moment(from_ms), moment(to_ms));
                let short = |text: &str| {
                    let parts: Vec<&str> = text.split(' ').collect();
                    format!("{} {} {}", parts[0], parts[1], &parts[3][..5])
                };
                let is_same_day =
                    from.rsplit_once(' ').map(|p| p.0) == to.rsplit_once(' ').map(|p| p.0);
                let end = if is_same_day {
                    to[to.len() - 8..to.len() - 3].to_owned()
                } else {
                    short(&to)
                };
                format!("{} – {end}", short(&from))
            }
        }
    }
}

fn parse_duration(text: &str) -> Option<i64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: i64 = text[..split].parse().ok()?;
    let unit = match &text[split..] {
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    };
    number.checked_mul(unit).filter(|ms| (MINUTE..=1_000 * DAY).contains(ms))
}

fn write_duration(ms: i64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
    let unit = units.into_iter().find(|unit| ms % unit.0 == 0);
    unit.map_or_else(|| format!("{}s", ms / SECOND), |unit| format!("{}{}", ms / unit.0, unit.1))
}

/// The range of the page, as a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeState {
    range: Memo<Range>,
    span: Memo<Span>,
    /// Where a double click leads back to.
    before_zoom: RwSignal<Option<Range>>,
}

impl RangeState {
    /// Follows the URL and the flushes. Only inside of the router.
    pub(crate) fn provide() {
        Self::provide_with(Signal::stored(DEFAULT));
    }

    /// The same for a part of the application that has another range when its URL names none.
    pub(crate) fn provide_with(default: Signal<Range>) {
        let query = use_query_map();
        let range = Memo::new(move |_| {
            let in_url = query.with(|query| {
                Range::parse(query.get_str("range"), query.get_str("from"), query.get_str("to"))
            });
            in_url.unwrap_or_else(|| default.get())
        });
        let live = use_live();
        let span = Memo::new(move |_| {
            let flushed = live.tick_ms();
            // Without a live link the end is the time at which the page was asked for.
            range.get().span(flushed.unwrap_or_else(now_ms))
        });
        provide_context(Self { range, span, before_zoom: RwSignal::new(None) });
    }

    pub(crate) fn range(self) -> Range {
        self.range.get()
    }

    pub(crate) fn span(self) -> Span {
        self.span.get()
    }

    /// The range in words.
    pub(crate) fn label(self) -> String {
        self.range.get().label(utc_offset_seconds(now_ms()))
    }

    /// An address of this application with the page's range attached.
    pub(crate) fn link(self, path: &str) -> String {
        with_range(path, self.range.get())
    }
}

/// The range of the page.
pub(crate) fn use_range() -> RangeState {
    expect_context()
}

/// Changes the range of the page; made by [`use_set_range`].
#[derive(Clone)]
pub(crate) struct SetRange {
    go: std::rc::Rc<dyn Fn(Range)>,
    state: RangeState,
}

impl SetRange {
    /// Goes to a range chosen by the reader.
    pub(crate) fn choose(&self, range: Range) {
        self.state.before_zoom.set(None);
        (self.go)(range);
    }

    /// Goes into a part of the present range.
    pub(crate) fn zoom(&self, from_ms: i64, to_ms: i64) {
        let present = self.state.range.get_untracked();
        if self.state.before_zoom.with_untracked(Option::is_none) {
            self.state.before_zoom.set(Some(present));
        }
        (self.go)(Range::Fixed { from_ms, to_ms: to_ms.max(from_ms + SECOND) });
    }

    /// Goes back to where zooming began.
    pub(crate) fn reset(&self) {
        if let Some(before) = self.state.before_zoom.get_untracked() {
            self.choose(before);
        } else if matches!(self.state.range.get_untracked(), Range::Fixed { .. }) {
            self.choose(DEFAULT);
        }
    }
}

/// What changes the range of the page.
pub(crate) fn use_set_range() -> SetRange {
    let set = url::use_set_parameters();
    let go = move |range: Range| {
        let ranged = range.pairs();
        let pairs: Vec<(&str, &str)> =
            ranged.iter().map(|(name, value)| (*name, value.as_str())).collect();
        set(&["range", "from", "to"], &pairs);
    };
    SetRange { go: std::rc::Rc::new(go), state: use_range() }
}

fn with_range(path: &str, range: Range) -> String {
    if range == DEFAULT {
        return path.to_owned();
    }
    let pairs = range.pairs();
    let borrowed: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let query = url::query(&borrowed);
    if path.contains('?') { format!("{path}&{}", &query[1..]) } else { format!("{path}{query}") }
}

#[cfg(test)]
mod tests;
