//! Rates of numbers that do not tell since when they count: the usual case.
//!
//! What the times in a window come to is computed once for all series that are sent together. Mostly it
//! is even the same from window to window, and then only the values are left to be looked at.

use super::{Extrapolation, Job, Resets};
use crate::eval::{StepWindow, Values};

pub(super) fn rates(
    job: &Job<'_>,
    (is_counter, per): (bool, f64),
    resets: &mut Resets,
    out: &mut Values,
) {
    let floats = &job.column.floats;
    let times = &job.column.float_times;
    let stretches = job.shared_windows.stretches(|| stretches(job.windows, times, per));
    let mut rest = &mut out.floats[..];
    for stretch in stretches {
        let (out, others) = rest.split_at_mut(stretch.steps as usize);
        rest = others;
        if stretch.gaps == 0 {
            continue;
        }
        if out.len() == 1 {
            let low = stretch.first as usize;
            let change = stretch.change(floats, low) + resets.lost(floats, low, stretch.end(low));
            out[0] = stretch.rate(floats[low], change, (is_counter, per));
        } else {
            stretch.rates(floats, (is_counter, per), resets, out);
        }
    }
}

/// Steps whose windows lie one after the other, each as far from the one before as that from its own,
/// and what the times in these windows come to, whatever the values: the same in all of them. Lengths
/// are in milliseconds.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// How many steps.
    steps: u32,
    /// The first sample of the first window.
    first: u32,
    /// How many samples later the next window begins, at least 1.
    stride: u32,
    /// How many distances there are between the samples of a window; 0 when it has less than two.
    gaps: u32,
    /// From the first to the last sample, and from these to where the change is extrapolated to.
    sampled: f64,
    to_start: f64,
    to_end: f64,
    /// By what the change is multiplied.
    factor: f64,
}

fn stretches(windows: &[StepWindow], times: &[i64], per: f64) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for window in windows {
        let next = Stretch::of(window, times, per);
        if let Some(last) = stretches.last_mut()
            && last.goes_on_with(&next)
        {
            last.steps += 1;
        } else {
            stretches.push(next);
        }
    }
    stretches
}

impl Stretch {
    /// A single window.
    fn of(window: &StepWindow, times: &[i64], per: f64) -> Self {
        let (low, high) = window.floats;
        if high - low < 2 {
            let (sampled, to_start, to_end, factor) = (0.0, 0.0, 0.0, 0.0);
            return Self {
                steps: 1,
                first: 0,
                stride: 1,
                gaps: 0,
                sampled,
                to_start,
                to_end,
                factor,
            };
        }
        let gaps = high - low - 1;
        let extrapolation = Extrapolation {
            window,
            start: None,
            first_time: times[low],
            last_time: times[high - 1],
            gaps: gaps as f64,
            first: None,
            change: 0.0,
        };
        let (to_start, to_end) = extrapolation.borders();
        Self {
            steps: 1,
            first: low as u32,
            stride: 1,
            gaps: gaps as u32,
            sampled: (times[high - 1] - times[low]) as f64,
            to_start,
            to_end,
            factor: extrapolation.factor(per),
        }
    }

    /// Whether a window is the next one; the second one settles how far they are apart.
    fn goes_on_with(&mut self, next: &Self) -> bool {
        let shape = |of: &Self| (of.gaps, [of.sampled, of.to_start, of.to_end, of.factor]);
        if shape(self) != shape(next) {
            return false;
        }
        if self.steps == 1 && next.first > self.first {
            self.stride = next.first - self.first;
        }
        self.gaps == 0 || next.first == self.first + self.steps * self.stride
    }

    /// The place behind the last sample of the window that begins with a sample.
    fn end(&self, low: usize) -> usize {
        low + self.gaps as usize + 1
    }

    fn change(&self, floats: &[f64], low: usize) -> f64 {
        floats[self.end(low) - 1] - floats[low]
    }

    /// The rates of several windows.
    fn rates(
        &self,
        floats: &[f64],
        (is_counter, per): (bool, f64),
        resets: &mut Resets,
        out: &mut [f64],
    ) {
        if resets.is_empty() {
            let stride = self.stride as usize;
            let firsts = floats[self.first as usize..].iter().step_by(stride);
            let lasts = floats[(self.first + self.gaps) as usize..].iter().step_by(stride);
            // A few numbers without a branch between them, whatever they are.
            let (sampled, to_start, factor) = (self.sampled, self.to_start, self.factor);
            let mut may_be_near_zero = false;
            for ((first, last), out) in firsts.zip(lasts).zip(&mut *out) {
                // Adding what resets lost makes 0 of −0.
                let change = last - first + 0.0;
                may_be_near_zero |= sampled * first < to_start * change;
                *out = change * factor;
            }
            if !(is_counter && may_be_near_zero) {
                return;
            }
        }
        let mut low = self.first as usize;
        for out in out {
            let change = self.change(floats, low) + resets.lost(floats, low, self.end(low));
            *out = self.rate(floats[low], change, (is_counter, per));
            low += self.stride as usize;
        }
    }

    #[inline]
    fn rate(&self, first: f64, change: f64, (is_counter, per): (bool, f64)) -> f64 {
        if is_counter && self.is_near_zero(first, change) {
            let to_start = self.sampled * (first / change);
            return change * ((self.sampled + to_start + self.to_end) / (self.sampled * per));
        }
        change * self.factor
    }

    /// Whether a counter was zero after the time to which the change is extrapolated.
    #[inline]
    fn is_near_zero(&self, first: f64, change: f64) -> bool {
        change > 0.0 && first >= 0.0 && self.sampled * first < self.to_start * change
    }
}
