//! History from elsewhere, straight into blocks.
//!
//! Samples of the past never go through the head: they are gathered by series, cut at the days of UTC,
//! and each day becomes a block of the merged kind. What the store has already is left out, so importing
//! the same thing again adds nothing. A small block of the same day is taken into the new one, so that
//! many small imports do not leave many small blocks.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use hashbrown::HashMap;
use model::{Column, Labels, Metadata, NativeHistogram, Timestamp};

use super::{
    Tsdb,
    maintain::{MaintainError, Maintainer},
    notes::Notes,
    source::{Part, Source, SourceError},
};
use crate::{
    block::{Block, BlockBuilder, BlockPlan, series_order},
    columns,
    engine::BlockRow,
    options::{DAY_MS, milliseconds},
};

/// A block of the same day with fewer bytes of pages is taken into the new one.
const SMALL_BLOCK_BYTES: u64 = 8 << 20;
/// What a series costs in a batch beside its labels and samples, roughly.
const SERIES_BYTES: usize = 160;
const SAMPLE_BYTES: usize = size_of::<(Timestamp, f64)>();
/// What a histogram costs beside its buckets.
const HISTOGRAM_BYTES: usize = size_of::<(Timestamp, NativeHistogram)>() + 64;

/// Samples on their way into blocks, in any order.
#[derive(Debug, Default)]
pub struct ImportBatch {
    places: HashMap<Labels, usize, foldhash::fast::FixedState>,
    series: Vec<Pending>,
    metadata: BTreeMap<String, Metadata>,
    bytes: usize,
    samples: u64,
}

#[derive(Debug)]
struct Pending {
    labels: Labels,
    samples: Vec<(Timestamp, f64)>,
    histograms: Vec<(Timestamp, Arc<NativeHistogram>)>,
}

/// What became of a batch. All samples are in exactly one of the counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Samples that are in the store now and were not, or had another value.
    pub added: u64,
    /// Samples that were there already, or that the batch had twice.
    pub present: u64,
    /// Samples refused: older than [`Options::retention`](crate::Options::retention) keeps.
    pub too_old: u64,
    /// Samples refused: further ahead than
    /// [`Options::future_window`](crate::Options::future_window) allows.
    pub too_new: u64,
    /// Blocks written.
    pub blocks: u64,
}

impl Imported {
    /// Adds what became of another batch.
    pub fn add(&mut self, other: Self) {
        self.added += other.added;
        self.present += other.present;
        self.too_old += other.too_old;
        self.too_new += other.too_new;
        self.blocks += other.blocks;
    }
}

impl ImportBatch {
    /// Adds samples of a series; of two at the same time the one added last counts.
    pub fn push(&mut self, labels: &Labels, samples: &[(Timestamp, f64)]) {
        self.bytes += samples.len() * SAMPLE_BYTES;
        self.samples += samples.len() as u64;
        let place = self.place(labels);
        self.series[place].samples.extend_from_slice(samples);
    }

    /// Adds native histograms of a series. At the time of a number the histogram counts.
    pub fn push_histograms(
        &mut self,
        labels: &Labels,
        histograms: &[(Timestamp, Arc<NativeHistogram>)],
    ) {
        let buckets = |it: &NativeHistogram| it.positive.len() + it.negative.len();
        let numbers: usize = histograms.iter().map(|(_, it)| 2 * buckets(it)).sum();
        self.bytes += histograms.len() * HISTOGRAM_BYTES + numbers * size_of::<f64>();
        self.samples += histograms.len() as u64;
        let place = self.place(labels);
        self.series[place].histograms.extend_from_slice(histograms);
    }

    fn place(&mut self, labels: &Labels) -> usize {
        if let Some(&place) = self.places.get(labels) {
            return place;
        }
        self.bytes += 2 * labels.as_packed().len() + SERIES_BYTES;
        self.places.insert(labels.clone(), self.series.len());
        let labels = labels.clone();
        self.series.push(Pending { labels, samples: Vec::new(), histograms: Vec::new() });
        self.series.len() - 1
    }

    /// Says what a metric is.
    pub fn describe(&mut self, metadata: Metadata) {
        self.metadata.insert(metadata.metric.clone(), metadata);
    }

    /// The memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many samples were added.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Every series in the order of blocks, its samples strictly increasing in time and within `kept`; the
    /// others are counted.
    fn into_columns(self, kept: Range<Timestamp>, outcome: &mut Imported) -> Vec<(Labels, Column)> {
        let mut series: Vec<(Labels, Column)> = Vec::with_capacity(self.series.len());
        for Pending { labels, samples, histograms } in self.series {
            let mut column = Column::default();
            (column.float_times, column.floats) = within(samples, &kept, outcome);
            if !histograms.is_empty() {
                let mut own = Column::default();
                (own.histogram_times, own.histograms) = within(histograms, &kept, outcome);
                outcome.present += columns::merge(&mut column, &own).same_time;
            }
            if !column.is_empty() {
                series.push((labels, column));
            }
        }
        series.sort_by(|a, b| series_order(&a.0, &b.0));
        series
    }
}

impl Tsdb {
    /// Writes a batch into blocks, a day at a time. When it returns `Ok` everything it counts as added or
    /// present is on stable storage.
    ///
    /// # Errors
    /// When the engine fails. Days before the failure are stored; importing the same batch again adds
    /// what is missing.
    pub fn import(&self, batch: ImportBatch, now: Timestamp) -> Result<Imported, MaintainError> {
        let mut outcome = Imported::default();
        let oldest = now.saturating_sub(milliseconds(self.options.retention));
        let newest = now.saturating_add(milliseconds(self.options.future_window));
        let mut batch = batch;
        let metadata = std::mem::take(&mut batch.metadata);
        let mut rest = batch.into_columns(oldest..newest.saturating_add(1), &mut outcome);
        self.state_mut().metadata.extend(metadata);
        let mut maintainer = self.maintainer();
        self.reconcile(&mut maintainer)?;
        while let Some(first) = rest.iter().filter_map(|(_, c)| columns::first_time(c)).min() {
            let day = first.div_euclid(DAY_MS) * DAY_MS;
            let part = take_day(&mut rest, day + DAY_MS);
            let samples: u64 = part.iter().map(|(_, column)| column.len() as u64).sum();
            let added = self.import_day(&mut maintainer, &part, day);
            self.note_change(day);
            let added = added?;
            outcome.added += added;
            outcome.present += samples - added;
            outcome.blocks += u64::from(added > 0);
        }
        Ok(outcome)
    }

    /// Imports the samples of one day and returns how many are new.
    fn import_day(
        &self,
        maintainer: &mut Maintainer,
        part: &[(Labels, Column)],
        day: Timestamp,
    ) -> Result<u64, MaintainError> {
        let range = day..day + DAY_MS;
        let there: Vec<Arc<Block>> = {
            let blocks = Arc::clone(&self.state().blocks);
            let overlaps = |block: &&Arc<Block>| block.overlaps(range.start, range.end - 1);
            blocks.iter().filter(overlaps).cloned().collect()
        };
        let notes = Arc::clone(&self.state().notes);
        let mut fresh = part.to_vec();
        for block in &there {
            let mut source = Source::new(&*self.engine, block, &notes, Part::WHOLE);
            let mut known = Column::default();
            for (labels, column) in &mut fresh {
                known.clear();
                match source.seek(labels, &mut known) {
                    Ok(()) => remove_known(column, &known),
                    // What cannot be read counts as not there.
                    Err(SourceError::Damaged(_)) => {}
                    Err(SourceError::Store(error)) => return self.count_failure(Err(error)),
                }
            }
        }
        fresh.retain(|(_, column)| !column.is_empty());
        let added = fresh.iter().map(|(_, column)| column.len() as u64).sum();
        if added == 0 {
            return Ok(0);
        }
        let first = fresh.iter().filter_map(|(_, column)| columns::first_time(column)).min();
        let last = fresh.iter().filter_map(|(_, column)| columns::last_time(column)).max();
        if let (Some(first), Some(last)) = (first, last) {
            self.note_stale(maintainer, (first, last))?;
        }
        // The one that counts most among those of the day, so that taking it in changes no answer.
        let is_small = |block: &&Arc<Block>| {
            block.row.level == 2
                && range.contains(&block.row.min_time)
                && range.contains(&block.row.max_time)
                && block.row.page_bytes < SMALL_BLOCK_BYTES
                && !maintainer.unmergeable.contains(&block.row.id)
        };
        let absorbed = there.last().filter(is_small).cloned();
        self.write_day(maintainer, &fresh, absorbed)?;
        Ok(added)
    }

    fn write_day(
        &self,
        maintainer: &mut Maintainer,
        fresh: &[(Labels, Column)],
        absorbed: Option<Arc<Block>>,
    ) -> Result<(), MaintainError> {
        let notes = Arc::clone(&self.state().notes);
        let times = fresh.iter().filter_map(|(_, column)| columns::last_time(column));
        let newest = times.max().unwrap_or_default();
        let plan = BlockPlan {
            id: maintainer.take_id(self.options.least_block(newest)),
            level: 2,
            order: maintainer.take_order(),
            window_ms: 0,
            cleaned: notes.last_deletion,
            frames: absorbed.as_ref().map_or(0, |block| block.frames),
            page_bytes: self.options.page_bytes,
        };
        let row = match self.build_day(plan, fresh, absorbed.as_deref(), &notes) {
            Ok(row) => row,
            Err(error) => {
                maintainer.add_stray(plan.id);
                return match error {
                    SourceError::Damaged(block) => {
                        maintainer.unmergeable.push(block);
                        self.write_day(maintainer, fresh, None)
                    }
                    SourceError::Store(error) => self.count_failure(Err(error)),
                };
            }
        };
        self.replace_blocks(maintainer, plan.id, absorbed.into_iter().collect(), row)
    }

    fn build_day(
        &self,
        plan: BlockPlan,
        fresh: &[(Labels, Column)],
        absorbed: Option<&Block>,
        notes: &Notes,
    ) -> Result<Option<BlockRow>, SourceError> {
        let mut builder = BlockBuilder::new(&*self.engine, plan);
        let mut old = absorbed.map(|block| Source::new(&*self.engine, block, notes, Part::WHOLE));
        let mut column = Column::default();
        for (labels, new) in fresh {
            if let Some(old) = &mut old {
                while let Some(earlier) = old.next_before(labels)? {
                    column.clear();
                    old.take(&earlier, &mut column)?;
                    builder.add(&earlier, &column)?;
                }
                column.clear();
                old.take(labels, &mut column)?;
                columns::merge(&mut column, new);
                builder.add(labels, &column)?;
            } else {
                builder.add(labels, new)?;
            }
        }
        if let Some(old) = &mut old {
            while let Some(labels) = old.peek()?.cloned() {
                column.clear();
                old.take(&labels, &mut column)?;
                builder.add(&labels, &column)?;
            }
        }
        let metadata = self.state().metadata.clone();
        Ok(builder.finish(metadata.values())?)
    }
}

/// Samples of one kind, strictly increasing in time and within `kept`; the others are counted. Of two at the
/// same time the later one counts.
fn within<T>(
    mut samples: Vec<(Timestamp, T)>,
    kept: &Range<Timestamp>,
    outcome: &mut Imported,
) -> (Vec<Timestamp>, Vec<T>) {
    if !samples.is_sorted_by(|a, b| a.0 < b.0) {
        samples.sort_by_key(|sample| sample.0);
    }
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for (at, value) in samples {
        if at < kept.start {
            outcome.too_old += 1;
        } else if at >= kept.end {
            outcome.too_new += 1;
        } else {
            if times.last() == Some(&at) {
                outcome.present += 1;
                times.pop();
                values.pop();
            }
            times.push(at);
            values.push(value);
        }
    }
    (times, values)
}

/// Takes the samples before `end` out of columns whose samples are all of that day or later.
fn take_day(series: &mut Vec<(Labels, Column)>, end: Timestamp) -> Vec<(Labels, Column)> {
    let mut day = Vec::new();
    for (labels, column) in series.iter_mut() {
        let floats = column.float_times.partition_point(|&at| at < end);
        let histograms = column.histogram_times.partition_point(|&at| at < end);
        if floats + histograms > 0 {
            let part = Column {
                float_times: column.float_times.drain(..floats).collect(),
                floats: column.floats.drain(..floats).collect(),
                histogram_times: column.histogram_times.drain(..histograms).collect(),
                histograms: column.histograms.drain(..histograms).collect(),
            };
            day.push((labels.clone(), part));
        }
    }
    series.retain(|(_, column)| !column.is_empty());
    day
}

/// Removes the samples that are known with the same time and the same bits.
fn remove_known(column: &mut Column, known: &Column) {
    if !known.float_times.is_empty() {
        remove_same(
            (&mut column.float_times, &mut column.floats),
            (&known.float_times, &known.floats),
            |a, b| a.to_bits() == b.to_bits(),
        );
    }
    if !known.histogram_times.is_empty() {
        remove_same(
            (&mut column.histogram_times, &mut column.histograms),
            (&known.histogram_times, &known.histograms),
            |a, b| a.has_same_data(b) || (a.sum.is_nan() && a.sum.to_bits() == b.sum.to_bits()),
        );
    }
}

fn remove_same<T: Clone>(
    (times, values): (&mut Vec<Timestamp>, &mut Vec<T>),
    (known_times, known): (&[Timestamp], &[T]),
    is_same: impl Fn(&T, &T) -> bool,
) {
    let is_new = |at: &Timestamp, value: &T| {
        known_times.binary_search(at).map_or(true, |found| !is_same(&known[found], value))
    };
    let pairs = times.iter().zip(values.iter()).filter(|(at, value)| is_new(at, value));
    (*times, *values) = pairs.map(|(at, value)| (*at, value.clone())).unzip();
}
