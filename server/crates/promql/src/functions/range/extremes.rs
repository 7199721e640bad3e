//! The greatest and least values of windows, by a monotone queue: every sample enters and leaves it
//! once, however many windows see it.

use std::collections::VecDeque;

use super::{Job, RangeFunction};
use crate::eval::Values;

pub(super) fn extremes(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    use RangeFunction as F;
    let greatest = matches!(function, F::MaxOverTime | F::TsOfMaxOverTime);
    let gives_time = matches!(function, F::TsOfMaxOverTime | F::TsOfMinOverTime);
    let (values, times) = (&job.column.floats, &job.column.float_times);
    if job.windows.len() == 1 && !gives_time {
        job.each_float_window(out, &mut |_, window| extreme(greatest, job.floats(window)));
        return;
    }
    let mut queue: VecDeque<usize> = VecDeque::new();
    let mut entered = 0;
    job.each_float_window(out, &mut |_, window| {
        let (low, high) = window.floats;
        entered = entered.max(low);
        while entered < high {
            let value = values[entered];
            if !value.is_nan() {
                // Of equal values the first is kept for the value, the last for the time of it.
                while let Some(back) = queue.back() {
                    let last = values[*back];
                    let is_beaten = if greatest { value > last } else { value < last };
                    if is_beaten || (gives_time && value == last) {
                        queue.pop_back();
                    } else {
                        break;
                    }
                }
                queue.push_back(entered);
            }
            entered += 1;
        }
        while queue.front().is_some_and(|front| *front < low) {
            queue.pop_front();
        }
        match queue.front() {
            Some(front) if gives_time => times[*front] as f64 / 1000.0,
            Some(front) => values[*front],
            // Nothing but NaN: the value is NaN, the time that of the last one.
            None if gives_time => times[high - 1] as f64 / 1000.0,
            None => f64::NAN,
        }
    });
}

/// The greatest or the least of all that are numbers, the first of equals; NaN when none is.
fn extreme(greatest: bool, values: &[f64]) -> f64 {
    let found = if greatest {
        best(values, f64::NEG_INFINITY, |value, kept| value > kept)
    } else {
        best(values, f64::INFINITY, |value, kept| value < kept)
    };
    // 0 and −0 are equal, and nothing beats what the search began with.
    let first = values.iter().find(|value| **value == found);
    first.copied().unwrap_or(f64::NAN)
}

/// Several values at a time: each is compared with its own predecessor, and not all with one.
fn best(values: &[f64], worst: f64, beats: impl Fn(f64, f64) -> bool + Copy) -> f64 {
    let better = |kept: f64, value: f64| if beats(value, kept) { value } else { kept };
    let (chunks, rest) = values.as_chunks::<8>();
    let mut kept = [worst; 8];
    for chunk in chunks {
        for (kept, value) in kept.iter_mut().zip(chunk) {
            *kept = better(*kept, *value);
        }
    }
    kept.into_iter().chain(rest.iter().copied()).fold(worst, better)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_the_extreme_is_the_first_that_no_other_beats(
            values in proptest::collection::vec(
                prop_oneof![
                    4 => (-3_i8..3).prop_map(f64::from),
                    1 => Just(-0.0),
                    2 => Just(f64::NAN),
                    1 => Just(f64::INFINITY),
                    1 => Just(f64::NEG_INFINITY),
                ],
                1..40,
            ),
        ) {
            for greatest in [true, false] {
                let numbers = values.iter().copied().filter(|value| !value.is_nan());
                let expected = numbers.reduce(|kept, value| {
                    let beats = if greatest { value > kept } else { value < kept };
                    if beats { value } else { kept }
                });
                let expected = expected.unwrap_or(f64::NAN);
                prop_assert_eq!(format!("{:?}", extreme(greatest, &values)), format!("{expected:?}"));
            }
        }
    }
}
