//! Sums, means and variances of windows.
//!
//! Numbers are added with compensation (Kahan's summation in the variant of Neumaier, without its branch). Large windows that
//! overlap share partial sums: the window is cut at a pivot, sums from each sample to the pivot are
//! kept for the old part, one running sum for the new part.

use std::sync::Arc;

use model::histogram::{Combined, CompensatedSum, IncompatibleSchemas, ResetHint};

use super::{Job, RangeFunction};
use crate::{
    annotations::{Combination, Note},
    eval::{StepWindow, Values},
};

/// A sum with what rounding lost of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kahan {
    pub(crate) sum: f64,
    pub(crate) compensation: f64,
}

impl Kahan {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        // What rounding lost, exactly, whichever of the two is greater (Knuth's two-sum): a branch that
        // asks which one it is would go wrong every other time.
        let back = total - self.sum;
        let lost = (self.sum - (total - back)) + (value - back);
        self.compensation = if total.is_infinite() { 0.0 } else { self.compensation + lost };
        self.sum = total;
    }

    /// The sum of two sums, without losing what either lost.
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.add(other.sum);
        if self.sum.is_finite() {
            self.compensation += other.compensation;
        }
        self
    }

    pub(crate) fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.compensation }
    }

    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sum = Self::default();
        for value in values {
            sum.add(*value);
        }
        sum
    }
}

/// Sums of windows that move forward.
#[derive(Default)]
struct SlidingSum {
    /// Sums from each sample before the pivot up to it.
    suffixes: Vec<Kahan>,
    pivot: usize,
    running: Kahan,
    entered: usize,
}

/// Smaller windows are summed anew at every step, which is as fast and as Prometheus does it.
const LARGE: usize = 64;

impl SlidingSum {
    fn sum(&mut self, values: &[f64], (low, high): (usize, usize)) -> Kahan {
        if high - low < LARGE {
            return Kahan::of(&values[low..high]);
        }
        if low >= self.pivot || self.suffixes.len() < self.pivot - low {
            self.suffixes.clear();
            let mut suffix = Kahan::default();
            for value in values[low..high].iter().rev() {
                suffix.add(*value);
                self.suffixes.push(suffix);
            }
            self.pivot = high;
            self.running = Kahan::default();
            self.entered = high;
        }
        while self.entered < high {
            self.running.add(values[self.entered]);
            self.entered += 1;
        }
        self.suffixes[self.pivot - low - 1].join(self.running)
    }
}

pub(super) fn sums(job: &Job<'_>, out: &mut Values) {
    let mut sliding = SlidingSum::default();
    let is_single = job.windows.len() == 1;
    for (step, window) in job.windows.iter().enumerate() {
        match kind(job, window) {
            Kind::Floats if is_single => {
                out.floats[step] = Kahan::of(job.floats(window)).total();
            }
            Kind::Floats => {
                out.floats[step] = sliding.sum(&job.column.floats, window.floats).total();
            }
            Kind::Histograms => {
                if let Some(sum) = histogram_sum(job, window) {
                    out.set_histogram(step, Arc::new(sum.finish()));
                }
            }
            Kind::Other => {}
        }
    }
}

pub(super) fn averages(job: &Job<'_>, out: &mut Values) {
    let mut sliding = SlidingSum::default();
    let is_single = job.windows.len() == 1;
    for (step, window) in job.windows.iter().enumerate() {
        match kind(job, window) {
            Kind::Floats => {
                let values = job.floats(window);
                let sum = if is_single {
                    Kahan::of(values)
                } else {
                    sliding.sum(&job.column.floats, window.floats)
                };
                out.floats[step] = mean(values, sum);
            }
            Kind::Histograms => {
                if let Some(mean) = histogram_mean(job, window) {
                    out.set_histogram(step, Arc::new(mean));
                }
            }
            Kind::Other => {}
        }
    }
}

/// The mean from the sum, or step by step when the sum overflows.
fn mean(values: &[f64], sum: Kahan) -> f64 {
    let count = values.len() as f64;
    if !sum.sum.is_infinite() {
        return sum.sum / count + sum.compensation / count;
    }
    let mut running = Mean::default();
    for value in values {
        running.add(*value);
    }
    running.value()
}

/// A mean that is computed from a sum as long as that does not overflow, and from the mean so far
/// afterwards.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    count: f64,
    sum: Kahan,
    is_incremental: bool,
}

impl Mean {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum = Kahan { sum: value, compensation: 0.0 };
            return;
        }
        if !self.is_incremental {
            let mut next = self.sum;
            next.add(value);
            if !next.sum.is_infinite() {
                self.sum = next;
                return;
            }
            self.is_incremental = true;
            self.sum.sum /= self.count - 1.0;
            self.sum.compensation /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        self.sum.sum *= weight;
        self.sum.compensation *= weight;
        self.sum.add(value / self.count);
    }

    /// Adds the values of another mean.
    pub(crate) fn join(&mut self, other: Self) {
        let count = self.count + other.count;
        if !self.is_incremental && !other.is_incremental {
            let sum = self.sum.join(other.sum);
            if !sum.sum.is_infinite() || self.sum.sum.is_infinite() || other.sum.sum.is_infinite() {
                (self.count, self.sum) = (count, sum);
                return;
            }
        }
        // As shares of the common mean, which do not overflow.
        let total = self.value() * (self.count / count) + other.value() * (other.count / count);
        self.sum = Kahan { sum: total, compensation: 0.0 };
        (self.count, self.is_incremental) = (count, true);
    }

    pub(crate) fn value(&self) -> f64 {
        if self.is_incremental {
            return self.sum.sum + self.sum.compensation;
        }
        self.sum.sum / self.count + self.sum.compensation / self.count
    }
}

enum Kind {
    Floats,
    Histograms,
    Other,
}

fn kind(job: &Job<'_>, window: &StepWindow) -> Kind {
    match (window.floats.0 < window.floats.1, window.histograms.0 < window.histograms.1) {
        (true, true) => {
            job.note(&Note::MixedFloatsHistograms { metric: job.metric });
            Kind::Other
        }
        (true, false) => Kind::Floats,
        (false, true) => Kind::Histograms,
        (false, false) => Kind::Other,
    }
}

fn histogram_sum(job: &Job<'_>, window: &StepWindow) -> Option<CompensatedSum> {
    let histograms = &job.column.histograms[window.histograms.0..window.histograms.1];
    let mut sum = CompensatedSum::new((*histograms[0]).clone());
    let mut remarks = Remarks::new(histograms[0].reset_hint);
    for histogram in &histograms[1..] {
        remarks.see(histogram.reset_hint);
        remarks.combined(sum.add(histogram), job)?;
    }
    remarks.tell(job);
    Some(sum)
}

/// The mean from the sum, or from the mean so far once the sum overflows.
fn histogram_mean(job: &Job<'_>, window: &StepWindow) -> Option<model::NativeHistogram> {
    let histograms = &job.column.histograms[window.histograms.0..window.histograms.1];
    let mut sum = CompensatedSum::new((*histograms[0]).clone());
    let mut remarks = Remarks::new(histograms[0].reset_hint);
    let mut is_incremental = false;
    for (i, histogram) in histograms.iter().enumerate().skip(1) {
        let count = (i + 1) as f64;
        remarks.see(histogram.reset_hint);
        if !is_incremental {
            let before = sum.clone();
            remarks.combined(sum.add(histogram), job)?;
            if !sum.has_overflow() {
                continue;
            }
            is_incremental = true;
            sum = before;
            sum.divide(count - 1.0);
        }
        sum.scale((count - 1.0) / count);
        let mut share = (**histogram).clone();
        share.divide(count);
        remarks.combined(sum.add(&share), job)?;
    }
    remarks.tell(job);
    if !is_incremental {
        sum.divide(histograms.len() as f64);
    }
    Some(sum.finish())
}

/// What is to be remarked on a sum of histograms, told once at its end.
struct Remarks {
    saw_reset: bool,
    saw_no_reset: bool,
    reconciled: bool,
}

impl Remarks {
    fn new(first: ResetHint) -> Self {
        let mut remarks = Self { saw_reset: false, saw_no_reset: false, reconciled: false };
        remarks.see(first);
        remarks
    }

    fn see(&mut self, hint: ResetHint) {
        self.saw_reset |= hint == ResetHint::Reset;
        self.saw_no_reset |= hint == ResetHint::NotReset;
    }

    fn combined(
        &mut self,
        combined: Result<Combined, IncompatibleSchemas>,
        job: &Job<'_>,
    ) -> Option<()> {
        if let Ok(combined) = combined {
            self.reconciled |= combined.bounds_reconciled;
            return Some(());
        }
        job.note(&Note::MixedSchemas { metric: job.metric });
        None
    }

    fn tell(&self, job: &Job<'_>) {
        if self.saw_reset && self.saw_no_reset {
            job.note(&Note::ResetConflict(Combination::Aggregation));
        }
        if self.reconciled {
            job.note(&Note::BoundsReconciled(Combination::Aggregation));
        }
    }
}

/// The variance or its square root, by Welford's method with compensation.
pub(super) fn variances(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    let takes_root = function == RangeFunction::StddevOverTime;
    job.each_float_window(out, &mut |_, window| {
        let mut count = 0.0;
        let (mut mean, mut squares) = (Kahan::default(), Kahan::default());
        for value in job.floats(window) {
            count += 1.0;
            let delta = value - (mean.sum + mean.compensation);
            mean.add(delta / count);
            squares.add(delta * (value - (mean.sum + mean.compensation)));
        }
        let variance = (squares.sum + squares.compensation) / count;
        if takes_root { variance.sqrt() } else { variance }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Neumaier wrote it.
    fn add_with_branch(mut sum: Kahan, value: f64) -> Kahan {
        let total = sum.sum + value;
        if total.is_infinite() {
            sum.compensation = 0.0;
        } else if sum.sum.abs() >= value.abs() {
            sum.compensation += (sum.sum - total) + value;
        } else {
            sum.compensation += (value - total) + sum.sum;
        }
        sum.sum = total;
        sum
    }

    proptest! {
        #[test]
        fn property_nothing_is_lost_without_the_branch(
            values in proptest::collection::vec(
                prop_oneof![
                    any::<f64>(),
                    -1e3_f64..1e3,
                    Just(f64::MAX),
                    Just(f64::MIN),
                    Just(f64::INFINITY),
                    Just(-0.0),
                ],
                1..30,
            ),
        ) {
            let (mut sum, mut expected) = (Kahan::default(), Kahan::default());
            for value in values {
                sum.add(value);
                expected = add_with_branch(expected, value);
                // Text takes all that are no number for the same and tells −0 from 0.
                prop_assert_eq!(format!("{sum:?}"), format!("{expected:?}"));
            }
        }

        #[test]
        fn property_a_sliding_sum_is_the_sum_of_its_window(
            values in proptest::collection::vec(prop_oneof![
                30 => -1000_i32..1000, 1 => Just(i32::MAX)], 100..400),
            moves in proptest::collection::vec((0_usize..60, 0_usize..60), 1..30),
        ) {
            // Whole numbers add up exactly in any order; the greatest stands for infinity.
            let values: Vec<f64> = values
                .into_iter()
                .map(|value| if value == i32::MAX { f64::INFINITY } else { f64::from(value) })
                .collect();
            let mut sliding = SlidingSum::default();
            let (mut low, mut high) = (0, 90);
            for (forward, grow) in moves {
                low = (low + forward).min(values.len() - 1);
                high = (high + grow).clamp(low + 1, values.len());
                let expected: f64 = values[low..high].iter().sum();
                prop_assert_eq!(sliding.sum(&values, (low, high)).total(), expected);
            }
        }
    }
}
