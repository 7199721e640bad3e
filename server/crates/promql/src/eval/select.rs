//! Selectors: reading series and placing their samples on steps.

use std::{
    ops::{Deref, Range},
    sync::Arc,
};

use model::{
    Column, Labels, NativeHistogram, Timestamp, Value, is_stale,
    rollup::{RollupColumn, window_at},
    storage::{Select, Selection, Starts},
};

use super::{
    Evaluator, RowRef, Sink, Steps, Values, WindowSpec,
    window::{StepWindow, Windows, drop_stale},
    without_identity,
};
use crate::{
    annotations::Note,
    engine::{EvalError, Series},
    functions::range::{Beside, Rolled, extended},
    parser::{Expr, ExprKind, Extent, RangeSelector, Selector, Span},
};

/// A window takes the memory of this many samples, what is made of it included.
const WINDOW_WEIGHT: usize = 6;

/// Takes rows together with the times of their samples in seconds.
type TimedSink<'a> = dyn FnMut(RowRef<'_>, &[f64]) -> Result<(), EvalError> + 'a;

/// Takes the samples of a series with the windows of all steps.
type WindowVisitor<'a> =
    dyn FnMut(&Labels, &Column, &Windows, &Beside<'_>) -> Result<(), EvalError> + 'a;

/// The series of a selector, and which of them this evaluator visits.
pub(crate) enum Selected<'a> {
    /// All of them.
    All(Box<dyn Selection + 'a>),
    /// Those of a piece of the query.
    Share(&'a dyn Selection, Range<usize>),
}

impl<'a> Deref for Selected<'a> {
    type Target = dyn Selection + 'a;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::All(selection) => &**selection,
            Self::Share(selection, _) => *selection,
        }
    }
}

impl Selected<'_> {
    fn numbers(&self) -> Range<usize> {
        match self {
            Self::All(selection) => 0..selection.labels().len(),
            Self::Share(_, range) => range.clone(),
        }
    }
}

impl Evaluator<'_> {
    fn selected(
        &self,
        selector: &Selector,
        range: (Timestamp, Timestamp),
    ) -> Result<Selected<'_>, EvalError> {
        match &self.share {
            Some(share) => Ok(Selected::Share(share.selection, share.series.clone())),
            None => self.select(selector, range).map(Selected::All),
        }
    }

    /// The oldest and newest timestamp an instant selector needs, both inclusive.
    pub(super) fn selector_reach(
        &self,
        selector: &Selector,
        steps: Steps,
    ) -> Result<(Timestamp, Timestamp), EvalError> {
        if selector.extent == Extent::Smoothed {
            return Ok(self.smoothed_spec(selector)?.time_range(&steps));
        }
        let offset = self.offset_ms(selector.offset.as_ref())?;
        let at = self.at(selector.at);
        let reference = |step: Timestamp| at.unwrap_or(step).saturating_sub(offset);
        let oldest = reference(steps.start).saturating_sub(self.lookback_ms).saturating_add(1);
        Ok((oldest, reference(steps.end())))
    }

    /// Selects the series of a selector between two times, both inclusive.
    pub(crate) fn select(
        &self,
        selector: &Selector,
        (start, end): (Timestamp, Timestamp),
    ) -> Result<Box<dyn Selection + '_>, EvalError> {
        self.ctx.check()?;
        let matchers = selector.all_matchers();
        let max_series = self.options.max_series;
        let selection =
            self.storage.select(&Select { matchers: &matchers, start, end, max_series })?;
        self.count_series(selection.labels().len());
        if let Some(zone) = selection.zones().last() {
            let (until, window_ms) = (zone.until, zone.window_ms);
            self.note(&Note::FromRollups { until, window_ms }, Span::default());
        }
        Ok(selection)
    }

    /// An instant selector at every step.
    pub(super) fn stream_selector(
        &self,
        selector: &Selector,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        self.stream_selected(selector, steps, &mut |row, _| sink(row))
    }

    /// An instant selector at every step, with the times of the samples: NaN-free seconds in a column
    /// of their own.
    pub(crate) fn stream_selected(
        &self,
        selector: &Selector,
        steps: Steps,
        sink: &mut TimedSink<'_>,
    ) -> Result<(), EvalError> {
        if selector.extent == Extent::Smoothed {
            return self.stream_smoothed(selector, steps, sink);
        }
        let offset = self.offset_ms(selector.offset.as_ref())?;
        let at = self.at(selector.at);
        let reference = |step: Timestamp| at.unwrap_or(step).saturating_sub(offset);
        let selection = self.selected(selector, self.selector_reach(selector, steps)?)?;
        let is_single = steps.count == 1;
        let mut column = Column::default();
        let mut values = Values::default();
        let mut times = Vec::new();
        for i in selection.numbers() {
            let labels = &selection.labels()[i];
            values.reset(steps.count);
            times.clear();
            times.resize(steps.count, 0.0);
            if is_single {
                let Some(sample) = selection.latest(i)? else { continue };
                self.count_samples(1)?;
                if sample.value.is_stale() {
                    continue;
                }
                times[0] = sample.timestamp as f64 / 1000.0;
                match sample.value {
                    Value::Float(value) => values.floats[0] = value,
                    Value::Histogram(histogram) => values.set_histogram(0, histogram),
                }
            } else {
                selection.read(i, &mut column)?;
                self.count_samples(column.len())?;
                let zones = selection.zones();
                let lookback = |time| self.lookback_ms.max(window_at(zones, time));
                let found = place(&column, &steps, &reference, &lookback, &mut values, &mut times);
                if !found {
                    continue;
                }
            }
            self.count_seen(steps, |step| match values.histogram(step) {
                Some(histogram) => size_in_samples(histogram),
                None => u64::from(values.is_present(step)),
            });
            sink(RowRef { labels, drop_name: false, values: &values }, &times)?;
        }
        Ok(())
    }

    fn smoothed_spec(&self, selector: &Selector) -> Result<WindowSpec, EvalError> {
        Ok(WindowSpec {
            range_ms: 0,
            offset_ms: self.offset_ms(selector.offset.as_ref())?,
            at: self.at(selector.at),
            extent: Extent::Smoothed,
            lookback_ms: self.lookback_ms,
        })
    }

    fn stream_smoothed(
        &self,
        selector: &Selector,
        steps: Steps,
        sink: &mut TimedSink<'_>,
    ) -> Result<(), EvalError> {
        let spec = self.smoothed_spec(selector)?;
        let times: Vec<f64> = steps.iter().map(|t| t as f64 / 1000.0).collect();
        let mut values = Values::default();
        self.each_window(selector, &spec, steps, &mut |labels, column, windows, _| {
            values.reset(steps.count);
            for (step, window) in windows.all().iter().enumerate() {
                let place = (labels.metric_name().unwrap_or_default(), Span::default());
                extended::smoothed_at(self, place, (column, window), (step, &mut values));
            }
            if values.has_any() {
                sink(RowRef { labels, drop_name: false, values: &values }, &times)?;
            }
            Ok(())
        })
    }

    /// Reads the series of a range selector one by one, each with the windows of all steps.
    pub(crate) fn each_window(
        &self,
        selector: &Selector,
        spec: &WindowSpec,
        steps: Steps,
        visit: &mut WindowVisitor<'_>,
    ) -> Result<(), EvalError> {
        let selection = self.selected(selector, spec.time_range(&steps))?;
        let weight = steps.count * WINDOW_WEIGHT;
        self.hold(weight)?;
        let zones = selection.zones();
        let (mut column, mut rollups) = (Column::default(), RollupColumn::default());
        let mut starts = Starts::default();
        let mut windows = Windows::with_capacity(steps.count);
        for i in selection.numbers() {
            let labels = &selection.labels()[i];
            selection.read(i, &mut column)?;
            self.count_samples(column.len())?;
            selection.read_starts(i, &mut starts)?;
            drop_stale(&mut column, &mut starts);
            if column.is_empty() {
                continue;
            }
            windows.move_to(spec, &steps, &column, zones);
            let rolled = match zones.last() {
                None => None,
                Some(zone) => {
                    selection.read_rollups(i, &mut rollups)?;
                    rollups.add(&column, zone.until, zone.window_ms);
                    Some(Rolled { zones, windows: &rollups })
                }
            };
            self.count_seen(steps, |step| {
                let StepWindow { floats, histograms, .. } = windows.all()[step];
                let histograms = &column.histograms[histograms.0..histograms.1];
                (floats.1 - floats.0) as u64
                    + histograms.iter().map(|h| size_in_samples(h)).sum::<u64>()
            });
            visit(labels, &column, &windows, &Beside { rolled, starts: &starts })?;
        }
        self.release(weight);
        Ok(())
    }

    /// The windows of a range selector.
    pub(crate) fn window_spec(&self, range: &RangeSelector) -> Result<WindowSpec, EvalError> {
        Ok(WindowSpec {
            range_ms: self.positive_ms(&range.range)?,
            offset_ms: self.offset_ms(range.selector.offset.as_ref())?,
            at: self.at(range.selector.at),
            extent: range.selector.extent,
            lookback_ms: self.lookback_ms,
        })
    }

    /// A range vector as the result of an instant query: the samples themselves.
    pub(crate) fn raw_matrix(&self, expr: &Expr) -> Result<Vec<Series>, EvalError> {
        match &expr.unwrapped().kind {
            ExprKind::Range(range) => {
                let spec = self.window_spec(range)?;
                let mut all = Vec::new();
                self.each_window(
                    &range.selector,
                    &spec,
                    self.query,
                    &mut |labels, column, windows, _| {
                        let column = match spec.extent {
                            Extent::Plain => inside(column, &windows.all()[0]),
                            extent => extended::with_borders(column, &windows.all()[0], extent)?,
                        };
                        if !column.is_empty() {
                            self.hold(column.len())?;
                            all.push(Series::raw(labels.clone(), column));
                        }
                        Ok(())
                    },
                )?;
                Ok(all)
            }
            ExprKind::Subquery(subquery) => {
                let (rows, spec) = self.subquery(subquery, self.query)?;
                let mut all = Vec::new();
                let mut windows = Vec::new();
                for (labels, drop_name, column) in rows {
                    spec.windows(&self.query, &column, &[], &mut windows);
                    let column = inside(&column, &windows[0]);
                    let labels = if drop_name { without_identity(&labels) } else { labels };
                    if !column.is_empty() {
                        all.push(Series::raw(labels, column));
                    }
                }
                Ok(all)
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// How many samples take as much memory as a histogram. Source: `HPoint.size` in Prometheus.
fn size_in_samples(histogram: &NativeHistogram) -> u64 {
    let numbers = histogram.positive.len() + histogram.negative.len();
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    // A histogram's fixed part has 88 bytes there, a sample 16.
    ((88 + 8 * numbers + 8 * spans + 8 + 8 * histogram.custom_bounds.len()) / 16) as u64
}

fn inside(column: &Column, window: &StepWindow) -> Column {
    let ((f0, f1), (h0, h1)) = (window.floats, window.histograms);
    Column {
        float_times: column.float_times[f0..f1].to_vec(),
        floats: column.floats[f0..f1].to_vec(),
        histogram_times: column.histogram_times[h0..h1].to_vec(),
        histograms: column.histograms[h0..h1].to_vec(),
    }
}

/// Places the newest sample within the lookback on every step, with its time in seconds; false
/// when no step has one.
pub(super) fn place(
    column: &Column,
    steps: &Steps,
    reference: &impl Fn(Timestamp) -> Timestamp,
    lookback: &impl Fn(Timestamp) -> i64,
    values: &mut Values,
    times: &mut [f64],
) -> bool {
    let (mut f, mut h) = (0, 0);
    let mut found = false;
    for (i, step) in steps.iter().enumerate() {
        let newest = reference(step);
        let oldest = newest.saturating_sub(lookback(newest));
        while f < column.float_times.len() && column.float_times[f] <= newest {
            f += 1;
        }
        while h < column.histogram_times.len() && column.histogram_times[h] <= newest {
            h += 1;
        }
        let float = f.checked_sub(1).map(|f| column.float_times[f]);
        let histogram = h.checked_sub(1).map(|h| column.histogram_times[h]);
        let Some(time) = float.max(histogram).filter(|time| *time > oldest) else { continue };
        if histogram > float {
            let histogram = &column.histograms[h - 1];
            if is_stale(histogram.sum) {
                continue;
            }
            values.set_histogram(i, Arc::clone(histogram));
        } else {
            let value = column.floats[f - 1];
            if is_stale(value) {
                continue;
            }
            values.floats[i] = value;
        }
        times[i] = time as f64 / 1000.0;
        found = true;
    }
    found
}
