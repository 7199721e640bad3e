//! Quantiles of windows. Where windows overlap the sorted window is changed, not sorted again.

use super::Job;
use crate::{annotations::Note, eval::Values};

pub(super) fn quantiles(job: &Job<'_>, out: &mut Values) {
    let mut sorted = SortedWindow::default();
    let is_single = job.windows.len() == 1;
    let mut scratch = Vec::new();
    job.each_float_window(out, &mut |step, window| {
        let q = job.params[0][step];
        if !(0.0..=1.0).contains(&q) {
            job.evaluator.note(&Note::InvalidQuantile(q), job.first_span);
        }
        if is_single {
            scratch.clear();
            scratch.extend_from_slice(job.floats(window));
            return quantile_of(q, &mut scratch);
        }
        sorted.move_to(&job.column.floats, window.floats);
        of_sorted(q, &sorted.keys)
    });
}

/// The median distance from the median; a single NaN makes it NaN.
pub(super) fn deviations(job: &Job<'_>, out: &mut Values) {
    let mut scratch = Vec::new();
    job.each_float_window(out, &mut |_, window| {
        let values = job.floats(window);
        if values.iter().any(|value| value.is_nan()) {
            return f64::NAN;
        }
        scratch.clear();
        scratch.extend_from_slice(values);
        let median = quantile_of(0.5, &mut scratch);
        scratch.clear();
        scratch.extend(values.iter().map(|value| (value - median).abs()));
        quantile_of(0.5, &mut scratch)
    });
}

/// A quantile of numbers in any order, which it changes. NaN counts as the least number. Between two
/// numbers it is their weighted mean.
pub(crate) fn quantile_of(q: f64, values: &mut [f64]) -> f64 {
    if let Some(edge) = edge(q, values.len()) {
        return edge;
    }
    let mut keys: Vec<i64> = values.iter().copied().map(to_key).collect();
    let rank = q * (keys.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let (_, at_lower, above) = keys.select_nth_unstable(lower);
    let at_lower = *at_lower;
    let at_upper = above.iter().copied().min().unwrap_or(at_lower);
    between(rank, from_key(at_lower), from_key(at_upper))
}

fn of_sorted(q: f64, sorted: &[i64]) -> f64 {
    if let Some(edge) = edge(q, sorted.len()) {
        return edge;
    }
    let rank = q * (sorted.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let upper = sorted[(lower + 1).min(sorted.len() - 1)];
    between(rank, from_key(sorted[lower]), from_key(upper))
}

fn edge(q: f64, count: usize) -> Option<f64> {
    match q {
        q if count == 0 || q.is_nan() => Some(f64::NAN),
        q if q < 0.0 => Some(f64::NEG_INFINITY),
        q if q > 1.0 => Some(f64::INFINITY),
        _ => None,
    }
}

fn between(rank: f64, lower: f64, upper: f64) -> f64 {
    let weight = rank - rank.floor();
    lower * (1.0 - weight) + upper * weight
}

/// An integer that orders as the number does, NaN before all: integers compare several times faster.
fn to_key(value: f64) -> i64 {
    if value.is_nan() {
        return i64::MIN;
    }
    let bits = value.to_bits() as i64;
    // Negative numbers have the order of their other bits reversed.
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn from_key(key: i64) -> f64 {
    if key == i64::MIN {
        return f64::NAN;
    }
    f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64)
}

/// The numbers of the present window in order, as keys.
#[derive(Default)]
struct SortedWindow {
    keys: Vec<i64>,
    spare: Vec<i64>,
    leaving: Vec<i64>,
    entering: Vec<i64>,
    low: usize,
    high: usize,
}

impl SortedWindow {
    fn move_to(&mut self, all: &[f64], (low, high): (usize, usize)) {
        let changed = low.saturating_sub(self.low) + high.saturating_sub(self.high);
        if low >= self.high || changed > (high - low) / 2 {
            self.keys.clear();
            self.keys.extend(all[low..high].iter().copied().map(to_key));
            self.keys.sort_unstable();
        } else if changed > 0 {
            self.replace(&all[self.low..low], &all[self.high..high]);
        }
        (self.low, self.high) = (low, high);
    }

    /// One pass over the window, whatever the number of changes.
    fn replace(&mut self, leaving: &[f64], entering: &[f64]) {
        for (keys, values) in [(&mut self.leaving, leaving), (&mut self.entering, entering)] {
            keys.clear();
            keys.extend(values.iter().copied().map(to_key));
            keys.sort_unstable();
        }
        self.spare.clear();
        let mut leaving = self.leaving.iter().peekable();
        let mut from = 0;
        let mut copy = |spare: &mut Vec<i64>, keys: &[i64], to: usize| {
            // Runs between the values that leave are copied as a whole.
            while let Some(leaves) = leaving.peek() {
                let at = from + keys[from..to].partition_point(|key| key < leaves);
                if at == to {
                    break;
                }
                spare.extend_from_slice(&keys[from..at]);
                from = at + 1;
                leaving.next();
            }
            spare.extend_from_slice(&keys[from.min(to)..to]);
            from = from.max(to);
        };
        let mut at = 0;
        for key in &self.entering {
            at += self.keys[at..].partition_point(|k| k < key);
            copy(&mut self.spare, &self.keys, at);
            self.spare.push(*key);
        }
        copy(&mut self.spare, &self.keys, self.keys.len());
        std::mem::swap(&mut self.keys, &mut self.spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_keys_order_as_numbers_do(a: f64, b: f64) {
            prop_assert_eq!(from_key(to_key(a)).to_bits(), a.to_bits());
            prop_assert_eq!(to_key(a) < to_key(b), a < b || (a == b && a.is_sign_negative() && b.is_sign_positive()));
        }

        #[test]
        fn property_a_moved_window_is_the_sorted_one(
            all in proptest::collection::vec(prop_oneof![Just(f64::NAN), -9.0_f64..9.0], 1..80),
            cuts in proptest::collection::vec((0_usize..80, 0_usize..80), 1..20),
        ) {
            let mut window = SortedWindow::default();
            let (mut low, mut high) = (0, 0);
            let mut cuts = cuts;
            cuts.sort_unstable();
            for (a, b) in cuts {
                low = low.max(a.min(all.len()));
                high = high.max(b.min(all.len())).max(low);
                window.move_to(&all, (low, high));
                let mut expected: Vec<i64> = all[low..high].iter().copied().map(to_key).collect();
                expected.sort_unstable();
                prop_assert_eq!(&window.keys, &expected);
                let (selected, sorted) =
                    (quantile_of(0.3, &mut all[low..high].to_vec()), of_sorted(0.3, &expected));
                prop_assert!(selected == sorted || (selected.is_nan() && sorted.is_nan()));
            }
        }
    }
}
