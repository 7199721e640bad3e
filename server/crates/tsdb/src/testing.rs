//! What the tests of several modules share.

use std::sync::Arc;

use model::{
    NativeHistogram,
    histogram::{ResetHint, Span},
};
use proptest::prelude::*;

pub(crate) fn bits_of(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Numbers as they occur, and those that are hard: huge, tiny, not a number, negative zero.
pub(crate) fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-1_000_i64..1_000).prop_map(|i| i as f64),
        3 => (-100_000_i64..100_000).prop_map(|i| i as f64 / 100.0),
        1 => (-1_000_i64..1_000).prop_map(|i| (i * 4_096) as f64),
        1 => any::<i64>().prop_map(|i| i as f64),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => Just(-0.0),
        1 => Just(model::stale_marker()),
    ]
}

fn any_count() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (0_u32..1_000).prop_map(f64::from),
        1 => any_float(),
    ]
}

fn any_side() -> impl Strategy<Value = (Vec<Span>, Vec<f64>)> {
    let span = (-20_i32..20, 0_u32..5).prop_map(|(offset, length)| Span { offset, length });
    (proptest::collection::vec(span, 0..3), 0_usize..3).prop_flat_map(|(spans, more)| {
        // Spans and counts may disagree in what a hostile client sends.
        let length: usize = spans.iter().map(|span| span.length as usize).sum::<usize>() + more / 2;
        (Just(spans), proptest::collection::vec(any_count(), length))
    })
}

/// Histograms, right and wrong ones.
pub(crate) fn any_histogram() -> impl Strategy<Value = Arc<NativeHistogram>> {
    let hint = prop_oneof![
        Just(ResetHint::Unknown),
        Just(ResetHint::Reset),
        Just(ResetHint::NotReset),
        Just(ResetHint::Gauge),
    ];
    let numbers = (any_float(), any_count(), any_count(), any_float());
    let bounds = proptest::collection::vec(any_float(), 0..3);
    (-53_i32..9, numbers, any_side(), any_side(), bounds, hint).prop_map(
        |(
            schema,
            (zero_threshold, zero_count, count, sum),
            positive,
            negative,
            custom_bounds,
            reset_hint,
        )| {
            Arc::new(NativeHistogram {
                schema,
                zero_threshold,
                zero_count,
                count,
                sum,
                positive_spans: positive.0,
                positive: positive.1,
                negative_spans: negative.0,
                negative: negative.1,
                custom_bounds,
                reset_hint,
            })
        },
    )
}

/// A number or, sometimes, a histogram.
pub(crate) fn any_value() -> impl Strategy<Value = model::Value> {
    prop_oneof![
        12 => any_float().prop_map(model::Value::Float),
        1 => any_histogram().prop_map(model::Value::Histogram),
    ]
}
