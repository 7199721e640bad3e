//! How a column of whole numbers is best predicted.

use super::MANY;
use crate::bytes::zigzag;

/// How the next number is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predictor {
    /// Always the same level: noise around a mean.
    Level = 0,
    /// The one before plus a constant slope: counters, random walks.
    Slope = 1,
    /// As far from the one before as that from its own: smooth curves.
    Curve = 2,
    /// Halfway from the one before to a level: what always comes back to its mean.
    Middle = 3,
}

/// How a column is predicted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    pub(super) predictor: Predictor,
    /// The level or slope.
    pub(super) base: i64,
    /// About how many bits the errors have.
    pub(super) cost: u64,
}

#[inline]
pub(super) fn middle(number: i64, level: i64) -> i64 {
    level.wrapping_add(number.wrapping_sub(level) >> 1)
}

/// Turns numbers into their distance from the first one in units of the greatest common divisor of
/// all distances, which is returned.
pub(super) fn divide_by_common(numbers: &mut [i64]) -> u64 {
    let first = numbers[0];
    let divisor = common_divisor(numbers);
    if divisor > 1 {
        for number in numbers {
            *number = (*number - first) / divisor;
        }
        return divisor.unsigned_abs();
    }
    for number in numbers {
        *number = number.wrapping_sub(first);
    }
    1
}

/// The greatest common divisor of all distances from the first number, at least 1; 1 when one of them
/// wraps around.
fn common_divisor(numbers: &[i64]) -> i64 {
    let mut divisor = 0;
    for number in numbers {
        let Some(distance) = number.checked_sub(numbers[0]) else { return 1 };
        divisor = greatest_common_divisor(divisor, distance.unsigned_abs());
        if divisor == 1 {
            break;
        }
    }
    // That of the least number alone does not fit.
    i64::try_from(divisor).map_or(1, |divisor| divisor.max(1))
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

pub(super) fn best_fit(steps: &[i64]) -> Fit {
    let count = steps.len().max(2) as i64 - 1;
    let last = steps.last().copied().unwrap_or_default();
    let sum: i128 = steps.iter().map(|&step| i128::from(step)).sum();
    let mean = (sum / i128::from(count)) as i64;
    let candidates = [
        (Predictor::Slope, 0),
        (Predictor::Slope, last / count),
        (Predictor::Level, mean),
        (Predictor::Middle, mean),
        (Predictor::Curve, 0),
    ];
    let mut best = Fit { predictor: Predictor::Slope, base: 0, cost: u64::MAX };
    // In a short column a drift is no more than noise, and the middle gains little.
    let is_short = steps.len() < MANY;
    for (predictor, base) in candidates {
        let is_fine =
            predictor == Predictor::Middle || (predictor == Predictor::Slope && base == 0);
        if is_short && is_fine && last != 0 {
            continue;
        }
        let mut fit = Fit { predictor, base, cost: 0 };
        for_each_error(steps, fit, |error| {
            fit.cost += u64::from(64 - zigzag(error).leading_zeros());
        });
        if fit.cost < best.cost {
            best = fit;
        }
        if best.cost == 0 {
            break;
        }
    }
    best
}

/// What the predictor gets wrong at each number but the first, which is 0.
#[inline]
pub(super) fn for_each_error(steps: &[i64], fit: Fit, mut each: impl FnMut(i64)) {
    let base = fit.base;
    let pairs = steps.windows(2);
    match fit.predictor {
        Predictor::Level => steps[1..].iter().for_each(|step| each(step.wrapping_sub(base))),
        Predictor::Slope => {
            pairs.for_each(|pair| each(pair[1].wrapping_sub(pair[0]).wrapping_sub(base)));
        }
        Predictor::Curve => {
            let mut slope = base;
            pairs.for_each(|pair| {
                let next = pair[1].wrapping_sub(pair[0]);
                each(next.wrapping_sub(std::mem::replace(&mut slope, next)));
            });
        }
        Predictor::Middle => {
            pairs.for_each(|pair| each(pair[1].wrapping_sub(middle(pair[0], base))));
        }
    }
}
