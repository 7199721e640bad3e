use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use model::{Labels, Value};
use promql::{
    Context, Engine, ErrorKind, Options, Point, QueryValue, Range, script::MemoryStorage,
};

fn storage(series: usize, samples: usize) -> MemoryStorage {
    let mut storage = MemoryStorage::new();
    for i in 0..series {
        let labels = Labels::from_pairs([("__name__", "x_total"), ("i", i.to_string().as_str())]);
        for sample in 0..samples {
            let value = Value::Float(sample as f64);
            storage.append(&labels, sample as i64 * 1000, value);
        }
    }
    storage
}

fn range() -> Range {
    Range { start: 0, end: 99_000, step_ms: 1000 }
}

fn kind_of(options: Options, text: &str, ctx: &Context<'_>) -> (ErrorKind, String) {
    let expr = promql::parse(text).unwrap();
    let error = Engine::new(options)
        .range(&storage(10, 100), &expr, range(), ctx)
        .map(|output| output.stats)
        .unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn limits_answer_with_the_error_types_of_prometheus() {
    let ctx = Context::default();
    for (options, text, kind, message) in [
        (
            Options { max_samples: 500, ..Options::default() },
            "x_total",
            ErrorKind::Execution,
            "too many samples into memory",
        ),
        (
            Options { max_series: 9, ..Options::default() },
            "x_total",
            ErrorKind::Execution,
            "more than 9 series",
        ),
        (
            Options { max_steps: 50, ..Options::default() },
            "x_total",
            ErrorKind::BadData,
            "maximum resolution of 50 points",
        ),
        (
            Options { experimental_functions: false, ..Options::default() },
            "mad_over_time(x_total[1m])",
            ErrorKind::BadData,
            "\"mad_over_time\" is not enabled",
        ),
        (Options::default(), "x_total[1m]", ErrorKind::BadData, "invalid expression type"),
    ] {
        let (found, text_found) = kind_of(options, text, &ctx);
        assert_eq!(found, kind, "{text_found}");
        assert!(text_found.contains(message), "{text_found}");
    }
}

#[test]
fn a_sum_over_many_series_holds_only_its_groups() {
    let expr = promql::parse("sum(rate(x_total[10s]))").unwrap();
    let peak = |series: usize| {
        let output = Engine::default()
            .range(&storage(series, 100), &expr, range(), &Context::default())
            .unwrap();
        assert_eq!(output.stats.samples, series * 100);
        output.stats.peak_samples
    };
    assert_eq!(peak(100), peak(2));
}

#[test]
fn the_deepest_expression_that_parses_can_be_evaluated() {
    let chain = format!("x_total{}", " or x_total + 1".repeat(125));
    let nested = format!("{}x_total{}", "-abs(".repeat(30), ")".repeat(30));
    let scalars = format!("vector({}1{})", "-(".repeat(30), ")".repeat(30));
    for text in [chain, nested, scalars] {
        let expr = promql::parse(&text).unwrap();
        let output = Engine::default().range(&storage(2, 3), &expr, range(), &Context::default());
        assert!(output.is_ok(), "{output:?}");
    }
}

#[test]
fn fine_subqueries_are_refused_before_they_take_memory() {
    let ctx = Context::default();
    for text in ["max_over_time(x_total[30d:1ms])", "max_over_time(rate(x_total[1m])[12h:1ms])"] {
        let (kind, message) = kind_of(Options::default(), text, &ctx);
        assert_eq!(kind, ErrorKind::Execution, "{text}: {message}");
    }
}

#[test]
fn a_query_stops_when_it_is_late_or_no_longer_wanted() {
    let asked = AtomicUsize::new(0);
    let is_late = || asked.fetch_add(1, Ordering::Relaxed) >= 3;
    let ctx = Context { is_late: Some(&is_late), ..Context::default() };
    assert_eq!(kind_of(Options::default(), "x_total", &ctx).0, ErrorKind::Timeout);
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    let cancelled = AtomicBool::new(true);
    let ctx = Context { cancelled: Some(&cancelled), ..Context::default() };
    assert_eq!(kind_of(Options::default(), "x_total", &ctx).0, ErrorKind::Canceled);
}

#[test]
fn the_lookback_can_be_set_per_query() {
    let storage = storage(1, 1);
    let expr = promql::parse("x_total").unwrap();
    for (lookback, expected) in [(30, 0), (31, 1)] {
        let ctx = Context { lookback: Some(Duration::from_secs(lookback)), ..Context::default() };
        let output = Engine::default().instant(&storage, &expr, 30_000, &ctx).unwrap();
        let QueryValue::Vector(samples) = output.value else { panic!("{output:?}") };
        assert_eq!(samples.len(), expected, "{lookback}");
    }
}

#[test]
fn a_range_is_ascending_by_labels_and_time() {
    let expr = promql::parse("x_total + 1").unwrap();
    let output = Engine::default()
        .range(
            &storage(3, 3),
            &expr,
            Range { start: 0, end: 2000, step_ms: 1000 },
            &Context::default(),
        )
        .unwrap();
    let QueryValue::Matrix(series) = output.value else { panic!("{output:?}") };
    assert!(series.is_sorted_by(|a, b| a.labels < b.labels));
    for series in &series {
        let points: Vec<_> = series.points().collect();
        let expected: Vec<_> = (0..3).map(|i| (i * 1000, Point::Float(i as f64 + 1.0))).collect();
        assert_eq!(points, expected);
    }
}
