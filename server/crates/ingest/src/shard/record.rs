//! The second pass over a datagram: find the series of each sample and add its value.

use std::sync::Arc;

use super::{
    Arrival, Batch, Shard, Staged,
    cache::{Context, NO_CELL},
    operation::Operation,
};
use crate::{
    context,
    line::{Kind, Metric, parse_number},
    reason::Reason,
    series::{Series, SeriesKind, SourceId},
    window::{Cell, Delta, Timed},
};

impl Shard {
    /// Records a batch and notes per line what was refused.
    pub(super) fn record_all(&mut self, batch: &mut Batch<'_>, arrival: Arrival) {
        let Batch { staged, verdicts } = batch;
        // Short loops of their own: at many series every step is a cache miss, and here those of
        // several samples overlap.
        for sample in staged.iter_mut().filter(|sample| sample.is_plain()) {
            sample.cell = self.contexts.open_cell(sample.key, self.epoch);
        }
        for sample in staged.iter().filter(|sample| sample.cell != NO_CELL) {
            let cell = &mut self.window.cells[sample.cell as usize];
            cell.lines = cell.lines.saturating_add(1);
            if is_distribution(sample.metric.kind) {
                cell.touch();
            }
        }
        let gauge_negative = self.options.dialect.gauge_negative;
        let mut samples = 0;
        let mut rates_ignored = 0;
        for sample in staged.iter() {
            let metric = &sample.metric;
            rates_ignored += u64::from(metric.rate < 1.0 && !metric.kind.is_weighted());
            if let (true, Some(number)) = (sample.cell != NO_CELL, sample.metric.number) {
                let operation =
                    Operation::new(metric, metric.values, gauge_negative, arrival.stamp);
                self.window.cells[sample.cell as usize].apply(number, operation);
                samples += 1;
                continue;
            }
            let result = if is_timed(metric) {
                self.record_timed(sample, arrival)
            } else {
                self.record(sample, arrival)
            };
            samples += result.taken;
            verdicts[sample.line] = verdicts[sample.line].or(result.refused);
        }
        staged.clear();
        let tally = self.tally(arrival);
        tally.samples += samples;
        tally.rates_ignored += rates_ignored;
    }

    /// Records a sample of a series without a cell, of packed values, or of a set.
    fn record(&mut self, sample: &Staged<'_>, arrival: Arrival) -> Recorded {
        let metric = &sample.metric;
        if let Err(reason) = check_packed(sample) {
            return Recorded::refused(reason);
        }
        let cell = match self.cell_of(sample, arrival) {
            Ok(cell) => cell,
            Err(reason) => return Recorded::refused(reason),
        };
        let gauge_negative = self.options.dialect.gauge_negative;
        let operation = |text| Operation::new(metric, text, gauge_negative, arrival.stamp);
        let cell = &mut self.window.cells[cell as usize];
        cell.lines = cell.lines.saturating_add(1);
        if let Some(value) = sample.metric.number {
            cell.apply(value, operation(metric.values));
            return Recorded { taken: 1, refused: None };
        }
        let mut recorded = Recorded::default();
        for text in metric.values() {
            if let Delta::Set(members) = &mut cell.delta {
                members.insert(text);
                recorded.taken += 1;
                continue;
            }
            match parse_number(text) {
                Ok(value) => {
                    cell.apply(value, operation(text));
                    recorded.taken += 1;
                }
                Err(reason) => recorded.refused = recorded.refused.or(Some(reason)),
            }
        }
        recorded
    }

    /// The cell of a sample's series in the open window, which is opened when there is none.
    fn cell_of(&mut self, sample: &Staged<'_>, arrival: Arrival) -> Result<u32, Reason> {
        let epoch = self.epoch;
        match self.contexts.find_mut(sample.key) {
            Some(context) if context.epoch == epoch => Ok(context.cell),
            Some(context) => {
                let series = context.series.as_ref().ok_or(Reason::MappingDrop)?;
                context.epoch = epoch;
                context.cell = open_cell(&mut self.window.cells, series);
                Ok(context.cell)
            }
            None => {
                let series = self.learn(sample, arrival.source)?;
                let cell = open_cell(&mut self.window.cells, &series);
                let key = sample.key;
                self.contexts.insert(Context { key, series: Some(series), epoch, cell });
                Ok(cell)
            }
        }
    }

    /// Keeps a sample with its own time apart. The rate is not applied: the client has added such
    /// samples up itself.
    #[cold]
    fn record_timed(&mut self, sample: &Staged<'_>, arrival: Arrival) -> Recorded {
        let series = match check_packed(sample).and_then(|()| self.series_of(sample, arrival)) {
            Ok(series) => series,
            Err(reason) => return Recorded::refused(reason),
        };
        let timestamp = sample.metric.timestamp_seconds().unwrap_or_default() * 1000;
        let mut recorded = Recorded::default();
        for text in sample.metric.values() {
            if self.window.timed.len() >= self.options.max_timed {
                recorded.refused = recorded.refused.or(Some(Reason::TimestampedLimit));
                break;
            }
            match parse_number(text) {
                Ok(value) => {
                    let (series, value) = (Arc::clone(&series), value * series.scale);
                    self.window.timed.push(Timed { series, timestamp, value });
                    recorded.taken += 1;
                }
                Err(reason) => recorded.refused = recorded.refused.or(Some(reason)),
            }
        }
        recorded
    }

    /// The series of a sample that needs no cell.
    fn series_of(&mut self, sample: &Staged<'_>, arrival: Arrival) -> Result<Arc<Series>, Reason> {
        if let Some(context) = self.contexts.find_mut(sample.key) {
            return context.series.clone().ok_or(Reason::MappingDrop);
        }
        let series = self.learn(sample, arrival.source)?;
        let remembered = Some(Arc::clone(&series));
        let context = Context { key: sample.key, series: remembered, epoch: 0, cell: NO_CELL };
        self.contexts.insert(context);
        Ok(series)
    }

    /// Takes a new context apart.
    #[cold]
    fn learn(&mut self, sample: &Staged<'_>, source: SourceId) -> Result<Arc<Series>, Reason> {
        let limit = match self.room {
            0 => Some(Reason::SeriesLimit),
            _ if self.contexts.has_room(source, self.epoch) => None,
            _ => Some(Reason::ContextLimit),
        };
        if let Some(reason) = limit {
            let name = context::display_name(&sample.metric);
            self.window.offenders.record(&name, source, reason, 1);
            return Err(reason);
        }
        match context::resolve(&self.options.dialect, &sample.metric, source) {
            Ok(announcement) => {
                let series = Arc::clone(&announcement.series);
                self.window.announced.push(announcement);
                self.room -= 1;
                self.learned += 1;
                Ok(series)
            }
            Err(Reason::MappingDrop) => {
                // Remembered too: what is dropped is often what there is most of.
                let key = sample.key;
                self.contexts.insert(Context { key, series: None, epoch: 0, cell: NO_CELL });
                Err(Reason::MappingDrop)
            }
            Err(reason) => Err(reason),
        }
    }
}

/// What became of one sample of a line.
#[derive(Debug, Default)]
struct Recorded {
    taken: u64,
    refused: Option<Reason>,
}

impl Recorded {
    fn refused(reason: Reason) -> Self {
        Self { taken: 0, refused: Some(reason) }
    }
}

/// Whether a sample keeps its own time. Distributions are always added to the open window: what is
/// in the store of them is cumulative.
fn is_timed(metric: &Metric<'_>) -> bool {
    metric.has_timestamp() && matches!(metric.kind.into(), SeriesKind::Counter | SeriesKind::Gauge)
}

fn is_distribution(kind: Kind) -> bool {
    matches!(kind.into(), SeriesKind::Timer)
}

/// Packed values without any number must not make a series.
#[inline]
fn check_packed(sample: &Staged<'_>) -> Result<(), Reason> {
    if sample.metric.number.is_some() || sample.metric.kind == Kind::Set {
        return Ok(());
    }
    let mut refused = Reason::MissingValue;
    for text in sample.metric.values() {
        match parse_number(text) {
            Ok(_) => return Ok(()),
            Err(reason) => refused = reason,
        }
    }
    Err(refused)
}

#[inline]
fn open_cell(cells: &mut Vec<Cell>, series: &Arc<Series>) -> u32 {
    cells.push(Cell {
        series: Arc::clone(series),
        delta: Delta::new(series.kind),
        lines: 0,
        is_scaled: series.scale != 1.0,
    });
    (cells.len() - 1) as u32
}
