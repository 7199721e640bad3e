use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    GaugeNegative, Mapping,
    window::{Delta, GaugeDelta},
};

fn accept(shard: &mut Shard, text: &str) {
    shard.accept(text.as_bytes(), Arrival::default(), &mut |_| {});
}

/// The cells of a window in words, in order of the labels.
fn describe(window: &Window) -> Vec<String> {
    let mut cells: Vec<String> = window
        .cells
        .iter()
        .map(|cell| {
            let delta = match &cell.delta {
                Delta::Counter(sum) => format!("+{sum}"),
                Delta::Gauge(GaugeDelta { value, is_absolute: true, .. }) => format!("={value}"),
                Delta::Gauge(GaugeDelta { value, .. }) => format!("by {value}"),
                Delta::Timer(sketch) => format!("{} sum {}", sketch.count(), sketch.sum()),
                Delta::Set(members) => format!("{} members", members.count()),
            };
            format!("{} {delta} in {}", cell.series.labels, cell.lines)
        })
        .collect();
    cells.sort();
    cells
}

#[track_caller]
fn check(options: ShardOptions, text: &str, expected: &[&str]) {
    let mut shard = Shard::new(options);
    accept(&mut shard, text);
    assert_eq!(describe(&shard.take_window()), expected, "{text}");
}

#[test]
fn values_of_a_window_add_up_by_type() {
    for (text, expected) in [
        ("a:1|c\na:2|c|@0.5\na:1|m", vec!["a +1 in 1", "a +5 in 2"]),
        ("a:5|g\na:+2|g\na:-1|g", vec!["a =6 in 3"]),
        ("a:+2|g\na:-3|g", vec!["a by -1 in 2"]),
        ("a:-3|kv", vec!["a =-3 in 1"]),
        ("a:0|g\na:-5|g", vec!["a =-5 in 2"]),
        ("a:10:20|ms|@0.5\na:5|ms", vec!["a 5 sum 65 in 2"]),
        ("a:x|s\na:y:z|s\na:x|s", vec!["a 2 members in 3"]),
        ("a:1|c|#x:1,y:2\na:1|c|#y:2,x:1", vec![r#"a{x="1", y="2"} +1 in 1"#; 2]),
    ] {
        check(ShardOptions::default(), text, &expected);
    }
}

#[test]
fn a_negative_gauge_is_absolute_where_the_listener_says_so() {
    let dialect = Dialect { gauge_negative: GaugeNegative::Absolute, ..Dialect::default() };
    let options = ShardOptions { dialect, ..ShardOptions::default() };
    check(options.clone(), "a:-1.5|g", &["a =-1.5 in 1"]);
    check(options, "a:-1.5|g\na:+1|g", &["a =-0.5 in 2"]);
}

#[test]
fn sender_fields_separate_series_only_when_they_are_labels() {
    let text = "a:1|c|c:x\na:1|c|c:y";
    check(ShardOptions::default(), text, &["a +2 in 2"]);
    let dialect = Dialect { container_label: true, ..Dialect::default() };
    let options = ShardOptions { dialect, ..ShardOptions::default() };
    let expected = [r#"a{container_id="x"} +1 in 1"#, r#"a{container_id="y"} +1 in 1"#];
    check(options, text, &expected);
}

#[test]
fn every_line_is_in_the_books_once() {
    let mut shard = Shard::new(ShardOptions::default());
    let text = "a:1|c\nbad\na:1:x|c\na:1|c:2|q\n\nt:1|g|@0.1\n_e{1,1}:a|b\n_sc|a|9\na:x:y|c\n";
    accept(&mut shard, text);
    let window = shard.take_window();
    let [(source, tally)] = &window.tallies[..] else { panic!("one source") };
    assert_eq!(*source, SourceId(0));
    assert_eq!((tally.datagrams, tally.bytes, tally.lines), (1, text.len() as u64, 8));
    assert_eq!((tally.accepted, tally.samples, tally.events), (3, 4, 1));
    assert_eq!((tally.service_checks, tally.rates_ignored), (0, 1));
    let expected = [
        (Reason::MissingValue, 1),
        (Reason::UnknownType, 1),
        (Reason::BadValue, 2),
        (Reason::BadServiceCheck, 1),
    ];
    assert_eq!(tally.rejected.iter().collect::<Vec<_>>(), expected);
    assert_eq!(describe(&window), ["a +3 in 3", "t =1 in 1"]);
    assert!(shard.take_window().tallies.is_empty());
}

#[test]
fn a_cut_datagram_loses_only_its_last_line() {
    for (text, lines, truncated_lines) in
        [("a:1|c\na:2|c\na:3", 2, 1), ("a:1|c\na:2|c\n", 2, 0), ("a:1", 0, 1), ("", 0, 0)]
    {
        let mut shard = Shard::new(ShardOptions::default());
        let arrival = Arrival { is_truncated: true, ..Arrival::default() };
        shard.accept(text.as_bytes(), arrival, &mut |_| {});
        let tally = &shard.take_window().tallies[0].1;
        assert_eq!(tally.accepted, lines, "{text:?}");
        assert_eq!(tally.rejected.get(Reason::Truncated), truncated_lines, "{text:?}");
        assert_eq!((tally.truncated, tally.lines), (1, lines + truncated_lines), "{text:?}");
    }
}

#[test]
fn a_full_cache_refuses_new_series_and_known_ones_go_on() {
    let options = ShardOptions { max_contexts: 2, ..ShardOptions::default() };
    let mut shard = Shard::new(options);
    accept(&mut shard, "a:1|c\nb:1|c\nc:1|c|#x:1\na:1|c");
    let window = shard.take_window();
    assert_eq!(describe(&window), ["a +2 in 2", "b +1 in 1"]);
    assert_eq!(window.tallies[0].1.rejected.get(Reason::ContextLimit), 1);
    let offenders = window.offenders.sorted();
    assert_eq!((&*offenders[0].name, offenders[0].reason), ("c", Reason::ContextLimit));

    accept(&mut shard, "a:1|c\nc:1|c\nd:1|c");
    assert_eq!(describe(&shard.take_window()), ["a +1 in 1", "c +1 in 1"], "b made room");
}

#[test]
fn one_source_cannot_take_the_whole_cache() {
    let options = ShardOptions { max_contexts_per_source: 1, ..ShardOptions::default() };
    let mut shard = Shard::new(options);
    for (source, text) in [(1, "a:1|c\nb:1|c"), (2, "c:1|c")] {
        let arrival = Arrival { source: SourceId(source), ..Arrival::default() };
        shard.accept(text.as_bytes(), arrival, &mut |_| {});
    }
    assert_eq!(describe(&shard.take_window()), ["a +1 in 1", "c +1 in 1"]);
}

#[test]
fn mapping_rules_drop_rename_and_scale_until_they_change() {
    let rules = "mappings: [{match: 'a.*', name: a, scale: 10}, {match: b, action: drop}]";
    let mapping = Arc::new(Mapping::parse(rules).unwrap());
    let dialect = Dialect { mapping, ..Dialect::default() };
    let mut shard = Shard::new(ShardOptions { dialect, ..ShardOptions::default() });
    let text = "a.x:1|c\nb:1|c\nb:1|c\nb:1|g|T5\na.y:2|ms\na.z:1:2|c|T5";
    accept(&mut shard, text);
    let window = shard.take_window();
    assert_eq!(describe(&window), ["a +10 in 1", "a 1 sum 20 in 1"]);
    let timed: Vec<f64> = window.timed.iter().map(|timed| timed.value).collect();
    assert_eq!(timed, [10.0, 20.0]);
    assert_eq!(window.tallies[0].1.rejected.get(Reason::MappingDrop), 3);

    shard.set_dialect(Dialect::default());
    accept(&mut shard, text);
    assert_eq!(describe(&shard.take_window()), ["a_x +1 in 1", "a_y 1 sum 2 in 1", "b +2 in 2"]);
}

#[test]
fn idle_contexts_are_forgotten() {
    let mut shard = Shard::new(ShardOptions { idle_windows: 100, ..ShardOptions::default() });
    accept(&mut shard, "a:1|c");
    for _ in 0..100 {
        drop(shard.take_window());
    }
    assert_eq!(shard.contexts(), 1);
    for _ in 0..SWEEP_INTERVAL {
        drop(shard.take_window());
    }
    assert_eq!(shard.contexts(), 0);
}

#[test]
fn samples_with_their_own_time_are_kept_apart_and_not_scaled_up() {
    let mut shard = Shard::new(ShardOptions { max_timed: 3, ..ShardOptions::default() });
    accept(&mut shard, "a:5:6|c|@0.5|T1700000000\na:1|c\nt:1|ms|T1700000000\ng:2:3|g|T5");
    let window = shard.take_window();
    assert_eq!(describe(&window), ["a +1 in 1", "t 1 sum 1 in 1"]);
    let timed: Vec<_> =
        window.timed.iter().map(|t| (t.series.name(), t.timestamp, t.value)).collect();
    let expected =
        [("a", 1_700_000_000_000, 5.0), ("a", 1_700_000_000_000, 6.0), ("g", 5_000, 2.0)];
    assert_eq!(timed, expected);
    assert_eq!(window.tallies[0].1.rejected.get(Reason::TimestampedLimit), 1);
}

#[test]
fn hostile_datagrams_are_bounded() {
    let mut shard = Shard::new(ShardOptions::default());
    accept(&mut shard, &format!("a{}|c", ":1".repeat(30_000)));
    accept(&mut shard, &format!("a{}", ":1|c".repeat(15_000)));
    accept(&mut shard, &format!("a{}|c", ":".repeat(60_000)));
    accept(&mut shard, &"a\n".repeat(30_000));
    let window = shard.take_window();
    assert_eq!(describe(&window), ["a +45000 in 15001"]);
    let tally = &window.tallies[0].1;
    assert_eq!((tally.lines, tally.accepted, tally.samples), (30_003, 2, 45_000));
    assert!(shard.staged.capacity() <= 2 * BATCH);
}

proptest! {
    #[test]
    fn property_books_balance_for_any_bytes(
        datagrams in proptest::collection::vec("[a-b:|@#cg\\-s1.5,\n]{0,60}", 1..8),
        is_truncated in any::<bool>(),
    ) {
        let mut shard = Shard::new(ShardOptions::default());
        for datagram in &datagrams {
            let arrival = Arrival { is_truncated, ..Arrival::default() };
            shard.accept(datagram.as_bytes(), arrival, &mut |_| {});
        }
        let tally = shard.take_window().tallies.remove(0).1;
        prop_assert_eq!(tally.lines, tally.accepted + tally.rejected.total());
        prop_assert_eq!(tally.datagrams, datagrams.len() as u64);
    }
}
