//! Intervals and their states, and how stored ones become a timeline again.

use std::collections::BTreeSet;

use model::Timestamp;

/// What is known of a monitor at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Answers as it should.
    Up,
    /// Answers, but slower than allowed.
    Degraded,
    /// Does not answer as it should.
    Down,
    /// Nobody looked.
    Unknown,
    /// Planned work.
    Maintenance,
    /// Switched off.
    Paused,
}

impl State {
    /// All states with their stored names.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::Up, "up"),
        (Self::Degraded, "degraded"),
        (Self::Down, "down"),
        (Self::Unknown, "unknown"),
        (Self::Maintenance, "maintenance"),
        (Self::Paused, "paused"),
    ];

    /// The stored name.
    pub(crate) fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(state, _)| *state == self).map_or("unknown", |(_, name)| name)
    }

    /// Reads a stored name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }

    /// Whether checks decide about it; else somebody switched the monitor off or works on it.
    pub(crate) fn is_checked(self) -> bool {
        !matches!(self, Self::Maintenance | Self::Paused)
    }
}

/// Half-open `[start, end)`; the last of a timeline has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interval {
    /// Inclusive.
    pub(crate) start: Timestamp,
    /// Exclusive.
    pub(crate) end: Option<Timestamp>,
    /// The state throughout.
    pub(crate) state: State,
    /// Why it began; empty for `UP`.
    pub(crate) reason: String,
}

/// Makes rows a gapless run: the closed ones and the open one. `None` when there are none. Starts of
/// rows that had to change are noted.
pub(super) fn mended(
    mut rows: Vec<Interval>,
    changed: &mut BTreeSet<Timestamp>,
) -> Option<(Vec<Interval>, Interval)> {
    rows.sort_by_key(|row| row.start);
    rows.dedup_by_key(|row| row.start);
    let unknown = |start| Interval {
        start,
        end: None,
        state: State::Unknown,
        reason: "nothing was recorded".to_owned(),
    };
    let mut closed: Vec<Interval> = Vec::with_capacity(rows.len());
    let mut open: Option<Interval> = None;
    for row in rows {
        if let Some(mut before) = open.take() {
            let end = before.end.unwrap_or(row.start).min(row.start);
            if before.end != Some(end) {
                changed.insert(before.start);
            }
            before.end = Some(end);
            let hole = (end < row.start).then(|| Interval { end: Some(row.start), ..unknown(end) });
            changed.extend(hole.as_ref().map(|hole| hole.start));
            closed.push(before);
            closed.extend(hole);
        }
        open = Some(row);
    }
    let last = open?;
    match last.end {
        None => Some((closed, last)),
        Some(end) => {
            closed.push(last);
            changed.insert(end);
            Some((closed, unknown(end)))
        }
    }
}
