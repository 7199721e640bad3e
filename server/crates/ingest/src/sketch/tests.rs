use model::histogram::{CUSTOM_BUCKETS_SCHEMA, Span};
use proptest::prelude::*;

use super::*;

/// The bound on the error at schema 5, `(base - 1) / (base + 1)`, and room for rounding.
const TOLERANCE: f64 = 0.0109;

fn sketch_of(values: &[f64]) -> Sketch {
    let mut sketch = Sketch::new();
    for value in values {
        sketch.add(*value, 1.0);
    }
    sketch
}

#[test]
fn a_bound_belongs_to_the_bucket_below_it() {
    for exponent in [-126, -1, 0, 1, 10, 1023] {
        for (step, mantissa) in BOUNDS.into_iter().enumerate() {
            let bound = f64::from_bits((((exponent + 1023) as u64) << MANTISSA_BITS) | mantissa);
            let index = exponent * 32 + step as i32;
            assert_eq!(bucket_of(bound), index, "{bound:e}");
            assert_eq!(bucket_of(bound.next_up()), index + 1, "above {bound:e}");
        }
    }
}

#[test]
fn the_table_agrees_with_the_logarithm() {
    for step in 0..20_000 {
        let value = 1.000_731_f64.powi(step) * 1e-3;
        let expected = (value.log2() * 32.0).ceil() as i32;
        assert_eq!(bucket_of(value), expected, "{value}");
    }
}

#[test]
fn zero_and_both_signs_have_their_own_place() {
    let sketch = sketch_of(&[-2.0, 0.0, -0.0, 1e-40, 1.0, 4.0]);
    let native = sketch.to_native();
    assert_eq!((native.schema, native.zero_count, native.count), (5, 3.0, 6.0));
    assert_eq!(
        native.positive_spans,
        [Span { offset: 0, length: 1 }, Span { offset: 63, length: 1 }]
    );
    assert_eq!(native.positive, [1.0, 1.0]);
    assert_eq!(native.negative_spans, [Span { offset: 32, length: 1 }]);
    assert_eq!(native.negative, [1.0]);
    assert_eq!(native.sum, 3.0 + 1e-40);
    assert!((sketch.quantile(0.0).unwrap() + 2.0).abs() < 2.0 * TOLERANCE);
    assert_eq!(sketch.quantile(0.5), Some(0.0));
}

#[test]
fn small_gaps_are_bridged_and_large_ones_make_a_span() {
    let base = 2_f64.powf(1.0 / 32.0);
    let inside = |index: i32| base.powf(f64::from(index) - 0.5);
    let native = sketch_of(&[inside(1), inside(4), inside(8)]).to_native();
    assert_eq!(
        native.positive_spans,
        [Span { offset: 1, length: 4 }, Span { offset: 3, length: 1 }]
    );
    assert_eq!(native.positive, [1.0, 0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn weights_count_as_that_many_observations() {
    let mut sketch = Sketch::new();
    sketch.add(10.0, 1.0 / 0.3);
    sketch.add(10.0, 1e9);
    assert_eq!(sketch.count(), 1.0 / 0.3 + 1e9);
    assert_eq!(sketch.sum(), 10.0 * (1.0 / 0.3) + 1e10);
}

#[test]
fn counters_widen_when_counts_grow() {
    let mut sketch = Sketch::new();
    for (weight, expected) in
        [(1.0, 1.0), (254.0, 255.0), (1.0, 256.0), (65_280.0, 65_536.0), (4.3e9, 4_300_065_536.0)]
    {
        sketch.add(7.0, weight);
        assert_eq!(sketch.count(), expected);
    }
    sketch.add(7.0, 0.5);
    assert_eq!(sketch.count(), 4_300_065_536.5);
}

#[test]
fn a_span_beyond_the_cap_halves_the_resolution_and_loses_nothing() {
    let mut sketch = sketch_of(&[1.0, 2_f64.powi(40)]);
    assert_eq!(sketch.schema(), 5, "two buckets are kept as a list, however far apart");
    sketch.add(1.0, 2.0);
    assert_eq!((sketch.schema(), sketch.count()), (4, 4.0), "a weight needs a run");
    let mut narrow = sketch_of(&[1.0, 2_f64.powi(31)]);
    narrow.add(1.0, 2.0);
    assert_eq!(narrow.schema(), 5);
    sketch.add(f64::MAX, 1.0);
    sketch.add(-f64::MAX, 1.0);
    sketch.add(-1e-37, 1.0);
    assert_eq!(sketch.count(), 7.0);
    let native = sketch.to_native();
    assert!(native.positive.len() <= MAX_SPAN as usize);
    assert!(native.negative.len() <= MAX_SPAN as usize);
    assert!(native.sum.is_finite());
}

#[test]
fn values_that_no_distribution_can_hold_are_ignored() {
    let mut sketch = Sketch::new();
    for (value, weight) in
        [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (1.0, 0.0), (1.0, -1.0), (1.0, f64::INFINITY)]
    {
        sketch.add(value, weight);
    }
    assert!(sketch.is_empty());
    assert_eq!(sketch.quantile(0.5), None);
}

#[test]
fn foreign_histograms_are_continued_or_refused() {
    let finer = NativeHistogram {
        schema: 6,
        count: 2.0,
        sum: 3.0,
        positive_spans: vec![Span { offset: 1, length: 2 }],
        positive: vec![1.0, 1.0],
        ..NativeHistogram::default()
    };
    let sketch = Sketch::from_native(&finer).unwrap();
    assert_eq!((sketch.schema(), sketch.count()), (5, 2.0));
    assert_eq!(sketch.to_native().positive, [2.0]);
    let custom = NativeHistogram { schema: CUSTOM_BUCKETS_SCHEMA, ..finer.clone() };
    assert_eq!(Sketch::from_native(&custom), None);
    let stale = NativeHistogram { sum: model::stale_marker(), ..finer };
    assert_eq!(Sketch::from_native(&stale), None);
}

#[test]
fn many_observations_turn_a_list_into_a_run_without_loss() {
    let values: Vec<f64> = (1..200).map(|value| f64::from(value * value)).collect();
    let mut one_by_one = Sketch::new();
    for (position, value) in values.iter().enumerate() {
        one_by_one.add(*value, 1.0);
        assert_eq!(one_by_one.count(), position as f64 + 1.0);
    }
    let mut merged = sketch_of(&values[..30]);
    merged.merge(&sketch_of(&values[30..60]));
    merged.merge(&sketch_of(&values[60..]));
    assert_eq!(merged.to_native().positive, one_by_one.to_native().positive);
}

#[test]
fn a_sketch_takes_little_memory() {
    for (values, limit) in [(1, 150), (20, 250), (10_000, 1_500)] {
        let mut sketch = Sketch::new();
        for value in 1..=values {
            sketch.add(f64::from(value % 400) + 1.0, 1.0);
        }
        assert!(sketch.size_bytes() <= limit, "{values} values: {} bytes", sketch.size_bytes());
    }
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let positive = (-9.0..9.0_f64).prop_map(f64::exp);
    let value = prop_oneof![6 => positive.clone(), 2 => positive.prop_map(|x| -x), 1 => Just(0.0)];
    proptest::collection::vec(value, 1..300)
}

proptest! {
    #[test]
    fn property_quantiles_are_within_the_bound(values in values(), q in 0.0..=1.0_f64) {
        let sketch = sketch_of(&values);
        prop_assert_eq!(sketch.schema(), 5);
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize - 1;
        let exact = sorted[rank];
        let found = sketch.quantile(q).unwrap();
        prop_assert!((found - exact).abs() <= exact.abs() * TOLERANCE, "{} is not {}", found, exact);
    }

    #[test]
    fn property_merging_equals_adding(a in values(), b in values()) {
        let mut merged = sketch_of(&a);
        merged.merge(&sketch_of(&b));
        let both = sketch_of(&[a, b].concat());
        prop_assert!((merged.sum() - both.sum()).abs() <= 1e-9 * both.sum().abs().max(1e6));
        let (merged, both) = (merged.to_native(), both.to_native());
        prop_assert_eq!(merged.positive, both.positive);
        prop_assert_eq!(merged.positive_spans, both.positive_spans);
        prop_assert_eq!(merged.negative, both.negative);
        prop_assert_eq!(merged.zero_count, both.zero_count);
    }

    #[test]
    fn property_any_values_keep_their_count_within_the_cap(
        values in proptest::collection::vec(proptest::num::f64::ANY, 0..200),
    ) {
        let sketch = sketch_of(&values);
        let finite = values.iter().filter(|v| v.is_finite()).count();
        prop_assert_eq!(sketch.count(), finite as f64);
        prop_assert!(sketch.to_native().positive.len() <= MAX_SPAN as usize);
    }

    #[test]
    fn property_native_histograms_round_trip(values in values()) {
        let sketch = sketch_of(&values);
        prop_assert_eq!(Sketch::from_native(&sketch.to_native()), Some(sketch));
    }
}
