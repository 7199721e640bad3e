use std::sync::Arc;

use model::{
    Labels, NativeHistogram, Storage, Value,
    histogram::{CUSTOM_BUCKETS_SCHEMA, ResetHint, Span},
    is_stale,
    storage::Select,
};
use proptest::prelude::*;

use super::*;

fn floats(line: &str) -> Vec<Option<f64>> {
    let float = |value: SequenceValue| match value {
        Some(Value::Float(value)) => Some(value),
        Some(Value::Histogram(histogram)) => panic!("{histogram}"),
        None => None,
    };
    parse_series(line).unwrap().values.into_iter().map(float).collect()
}

#[test]
fn numbers_are_repeated_and_stepped() {
    for (values, expected) in [
        ("1 2.5 -3e2", vec![Some(1.0), Some(2.5), Some(-300.0)]),
        ("1x2", vec![Some(1.0); 3]),
        ("0x2", vec![Some(0.0); 3]),
        ("1+2x2", vec![Some(1.0), Some(3.0), Some(5.0)]),
        ("-1-0.5x1", vec![Some(-1.0), Some(-1.5)]),
        ("_ 4 _x2", vec![None, Some(4.0), None, None]),
        ("+Inf inf -INF", vec![Some(f64::INFINITY), Some(f64::INFINITY), Some(f64::NEG_INFINITY)]),
        ("", vec![]),
    ] {
        assert_eq!(floats(&format!("x {values}")), expected, "{values}");
    }
    let odd = floats("x stale NaN");
    assert!(is_stale(odd[0].unwrap()) && odd[1].unwrap().is_nan() && !is_stale(odd[1].unwrap()));
}

#[test]
fn histograms_are_read_with_all_their_parts() {
    let line = "h {{schema:2 sum:4.5 count:9 z_bucket:1 z_bucket_w:0.01 offset:-3 buckets:[1 2] \
                n_offset:4 n_buckets:[5] counter_reset_hint:gauge}} \
                {{schema:-53 custom_values:[1 2.5] buckets:[3 0 1]}}";
    let values = parse_series(line).unwrap().values;
    let first = NativeHistogram {
        schema: 2,
        zero_threshold: 0.01,
        zero_count: 1.0,
        count: 9.0,
        sum: 4.5,
        positive_spans: vec![Span { offset: -3, length: 2 }],
        positive: vec![1.0, 2.0],
        negative_spans: vec![Span { offset: 4, length: 1 }],
        negative: vec![5.0],
        custom_bounds: Vec::new(),
        reset_hint: ResetHint::Gauge,
    };
    assert_eq!(values[0], Some(Value::Histogram(Arc::new(first))));
    let Some(Value::Histogram(second)) = &values[1] else { panic!("{values:?}") };
    assert_eq!(second.schema, CUSTOM_BUCKETS_SCHEMA);
    assert_eq!(second.custom_bounds, [1.0, 2.5]);
}

#[test]
fn histograms_grow_and_shrink() {
    let values = parse_series("h {{sum:9 count:6}}-{{sum:2 count:1}}x2").unwrap().values;
    let sums: Vec<f64> = values
        .iter()
        .map(|value| match value {
            Some(Value::Histogram(histogram)) => histogram.sum,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sums, [9.0, 7.0, 5.0]);
}

#[test]
fn labels_are_read_in_every_notation() {
    for (text, expected) in [
        ("up", vec![("__name__", "up")]),
        ("up{a=\"b\", c='d',}", vec![("__name__", "up"), ("a", "b"), ("c", "d")]),
        ("{\"my.name\", \"x y\"=\"1\"}", vec![("__name__", "my.name"), ("x y", "1")]),
        ("{}", vec![]),
        ("a:b{x=\"\\\"\\n\"}", vec![("__name__", "a:b"), ("x", "\"\n")]),
    ] {
        assert_eq!(parse_labels(text), Ok(Labels::from_pairs(expected)), "{text}");
    }
    assert_eq!(
        parse_labels("up{a=b}").unwrap_err().to_string(),
        "column 6: expected a text in quotes"
    );
}

#[test]
fn a_stored_histogram_knows_of_the_reset_before_it() {
    let mut storage = MemoryStorage::new();
    let line = "h {{count:4}} {{count:5}} {{count:1}} 7 {{count:9}} stale {{count:9}}";
    let series = parse_series(line).unwrap();
    for (i, value) in series.values.into_iter().enumerate() {
        storage.append(&series.labels, i as i64, value.unwrap());
    }
    let matchers = [model::Matcher::equal("__name__", "h")];
    let request = Select { matchers: &matchers, start: 0, end: 100, max_series: 10 };
    let mut column = model::Column::default();
    storage.select(&request).unwrap().read(0, &mut column).unwrap();
    let hints: Vec<ResetHint> = column.histograms.iter().map(|h| h.reset_hint).collect();
    assert_eq!(
        hints,
        [
            ResetHint::Unknown,
            ResetHint::NotReset,
            ResetHint::Reset,
            ResetHint::Unknown,
            ResetHint::Unknown,
            ResetHint::Unknown,
        ]
    );
    assert!(is_stale(column.histograms[4].sum));
    assert_eq!((column.float_times, column.floats), (vec![3], vec![7.0]));
}

#[test]
fn a_later_sample_with_the_same_time_replaces_the_first() {
    let mut storage = MemoryStorage::new();
    let labels = Labels::from_pairs([("__name__", "x")]);
    for (time, value) in [(10, 1.0), (5, 2.0), (10, 3.0)] {
        storage.append(&labels, time, Value::Float(value));
    }
    let request = Select { matchers: &[], start: 0, end: 100, max_series: 10 };
    let mut column = model::Column::default();
    storage.select(&request).unwrap().read(0, &mut column).unwrap();
    assert_eq!((column.float_times, column.floats), (vec![5, 10], vec![2.0, 3.0]));
}

proptest! {
    #[test]
    fn property_any_script_is_survived(text in "[a-z0-9 {}\\[\\]:=\"_+x\n.-]{0,80}") {
        let _series = parse_series(&text);
        let _report = run_script("any", &text);
        let _report = run_script("any", &format!("load 1m\n  {text}\n\neval instant at 1m {text}\n"));
    }
}
