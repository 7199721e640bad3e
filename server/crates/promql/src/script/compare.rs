//! Whether two values are the same but for rounding.

use model::{
    NativeHistogram,
    histogram::{ResetHint, Span},
};

use crate::engine::Point;

/// The relative difference that is taken for rounding.
const EPSILON: f64 = 1e-6;

/// Whether two numbers are equal within the tolerance of Prometheus's tests. NaN equals NaN.
pub(super) fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}

/// Whether a value is the expected one.
pub(super) fn points_match(expected: Point<'_>, found: Point<'_>) -> bool {
    match (expected, found) {
        (Point::Float(expected), Point::Float(found)) => almost_equal(expected, found),
        (Point::Histogram(expected), Point::Histogram(found)) => histograms_match(expected, found),
        _ => false,
    }
}

/// What is known of a counter reset counts only where the expected histogram says something of it.
fn histograms_match(expected: &NativeHistogram, found: &NativeHistogram) -> bool {
    let (mut expected, mut found) = (expected.clone(), found.clone());
    expected.compact();
    found.compact();
    let spans = |spans: &[Span]| spans.to_vec();
    let numbers_match = |a: &[f64], b: &[f64]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| almost_equal(*a, *b))
    };
    let hint_matches =
        expected.reset_hint == ResetHint::Unknown || expected.reset_hint == found.reset_hint;
    hint_matches
        && expected.schema == found.schema
        && numbers_match(
            &[expected.count, expected.sum, expected.zero_count, expected.zero_threshold],
            &[found.count, found.sum, found.zero_count, found.zero_threshold],
        )
        && numbers_match(&expected.custom_bounds, &found.custom_bounds)
        && spans(&expected.positive_spans) == spans(&found.positive_spans)
        && spans(&expected.negative_spans) == spans(&found.negative_spans)
        && numbers_match(&expected.positive, &found.positive)
        && numbers_match(&expected.negative, &found.negative)
}
