//! Windows that reach into a time of which only rollups are left.
//!
//! The borders of such a window are moved to the borders of the rollups, at least one of them apart;
//! then the functions here give what they would have given with the samples. What grows with the
//! length of the window is scaled when that changed. Other functions see the first and the last sample
//! of each rollup instead, which is a sample of the samples.

use std::sync::Arc;

use model::{
    NativeHistogram, Timestamp,
    histogram::ResetHint,
    rollup::{HistogramRollup, Rollup, RollupColumn, Zone, window_at},
};

use super::{Job, Kahan, RangeFunction, counter::Extrapolation};
use crate::{
    annotations::Note,
    eval::{ABSENT, StepWindow, Values},
    parser::Extent,
};

/// What is known of one series besides its samples.
#[derive(Debug)]
pub(crate) struct Rolled<'a> {
    /// Ascending, at least one.
    pub(crate) zones: &'a [Zone],
    /// Rollups, and behind the zones samples in windows as long as those of the last zone.
    pub(crate) windows: &'a RollupColumn,
}

impl Rolled<'_> {
    fn last(&self) -> Zone {
        self.zones[self.zones.len() - 1]
    }
}

/// A window after its borders were moved.
#[derive(Debug, Clone, Copy)]
struct Moved {
    /// Exclusive.
    start: Timestamp,
    /// Inclusive.
    end: Timestamp,
    /// How much longer the window that was asked for is.
    scale: f64,
}

impl Moved {
    /// `None` when the window needs no rollups.
    fn of(zones: &[Zone], start: Timestamp, end: Timestamp) -> Option<Self> {
        let until = zones.last().map(|zone| zone.until)?;
        if start >= until {
            return None;
        }
        let floor = |time: Timestamp| match window_at(zones, time) {
            0 => time,
            width => time.div_euclid(width).saturating_mul(width),
        };
        let (mut from, to) = (floor(start), floor(end));
        if from >= to {
            from = to.saturating_sub(window_at(zones, end).max(1));
        }
        Some(Self { start: from, end: to, scale: (end - start) as f64 / (to - from) as f64 })
    }
}

/// Whether a function gives the same from rollups as from samples.
fn is_exact(function: RangeFunction) -> bool {
    use RangeFunction as F;
    matches!(
        function,
        F::Rate
            | F::Increase
            | F::Delta
            | F::CountOverTime
            | F::SumOverTime
            | F::AvgOverTime
            | F::MinOverTime
            | F::MaxOverTime
            | F::FirstOverTime
            | F::LastOverTime
            | F::TsOfFirstOverTime
            | F::TsOfLastOverTime
            | F::PresentOverTime
    )
}

/// Computes the steps anew that need rollups.
pub(super) fn run(job: &Job<'_>, rolled: &Rolled<'_>, function: RangeFunction, out: &mut Values) {
    if !is_exact(function) || job.spec.extent != Extent::Plain {
        job.note(&Note::ApproximateFromRollups);
        return;
    }
    for (step, window) in job.windows.iter().enumerate() {
        let start = window.end.saturating_sub(job.spec.range_ms);
        let Some(moved) = Moved::of(rolled.zones, start, window.end) else { break };
        out.floats[step] = ABSENT;
        if let Some(histograms) = &mut out.histograms {
            histograms[step] = None;
        }
        let (floats, histograms) = gather(job, rolled, moved);
        match (floats, histograms) {
            (Some(floats), Some(histograms)) => {
                mixed(job, function, (&floats, &histograms, moved), step, out);
            }
            (Some(floats), None) => {
                if let Some(value) = floats.value(job, function, moved) {
                    out.floats[step] = value;
                }
            }
            (None, Some(histograms)) => histograms.put(job, function, moved, step, out),
            (None, None) => {}
        }
    }
}

/// A window with both numbers and histograms, of which most functions make nothing.
fn mixed(
    job: &Job<'_>,
    function: RangeFunction,
    (floats, histograms, moved): (&Floats, &Histograms, Moved),
    step: usize,
    out: &mut Values,
) {
    use RangeFunction as F;
    match function {
        F::Rate | F::Increase | F::Delta | F::SumOverTime | F::AvgOverTime => {
            job.note(&Note::MixedFloatsHistograms { metric: job.metric });
        }
        F::CountOverTime => {
            out.floats[step] = (floats.all.count + histograms.count) as f64 * moved.scale;
        }
        F::FirstOverTime | F::TsOfFirstOverTime
            if histograms.first_time < floats.all.first_time =>
        {
            histograms.put(job, function, moved, step, out);
        }
        F::LastOverTime | F::TsOfLastOverTime if histograms.last_time > floats.all.last_time => {
            histograms.put(job, function, moved, step, out);
        }
        _ => {
            if let Some(value) = floats.value(job, function, moved) {
                out.floats[step] = value;
            }
        }
    }
}

/// All that lies in a window: whole rollups, and the samples behind the last whole one.
fn gather(
    job: &Job<'_>,
    rolled: &Rolled<'_>,
    moved: Moved,
) -> (Option<Floats>, Option<Histograms>) {
    let Zone { until, window_ms } = rolled.last();
    let whole = if moved.end > until {
        moved.end.div_euclid(window_ms).saturating_mul(window_ms).max(until)
    } else {
        moved.end
    };
    let mut floats: Option<Floats> = None;
    let mut add = |window: &Rollup| match &mut floats {
        Some(floats) => floats.add(window),
        None => floats = Some(Floats::new(window)),
    };
    let windows = &rolled.windows.floats;
    let from = windows.partition_point(|window| window.end <= moved.start);
    let to = windows.partition_point(|window| window.end <= whole);
    windows[from.min(to)..to].iter().for_each(&mut add);
    let times = &job.column.float_times;
    let from = times.partition_point(|&time| time <= whole);
    let to = times.partition_point(|&time| time <= moved.end);
    for (&time, &value) in times[from..to].iter().zip(&job.column.floats[from..to]) {
        add(&Rollup::new(time, time, value));
    }

    let mut histograms: Option<Histograms> = None;
    let mut add = |window: &HistogramRollup| match &mut histograms {
        Some(histograms) => histograms.add(window),
        None => histograms = Some(Histograms::new(window)),
    };
    let windows = &rolled.windows.histograms;
    let from = windows.partition_point(|window| window.end <= moved.start);
    let to = windows.partition_point(|window| window.end <= whole);
    windows[from.min(to)..to].iter().for_each(&mut add);
    let times = &job.column.histogram_times;
    let from = times.partition_point(|&time| time <= whole);
    let to = times.partition_point(|&time| time <= moved.end);
    for (&time, value) in times[from..to].iter().zip(&job.column.histograms[from..to]) {
        add(&HistogramRollup::new(time, time, value));
    }
    (floats, histograms)
}

/// Rollups of numbers put together.
#[derive(Debug)]
struct Floats {
    all: Rollup,
    sum: Kahan,
}

impl Floats {
    fn new(window: &Rollup) -> Self {
        let mut sum = Kahan::default();
        sum.add(window.sum);
        Self { all: *window, sum }
    }

    fn add(&mut self, window: &Rollup) {
        let all = &mut self.all;
        if window.first < all.last {
            all.lost += all.last;
        }
        all.lost += window.lost;
        all.last = window.last;
        all.last_time = window.last_time;
        all.count += window.count;
        all.min = all.min.min(window.min);
        all.max = all.max.max(window.max);
        self.sum.add(window.sum);
    }

    fn value(&self, job: &Job<'_>, function: RangeFunction, moved: Moved) -> Option<f64> {
        use RangeFunction as F;
        let all = &self.all;
        Some(match function {
            F::Rate | F::Increase | F::Delta => {
                if all.count < 2 {
                    return None;
                }
                let is_counter = function != F::Delta;
                let change = all.last - all.first + if is_counter { all.lost } else { 0.0 };
                let first = is_counter.then_some(all.first);
                let (times, gaps) = ((all.first_time, all.last_time), all.count - 1);
                change * factor(function, moved, &edges(times, gaps, first, change))
            }
            F::CountOverTime => all.count as f64 * moved.scale,
            F::SumOverTime => self.sum.total() * moved.scale,
            F::AvgOverTime => self.sum.total() / all.count as f64,
            F::MinOverTime => all.min,
            F::MaxOverTime => all.max,
            F::FirstOverTime => all.first,
            F::LastOverTime => all.last,
            F::TsOfFirstOverTime => all.first_time as f64 / 1000.0,
            F::TsOfLastOverTime => all.last_time as f64 / 1000.0,
            _ => {
                debug_assert_eq!(function, F::PresentOverTime, "{} is not exact", job.metric);
                1.0
            }
        })
    }
}

/// Rollups of histograms put together.
#[derive(Debug)]
struct Histograms {
    first_time: Timestamp,
    last_time: Timestamp,
    count: u64,
    first: Arc<NativeHistogram>,
    last: Arc<NativeHistogram>,
    /// `None` once something could not be added.
    sum: Option<NativeHistogram>,
    /// What resets lost, if any; `Err` once something could not be added.
    lost: Result<Option<NativeHistogram>, ()>,
}

impl Histograms {
    fn new(window: &HistogramRollup) -> Self {
        Self {
            first_time: window.first_time,
            last_time: window.last_time,
            count: window.count,
            first: Arc::clone(&window.first),
            last: Arc::clone(&window.last),
            sum: Some((*window.sum).clone()),
            lost: Ok(window.lost.as_deref().cloned()),
        }
    }

    fn add(&mut self, window: &HistogramRollup) {
        let is_counter = window.first.reset_hint != ResetHint::Gauge;
        if is_counter && window.first.is_reset_since(&self.last) {
            let last = Arc::clone(&self.last);
            self.lose(&last);
        }
        if let Some(lost) = &window.lost {
            self.lose(lost);
        }
        self.last_time = window.last_time;
        self.count += window.count;
        self.last = Arc::clone(&window.last);
        self.sum = self.sum.take().and_then(|mut sum| sum.add(&window.sum).ok().map(|_| sum));
    }

    fn lose(&mut self, lost: &NativeHistogram) {
        self.lost = match std::mem::replace(&mut self.lost, Err(())) {
            Ok(None) => Ok(Some(lost.clone())),
            Ok(Some(mut total)) => total.add(lost).map(|_| Some(total)).map_err(|_| ()),
            Err(()) => Err(()),
        };
    }

    fn put(
        &self,
        job: &Job<'_>,
        function: RangeFunction,
        moved: Moved,
        step: usize,
        out: &mut Values,
    ) {
        use RangeFunction as F;
        match function {
            F::Rate | F::Increase | F::Delta => {
                if self.count < 2 {
                    return;
                }
                let is_counter = function != F::Delta;
                let Some(mut change) = self.change(is_counter) else {
                    job.note(&Note::MixedSchemas { metric: job.metric });
                    return;
                };
                let first = is_counter.then_some(self.first.count);
                let times = (self.first_time, self.last_time);
                let edges = edges(times, self.count - 1, first, change.count);
                change.scale(factor(function, moved, &edges));
                out.set_histogram(step, Arc::new(change));
            }
            F::SumOverTime | F::AvgOverTime => {
                let Some(mut sum) = self.sum.clone() else {
                    job.note(&Note::MixedSchemas { metric: job.metric });
                    return;
                };
                if function == F::AvgOverTime {
                    sum.divide(self.count as f64);
                } else if moved.scale.to_bits() != 1.0_f64.to_bits() {
                    sum.scale(moved.scale);
                }
                out.set_histogram(step, Arc::new(sum));
            }
            F::FirstOverTime => out.set_histogram(step, Arc::clone(&self.first)),
            F::LastOverTime => out.set_histogram(step, Arc::clone(&self.last)),
            F::CountOverTime => out.floats[step] = self.count as f64 * moved.scale,
            F::TsOfFirstOverTime => out.floats[step] = self.first_time as f64 / 1000.0,
            F::TsOfLastOverTime => out.floats[step] = self.last_time as f64 / 1000.0,
            F::PresentOverTime => out.floats[step] = 1.0,
            // The least and the greatest are of numbers only.
            _ => {}
        }
    }

    fn change(&self, is_counter: bool) -> Option<NativeHistogram> {
        let mut change = (*self.last).clone();
        if is_counter && let Some(lost) = self.lost.as_ref().ok()? {
            change.add(lost).ok()?;
        }
        change.subtract(&self.first).ok()?;
        change.reset_hint = ResetHint::Gauge;
        change.compact();
        Some(change)
    }
}

/// A change, still without the window it is extrapolated to.
fn edges(
    (first_time, last_time): (Timestamp, Timestamp),
    gaps: u64,
    first: Option<f64>,
    change: f64,
) -> impl Fn(&StepWindow) -> Extrapolation<'_> {
    move |window| Extrapolation {
        window,
        start: None,
        first_time,
        last_time,
        gaps: gaps as f64,
        first,
        change,
    }
}

/// By what the change between the first and last sample is multiplied.
fn factor(
    function: RangeFunction,
    moved: Moved,
    edges: &dyn Fn(&StepWindow) -> Extrapolation<'_>,
) -> f64 {
    let Moved { start, end, scale } = moved;
    let window = StepWindow { start, end, floats: (0, 0), histograms: (0, 0) };
    let per = match function {
        RangeFunction::Rate => (end - start) as f64 / 1000.0,
        _ => scale.recip(),
    };
    edges(&window).factor(per)
}
