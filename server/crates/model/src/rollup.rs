//! Rollups: what a window of samples comes to once the samples themselves are gone.
//!
//! Windows have one length, end at its multiples and are open at the old end, as the windows of
//! range functions are: the window that ends at 12:05 holds what came after 12:00, and 12:05 itself.
//! From whole windows the usual functions give what the samples would have given: nothing is lost but
//! what happened when within a window.

use std::sync::Arc;

use crate::{
    histogram::{NativeHistogram, ResetHint},
    storage::Column,
    time::Timestamp,
    value::is_stale,
};

/// A stretch of time whose samples are known as rollups only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// The newest time of the zone, inclusive, a multiple of the window. It begins where the zone
    /// before it ends.
    pub until: Timestamp,
    /// The length of the windows in milliseconds, positive.
    pub window_ms: i64,
}

/// The length of the windows at a time: that of the first zone that reaches so far, 0 behind all of
/// them, where there are samples. Zones are ascending.
pub fn window_at(zones: &[Zone], time: Timestamp) -> i64 {
    zones.iter().find(|zone| time <= zone.until).map_or(0, |zone| zone.window_ms)
}

/// The end of the window that a time lies in.
pub fn window_end(time: Timestamp, window_ms: i64) -> Timestamp {
    let start = time.saturating_sub(1).div_euclid(window_ms).saturating_mul(window_ms);
    start.saturating_add(window_ms)
}

/// The numbers of a window. Staleness markers are not among them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rollup {
    /// The end of the window, inclusive.
    pub end: Timestamp,
    /// The time of the first number.
    pub first_time: Timestamp,
    /// The time of the last number.
    pub last_time: Timestamp,
    /// How many numbers there were, at least 1.
    pub count: u64,
    /// The first one.
    pub first: f64,
    /// The last one.
    pub last: f64,
    /// The smallest; NaN only when all are.
    pub min: f64,
    /// The largest; NaN only when all are.
    pub max: f64,
    /// All of them added up.
    pub sum: f64,
    /// What a counter lost at its resets within the window: the values before each of them added up.
    /// The counter's increase is `last - first + lost`.
    pub lost: f64,
    /// Whether a staleness marker followed the last number.
    pub is_ended: bool,
}

impl Rollup {
    /// A window with its first number.
    pub fn new(end: Timestamp, time: Timestamp, value: f64) -> Self {
        Self {
            end,
            first_time: time,
            last_time: time,
            count: 1,
            first: value,
            last: value,
            min: value,
            max: value,
            sum: value,
            lost: 0.0,
            is_ended: false,
        }
    }

    /// Adds a number that is newer than all others of the window.
    pub fn push(&mut self, time: Timestamp, value: f64) {
        if value < self.last {
            self.lost += self.last;
        }
        self.last_time = time;
        self.count += 1;
        self.last = value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value;
        self.is_ended = false;
    }

    /// Adds the numbers of the same window that somebody else stored. Where both stored the same ones
    /// they count once; where they took turns, what a counter lost is that of the one that saw more.
    pub fn combine(&mut self, other: &Self) {
        let of = |it: &Self| (it.first_time, it.last_time, it.count);
        if of(self) == of(other) {
            return;
        }
        let (early, late) = if of(self) <= of(other) { (&*self, other) } else { (other, &*self) };
        let lost = if early.last_time < late.first_time {
            let between = if late.first < early.last { early.last } else { 0.0 };
            early.lost + between + late.lost
        } else {
            early.lost.max(late.lost)
        };
        let end = if early.last_time > late.last_time { early } else { late };
        *self = Self {
            end: self.end,
            first_time: early.first_time,
            last_time: end.last_time,
            count: early.count + late.count,
            first: early.first,
            last: end.last,
            min: early.min.min(late.min),
            max: early.max.max(late.max),
            sum: early.sum + late.sum,
            lost,
            is_ended: end.is_ended,
        };
    }
}

/// The native histograms of a window. Stale ones are not among them.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramRollup {
    /// The end of the window, inclusive.
    pub end: Timestamp,
    /// The time of the first histogram.
    pub first_time: Timestamp,
    /// The time of the last histogram.
    pub last_time: Timestamp,
    /// How many histograms there were, at least 1.
    pub count: u64,
    /// The first one. Its hint says how it stands to the one before the window.
    pub first: Arc<NativeHistogram>,
    /// The last one.
    pub last: Arc<NativeHistogram>,
    /// All of them added up; those whose buckets cannot be added are left out.
    pub sum: Arc<NativeHistogram>,
    /// What a counter lost at its resets within the window, as in [`Rollup::lost`].
    pub lost: Option<Arc<NativeHistogram>>,
}

impl HistogramRollup {
    /// A window with its first histogram.
    pub fn new(end: Timestamp, time: Timestamp, value: &Arc<NativeHistogram>) -> Self {
        Self {
            end,
            first_time: time,
            last_time: time,
            count: 1,
            first: Arc::clone(value),
            last: Arc::clone(value),
            sum: Arc::clone(value),
            lost: None,
        }
    }

    /// Adds a histogram that is newer than all others of the window.
    pub fn push(&mut self, time: Timestamp, value: &Arc<NativeHistogram>) {
        let is_counter = value.reset_hint != ResetHint::Gauge;
        if is_counter && value.is_reset_since(&self.last) {
            match &mut self.lost {
                Some(lost) => add(lost, &self.last),
                None => self.lost = Some(Arc::clone(&self.last)),
            }
        }
        self.last_time = time;
        self.count += 1;
        self.last = Arc::clone(value);
        add(&mut self.sum, value);
    }

    /// Adds the histograms of the same window that somebody else stored, as [`Rollup::combine`] does.
    pub fn combine(&mut self, other: &Self) {
        let of = |it: &Self| (it.first_time, it.last_time, it.count);
        if of(self) == of(other) {
            return;
        }
        let (early, late) = if of(self) <= of(other) { (&*self, other) } else { (other, &*self) };
        let mut lost = early.lost.clone();
        if early.last_time < late.first_time {
            let is_counter = late.first.reset_hint != ResetHint::Gauge;
            let between = is_counter && late.first.is_reset_since(&early.last);
            for more in between.then_some(&early.last).into_iter().chain(&late.lost) {
                match &mut lost {
                    Some(lost) => add(lost, more),
                    None => lost = Some(Arc::clone(more)),
                }
            }
        } else if late.count > early.count {
            lost.clone_from(&late.lost);
        }
        let end = if early.last_time > late.last_time { early } else { late };
        let mut sum = Arc::clone(&early.sum);
        add(&mut sum, &late.sum);
        *self = Self {
            end: self.end,
            first_time: early.first_time,
            last_time: end.last_time,
            count: early.count + late.count,
            first: Arc::clone(&early.first),
            last: Arc::clone(&end.last),
            sum,
            lost,
        };
    }
}

/// Adds a histogram to another one, if their buckets allow that.
fn add(total: &mut Arc<NativeHistogram>, other: &NativeHistogram) {
    // What cannot be added is left out: bounds and exponents do not mix.
    let _combined = Arc::make_mut(total).add(other);
}

/// The windows of one series, numbers and histograms apart, each strictly ascending by end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RollupColumn {
    /// Windows that have numbers.
    pub floats: Vec<Rollup>,
    /// Windows that have histograms.
    pub histograms: Vec<HistogramRollup>,
}

impl RollupColumn {
    /// Empties the column and keeps its memory.
    pub fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
    }

    /// Whether there is no window.
    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// Adds the samples of a column that are newer than `after`, which are newer than all windows so
    /// far, in windows of a length.
    pub fn add(&mut self, column: &Column, after: Timestamp, window_ms: i64) {
        let from = column.float_times.partition_point(|&time| time <= after);
        for (&time, &value) in column.float_times[from..].iter().zip(&column.floats[from..]) {
            let end = window_end(time, window_ms);
            let open = self.floats.last_mut().filter(|rollup| rollup.end == end);
            match open {
                Some(rollup) if is_stale(value) => rollup.is_ended = true,
                Some(rollup) => rollup.push(time, value),
                None if is_stale(value) => {}
                None => self.floats.push(Rollup::new(end, time, value)),
            }
        }
        let from = column.histogram_times.partition_point(|&time| time <= after);
        let histograms = column.histogram_times[from..].iter().zip(&column.histograms[from..]);
        for (&time, value) in histograms.filter(|(_, value)| !is_stale(value.sum)) {
            let end = window_end(time, window_ms);
            match self.histograms.last_mut().filter(|rollup| rollup.end == end) {
                Some(rollup) => rollup.push(time, value),
                None => self.histograms.push(HistogramRollup::new(end, time, value)),
            }
        }
    }

    /// Adds the windows of the same series that somebody else stored.
    pub fn combine(&mut self, other: Self) {
        combine_side(&mut self.floats, other.floats, |window| window.end, Rollup::combine);
        let histograms = other.histograms;
        combine_side(&mut self.histograms, histograms, |it| it.end, HistogramRollup::combine);
    }

    /// Appends the samples that are still known: the first and the last one of each window, and a
    /// staleness marker behind a window after which the series ended.
    pub fn put_samples(&self, out: &mut Column) {
        for rollup in &self.floats {
            out.push_float(rollup.first_time, rollup.first);
            if rollup.last_time > rollup.first_time {
                out.push_float(rollup.last_time, rollup.last);
            }
            if rollup.is_ended && rollup.last_time < rollup.end {
                out.push_float(rollup.last_time + 1, crate::stale_marker());
            }
        }
        for rollup in &self.histograms {
            out.histogram_times.push(rollup.first_time);
            out.histograms.push(Arc::clone(&rollup.first));
            if rollup.last_time > rollup.first_time {
                out.histogram_times.push(rollup.last_time);
                out.histograms.push(Arc::clone(&rollup.last));
            }
        }
    }
}

/// Merges windows that ascend by end.
fn combine_side<W>(
    own: &mut Vec<W>,
    other: Vec<W>,
    end: impl Fn(&W) -> Timestamp,
    combine: impl Fn(&mut W, &W),
) {
    let follows = match (own.last(), other.first()) {
        (Some(last), Some(first)) => end(last) < end(first),
        _ => true,
    };
    if follows {
        own.extend(other);
        return;
    }
    let mut left = std::mem::take(own).into_iter().peekable();
    for window in other {
        while let Some(earlier) = left.next_if(|next| end(next) < end(&window)) {
            own.push(earlier);
        }
        match left.next_if(|next| end(next) == end(&window)) {
            Some(mut same) => {
                combine(&mut same, &window);
                own.push(same);
            }
            None => own.push(window),
        }
    }
    own.extend(left);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(samples: &[(Timestamp, f64)]) -> Column {
        let mut column = Column::default();
        for &(time, value) in samples {
            column.push_float(time, value);
        }
        column
    }

    #[test]
    fn a_window_holds_its_end_and_not_its_start() {
        for (time, end) in [(0, 0), (1, 10), (10, 10), (11, 20), (-1, 0), (-10, -10)] {
            assert_eq!(window_end(time, 10), end, "{time}");
        }
    }

    #[test]
    fn a_rollup_knows_what_a_counter_lost() {
        let mut rollups = RollupColumn::default();
        let samples = [(1, 5.0), (2, 7.0), (3, 1.0), (4, 4.0), (5, 0.0), (6, 2.0), (12, 3.0)];
        rollups.add(&column(&samples), 0, 10);
        let [first, second] = rollups.floats[..] else { panic!("{rollups:?}") };
        assert_eq!((first.first, first.last, first.lost), (5.0, 2.0, 11.0));
        assert_eq!((first.min, first.max, first.sum, first.count), (0.0, 7.0, 19.0, 6));
        assert_eq!((second.end, second.first_time, second.count), (20, 12, 1));
    }

    #[test]
    fn windows_of_two_writers_that_took_turns_are_those_of_one() {
        let samples = [(1, 5.0), (2, 7.0), (3, 1.0), (4, 4.0), (5, 0.0), (16, 2.0), (21, 3.0)];
        for cut in 0..=samples.len() {
            let rolled = |samples: &[(Timestamp, f64)]| {
                let mut rollups = RollupColumn::default();
                rollups.add(&column(samples), 0, 10);
                rollups
            };
            let (early, late) = (rolled(&samples[..cut]), rolled(&samples[cut..]));
            for (mut one, other) in [(early.clone(), late.clone()), (late, early)] {
                one.combine(other);
                assert_eq!(one, rolled(&samples), "cut at {cut}");
                one.combine(rolled(&samples));
                assert_eq!(one, rolled(&samples), "what both stored counts once, cut at {cut}");
            }
        }
    }

    #[test]
    fn a_series_that_ended_ends_in_its_samples_too() {
        let mut rollups = RollupColumn::default();
        rollups.add(&column(&[(1, 5.0), (2, 7.0), (3, crate::stale_marker())]), 0, 10);
        assert_eq!(rollups.floats[0].count, 2);
        let mut out = Column::default();
        rollups.put_samples(&mut out);
        assert_eq!(out.float_times, [1, 2, 3]);
        assert!(is_stale(out.floats[2]));
    }

    #[test]
    fn the_zone_that_reaches_far_enough_tells_the_window() {
        let zones = [Zone { until: 100, window_ms: 50 }, Zone { until: 200, window_ms: 10 }];
        let windows = [0, 100, 101, 200, 201].map(|time| window_at(&zones, time));
        assert_eq!(windows, [50, 50, 10, 10, 0]);
    }
}
