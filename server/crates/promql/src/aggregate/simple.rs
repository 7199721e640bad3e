//! Aggregations with one value per group and step.

use std::sync::Arc;

use model::{
    NativeHistogram,
    histogram::{CompensatedSum, ResetHint},
};

use super::group::Groups;
use crate::{
    annotations::{Combination, Note},
    engine::EvalError,
    eval::{ABSENT, Evaluator, Row, RowRef, Steps, Values, is_absent},
    functions::range::{Kahan, Mean, extreme_of},
    parser::{Aggregate, AggregateOp},
};

pub(super) fn aggregate(
    evaluator: &Evaluator<'_>,
    aggregate: &Aggregate,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let mut groups = Groups::new(&aggregate.grouping);
    let mut accumulators: Vec<Accumulator> = Vec::new();
    let context = Remarks { evaluator, aggregate };
    evaluator.stream(&aggregate.expr, steps, &mut |row| {
        let place = groups.place(row.labels);
        if place == accumulators.len() {
            evaluator.hold(steps.count)?;
            accumulators.push(Accumulator::new(aggregate.op, steps.count));
        }
        accumulators[place].add(row, &context);
        Ok(())
    })?;
    evaluator.release(accumulators.len() * steps.count);
    let finished = accumulators.into_iter().enumerate().filter_map(|(place, accumulator)| {
        let drop_name = accumulator.drop_name;
        let values = accumulator.finish(&context);
        values.has_any().then(|| Row { labels: groups.labels(place).clone(), drop_name, values })
    });
    Ok(finished.collect())
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
    Sum(Vec<Kahan>),
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

/// A sum that nothing was added to; Prometheus begins with the first value, which matters for −0.
const NOTHING: Kahan = Kahan { sum: ABSENT, compensation: 0.0 };

impl Accumulator {
    fn new(op: AggregateOp, count: usize) -> Self {
        let numbers = match op {
            AggregateOp::Sum => Numbers::Sum(vec![NOTHING; count]),
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
            Numbers::Sum(sums) => {
                for (sum, value) in sums.iter_mut().zip(floats).filter(|(_, v)| present(v)) {
                    if is_absent(sum.sum) {
                        *sum = Kahan { sum: *value, compensation: 0.0 };
                    } else {
                        sum.add(*value);
                    }
                }
            }
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
            Numbers::Sum(sums) => sums
                .into_iter()
                .map(|sum| if is_absent(sum.sum) { ABSENT } else { sum.sum + sum.compensation })
                .collect(),
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
