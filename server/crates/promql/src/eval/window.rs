//! Windows over a column of samples: for each step, which samples it sees.

use std::cell::OnceCell;

use model::{
    Column, Timestamp, is_stale,
    rollup::{Zone, window_at},
    storage::Starts,
};

use super::Steps;
use crate::{functions::range::Stretch, parser::Extent};

/// How the windows of a range selector or subquery lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowSpec {
    /// Length of a window, open at the old end.
    pub(crate) range_ms: i64,
    /// How far back the windows are shifted.
    pub(crate) offset_ms: i64,
    /// The fixed time all windows end at, before the offset.
    pub(crate) at: Option<Timestamp>,
    /// How the borders are treated.
    pub(crate) extent: Extent,
    /// How far an anchored or smoothed window looks beyond its borders.
    pub(crate) lookback_ms: i64,
}

/// What one step sees: the window `(start, end]` and the indices of the samples in it. For anchored and
/// smoothed windows the indices also cover the samples beyond the borders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepWindow {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) floats: (usize, usize),
    pub(crate) histograms: (usize, usize),
}

/// The windows of one series after the other. Series that are sent together have samples of the same
/// times, and then the windows are those of the series before.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    all: Vec<StepWindow>,
    /// The times that the windows are over.
    float_times: Vec<Timestamp>,
    histogram_times: Vec<Timestamp>,
    is_known: bool,
    stretches: OnceCell<Vec<Stretch>>,
}

impl Windows {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { all: Vec::with_capacity(count), ..Self::default() }
    }

    /// Moves on to the next series, of the same steps, lengths and zones as all others.
    pub(crate) fn move_to(
        &mut self,
        spec: &WindowSpec,
        steps: &Steps,
        column: &Column,
        zones: &[Zone],
    ) {
        let is_same = self.is_known
            && self.float_times == column.float_times
            && self.histogram_times == column.histogram_times;
        if is_same {
            return;
        }
        spec.windows(steps, column, zones, &mut self.all);
        self.stretches.take();
        self.float_times.clone_from(&column.float_times);
        self.histogram_times.clone_from(&column.histogram_times);
        self.is_known = true;
    }

    /// One for each step.
    pub(crate) fn all(&self) -> &[StepWindow] {
        &self.all
    }

    /// What a function made of the windows, whatever the values in them; made once for all series with
    /// these windows.
    pub(crate) fn stretches(&self, make: impl FnOnce() -> Vec<Stretch>) -> &[Stretch] {
        self.stretches.get_or_init(make)
    }
}

impl WindowSpec {
    fn end_of(&self, step: Timestamp) -> Timestamp {
        self.at.unwrap_or(step).saturating_sub(self.offset_ms)
    }

    /// How far the samples seen reach before and after the window.
    fn margins(&self) -> (i64, i64) {
        match self.extent {
            Extent::Plain => (0, 0),
            Extent::Anchored => (self.lookback_ms, 0),
            Extent::Smoothed => (self.lookback_ms, self.lookback_ms),
        }
    }

    /// The oldest and newest timestamp any window sees, both inclusive.
    pub(crate) fn time_range(&self, steps: &Steps) -> (Timestamp, Timestamp) {
        let (before, after) = self.margins();
        let oldest = self
            .end_of(steps.start)
            .saturating_sub(self.range_ms)
            .saturating_sub(before)
            .saturating_add(1);
        (oldest, self.end_of(steps.end()).saturating_add(after))
    }

    /// The window of every step over a column without stale markers. Indices only move forward, so
    /// the whole costs as much as there are samples and steps.
    /// Where only rollups are left a window is at least as long as theirs.
    pub(crate) fn windows(
        &self,
        steps: &Steps,
        column: &Column,
        zones: &[Zone],
        out: &mut Vec<StepWindow>,
    ) {
        out.clear();
        let (before, after) = self.margins();
        let mut floats = (0, 0);
        let mut histograms = (0, 0);
        let mut strides = (0, 0);
        for step in steps.iter() {
            let end = self.end_of(step);
            let start = end.saturating_sub(self.range_ms.max(window_at(zones, end)));
            let (oldest, newest) = (start.saturating_sub(before), end.saturating_add(after));
            slide(&column.float_times, oldest, newest, &mut floats, &mut strides.0);
            slide(&column.histogram_times, oldest, newest, &mut histograms, &mut strides.1);
            out.push(StepWindow { start, end, floats, histograms });
        }
    }
}

fn slide(
    times: &[Timestamp],
    oldest: Timestamp,
    newest: Timestamp,
    (low, high): &mut (usize, usize),
    stride: &mut usize,
) {
    let before = *high;
    *high = advance(times, before, times.len(), newest, *stride);
    *low = advance(times, *low, *high, oldest, *stride);
    *stride = *high - before;
}

/// The first place from `from` to `limit` with a time after `bound`. The usual distance is tried first:
/// with regular times one look is enough, however many samples lie between.
fn advance(
    times: &[Timestamp],
    from: usize,
    limit: usize,
    bound: Timestamp,
    stride: usize,
) -> usize {
    let guess = (from + stride).min(limit);
    let mut at = if guess > from && times[guess - 1] <= bound { guess } else { from };
    while at < limit && times[at] <= bound {
        at += 1;
    }
    at
}

/// Removes stale markers, which range functions do not see.
pub(crate) fn drop_stale(column: &mut Column, starts: &mut Starts) {
    // Without a way out the loop looks at several values at a time.
    if column.floats.iter().fold(false, |any, value| any | is_stale(*value)) {
        let mut kept = 0;
        for i in 0..column.floats.len() {
            if !is_stale(column.floats[i]) {
                column.floats[kept] = column.floats[i];
                column.float_times[kept] = column.float_times[i];
                if let Some(start) = starts.floats.get(i).copied() {
                    starts.floats[kept] = start;
                }
                kept += 1;
            }
        }
        column.floats.truncate(kept);
        column.float_times.truncate(kept);
        starts.floats.truncate(kept);
    }
    if column.histograms.iter().any(|histogram| is_stale(histogram.sum)) {
        let keeps: Vec<bool> = column.histograms.iter().map(|h| !is_stale(h.sum)).collect();
        retain(&mut column.histogram_times, &keeps);
        retain(&mut column.histograms, &keeps);
        retain(&mut starts.histograms, &keeps);
    }
}

fn retain<T>(items: &mut Vec<T>, keeps: &[bool]) {
    let mut keep = keeps.iter();
    items.retain(|_| keep.next().copied().unwrap_or(true));
}
