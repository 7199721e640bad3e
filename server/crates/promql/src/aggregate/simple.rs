//! Aggregations with one value per group and step.

use std::sync::Arc;

use model::{
    Labels, NativeHistogram,
    histogram::{CompensatedSum, ResetHint},
};

use super::{group::Groups, sums::Sums};
use crate::{
    annotations::{Combination, Note},
    engine::EvalError,
    eval::{ABSENT, Evaluator, Row, RowRef, Steps, Values, is_absent},
    functions::range::{Mean, extreme_of},
    parser::{Aggregate, AggregateOp},
};

pub(super) fn aggregate(
    evaluator: &Evaluator<'_>,
    aggregate: &Aggregate,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let pieces = evaluator.in_pieces(&aggregate.expr, steps, &|piece| {
        let context = Remarks { evaluator: piece, aggregate };
        let mut groups = Grouped::new(aggregate);
        piece.stream(&aggregate.expr, steps, &mut |row| {
            groups.place(row.labels, piece, steps)?.add(row, &context);
            Ok(())
        })?;
        Ok(groups)
    })?;
    let context = Remarks { evaluator, aggregate };
    let mut pieces = pieces.into_iter();
    let Some(mut all) = pieces.next() else { return Ok(Vec::new()) };
    for piece in pieces {
        evaluator.release(piece.accumulators.len() * steps.count);
        for (place, accumulator) in piece.accumulators.into_iter().enumerate() {
            let labels = piece.groups.labels(place);
            all.place_of_group(labels, evaluator, steps)?.join(accumulator, &context);
        }
    }
    evaluator.release(all.accumulators.len() * steps.count);
    let groups = all.groups;
    let finished = all.accumulators.into_iter().enumerate().filter_map(|(place, accumulator)| {
        let drop_name = accumulator.drop_name;
        let values = accumulator.finish(&context);
        values.has_any().then(|| Row { labels: groups.labels(place).clone(), drop_name, values })
    });
    Ok(finished.collect())
}

/// The groups of a piece of the query, with an accumulator each.
struct Grouped<'a> {
    op: AggregateOp,
    groups: Groups<'a>,
    accumulators: Vec<Accumulator>,
}

impl<'a> Grouped<'a> {
    fn new(aggregate: &'a Aggregate) -> Self {
        Self {
            op: aggregate.op,
            groups: Groups::new(&aggregate.grouping),
            accumulators: Vec::new(),
        }
    }

    /// The accumulator of the group of a series.
    fn place(
        &mut self,
        labels: &Labels,
        evaluator: &Evaluator<'_>,
        steps: Steps,
    ) -> Result<&mut Accumulator, EvalError> {
        let place = self.groups.place(labels);
        self.at(place, evaluator, steps)
    }

    /// The accumulator of the group with these labels.
    fn place_of_group(
        &mut self,
        labels: &Labels,
        evaluator: &Evaluator<'_>,
        steps: Steps,
    ) -> Result<&mut Accumulator, EvalError> {
        let place = self.groups.place_of_group(labels);
        self.at(place, evaluator, steps)
    }

    fn at(
        &mut self,
        place: usize,
        evaluator: &Evaluator<'_>,
        steps: Steps,
    ) -> Result<&mut Accumulator, EvalError> {
        if place == self.accumulators.len() {
            evaluator.hold(steps.count)?;
            self.accumulators.push(Accumulator::new(self.op, steps.count));
        }
        Ok(&mut self.accumulators[place])
    }
}

struct Remarks<'a> {
    evaluator: &'a Evaluator<'a>,
    aggregate: &'a Aggregate,
}

impl Remarks<'_> {
    fn note(&self, note: &Note<'_>) {
        self.evaluator.note(note, self.aggregate.expr.span);
    }
}

/// The state of one group, a column per number kept.
struct Accumulator {
    drop_name: bool,
    numbers: Numbers,
    /// Sums of histograms, per step, once there are any.
    histograms: Option<Vec<HistogramSum>>,
}

enum Numbers {
    Sum(Sums),
    Avg(Vec<Option<Mean>>),
    Count(Vec<f64>),
    Group(Vec<f64>),
    Extreme { greatest: bool, values: Vec<f64> },
    Variance { takes_root: bool, steps: Vec<Variance> },
}

#[derive(Clone, Copy, Default)]
struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Variance {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    /// Adds the values of another one. Source: Chan and others, "Updating formulae and a
    /// pairwise algorithm for computing sample variances".
    fn join(&mut self, other: Self) {
        if self.count == 0.0 {
            *self = other;
        } else if other.count > 0.0 {
            let count = self.count + other.count;
            let delta = other.mean - self.mean;
            self.mean += delta * (other.count / count);
            self.squares += other.squares + delta * delta * (self.count * other.count / count);
            self.count = count;
        }
    }
}

/// The histograms of one group at one step.
#[derive(Default, Clone)]
struct HistogramSum {
    sum: Option<CompensatedSum>,
    count: f64,
    is_incremental: bool,
    is_incompatible: bool,
    saw_reset: bool,
    saw_no_reset: bool,
}

impl Accumulator {
    fn new(op: AggregateOp, count: usize) -> Self {
        let numbers = match op {
            AggregateOp::Sum => Numbers::Sum(Sums::new(count)),
            AggregateOp::Avg => Numbers::Avg(vec![None; count]),
            AggregateOp::Count => Numbers::Count(vec![0.0; count]),
            AggregateOp::Min | AggregateOp::Max => {
                Numbers::Extreme { greatest: op == AggregateOp::Max, values: vec![ABSENT; count] }
            }
            AggregateOp::Stddev | AggregateOp::Stdvar => Numbers::Variance {
                takes_root: op == AggregateOp::Stddev,
                steps: vec![Variance::default(); count],
            },
            _ => Numbers::Group(vec![ABSENT; count]),
        };
        Self { drop_name: false, numbers, histograms: None }
    }

    fn add(&mut self, row: RowRef<'_>, remarks: &Remarks<'_>) {
        self.drop_name |= row.drop_name;
        let floats = row.values.floats.iter();
        let present = |value: &f64| !is_absent(*value);
        match &mut self.numbers {
            Numbers::Sum(sums) => sums.add(&row.values.floats),
            Numbers::Avg(means) => {
                for (mean, value) in means.iter_mut().zip(floats).filter(|(_, v)| present(v)) {
                    mean.get_or_insert_default().add(*value);
                }
            }
            Numbers::Count(counts) => {
                for (count, value) in counts.iter_mut().zip(floats) {
                    *count += f64::from(u8::from(present(value)));
                }
            }
            Numbers::Group(ones) => {
                for (one, _) in ones.iter_mut().zip(floats).filter(|(_, v)| present(v)) {
                    *one = 1.0;
                }
            }
            Numbers::Extreme { greatest, values } => {
                for (kept, value) in values.iter_mut().zip(floats).filter(|(_, v)| present(v)) {
                    *kept = if is_absent(*kept) {
                        *value
                    } else {
                        extreme_of(*greatest, *kept, *value)
                    };
                }
            }
            Numbers::Variance { steps, .. } => {
                for (step, value) in steps.iter_mut().zip(floats).filter(|(_, v)| present(v)) {
                    step.add(*value);
                }
            }
        }
        if row.values.histograms.is_some() {
            self.add_histograms(row, remarks);
        }
    }

    /// Adds what another piece of the query knows of the same group. Its series come after ours.
    fn join(&mut self, other: Self, remarks: &Remarks<'_>) {
        self.drop_name |= other.drop_name;
        match (&mut self.numbers, other.numbers) {
            (Numbers::Sum(ours), Numbers::Sum(theirs)) => ours.join(&theirs),
            (Numbers::Avg(ours), Numbers::Avg(theirs)) => {
                for (mean, more) in ours.iter_mut().zip(theirs) {
                    match (mean.as_mut(), more) {
                        (Some(mean), Some(more)) => mean.join(more),
                        (None, more) => *mean = more,
                        (Some(_), None) => {}
                    }
                }
            }
            (Numbers::Count(ours), Numbers::Count(theirs)) => {
                for (count, more) in ours.iter_mut().zip(theirs) {
                    *count += more;
                }
            }
            (Numbers::Group(ours), Numbers::Group(theirs)) => {
                for (one, other) in ours.iter_mut().zip(theirs).filter(|(_, o)| !is_absent(*o)) {
                    *one = other;
                }
            }
            (Numbers::Extreme { greatest, values }, Numbers::Extreme { values: theirs, .. }) => {
                for (kept, value) in values.iter_mut().zip(theirs).filter(|(_, v)| !is_absent(*v)) {
                    *kept =
                        if is_absent(*kept) { value } else { extreme_of(*greatest, *kept, value) };
                }
            }
            (Numbers::Variance { steps, .. }, Numbers::Variance { steps: theirs, .. }) => {
                for (step, more) in steps.iter_mut().zip(theirs) {
                    step.join(more);
                }
            }
            // All pieces compute the same aggregation.
            _ => {}
        }
        let Some(theirs) = other.histograms else { return };
        let count = theirs.len();
        let ours = self.histograms.get_or_insert_with(|| vec![HistogramSum::default(); count]);
        for (sum, more) in ours.iter_mut().zip(theirs) {
            sum.join(more, remarks);
        }
    }

    fn add_histograms(&mut self, row: RowRef<'_>, remarks: &Remarks<'_>) {
        let metric = row.labels.metric_name().unwrap_or_default();
        let count = row.values.floats.len();
        for (step, histogram) in row.values.histograms.iter().flatten().enumerate() {
            let Some(histogram) = histogram else { continue };
            match &mut self.numbers {
                Numbers::Sum(_) | Numbers::Avg(_) => {
                    let sums =
                        self.histograms.get_or_insert_with(|| vec![HistogramSum::default(); count]);
                    let is_mean = matches!(self.numbers, Numbers::Avg(_));
                    sums[step].add(histogram, is_mean, metric, remarks);
                }
                Numbers::Count(counts) => counts[step] += 1.0,
                Numbers::Group(ones) => ones[step] = 1.0,
                Numbers::Extreme { .. } | Numbers::Variance { .. } => {
                    let aggregation = remarks.aggregate.op.as_str();
                    remarks.note(&Note::IgnoredInAggregation { aggregation });
                }
            }
        }
    }

    fn finish(self, remarks: &Remarks<'_>) -> Values {
        let floats: Vec<f64> = match self.numbers {
            Numbers::Sum(sums) => sums.finish(),
            Numbers::Avg(means) => {
                means.into_iter().map(|mean| mean.map_or(ABSENT, |mean| mean.value())).collect()
            }
            Numbers::Count(counts) => {
                counts.into_iter().map(|count| if count > 0.0 { count } else { ABSENT }).collect()
            }
            Numbers::Group(values) | Numbers::Extreme { values, .. } => values,
            Numbers::Variance { takes_root, steps } => steps
                .into_iter()
                .map(|step| match step.squares / step.count {
                    _ if step.count == 0.0 => ABSENT,
                    variance if takes_root => variance.sqrt(),
                    variance => variance,
                })
                .collect(),
        };
        let mut values = Values { floats, histograms: None };
        for (step, sum) in self.histograms.into_iter().flatten().enumerate() {
            if sum.sum.is_none() && !sum.is_incompatible {
                continue;
            }
            if !is_absent(values.floats[step]) {
                remarks.note(&Note::MixedFloatsHistogramsInAggregation);
                values.floats[step] = ABSENT;
                continue;
            }
            if let Some(histogram) = sum.finish(remarks) {
                values.set_histogram(step, Arc::new(histogram));
            }
        }
        values
    }
}

impl HistogramSum {
    fn add(
        &mut self,
        histogram: &NativeHistogram,
        is_mean: bool,
        metric: &str,
        remarks: &Remarks<'_>,
    ) {
        if self.is_incompatible {
            return;
        }
        self.saw_reset |= histogram.reset_hint == ResetHint::Reset;
        self.saw_no_reset |= histogram.reset_hint == ResetHint::NotReset;
        self.count += 1.0;
        let Some(sum) = &mut self.sum else {
            self.sum = Some(CompensatedSum::new(histogram.clone()));
            return;
        };
        let before = (is_mean && !self.is_incremental).then(|| sum.clone());
        let added = if self.is_incremental {
            sum.scale((self.count - 1.0) / self.count);
            let mut share = histogram.clone();
            share.divide(self.count);
            sum.add(&share)
        } else {
            sum.add(histogram)
        };
        match added {
            Err(_) => {
                remarks.note(&Note::MixedSchemas { metric });
                self.is_incompatible = true;
                self.sum = None;
                return;
            }
            Ok(combined) if combined.bounds_reconciled => {
                remarks.note(&Note::BoundsReconciled(Combination::Aggregation));
            }
            Ok(_) => {}
        }
        // A mean whose sum overflows goes on from the mean so far.
        if let Some(mut mean) = before
            && sum.has_overflow()
        {
            self.is_incremental = true;
            mean.divide(self.count - 1.0);
            mean.scale((self.count - 1.0) / self.count);
            let mut share = histogram.clone();
            share.divide(self.count);
            if mean.add(&share).is_ok() {
                *sum = mean;
            }
        }
    }

    /// Adds the histograms of another piece of the query.
    fn join(&mut self, other: Self, remarks: &Remarks<'_>) {
        self.saw_reset |= other.saw_reset;
        self.saw_no_reset |= other.saw_no_reset;
        if self.is_incompatible || other.is_incompatible {
            (self.is_incompatible, self.sum) = (true, None);
            return;
        }
        let Some(more) = other.sum else { return };
        let Some(sum) = &mut self.sum else {
            (self.sum, self.count, self.is_incremental) =
                (Some(more), other.count, other.is_incremental);
            return;
        };
        let count = self.count + other.count;
        let mut more = more.finish();
        let before = sum.clone();
        if self.is_incremental || other.is_incremental {
            // Both as shares of the common mean.
            sum.scale(share(self.is_incremental, self.count, count));
            more.scale(share(other.is_incremental, other.count, count));
        }
        let mut added = sum.add(&more);
        let is_mean = remarks.aggregate.op == AggregateOp::Avg;
        if is_mean && sum.has_overflow() && !(self.is_incremental || other.is_incremental) {
            *sum = before;
            sum.scale(share(false, self.count, count));
            more.scale(share(false, other.count, count));
            added = sum.add(&more);
            self.is_incremental = true;
        }
        self.is_incremental |= other.is_incremental;
        self.count = count;
        match added {
            Err(_) => {
                // The histograms are of two kinds, and the metric is not known any more.
                remarks.note(&Note::MixedSchemas { metric: "" });
                (self.is_incompatible, self.sum) = (true, None);
            }
            Ok(combined) if combined.bounds_reconciled => {
                remarks.note(&Note::BoundsReconciled(Combination::Aggregation));
            }
            Ok(_) => {}
        }
    }

    fn finish(self, remarks: &Remarks<'_>) -> Option<NativeHistogram> {
        let mut sum = self.sum?;
        if self.saw_reset && self.saw_no_reset {
            remarks.note(&Note::ResetConflict(Combination::Aggregation));
        }
        if remarks.aggregate.op == AggregateOp::Avg && !self.is_incremental {
            sum.divide(self.count);
        }
        let mut histogram = sum.finish();
        histogram.compact();
        Some(histogram)
    }
}

/// By what a mean, or a sum, of some of the histograms goes into the mean of all.
fn share(is_mean: bool, count: f64, all: f64) -> f64 {
    if is_mean { count / all } else { 1.0 / all }
}
