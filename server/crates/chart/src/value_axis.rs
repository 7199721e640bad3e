//! The vertical axis: range, ticks and labels.

use quantity::{Scale, Unit, minus};

const DECIMAL_STEPS: &[f64] = &[1.0, 2.0, 2.5, 5.0, 10.0];
const SIXTY_STEPS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0];
const DAY_STEPS: &[f64] = &[1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0];

/// Values start at zero when their lowest is below this share of the highest.
const NEAR_ZERO: f64 = 0.6;

/// A fitted vertical axis.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueAxis {
    /// The value at the bottom.
    pub low: f64,
    /// The value at the top.
    pub high: f64,
    /// Where grid lines are, ascending, within `low..=high`.
    pub ticks: Vec<f64>,
    /// The text of each tick.
    pub labels: Vec<String>,
}

impl ValueAxis {
    /// An axis for finite values from `low` to `high` with about `count` steps. Without values (`low`
    /// above `high`) it shows zero to one.
    pub fn fit(low: f64, high: f64, unit: Unit, count: usize) -> Self {
        let (low, high) = widen(low, high, unit);
        let step = step_for(high - low, low.abs().max(high.abs()), unit, count);
        let first = (low / step + 1e-9).floor();
        let last = (high / step - 1e-9).ceil();
        // The bound is a proof against a range that no step divides, such as one beyond 2^53.
        let intervals = (last - first).clamp(1.0, 64.0) as i32;
        let ticks: Vec<f64> = (0..=intervals).map(|i| (first + f64::from(i)) * step).collect();
        let labels = tick_labels(unit, &ticks);
        Self { low: first * step, high: (first + f64::from(intervals)) * step, ticks, labels }
    }
}

/// An axis spans at least this share of its largest value, so that noise is not drawn as a mountain.
const LEAST_SPAN: f64 = 0.1;

/// Starts at zero when that is near, always for shares of a whole, and gives a flat line room.
fn widen(low: f64, high: f64, unit: Unit) -> (f64, f64) {
    if !(low.is_finite() && high.is_finite()) || low > high {
        return (0.0, if unit == Unit::Percent { 100.0 } else { 1.0 });
    }
    if low == 0.0 && high == 0.0 {
        return match unit {
            Unit::Ratio => (0.0, 0.01),
            _ => (0.0, 1.0),
        };
    }
    let is_share = matches!(unit, Unit::Ratio | Unit::Percent);
    if low >= 0.0 && (is_share || low < NEAR_ZERO * high) {
        return (0.0, high);
    }
    if high <= 0.0 && high > NEAR_ZERO * low {
        return (low, 0.0);
    }
    let missing = LEAST_SPAN * low.abs().max(high.abs()) - (high - low);
    if missing > 0.0 { (low - missing / 2.0, high + missing / 2.0) } else { (low, high) }
}

fn step_for(span: f64, magnitude: f64, unit: Unit, count: usize) -> f64 {
    let scale = unit.scale(magnitude);
    let raw = span / scale.divisor / count.max(1) as f64;
    let table = natural_steps(unit, scale).filter(|_| raw > 0.75);
    let natural = table.and_then(|steps| steps.iter().find(|step| **step >= raw * 0.999));
    let step = natural.copied().unwrap_or_else(|| {
        let power = 10_f64.powf(raw.log10().floor());
        let factor = DECIMAL_STEPS.iter().find(|factor| **factor >= raw / power * 0.999);
        factor.copied().unwrap_or(10.0) * power
    });
    step * scale.divisor
}

/// The steps that look natural when they are not powers of ten.
fn natural_steps(unit: Unit, scale: Scale) -> Option<&'static [f64]> {
    match (unit, scale.suffix) {
        (Unit::Seconds | Unit::Milliseconds, " h") => Some(DAY_STEPS),
        (Unit::Seconds | Unit::Milliseconds, " min" | " s") => Some(SIXTY_STEPS),
        _ => None,
    }
}

/// The labels of an axis: one size for all and as many decimals as the steps need.
fn tick_labels(unit: Unit, ticks: &[f64]) -> Vec<String> {
    let largest = ticks.iter().fold(0.0_f64, |max, tick| max.max(tick.abs()));
    let scale = unit.scale(largest);
    let step = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let decimals = decimals_of(step / scale.divisor);
    ticks
        .iter()
        .map(|tick| {
            if tick.abs() < step * 1e-6 {
                return "0".to_owned();
            }
            let number = tick / scale.divisor;
            format!("{}{}", minus(&format!("{number:.decimals$}")), scale.suffix)
        })
        .collect()
}

/// How many decimals tell multiples of `step` apart.
fn decimals_of(step: f64) -> usize {
    if !step.is_finite() || step <= 0.0 {
        return 2;
    }
    (0..9)
        .find(|decimals| {
            let scaled = step * 10_f64.powi(*decimals);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
        })
        .map_or(9, |decimals| decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(low: f64, high: f64, unit: Unit, count: usize, expected: &[&str]) {
        assert_eq!(ValueAxis::fit(low, high, unit, count).labels, expected);
    }

    #[test]
    fn steps_are_natural_for_the_unit() {
        check(3.0, 92.0, Unit::PerSecond, 4, &["0", "25/s", "50/s", "75/s", "100/s"]);
        check(
            0.0,
            900.0 * 1_048_576.0,
            Unit::Bytes,
            4,
            &["0", "250 MiB", "500 MiB", "750 MiB", "1000 MiB"],
        );
        check(0.0, 200.0, Unit::Seconds, 4, &["0", "1 min", "2 min", "3 min", "4 min"]);
        check(0.0, 0.042, Unit::Ratio, 4, &["0", "2%", "4%", "6%"]);
        check(0.0, 18_000.0, Unit::Seconds, 3, &["0", "2 h", "4 h", "6 h"]);
    }

    #[test]
    fn a_high_plateau_does_not_start_at_zero() {
        let axis = ValueAxis::fit(700.0, 990.0, Unit::Milliseconds, 4);
        assert_eq!((axis.low, axis.high), (700.0, 1_000.0));
    }

    #[test]
    fn shares_of_a_whole_start_at_zero() {
        let axis = ValueAxis::fit(0.995, 0.9999, Unit::Ratio, 4);
        assert_eq!((axis.low, axis.high), (0.0, 1.0));
    }

    #[test]
    fn noise_and_flat_lines_get_room() {
        let noise = ValueAxis::fit(99.99, 100.01, Unit::None, 4);
        assert!(noise.low <= 95.1 && noise.high >= 104.9, "{noise:?}");
        let flat = ValueAxis::fit(7.0, 7.0, Unit::None, 4);
        assert!(flat.low < 7.0 && flat.high > 7.0, "{flat:?}");
        let zero = ValueAxis::fit(0.0, 0.0, Unit::Ratio, 2);
        assert_eq!(zero.labels, ["0", "0.5%", "1.0%"]);
    }

    #[test]
    fn no_values_give_an_empty_axis() {
        let axis = ValueAxis::fit(f64::INFINITY, f64::NEG_INFINITY, Unit::None, 4);
        assert_eq!((axis.low, axis.high), (0.0, 1.0));
    }

    proptest! {
        #[test]
        fn property_axis_holds_its_values(a in -1e12_f64..1e12, b in -1e12_f64..1e12, count in 1_usize..9) {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            for unit in [Unit::None, Unit::Seconds, Unit::Bytes, Unit::Ratio, Unit::Milliseconds] {
                let axis = ValueAxis::fit(low, high, unit, count);
                let slack = (axis.high - axis.low) * 1e-6;
                prop_assert!(axis.low <= low + slack && axis.high >= high - slack, "{axis:?}");
                prop_assert!(axis.ticks.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert_eq!(axis.ticks.len(), axis.labels.len());
            }
        }
    }

    #[test]
    fn labels_of_an_axis_share_size_and_decimals() {
        let labels = tick_labels(Unit::Seconds, &[0.0, 0.5, 1.0, 1.5]);
        assert_eq!(labels, ["0", "0.5 s", "1.0 s", "1.5 s"]);
        let labels = tick_labels(Unit::Ratio, &[0.0, 0.25, 0.5]);
        assert_eq!(labels, ["0", "25%", "50%"]);
    }
}
