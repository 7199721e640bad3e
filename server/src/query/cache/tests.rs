use std::sync::Arc;

use model::{Labels, Matcher, Value};
use promql::{Options, Point};
use proptest::prelude::*;
use tsdb::{Batch, engine::MemoryEngine};

use super::*;

const STEP_MS: i64 = 10_000;
const START: i64 = 1_700_000_000_000;

const QUERIES: [&str; 9] = [
    "x",
    "sum by (a) (rate(x[1m]))",
    "max_over_time(x[45s]) - x offset 20s",
    "x offset -30s",
    "count(x) or vector(time())",
    "topk(1, x)",
    "absent(x{a=\"1\"})",
    "avg_over_time(sum(x)[1m:20s])",
    "label_replace(x, \"b\", \"$1\", \"a\", \"(.*)\") > 3",
];

/// What happens between two looks.
#[derive(Debug, Clone)]
enum Event {
    /// The time goes on, and every series gets a sample.
    Tick,
    /// A sample comes so many ticks late.
    Late { series: usize, ticks: i64, value: f64 },
    /// What a series had so many ticks ago is deleted, and what was before.
    Delete { series: usize, ticks: i64 },
    /// What is in memory goes into a block.
    Seal,
    /// Query number, how many steps back from now it begins, and how many it has.
    Look { query: usize, back: i64, steps: i64 },
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Tick),
        2 => (0_usize..3, 0_i64..20, 0..9).prop_map(|(series, ticks, value)| Event::Late {
            series,
            ticks,
            value: f64::from(value),
        }),
        1 => (0_usize..3, 0_i64..20).prop_map(|(series, ticks)| Event::Delete { series, ticks }),
        1 => Just(Event::Seal),
        8 => (0..QUERIES.len(), 1_i64..30, 1_i64..30)
            .prop_map(|(query, back, steps)| Event::Look { query, back, steps }),
    ]
}

fn labels(series: usize) -> Labels {
    Labels::from_pairs([("__name__", "x".to_owned()), ("a", series.to_string())])
}

struct World {
    store: Tsdb,
    now: i64,
    ticks: i64,
    cache: Cache,
    engine: Engine,
}

impl World {
    fn new() -> Self {
        let (store, _) =
            Tsdb::open(Arc::new(MemoryEngine::new()), tsdb::Options::default()).unwrap();
        let engine = Engine::new(Options::default());
        Self { store, now: START, ticks: 0, cache: Cache::new(1 << 20), engine }
    }

    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Tick => {
                self.now += STEP_MS;
                self.ticks += 1;
                let samples: Vec<_> = (0..3)
                    .map(|series| {
                        let value = (self.ticks * (series as i64 + 1)) as f64;
                        (self.store.resolve(&labels(series)), Value::Float(value))
                    })
                    .collect();
                let batch = Batch { timestamp: self.now, samples: &samples, ..Batch::default() };
                assert_eq!(self.store.commit(&batch).appended, 3);
            }
            Event::Late { series, ticks, value } => {
                let at = self.now - ticks * STEP_MS - 3_000;
                let dated = [(self.store.resolve(&labels(series)), at, Value::Float(value))];
                let batch = Batch { timestamp: self.now, dated: &dated, ..Batch::default() };
                drop(self.store.commit(&batch));
            }
            Event::Delete { series, ticks } => {
                let matcher = Matcher::equal("a", series.to_string());
                self.store.delete(&[matcher], START, self.now - ticks * STEP_MS).unwrap();
            }
            Event::Seal => drop(self.store.seal().unwrap()),
            Event::Look { query, back, steps } => self.look(QUERIES[query], back, steps),
        }
    }

    /// Compares the answer with and without the cache.
    #[track_caller]
    fn look(&self, query: &str, back: i64, steps: i64) {
        let expr = promql::parse(query).unwrap();
        let start = self.now - back * STEP_MS;
        let range = Range { start, end: start + steps * STEP_MS, step_ms: STEP_MS };
        let cacheable = Cacheable::of(&expr, range, self.engine.options().lookback).unwrap();
        let ctx = Context::default();
        let fresh = self.engine.range(&self.store.view(), &expr, range, &ctx).unwrap();
        let (cached, texts) =
            self.cache.range(&cacheable, &expr, &self.engine, &self.store, &ctx).unwrap();
        if let Some(texts) = texts {
            let QueryValue::Matrix(series) = &cached.value else { panic!("no matrix") };
            let written = Texts::of(series);
            for place in 0..series.len() {
                assert_eq!(texts.get(place), written.get(place), "{query} from {start}");
            }
        }
        assert_eq!(shown(&cached), shown(&fresh), "{query} from {start}, {steps} steps");
    }
}

/// Labels and points, numbers rounded as little as sums in another order differ.
fn shown(output: &Output) -> Vec<(String, Vec<(Timestamp, String)>)> {
    let QueryValue::Matrix(series) = &output.value else { panic!("no matrix") };
    let point = |(time, point): (Timestamp, Point<'_>)| match point {
        Point::Float(value) => (time, format!("{value:.9e}")),
        Point::Histogram(histogram) => (time, format!("{histogram:?}")),
    };
    series.iter().map(|s| (s.labels.to_string(), s.points().map(point).collect())).collect()
}

proptest! {
    #[test]
    fn property_an_answer_from_the_cache_is_the_one_without_it(
        events in proptest::collection::vec(any_event(), 1..120),
    ) {
        let mut world = World::new();
        for event in &events {
            world.apply(event);
        }
        prop_assert_eq!(world.cache.bytes() > 0, !world.cache.lock().entries.is_empty());
    }
}

#[test]
fn a_query_that_moves_on_computes_only_the_new_steps() {
    let mut world = World::new();
    (0..40).for_each(|_| world.apply(&Event::Tick));
    let expr = promql::parse("sum(x)").unwrap();
    let ask = |world: &World| {
        let (start, end) = (world.now - 20 * STEP_MS, world.now);
        let range = Range { start, end, step_ms: STEP_MS };
        let query = Cacheable::of(&expr, range, world.engine.options().lookback).unwrap();
        let ctx = Context::default();
        world.cache.range(&query, &expr, &world.engine, &world.store, &ctx).unwrap().0.stats.samples
    };
    let all = ask(&world);
    assert_eq!(ask(&world), 0, "nothing changed");
    world.apply(&Event::Tick);
    let one = ask(&world);
    assert!(one > 0 && one * 2 < all + 60, "{one} of {all}");
    let counts = [&world.cache.hits, &world.cache.misses].map(|n| n.load(Ordering::Relaxed));
    assert_eq!(counts, [2, 1]);
    world.cache.clear();
    assert_eq!(world.cache.bytes(), 0);
}

#[test]
fn the_bound_holds_and_what_was_used_longest_ago_goes_first() {
    let mut world = World::new();
    (0..40).for_each(|_| world.apply(&Event::Tick));
    world.cache = Cache::new(48_000);
    for number in 0..40 {
        world.look(&format!("x + {number}"), 25, 20);
        world.look("x", 25, 20);
        assert!(world.cache.bytes() <= 48_000);
    }
    let used = world.cache.hits.load(Ordering::Relaxed);
    assert_eq!(used, 39, "the one used all the time stays");
}

#[test]
fn a_query_without_steps_of_its_own_is_not_kept() {
    let range = Range { start: 0, end: 100, step_ms: 10 };
    let lookback = Duration::from_mins(5);
    for (text, is_kept) in [("x", true), ("x @ end()", false), ("start()", false)] {
        let expr = promql::parse(text).unwrap();
        assert_eq!(Cacheable::of(&expr, range, lookback).is_some(), is_kept, "{text}");
    }
}
