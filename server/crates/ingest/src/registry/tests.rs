use model::{NativeHistogram, is_stale, stale_marker};
use proptest::prelude::*;

use super::*;
use crate::{Arrival, Shard, ShardOptions, Sketch};

const TICK: i64 = 10_000;

/// Shards and a registry with a clock that moves by ticks.
struct Bench {
    shards: Vec<Shard>,
    registry: Registry,
    now: Timestamp,
    stored: HashMap<String, Sample>,
    metadata: Vec<Metadata>,
    report: FlushReport,
}

/// Collects a flush as text.
struct Collector<'a> {
    lines: Vec<String>,
    metadata: &'a mut Vec<Metadata>,
}

fn show(value: &Value) -> String {
    match value {
        value if value.is_stale() => "stale".to_owned(),
        Value::Float(value) => value.to_string(),
        Value::Histogram(histogram) => format!("{} sum {}", histogram.count, histogram.sum),
    }
}

impl FlushSink for Collector<'_> {
    fn sample(&mut self, _handle: u32, labels: &Labels, value: Value) {
        self.lines.push(format!("{labels} {}", show(&value)));
    }

    fn ended(&mut self, _handle: u32) {}

    fn timed(&mut self, _handle: u32, labels: &Labels, timestamp: Timestamp, value: Value) {
        self.lines.push(format!("{labels} {} @{timestamp}", show(&value)));
    }

    fn metadata(&mut self, metadata: Metadata) {
        self.metadata.push(metadata);
    }
}

impl Bench {
    fn new(options: RegistryOptions) -> Self {
        Self {
            shards: (0..2).map(|_| Shard::new(ShardOptions::default())).collect(),
            registry: Registry::new(options),
            now: 1_700_000_000_000,
            stored: HashMap::new(),
            metadata: Vec::new(),
            report: FlushReport::default(),
        }
    }

    fn send(&mut self, shard: usize, stamp: u64, text: &str) {
        let arrival = Arrival { stamp, ..Arrival::default() };
        self.shards[shard].accept(text.as_bytes(), arrival, &mut |_| {});
    }

    /// One tick: what was emitted, sorted.
    fn tick(&mut self) -> Vec<String> {
        self.now += TICK;
        for shard in &mut self.shards {
            self.registry.merge(shard.take_window());
        }
        let mut collector = Collector { lines: Vec::new(), metadata: &mut self.metadata };
        let stored = &self.stored;
        self.report = self.registry.flush(
            self.now,
            &mut |labels| stored.get(&labels.to_string()).cloned(),
            &mut collector,
        );
        let mut lines = collector.lines;
        lines.sort();
        lines
    }

    /// What the last flush refused of a source.
    fn refused(&self, source: SourceId) -> Vec<(Reason, u64)> {
        let of_source = self.report.refused.iter().filter(|(id, _)| *id == source);
        of_source.flat_map(|(_, counts)| counts.iter()).collect()
    }

    fn stores(&mut self, labels: &str, timestamp: Timestamp, value: Value) {
        self.stored.insert(labels.to_owned(), Sample { timestamp, value });
    }

    fn sends_and_ticks(&mut self, text: &str) -> Vec<String> {
        self.send(0, 0, text);
        self.tick()
    }
}

fn bench() -> Bench {
    Bench::new(RegistryOptions::default())
}

/// The text of a base that is emitted one interval before the next tick.
fn base(bench: &Bench, text: &str) -> String {
    format!("{text} @{}", bench.now)
}

#[test]
fn counters_start_at_zero_grow_and_idle() {
    let mut bench = bench();
    let zero = base(&bench, "a 0");
    bench.send(0, 1, "a:2|c");
    bench.send(1, 2, "a:3|c");
    assert_eq!(bench.tick(), [zero, "a 5".to_owned()]);
    assert_eq!(bench.tick(), ["a 5"]);
    assert_eq!(bench.sends_and_ticks("a:1|c"), ["a 6"]);
}

#[test]
fn counters_and_timers_continue_from_the_store() {
    let mut bench = bench();
    let old = bench.now - TICK;
    let timer = {
        let mut sketch = Sketch::new();
        sketch.add(8.0, 100.0);
        Value::Histogram(std::sync::Arc::new(sketch.to_native()))
    };
    bench.stores("a", old, Value::Float(1000.0));
    bench.stores("b", bench.now, Value::Float(10.0));
    bench.stores("s", old, Value::Float(stale_marker()));
    bench.stores("t", old, timer);
    let expected = [
        base(&bench, "a 1000"),
        "a 1001".to_owned(),
        "b 11".to_owned(),
        base(&bench, "s 0"),
        "s 1".to_owned(),
        base(&bench, "t 100 sum 800"),
        "t 101 sum 808".to_owned(),
    ];
    assert_eq!(bench.sends_and_ticks("a:1|c\nb:1|c\ns:1|c\nt:8|ms"), expected);
}

#[test]
fn a_counter_never_falls_and_makes_up_for_negative_counts() {
    let mut bench = bench();
    bench.stores("a", bench.now, Value::Float(10.0));
    for (text, expected) in
        [("a:-3|c", "a 10"), ("a:2|c", "a 10"), ("a:5|c", "a 14"), ("a:5|c\na:-4|c", "a 15")]
    {
        assert_eq!(bench.sends_and_ticks(text), [expected], "{text}");
    }
}

#[test]
fn the_last_write_to_a_gauge_wins_over_shards() {
    let mut bench = bench();
    bench.send(0, 20, "a:5|g");
    bench.send(1, 10, "a:7|g");
    assert_eq!(bench.tick(), ["a 5"]);
    bench.send(1, 30, "a:9|g");
    bench.send(0, 40, "a:+1|g");
    assert_eq!(bench.tick(), ["a 10"]);
    bench.send(1, 60, "a:1|g");
    bench.send(0, 50, "a:+1|g");
    assert_eq!(bench.tick(), ["a 1"], "the change came before the value");
    assert_eq!(bench.sends_and_ticks(""), ["a 1"]);
}

#[test]
fn a_change_of_an_unknown_gauge_starts_from_the_store_or_zero() {
    let mut bench = bench();
    bench.stores("a", bench.now, Value::Float(100.0));
    assert_eq!(bench.sends_and_ticks("a:-5|g\nb:-5|g"), ["a 95", "b -5"]);
}

#[test]
fn sets_count_the_members_of_each_window() {
    let mut bench = bench();
    bench.send(0, 1, "u:ann|s\nu:bob|s");
    bench.send(1, 1, "u:bob|s\nu:cid|s");
    assert_eq!(bench.tick(), ["u 3"]);
    assert_eq!(bench.tick(), ["u 0"]);
    assert_eq!(bench.sends_and_ticks("u:bob|s"), ["u 1"]);
}

#[test]
fn an_idle_timer_hands_out_the_same_histogram_while_it_is_held() {
    struct Held(Vec<std::sync::Arc<NativeHistogram>>);
    impl FlushSink for Held {
        fn sample(&mut self, _: u32, _: &Labels, value: Value) {
            let Value::Histogram(histogram) = value else { panic!("not a histogram") };
            self.0.push(histogram);
        }
        fn ended(&mut self, _: u32) {}
        fn timed(&mut self, _: u32, _: &Labels, _: Timestamp, _: Value) {}
        fn metadata(&mut self, _: Metadata) {}
    }
    let mut bench = bench();
    let mut held = Held(Vec::new());
    for text in ["a:1|ms", "", "a:1|ms"] {
        bench.send(0, 0, text);
        bench.registry.merge(bench.shards[0].take_window());
        bench.now += TICK;
        bench.registry.flush(bench.now, &mut |_| None, &mut held);
    }
    let [first, idle, next] = &held.0[..] else { panic!("three flushes") };
    assert!(std::sync::Arc::ptr_eq(first, idle));
    assert_eq!((idle.count, next.count), (1.0, 2.0));
}

#[test]
fn series_expire_by_type_with_one_stale_marker_and_come_back() {
    let ttl = TimeToLive { counter_ms: 3 * TICK, gauge_ms: 2 * TICK, timer_ms: TICK, set_ms: TICK };
    let mut bench = Bench::new(RegistryOptions { ttl, ..RegistryOptions::default() });
    bench.sends_and_ticks("c:1|c\ng:1|g\nt:1|ms\ns:x|s");
    assert_eq!(bench.tick(), ["c 1", "g 1", "s stale", "t stale"]);
    assert_eq!(bench.report.live, [1, 1, 0, 0]);
    assert_eq!(bench.tick(), ["c 1", "g stale"]);
    assert_eq!(bench.tick(), ["c stale"]);
    assert_eq!((bench.report.expired, bench.registry.len()), (1, 0));
    assert_eq!(bench.tick(), Vec::<String>::new());

    bench.stores("c", bench.now - TICK, Value::Float(1.0));
    let continued = base(&bench, "c 1");
    assert_eq!(bench.sends_and_ticks("c:1|c"), [continued, "c 2".to_owned()]);
    assert_eq!(bench.report.created, 1);
}

#[test]
fn a_mapping_loaded_anew_changes_how_long_a_known_series_lives() {
    let mut bench = Bench::new(RegistryOptions::default());
    assert_eq!(bench.sends_and_ticks("g:1|g"), ["g 1"]);
    let rules = format!("mappings: [{{match: g, name: g, ttl: {}s}}]", TICK / 1000);
    let mapping = crate::Mapping::parse(&rules).unwrap().into();
    bench.shards[0].set_dialect(crate::Dialect { mapping, ..crate::Dialect::default() });
    assert_eq!(bench.sends_and_ticks("g:2|g"), ["g 2"]);
    assert_eq!(bench.tick(), ["g stale"]);
}

#[test]
fn limits_refuse_new_series_with_name_and_source_and_known_ones_go_on() {
    let limits = Limits { max_series: 3, max_series_per_source: 2 };
    let mut bench = Bench::new(RegistryOptions { limits, ..RegistryOptions::default() });
    for (source, text) in [(1, "a:1|g\nb:1|g\nc:1|g\nc:2|g"), (2, "d:1|g\ne:1|g"), (1, "a:2|g")] {
        let arrival = Arrival { source: SourceId(source), ..Arrival::default() };
        bench.shards[0].accept(text.as_bytes(), arrival, &mut |_| {});
    }
    assert_eq!(bench.tick(), ["a 2", "b 1", "d 1"]);
    assert_eq!(bench.refused(SourceId(1)), [(Reason::SourceSeriesLimit, 2)]);
    assert_eq!(bench.refused(SourceId(2)), [(Reason::SeriesLimit, 1)]);
    let offenders = bench.registry.offenders().sorted();
    assert_eq!(
        (&*offenders[0].name, offenders[0].source, offenders[0].lines),
        ("c", SourceId(1), 2)
    );
    assert_eq!(bench.registry.series_of_source(SourceId(1)), 2);
}

#[test]
fn shards_forget_refused_series_and_a_free_place_is_given_away() {
    let limits = Limits { max_series: 1, ..Limits::default() };
    let ttl = TimeToLive { gauge_ms: TICK, ..TimeToLive::default() };
    let options = RegistryOptions { ttl, limits, ..RegistryOptions::default() };
    let mut bench = Bench::new(options);
    assert_eq!(bench.sends_and_ticks("a:1|g\nb:1|g"), ["a 1"]);
    assert_eq!(bench.sends_and_ticks("b:1|g"), ["a stale"]);
    assert_eq!(bench.sends_and_ticks("b:2|g"), ["b 2"]);
    bench.send(0, 0, "c:1|g");
    for _ in 0..64 {
        bench.send(0, 0, "b:2|g");
        drop(bench.tick());
    }
    assert_eq!(bench.shards[0].contexts(), 2, "c was refused and is gone, a is only idle");
}

#[test]
fn new_names_beyond_the_limit_take_no_memory_in_the_shards() {
    let limits = Limits { max_series: 1_000, max_series_per_source: 1_000 };
    let mut bench = Bench::new(RegistryOptions { limits, ..RegistryOptions::default() });
    let mut name = 0;
    for _ in 0..5 {
        let room = bench.registry.room();
        bench.shards[0].set_room(room);
        for _ in 0..10_000 {
            name += 1;
            bench.send(0, 0, &format!("n{name}:1|g\nn1:2|g"));
        }
        let lines = bench.tick();
        assert_eq!(lines.len(), 1_000);
        assert!(lines.contains(&"n1 2".to_owned()), "a known series goes on");
        // Those that live, and what two windows may learn beyond the limit.
        assert!(
            bench.shards[0].contexts() <= 1_000 + 2 * (1_024 + 15),
            "{}",
            bench.shards[0].contexts()
        );
    }
}

#[test]
fn a_source_has_a_limit_of_its_own() {
    let limits = Limits { max_series: 10, max_series_per_source: 1 };
    let mut bench = Bench::new(RegistryOptions { limits, ..RegistryOptions::default() });
    assert_eq!(bench.sends_and_ticks("a:1|g\nb:1|g"), ["a 1"]);
    assert_eq!(bench.refused(SourceId(0)), [(Reason::SourceSeriesLimit, 1)]);
}

#[test]
fn a_name_keeps_its_first_type_while_it_lives() {
    let ttl = TimeToLive { gauge_ms: TICK, ..TimeToLive::default() };
    let mut bench = Bench::new(RegistryOptions { ttl, ..RegistryOptions::default() });
    bench.sends_and_ticks("a:1|g|#x:1");
    assert_eq!(bench.sends_and_ticks("a:1|ms|#x:1\na:1|ms|#x:2"), [r#"a{x="1"} stale"#]);
    assert_eq!(bench.refused(SourceId(0)), [(Reason::TypeConflict, 2)]);
    let zero = base(&bench, r#"a{x="1"} 0 sum 0"#);
    assert_eq!(bench.sends_and_ticks("a:1|ms|#x:1"), [zero, r#"a{x="1"} 1 sum 1"#.to_owned()]);
}

#[test]
fn metadata_is_told_once_per_name() {
    let mut bench = bench();
    bench.sends_and_ticks("api.time:1|ms|#x:1\napi.time:1|ms|#x:2\nhits:1|c\nusers:1|s");
    bench.sends_and_ticks("api.time:1|ms|#x:3");
    let found: Vec<_> = bench
        .metadata
        .iter()
        .map(|m| (m.metric.as_str(), m.kind.as_str(), m.unit.as_str(), m.original.as_str()))
        .collect();
    let expected = [
        ("api_time", "histogram", "milliseconds", "api.time"),
        ("hits", "counter", "", ""),
        ("users", "gauge", "", ""),
    ];
    assert_eq!(found, expected);
}

#[test]
fn timestamped_gauges_go_to_their_own_time() {
    let mut bench = bench();
    let second = |bench: &Bench, back: i64| (bench.now + TICK) / 1000 - back;
    let (old, new) = (second(&bench, 60), second(&bench, 3));
    let lines = bench.sends_and_ticks(&format!("a:1|g|T{old}\nb:2|g|T{new}"));
    let expected =
        [format!("a 1 @{}", old * 1000), "b 2".to_owned(), format!("b 2 @{}", new * 1000)];
    assert_eq!(lines, expected, "only a time in the open window sets the live value");
}

#[test]
fn timestamped_counts_are_added_and_placed_when_recent() {
    let mut bench = bench();
    bench.stores("a", bench.now, Value::Float(10.0));
    bench.sends_and_ticks("a:1|c");
    let (end, start) = ((bench.now + TICK) / 1000, bench.now / 1000);
    let text = format!(
        "a:5|c|T{}\na:1|c|T{}\na:2|c|T{}\na:3|c|T{}",
        end - 2,
        start - 100,
        end - 2,
        end + 60
    );
    let expected = [format!("a 19 @{}", (end - 2) * 1000), "a 22".to_owned()];
    assert_eq!(bench.sends_and_ticks(&text), expected);
}

#[test]
fn times_out_of_range_are_refused() {
    let mut bench = bench();
    let end = (bench.now + TICK) / 1000;
    bench.sends_and_ticks(&format!("a:1|g|T{}\na:1|g|T{}", end - 3_601, end + 601));
    assert_eq!(bench.refused(SourceId(0)), [(Reason::TooOld, 1), (Reason::TooNew, 1)]);
    assert_eq!(bench.report.timed, 0);
}

#[test]
fn handles_are_stable_and_reused_after_the_end() {
    #[derive(Default)]
    struct Handles {
        samples: Vec<(u32, String, bool)>,
        ended: Vec<u32>,
    }
    impl FlushSink for Handles {
        fn sample(&mut self, handle: u32, labels: &Labels, value: Value) {
            let Value::Float(value) = value else { panic!("not a number") };
            self.samples.push((handle, labels.to_string(), is_stale(value)));
        }
        fn ended(&mut self, handle: u32) {
            self.ended.push(handle);
        }
        fn timed(&mut self, _: u32, _: &Labels, _: Timestamp, _: Value) {}
        fn metadata(&mut self, _: Metadata) {}
    }
    let ttl = TimeToLive { gauge_ms: TICK, ..TimeToLive::default() };
    let mut bench = Bench::new(RegistryOptions { ttl, ..RegistryOptions::default() });
    let mut flush = |text: &str| {
        bench.send(0, 0, text);
        bench.registry.merge(bench.shards[0].take_window());
        bench.now += TICK;
        let mut handles = Handles::default();
        bench.registry.flush(bench.now, &mut |_| None, &mut handles);
        (handles.samples, handles.ended)
    };
    let named = |handle, name: &str, stale| (handle, name.to_owned(), stale);
    let flushed = flush("a:1|g\nb:1|g");
    assert_eq!(flushed, (vec![named(0, "a", false), named(1, "b", false)], vec![]));
    let flushed = flush("b:1|g");
    assert_eq!(flushed, (vec![named(0, "a", true), named(1, "b", false)], vec![0]));
    let flushed = flush("b:1|g\nc:1|g");
    assert_eq!(flushed, (vec![named(0, "c", false), named(1, "b", false)], vec![]));
    // A gauge that was only written in the past has no live value that could be marked.
    let past = 1_700_000_000 - 60;
    let flushed = flush(&format!("b:1|g\nd:1|g|T{past}"));
    assert_eq!(flushed, (vec![named(0, "c", true), named(1, "b", false)], vec![0]));
    assert_eq!(flush("b:1|g"), (vec![named(1, "b", false)], vec![2]));
}

proptest! {
    /// Any split of lines over shards and ticks gives the totals of one naive sum.
    #[test]
    fn property_aggregation_equals_a_naive_model(
        lines in proptest::collection::vec((0..2_usize, 0..3_u8, 1..100_u32, 1..5_u32, any::<bool>()), 1..80),
    ) {
        let mut bench = bench();
        let mut counts = [0.0; 3];
        let mut sums = [0.0; 3];
        let mut output = Vec::new();
        for (shard, name, value, divisor, ends_window) in lines {
            let rate = 1.0 / f64::from(divisor);
            let text = format!("c{name}:{value}|c|@{rate}\nt{name}:{value}|ms|@{rate}");
            bench.send(shard, 0, &text);
            counts[usize::from(name)] += f64::from(value) / rate;
            sums[usize::from(name)] += 1.0 / rate;
            if ends_window {
                drop(bench.tick());
            }
        }
        output.extend(bench.tick());
        for name in 0..3 {
            if counts[name] > 0.0 {
                let value = |prefix: &str| -> f64 {
                    let line = output.iter().rfind(|line| {
                        line.starts_with(&format!("{prefix}{name} ")) && !line.contains('@')
                    });
                    line.unwrap().split(' ').nth(1).unwrap().parse().unwrap()
                };
                prop_assert!((value("c") - counts[name]).abs() < 1e-9 * counts[name]);
                prop_assert!((value("t") - sums[name]).abs() < 1e-9 * sums[name]);
            }
        }
    }
}
