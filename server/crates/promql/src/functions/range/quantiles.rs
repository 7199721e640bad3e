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
        of_sorted(q, &sorted.values)
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
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let (_, at_lower, above) = values.select_nth_unstable_by(lower, nan_first);
    let at_lower = *at_lower;
    let at_upper = above.iter().copied().min_by(nan_first).unwrap_or(at_lower);
    between(rank, at_lower, at_upper)
}

fn of_sorted(q: f64, sorted: &[f64]) -> f64 {
    if let Some(edge) = edge(q, sorted.len()) {
        return edge;
    }
    let rank = q * (sorted.len() - 1) as f64;
    let lower = rank.floor() as usize;
    between(rank, sorted[lower], sorted[(lower + 1).min(sorted.len() - 1)])
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that sorting wants")]
fn nan_first(a: &f64, b: &f64) -> std::cmp::Ordering {
    b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
}

/// The numbers of the present window in order.
#[derive(Default)]
struct SortedWindow {
    values: Vec<f64>,
    low: usize,
    high: usize,
}

impl SortedWindow {
    fn move_to(&mut self, all: &[f64], (low, high): (usize, usize)) {
        let changed = low.saturating_sub(self.low) + high.saturating_sub(self.high);
        // Each change moves half the window; sorting anew is cheaper when much changes.
        if low >= self.high || changed > (high - low) / 8 + 1 {
            self.values.clear();
            self.values.extend_from_slice(&all[low..high]);
            self.values.sort_unstable_by(nan_first);
        } else {
            for value in &all[self.low..low] {
                let place = self.values.partition_point(|v| nan_first(v, value).is_lt());
                self.values.remove(place);
            }
            for value in &all[self.high..high] {
                let place = self.values.partition_point(|v| nan_first(v, value).is_lt());
                self.values.insert(place, *value);
            }
        }
        (self.low, self.high) = (low, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
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
                let mut expected = all[low..high].to_vec();
                expected.sort_unstable_by(nan_first);
                let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&window.values), bits(&expected));
                let (selected, sorted) = (quantile_of(0.3, &mut expected.clone()), of_sorted(0.3, &expected));
                prop_assert!(selected == sorted || (selected.is_nan() && sorted.is_nan()));
            }
        }
    }
}
