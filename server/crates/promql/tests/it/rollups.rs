//! Whole rollups must give what the samples would have given.

use std::sync::Arc;

use model::{
    Column, Labels, Matcher, Metadata, NativeHistogram, Sample, Storage, StorageError, Timestamp,
    Value,
    histogram::Span,
    rollup::{RollupColumn, Zone, window_at},
    storage::{Select, Selection},
};
use promql::{Context, Engine, Output, QueryValue, Range, script::MemoryStorage};
use proptest::prelude::*;

const MINUTE: i64 = 60_000;

/// A store whose older samples are only known as rollups.
#[derive(Debug)]
struct Rolled {
    samples: MemoryStorage,
    zones: Vec<Zone>,
}

struct RolledSelection<'a> {
    all: Box<dyn Selection + 'a>,
    zones: &'a [Zone],
    start: Timestamp,
    end: Timestamp,
}

impl Rolled {
    fn zones_from(&self, start: Timestamp) -> &[Zone] {
        let skipped = self.zones.partition_point(|zone| zone.until < start);
        &self.zones[skipped..]
    }
}

impl Storage for Rolled {
    fn select(&self, request: &Select<'_>) -> Result<Box<dyn Selection + '_>, StorageError> {
        let everything = Select { start: i64::MIN, end: i64::MAX, ..*request };
        let all = self.samples.select(&everything)?;
        let (start, end) = (request.start, request.end);
        Ok(Box::new(RolledSelection { all, zones: self.zones_from(start), start, end }))
    }

    fn series(&self, request: &Select<'_>) -> Result<Vec<Labels>, StorageError> {
        self.samples.series(request)
    }

    fn label_names(&self, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        self.samples.label_names(request)
    }

    fn label_values(&self, name: &str, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        self.samples.label_values(name, request)
    }

    fn metadata(&self) -> Vec<Metadata> {
        self.samples.metadata()
    }
}

fn between(column: &Column, after: Timestamp, until: Timestamp) -> Column {
    let mut part = Column::default();
    for (&time, &value) in column.float_times.iter().zip(&column.floats) {
        if time > after && time <= until {
            part.push_float(time, value);
        }
    }
    for (&time, value) in column.histogram_times.iter().zip(&column.histograms) {
        if time > after && time <= until {
            part.push(time, Value::Histogram(Arc::clone(value)));
        }
    }
    part
}

impl Selection for RolledSelection<'_> {
    fn labels(&self) -> &[Labels] {
        self.all.labels()
    }

    fn read(&self, index: usize, out: &mut Column) -> Result<(), StorageError> {
        let mut rollups = RollupColumn::default();
        self.read_rollups(index, &mut rollups)?;
        let mut column = Column::default();
        rollups.put_samples(&mut column);
        *out = between(&column, i64::MIN, self.end);
        self.all.read(index, &mut column)?;
        let raw = self.zones.last().map_or(i64::MIN, |zone| zone.until).max(self.start - 1);
        let later = between(&column, raw, self.end);
        out.float_times.extend(later.float_times);
        out.floats.extend(later.floats);
        out.histogram_times.extend(later.histogram_times);
        out.histograms.extend(later.histograms);
        Ok(())
    }

    fn zones(&self) -> &[Zone] {
        self.zones
    }

    fn read_rollups(&self, index: usize, out: &mut RollupColumn) -> Result<(), StorageError> {
        out.clear();
        let mut column = Column::default();
        self.all.read(index, &mut column)?;
        let mut after = i64::MIN;
        for zone in self.zones {
            let from = after.max(self.start - zone.window_ms);
            let from = from.div_euclid(zone.window_ms).saturating_mul(zone.window_ms).max(after);
            out.add(&between(&column, from, zone.until), i64::MIN, zone.window_ms);
            after = zone.until;
        }
        Ok(())
    }

    fn latest(&self, index: usize) -> Result<Option<Sample>, StorageError> {
        let mut column = Column::default();
        self.read(index, &mut column)?;
        let oldest = self.start.min(self.end - window_at(self.zones, self.end) + 1);
        Ok(column.last().filter(|sample| sample.timestamp >= oldest))
    }
}

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name)])
}

fn histogram(count: f64) -> NativeHistogram {
    NativeHistogram {
        count,
        sum: count * 3.0,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive: vec![(count / 2.0).ceil(), (count / 2.0).floor()],
        ..NativeHistogram::default()
    }
}

/// Ten hours of samples every 15 s or so, with gaps and resets.
fn stores() -> impl Strategy<Value = (MemoryStorage, Rolled)> {
    let step = (1_i64..30_000, 0_u32..40, 0_u32..60);
    (proptest::collection::vec(step, 600), 0_i64..120).prop_map(|(steps, until)| {
        let mut samples = MemoryStorage::new();
        let (mut time, mut counter) = (0, 5.0);
        for (i, (gap, change, chance)) in steps.into_iter().enumerate() {
            time += if chance == 7 { 20 * MINUTE } else { gap };
            counter = if chance == 9 { 0.0 } else { counter + f64::from(change) };
            let gauge = f64::from(change) - 20.0;
            samples.append(&labels("c_total"), time, Value::Float(counter));
            samples.append(&labels("g"), time, Value::Float(gauge));
            if i % 3 == 0 {
                let value = Value::Histogram(Arc::new(histogram(counter)));
                samples.append(&labels("h"), time, value);
            }
        }
        let fine = Zone { until: until * 5 * MINUTE, window_ms: 5 * MINUTE };
        let coarse_until = (fine.until / 3).div_euclid(60 * MINUTE) * 60 * MINUTE;
        let coarse = Zone { until: coarse_until, window_ms: 60 * MINUTE };
        let rolled = Rolled { samples: samples.clone(), zones: vec![coarse, fine] };
        (samples, rolled)
    })
}

fn evaluate(storage: &dyn Storage, text: &str, range: Range) -> Output {
    let expr = promql::parse(text).unwrap();
    Engine::default().range(storage, &expr, range, &Context::default()).unwrap()
}

/// Every value as a number, by series and time.
fn numbers(output: &Output) -> Vec<(String, Timestamp, Vec<f64>)> {
    let QueryValue::Matrix(all) = &output.value else { panic!("{output:?}") };
    let mut numbers = Vec::new();
    for series in all {
        for (time, value) in series.points() {
            let values = match value {
                promql::Point::Float(value) => vec![value],
                promql::Point::Histogram(h) => {
                    let mut values = vec![h.count, h.sum];
                    values.extend(&h.positive);
                    values
                }
            };
            numbers.push((series.labels.to_string(), time, values));
        }
    }
    numbers
}

const EXACT: [&str; 22] = [
    "rate(c_total[1h])",
    "rate(c_total[3h])",
    "increase(c_total[2h])",
    "delta(g[2h])",
    "count_over_time(g[1h])",
    "sum_over_time(g[2h])",
    "avg_over_time(g[2h])",
    "min_over_time(g[1h])",
    "max_over_time(g[3h])",
    "first_over_time(g[1h])",
    "last_over_time(g[1h])",
    "ts_of_first_over_time(g[1h])",
    "ts_of_last_over_time(g[1h])",
    "present_over_time(g[1h])",
    "increase(h[2h])",
    "rate(h[1h])",
    "sum_over_time(h[1h])",
    "avg_over_time(h[1h])",
    "last_over_time(h[1h])",
    "count_over_time(h[2h])",
    "max_over_time(g[1h] offset 1h)",
    "sum(rate(c_total[2h]))",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn property_whole_rollups_give_what_samples_give((samples, rolled) in stores()) {
        let range = Range { start: 0, end: 600 * MINUTE, step_ms: 60 * MINUTE };
        for text in EXACT {
            let expected = numbers(&evaluate(&samples, text, range));
            let found = numbers(&evaluate(&rolled, text, range));
            prop_assert_eq!(found.len(), expected.len(), "{}", text);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!((&found.0, found.1), (&expected.0, expected.1), "{}", text);
                prop_assert_eq!(found.2.len(), expected.2.len(), "{}", text);
                for (a, b) in found.2.iter().zip(&expected.2) {
                    let is_close = (a - b).abs() <= 1e-9 * b.abs().max(1.0);
                    prop_assert!(is_close, "{text} at {}: {a} instead of {b}", found.1);
                }
            }
        }
    }
}

/// A counter that grows by one a second, sampled every 10 s, and a gauge that repeats every minute.
fn steady() -> Rolled {
    let mut samples = MemoryStorage::new();
    for i in 1..=3_600_i64 {
        let time = i * 10_000;
        samples.append(&labels("c_total"), time, Value::Float(i as f64 * 10.0));
        samples.append(&labels("g"), time, Value::Float((i % 6) as f64));
    }
    let coarse = Zone { until: 300 * MINUTE, window_ms: 60 * MINUTE };
    let fine = Zone { until: 480 * MINUTE, window_ms: 5 * MINUTE };
    Rolled { samples, zones: vec![coarse, fine] }
}

#[track_caller]
fn check(text: &str, expected: f64, tolerance: f64) {
    let rolled = steady();
    let expr = promql::parse(text).unwrap();
    for time in [90 * MINUTE + 12_345, 399 * MINUTE + 7_000, 482 * MINUTE + 1_000] {
        let output = Engine::default().instant(&rolled, &expr, time, &Context::default()).unwrap();
        let QueryValue::Vector(vector) = &output.value else { panic!("{output:?}") };
        let [sample] = &vector[..] else { panic!("{text} at {time}: {vector:?}") };
        let Value::Float(value) = sample.value else { panic!("{vector:?}") };
        assert!((value - expected).abs() <= tolerance, "{text} at {time}: {value}");
    }
}

#[test]
fn windows_shorter_than_a_rollup_and_off_its_borders_are_answered() {
    check("rate(c_total[1m])", 1.0, 1e-9);
    check("increase(c_total[7m])", 420.0, 1e-9);
    check("count_over_time(g[10m])", 60.0, 1.0);
    check("sum_over_time(g[10m])", 150.0, 5.0);
    check("avg_over_time(g[10m])", 2.5, 0.01);
    check("max_over_time(g[10m])", 5.0, 0.0);
    check("min_over_time(g[10m])", 0.0, 0.0);
    check("count(c_total)", 1.0, 0.0);
    check("count(irate(c_total[2m]) > 0)", 1.0, 0.0);
    check("changes(c_total[10m]) > bool 0", 1.0, 0.0);
    check("max_over_time(rate(c_total[1m])[10m:1m])", 1.0, 1e-9);
}

#[test]
fn a_graph_over_rollups_has_no_gaps_and_says_what_it_is_made_of() {
    let rolled = steady();
    let range = Range { start: 60 * MINUTE, end: 590 * MINUTE, step_ms: MINUTE };
    for text in ["c_total", "rate(c_total[5m])", "max_over_time(g[1m])"] {
        let output = evaluate(&rolled, text, range);
        assert_eq!(numbers(&output).len(), 531, "{text}");
        let notes = output.annotations.render(promql::Level::Info, text);
        assert!(
            notes.iter().any(|note| note
                .contains("samples up to 1970-01-01T08:00:00Z are known from rollups of 5m only")),
            "{notes:?}"
        );
    }
    let late = Range { start: 500 * MINUTE, end: 590 * MINUTE, step_ms: MINUTE };
    assert!(evaluate(&rolled, "rate(c_total[5m])", late).annotations.is_empty());
    let output = evaluate(&rolled, "stddev_over_time(g[1h])", range);
    let notes = output.annotations.render(promql::Level::Info, "");
    assert!(notes.iter().any(|note| note.contains("approximate")), "{notes:?}");
}

#[test]
fn a_selection_by_matchers_works_as_ever() {
    let rolled = steady();
    let matchers = [Matcher::equal("__name__", "g")];
    let request = Select { matchers: &matchers, start: 0, end: i64::MAX, max_series: 10 };
    assert_eq!(rolled.select(&request).unwrap().labels(), [labels("g")]);
}
