//! Counters that tell since when they count (start timestamps): a later start is a reset even when the
//! value did not go down.

/// When a sample was taken and since when it counts, 0 when that is not known.
#[derive(Clone, Copy)]
pub(super) struct Since {
    pub(super) time: i64,
    pub(super) start: i64,
}

impl Since {
    pub(super) fn new(times: &[i64], starts: &[i64], i: usize) -> Self {
        Self { time: times[i], start: starts.get(i).copied().unwrap_or_default() }
    }

    /// Whether the counter began again between the sample before and this one.
    pub(super) fn is_reset_since(self, before: Self) -> bool {
        // A start at or after the sample itself tells nothing.
        if self.start == 0 || self.start >= self.time || self.start < before.time {
            return false;
        }
        if self.start > before.time {
            return true;
        }
        // It begins where the sample before ended. That is how deltas follow each other; but also how a
        // counter goes on whose start is unknown.
        before.start != 0 && before.start < before.time
    }

    /// Whether both claim the time before the earlier sample for themselves.
    pub(super) fn overlaps(self, before: Self) -> bool {
        self.start != 0 && self.start < before.time && self.start != before.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_start_is_a_reset() {
        for (name, before, now, expected) in [
            ("unknown", (0, 10), (0, 20), false),
            ("same start", (5, 10), (5, 20), false),
            ("between the samples", (5, 10), (15, 20), true),
            ("first known", (0, 10), (15, 20), true),
            ("delta", (5, 10), (10, 20), true),
            ("unknown start before a delta", (0, 10), (10, 20), false),
            ("start at its own time before", (10, 10), (10, 20), false),
            ("invalid start before", (12, 10), (10, 20), false),
            ("at its own time", (5, 10), (20, 20), false),
            ("after its own time", (5, 10), (25, 20), false),
        ] {
            let [before, now] = [before, now].map(|(start, time)| Since { time, start });
            assert_eq!(now.is_reset_since(before), expected, "{name}");
        }
    }
}
