//! Sums of many series at many steps: the loops that large queries spend their time in.

use crate::{
    eval::{ABSENT, is_absent},
    functions::range::Kahan,
};

/// A compensated sum per step, and nothing where no series had a number.
#[derive(Debug)]
pub(super) struct Sums {
    /// [`ABSENT`] where there is nothing: Prometheus begins with the first value, which matters for −0.
    sums: Vec<f64>,
    compensations: Vec<f64>,
}

/// So many steps at a time are looked at for what is not a number.
const RUN: usize = 64;

impl Sums {
    pub(super) fn new(count: usize) -> Self {
        Self { sums: vec![ABSENT; count], compensations: vec![0.0; count] }
    }

    /// Adds the numbers of a series, [`ABSENT`] where there is none.
    pub(super) fn add(&mut self, values: &[f64]) {
        let sums = self.sums.chunks_mut(RUN).zip(self.compensations.chunks_mut(RUN));
        for ((sums, compensations), values) in sums.zip(values.chunks(RUN)) {
            if has_nan(sums) || has_nan(values) {
                add_with_gaps(sums, compensations, values);
            } else {
                add_all(sums, compensations, values);
            }
        }
    }

    /// Adds the sums of other series.
    pub(super) fn join(&mut self, other: &Self) {
        let ours = self.sums.iter_mut().zip(&mut self.compensations);
        let theirs = other.sums.iter().zip(&other.compensations);
        for ((sum, compensation), (&more, &lost)) in ours.zip(theirs) {
            if is_absent(*sum) {
                (*sum, *compensation) = (more, lost);
            } else if !is_absent(more) {
                let ours = Kahan { sum: *sum, compensation: *compensation };
                let joined = ours.join(Kahan { sum: more, compensation: lost });
                (*sum, *compensation) = (joined.sum, joined.compensation);
            }
        }
    }

    /// The sum of each step, [`ABSENT`] where there is none.
    pub(super) fn finish(self) -> Vec<f64> {
        let Self { mut sums, compensations } = self;
        for (sum, compensation) in sums.iter_mut().zip(compensations) {
            *sum = if is_absent(*sum) { ABSENT } else { *sum + compensation };
        }
        sums
    }
}

/// Without a way out the loop looks at several values at a time.
fn has_nan(values: &[f64]) -> bool {
    values.iter().fold(false, |any, value| any | value.is_nan())
}

/// The same without a branch, so that several steps are added at a time.
fn add_all(sums: &mut [f64], compensations: &mut [f64], values: &[f64]) {
    for ((sum, compensation), value) in sums.iter_mut().zip(compensations).zip(values) {
        let mut both = Kahan { sum: *sum, compensation: *compensation };
        both.add(*value);
        (*sum, *compensation) = (both.sum, both.compensation);
    }
}

fn add_with_gaps(sums: &mut [f64], compensations: &mut [f64], values: &[f64]) {
    for ((sum, compensation), value) in sums.iter_mut().zip(compensations).zip(values) {
        if is_absent(*value) {
            continue;
        }
        if is_absent(*sum) {
            (*sum, *compensation) = (*value, 0.0);
        } else {
            let mut both = Kahan { sum: *sum, compensation: *compensation };
            both.add(*value);
            (*sum, *compensation) = (both.sum, both.compensation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As long as two runs and a half, with gaps and what is no number here and there.
    fn row() -> impl Strategy<Value = Vec<f64>> {
        let odd = prop_oneof![Just(ABSENT), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)];
        let value = prop_oneof![30 => -1e9_f64..1e9, 1 => odd];
        prop_oneof![
            3 => proptest::collection::vec(value, 160),
            1 => Just(vec![ABSENT; 160]),
        ]
    }

    /// One step after the other.
    fn simply(rows: &[Vec<f64>]) -> Vec<f64> {
        let sum_at = |step: usize| {
            let mut values = rows.iter().map(|row| row[step]).filter(|value| !is_absent(*value));
            let Some(sum) = values.next() else { return ABSENT };
            let mut sum = Kahan { sum, compensation: 0.0 };
            values.for_each(|value| sum.add(value));
            sum.sum + sum.compensation
        };
        (0..160).map(sum_at).collect()
    }

    fn summed(rows: &[Vec<f64>]) -> Sums {
        let mut sums = Sums::new(160);
        for row in rows {
            sums.add(row);
        }
        sums
    }

    proptest! {
        #[test]
        fn property_sums_are_those_of_each_step(
            rows in proptest::collection::vec(row(), 1..8),
            others in proptest::collection::vec(row(), 0..3),
        ) {
            let expected = simply(&rows);
            let mut sums = summed(&rows);
            sums.join(&Sums::new(160));
            let absent = |values: &[f64]| values.iter().map(|v| is_absent(*v)).collect::<Vec<_>>();
            let found = Sums { sums: sums.sums.clone(), compensations: sums.compensations.clone() };
            let found = found.finish();
            prop_assert_eq!(absent(&found), absent(&expected));
            prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"));
            // Sums of others differ by what adding in another order makes.
            sums.join(&summed(&others));
            let all: Vec<Vec<f64>> = rows.iter().chain(&others).cloned().collect();
            for (found, expected) in sums.finish().into_iter().zip(simply(&all)) {
                let is_same = found.to_bits() == expected.to_bits()
                    || (found.is_nan() && expected.is_nan() && !is_absent(found))
                    || (found - expected).abs() <= 1e-6;
                prop_assert!(is_same, "{found} {expected}");
            }
        }
    }
}
