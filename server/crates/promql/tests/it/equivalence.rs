//! A range query computes columns, sharing work between steps; an instant query sees one step. Both
//! must give the same.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    Labels, NativeHistogram, Value,
    histogram::{ResetHint, Span},
    stale_marker,
};
use promql::{Context, Engine, Point, QueryValue, Range, script::MemoryStorage};
use proptest::prelude::*;

const EXPRESSIONS: [&str; 63] = [
    "x",
    "x offset 25s",
    "x @ 100",
    "-x",
    "abs(x) + 1",
    "x > 3",
    "x == bool x",
    "timestamp(x)",
    "rate(x[1m])",
    "increase(x[45s])",
    "increase(x[15m])",
    "delta(x[50s])",
    "irate(x[1m])",
    "idelta(x[1m])",
    "resets(x[1m])",
    "changes(x[1m])",
    "sum_over_time(x[1m])",
    "sum_over_time(x[15m])",
    "avg_over_time(x[1m])",
    "avg_over_time(x[15m])",
    "min_over_time(x[1m])",
    "max_over_time(x[35s])",
    "count_over_time(x[1m])",
    "first_over_time(x[1m])",
    "last_over_time(x[1m])",
    "stddev_over_time(x[1m])",
    "quantile_over_time(0.3, x[1m])",
    "quantile_over_time(0.7, x[15m])",
    "mad_over_time(x[1m])",
    "present_over_time(x[20s])",
    "absent_over_time(x{i=\"0\"}[20s])",
    "ts_of_max_over_time(x[1m])",
    "ts_of_min_over_time(x[1m])",
    "ts_of_first_over_time(x[1m])",
    "ts_of_last_over_time(x[1m])",
    "deriv(x[1m])",
    "predict_linear(x[1m], 30)",
    "double_exponential_smoothing(x[1m], 0.3, 0.6)",
    "rate(f[1m] anchored)",
    "increase(f[1m] smoothed)",
    "changes(f[1m] anchored)",
    "f smoothed",
    "max_over_time(x[1m:10s])",
    "sum_over_time(rate(x[1m])[2m:20s])",
    "sum(x)",
    "sum by (g) (f)",
    "avg without (i) (f)",
    "count(x)",
    "min by (g) (x)",
    "max(x)",
    "stddev(f)",
    "group(x)",
    "quantile(0.4, f)",
    "topk(2, f)",
    "bottomk by (g) (1, f)",
    "count_values(\"v\", x)",
    "f / on(i) group_left f{g=\"0\"}",
    "f and f > 2",
    "f or on(g) x",
    "x unless f > 2",
    "f + on(i) fill(7) f{g=\"0\"}",
    "absent(x{i=\"1\"})",
    "scalar(f{i=\"0\"}) + x",
];

fn histogram(counts: [u8; 3], hint: ResetHint) -> NativeHistogram {
    let positive: Vec<f64> = counts.iter().map(|count| f64::from(*count)).collect();
    let count = positive.iter().fold(0.0, |sum, count| sum + count);
    NativeHistogram {
        positive_spans: vec![Span { offset: 0, length: 3 }],
        count,
        sum: count * 1.5,
        positive,
        reset_hint: hint,
        ..NativeHistogram::default()
    }
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => (0_i32..12).prop_map(f64::from),
        4 => -9.5_f64..9.5,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        2 => Just(stale_marker()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        5 => float().prop_map(Value::Float),
        1 => any::<[u8; 3]>().prop_map(|counts| {
            Value::Histogram(Arc::new(histogram(counts, ResetHint::Unknown)))
        }),
    ]
}

/// Series `x{i, g}` of both kinds and `f{i, g}` of finite numbers, with irregular times.
fn storage() -> impl Strategy<Value = MemoryStorage> {
    let times = || proptest::collection::vec(1_i64..40, 1..40);
    let mixed = times().prop_flat_map(|gaps| {
        let values = proptest::collection::vec(value(), gaps.len());
        (Just(gaps), values)
    });
    let finite = times().prop_flat_map(|gaps| {
        let number = (0_i32..9).prop_map(|value| Value::Float(f64::from(value)));
        let values = proptest::collection::vec(number, gaps.len());
        (Just(gaps), values)
    });
    (proptest::collection::vec(mixed, 1..4), proptest::collection::vec(finite, 1..4)).prop_map(
        |(mixed, finite)| {
            let mut storage = MemoryStorage::new();
            for (name, all) in [("x", mixed), ("f", finite)] {
                for (i, (gaps, values)) in all.into_iter().enumerate() {
                    let (i, g) = (i.to_string(), (i % 2).to_string());
                    let labels = Labels::from_pairs([("__name__", name), ("i", &i), ("g", &g)]);
                    let mut time = 0;
                    for (gap, value) in gaps.into_iter().zip(values) {
                        time += gap * 1000;
                        storage.append(&labels, time, value);
                    }
                }
            }
            storage
        },
    )
}

type Results = BTreeMap<(String, i64), String>;

/// A value with nine digits, so that the order of additions does not matter.
fn text(point: Point<'_>) -> String {
    match point {
        Point::Float(value) if value == 0.0 || value.abs() < 1e-9 => "0".to_owned(),
        Point::Float(value) => format!("{value:.9e}"),
        Point::Histogram(histogram) => {
            let numbers = histogram.positive.iter().chain([&histogram.count, &histogram.sum]);
            numbers.map(|value| text(Point::Float(*value))).collect::<Vec<_>>().join(" ")
        }
    }
}

fn as_range(storage: &MemoryStorage, text_of: &str, range: Range) -> Result<Results, String> {
    let expr = promql::parse(text_of).unwrap();
    let output = Engine::default().range(storage, &expr, range, &Context::default());
    let QueryValue::Matrix(series) = output.map_err(|error| error.to_string())?.value else {
        panic!("a range query gives a matrix")
    };
    Ok(series
        .iter()
        .flat_map(|series| {
            let labels = series.labels.to_string();
            series.points().map(move |(time, point)| ((labels.clone(), time), text(point)))
        })
        .collect())
}

fn as_instants(storage: &MemoryStorage, text_of: &str, range: Range) -> Result<Results, String> {
    let expr = promql::parse(text_of).unwrap();
    let mut results = Results::new();
    let mut at = range.start;
    while at <= range.end {
        let output = Engine::default().instant(storage, &expr, at, &Context::default());
        let QueryValue::Vector(samples) = output.map_err(|error| error.to_string())?.value else {
            panic!("the expressions are vectors")
        };
        for sample in samples {
            let point = match &sample.value {
                Value::Float(value) => Point::Float(*value),
                Value::Histogram(histogram) => Point::Histogram(histogram),
            };
            results.insert((sample.labels.to_string(), at), text(point));
        }
        at += range.step_ms;
    }
    Ok(results)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn property_a_range_query_is_its_instant_queries(
        storage in storage(),
        start in 0_i64..300_000,
        step_ms in 1_i64..70_000,
    ) {
        let range = Range { start, end: start + step_ms * 12, step_ms };
        for expression in EXPRESSIONS {
            let (columns, steps) =
                (as_range(&storage, expression, range), as_instants(&storage, expression, range));
            prop_assert_eq!(columns, steps, "{}", expression);
        }
    }
}
