//! The same data and the same queries for our engine and for a real Prometheus.
//!
//! Runs when `BELLWETHER_TEST_PROMETHEUS` names the program. `BELLWETHER_TEST_QUERIES` says how many
//! random queries are asked (default 400), `BELLWETHER_TEST_SEED` where the lot begins, and
//! `BELLWETHER_TEST_EXPRESSIONS` may name a file with an expression in the third column of each line
//! (tab separated), which are asked over series made for them.
//!
//! Debian's Prometheus is 2.42. What changed since is kept out of the questions:
//! - Windows were closed at the old end: samples lie 3,137 ms off every edge.
//! - `rate` stopped at a counter's zero before it looked how far the first sample is: counters here
//!   begin high.
//! - Names were dropped at once: nothing groups by the name after it was dropped.
//! - Durations, `info`, `fill` and the experimental functions are younger, and native histograms were
//!   an experiment with other rules.
//! - Matches were counted only where a comparison holds: those with a filter are made one to one.
//! - `atan2` kept names: it works on results here, which have none.
//! - `stddev` of infinities and of a single NaN was zero: they are filtered first.
//! - `predict_linear` over a selector with `@` took other samples after the first step.
//! - `topk` took others of equal series: it is counted here, or ranks series that are never equal.
//! - `predict_linear` and `deriv` of infinities were NaN, because sums with compensation were.
//! - `avg`, `stddev` and sums were rounded otherwise: numbers here are multiples of 1/8, which add up
//!   exactly, and what is not continuous (comparisons, `%`, `floor`) takes only such numbers.

mod data;
mod expressions;
mod grammar;
mod prometheus;
mod random;

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use model::{Labels, Timestamp};
use promql::{
    Context, Engine, Options, Point, QueryValue, Range, parse,
    script::{MemoryStorage, SeriesLine},
};

use grammar::Grammar;
use prometheus::Prometheus;
use random::Random;

/// Where time begins, so that the numbers have a usual size.
const BEGIN: Timestamp = 1_700_000_000_000;

/// The difference that different orders of rounding may make, relative to the number, or to 1 for
/// smaller ones, because those are what is left of a subtraction.
const EPSILON: f64 = 1e-12;

/// Values by series and time.
type Answer = BTreeMap<Labels, BTreeMap<Timestamp, f64>>;

/// A question to both.
#[derive(Debug)]
struct Query {
    text: String,
    range: Range,
}

#[test]
fn random_queries_have_the_answers_of_prometheus() {
    let Some(program) = variable("BELLWETHER_TEST_PROMETHEUS") else { return };
    let mut random = Random::new(number("BELLWETHER_TEST_SEED", 42));
    let series = data::series(&mut random);
    let both = Both::new(Path::new(&program), &series);
    let mut grammar = Grammar::new(&mut random);
    let queries: Vec<Query> =
        (0..number("BELLWETHER_TEST_QUERIES", 400)).map(|_| grammar.query()).collect();
    let asked = both.compare(&queries);
    // A grammar whose queries find nothing would prove nothing.
    assert!(asked.with_values * 2 > queries.len(), "{asked:?}");
}

#[test]
fn given_expressions_have_the_answers_of_prometheus() {
    let Some(program) = variable("BELLWETHER_TEST_PROMETHEUS") else { return };
    let given = variable("BELLWETHER_TEST_EXPRESSIONS");
    let texts = given.map(|path| std::fs::read_to_string(path).unwrap());
    let expressions = expressions::read(texts.as_deref());
    let mut random = Random::new(number("BELLWETHER_TEST_SEED", 42));
    let series = expressions::series(&expressions, &mut random);
    let both = Both::new(Path::new(&program), &series);
    let start = BEGIN + 3_000_000;
    let range = Range { start, end: start + 1_200_000, step_ms: 300_000 };
    let texts = expressions.iter().map(ToString::to_string);
    let queries: Vec<Query> = texts.map(|text| Query { text, range }).collect();
    let asked = both.compare(&queries);
    assert!(asked.with_values * 2 > queries.len(), "{asked:?}");
}

/// Both engines with the same series.
struct Both {
    ours: (Engine, MemoryStorage),
    theirs: Prometheus,
}

/// How many queries were asked, and how many had values.
#[derive(Debug, Default)]
struct Asked {
    all: usize,
    refused_by_both: usize,
    with_values: usize,
}

impl Both {
    fn new(program: &Path, series: &[Samples]) -> Self {
        let mut storage = MemoryStorage::new();
        for samples in series {
            for (timestamp, value) in &samples.values {
                storage.append(&samples.labels, *timestamp, model::Value::Float(*value));
            }
        }
        let theirs = Prometheus::start(program);
        theirs.write(series);
        Self { ours: (Engine::new(Options::default()), storage), theirs }
    }

    /// Asks both, as a range and at its first step.
    #[track_caller]
    fn compare(&self, queries: &[Query]) -> Asked {
        let mut asked = Asked::default();
        let mut differences = Vec::new();
        for query in queries {
            asked.all += 1;
            for range in [query.range, Range { end: query.range.start, ..query.range }] {
                let query = Query { text: query.text.clone(), range };
                match (self.ours(&query), self.theirs.query(&query)) {
                    (Err(_), Err(_)) => asked.refused_by_both += 1,
                    (Ok(ours), Ok(theirs)) => {
                        asked.with_values +=
                            usize::from(!ours.is_empty() && range.end > range.start);
                        if let Some(difference) = difference(&ours, &theirs) {
                            differences.push(format!("{query:?}\n  {difference}"));
                        }
                    }
                    (ours, theirs) => {
                        let describe = |answer: Result<Answer, String>| match answer {
                            Ok(answer) => format!("{} series", answer.len()),
                            Err(error) => error,
                        };
                        let (ours, theirs) = (describe(ours), describe(theirs));
                        differences.push(format!("{query:?}\n  ours {ours}, theirs {theirs}"));
                    }
                }
            }
        }
        let shown = differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        assert!(differences.is_empty(), "{} differences:\n{shown}", differences.len());
        asked
    }

    fn ours(&self, query: &Query) -> Result<Answer, String> {
        let (engine, storage) = &self.ours;
        let expr = parse(&query.text).map_err(|error| error.to_string())?;
        let output = engine
            .range(storage, &expr, query.range, &Context::default())
            .map_err(|error| error.to_string())?;
        let QueryValue::Matrix(series) = output.value else { panic!("{query:?}: no matrix") };
        let values = |series: &promql::Series| {
            let floats = series.points().map(|(time, point)| match point {
                Point::Float(value) => (time, value),
                Point::Histogram(_) => panic!("{query:?}: a histogram"),
            });
            floats.collect()
        };
        Ok(series.iter().map(|series| (series.labels.clone(), values(series))).collect())
    }
}

/// A series with its samples, ascending.
struct Samples {
    labels: Labels,
    values: Vec<(Timestamp, f64)>,
}

/// What differs first.
fn difference(ours: &Answer, theirs: &Answer) -> Option<String> {
    for labels in ours.keys().chain(theirs.keys()) {
        let (Some(a), Some(b)) = (ours.get(labels), theirs.get(labels)) else {
            let who = if ours.contains_key(labels) { "only ours" } else { "only theirs" };
            return Some(format!("{who} has {labels}"));
        };
        for time in a.keys().chain(b.keys()) {
            let (x, y) = (a.get(time), b.get(time));
            if !x.zip(y).is_some_and(|(x, y)| is_same(*x, *y)) {
                return Some(format!("{labels} at {time}: ours {x:?}, theirs {y:?}"));
            }
        }
    }
    None
}

fn is_same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= EPSILON * a.abs().max(b.abs()).max(1.0)
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn number(name: &str, usual: u64) -> u64 {
    let text = variable(name).map(|text| text.into_string().unwrap());
    text.map_or(usual, |text| text.parse().unwrap())
}

/// A series in the notation of scripts, for data that is written down.
fn labels(text: &str) -> Labels {
    let SeriesLine { labels, .. } = promql::script::parse_series(text).unwrap();
    labels
}
