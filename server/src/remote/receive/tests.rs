use std::sync::Arc;

use model::{
    Column, Labels, Matcher, MetricKind, NativeHistogram, Storage as _, Value, histogram::Span,
    stale_marker, storage::Select,
};
use remote::Encoder;
use tsdb::engine::{Fault, FaultMoment, MemoryEngine, Verb};

use super::*;
use crate::remote::refusal::Reason;

const NOW: Timestamp = 1_700_000_000_000;
const DAY_MS: i64 = 86_400_000;
const OPTIONS: ReceiveOptions = ReceiveOptions {
    max_series: 10,
    max_exemplars: 3,
    out_of_order_window_ms: DAY_MS,
    future_window_ms: 600_000,
    idle_ms: 2 * 3_600_000,
};

fn receiver() -> (Arc<MemoryEngine>, Receiver) {
    let engine = Arc::new(MemoryEngine::default());
    let (store, _) = Tsdb::open(Arc::clone(&engine) as _, tsdb::Options::default()).unwrap();
    (engine, Receiver::new(Arc::new(store), Arc::default(), OPTIONS))
}

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name), ("job", "shop")])
}

fn message(protocol: Protocol, rows: &[(Labels, Timestamp, Value)]) -> Vec<u8> {
    let mut encoder = Encoder::new(protocol);
    for (labels, timestamp, value) in rows {
        encoder.push(labels, *timestamp, value, None);
    }
    encoder.finish()
}

fn floats(rows: &[(&str, Timestamp, f64)]) -> Vec<u8> {
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, timestamp, value)| (labels(name), *timestamp, Value::Float(*value)))
        .collect();
    message(Protocol::V1, &rows)
}

fn stored(receiver: &Receiver, name: &str) -> Column {
    let matchers = [Matcher::equal("__name__", name)];
    let select = Select { matchers: &matchers, start: 0, end: i64::MAX, max_series: 1 };
    let found = receiver.store.select(&select).unwrap();
    let mut column = Column::default();
    if !found.labels().is_empty() {
        found.read(0, &mut column).unwrap();
    }
    column
}

#[test]
fn samples_of_both_protocols_are_one_series_at_once() {
    let (_, receiver) = receiver();
    for (protocol, at) in [(Protocol::V1, NOW - 30), (Protocol::V2, NOW - 20), (Protocol::V1, NOW)]
    {
        let rows = [(labels("up"), at, Value::Float(at as f64))];
        let received = receiver.receive(protocol, &message(protocol, &rows), "w", NOW).unwrap();
        assert_eq!((received.samples, received.refusals.total()), (1, 0));
    }
    let column = stored(&receiver, "up");
    assert_eq!(column.float_times, [NOW - 30, NOW - 20, NOW]);
    assert_eq!(receiver.series(), 1);
    assert_eq!(receiver.stats.writers()["w"].requests, 3);
}

#[test]
fn native_histograms_and_ends_of_series_are_kept() {
    let (_, receiver) = receiver();
    let histogram = NativeHistogram {
        schema: 5,
        count: 3.0,
        sum: 1.5,
        positive_spans: vec![Span { offset: -3, length: 2 }],
        positive: vec![1.0, 2.0],
        ..NativeHistogram::default()
    };
    let rows = [
        (labels("took"), NOW - 10, Value::Histogram(Arc::new(histogram.clone()))),
        (labels("up"), NOW - 10, Value::Float(1.0)),
        (labels("up"), NOW, Value::Float(stale_marker())),
    ];
    let bytes = message(Protocol::V2, &rows);
    let received = receiver.receive(Protocol::V2, &bytes, "w", NOW).unwrap();
    assert_eq!((received.samples, received.histograms), (2, 1));
    assert!(stored(&receiver, "took").histograms[0].has_same_data(&histogram));
    assert!(model::is_stale(stored(&receiver, "up").floats[1]));
}

#[test]
fn what_cannot_be_taken_is_told_and_the_rest_is_written() {
    let (_, receiver) = receiver();
    let rows = [
        ("fresh", NOW, 1.0),
        ("old", NOW - DAY_MS - 1, 1.0),
        ("edge", NOW - DAY_MS, 1.0),
        ("new", NOW + 600_001, 1.0),
    ];
    let received = receiver.receive(Protocol::V1, &floats(&rows), "w", NOW).unwrap();
    assert_eq!(received.samples, 2);
    assert_eq!(
        [Reason::TooOld, Reason::TooNew].map(|reason| received.refusals.count(reason)),
        [1, 1]
    );
    assert_eq!(
        received.refusals.describe(2),
        "2 samples were refused (1 too_old, 1 too_new) and 2 written; the first: \
         {__name__=\"old\", job=\"shop\"} at 1699913599999: 86400 s behind the server's clock"
    );
    assert_eq!(receiver.stats.refused(Reason::TooOld), 1);
    assert_eq!(stored(&receiver, "edge").floats, [1.0]);
    assert!(stored(&receiver, "old").is_empty());
}

#[test]
fn bad_labels_spoil_only_their_series() {
    let (_, receiver) = receiver();
    let nameless = Labels::from_pairs([("job", "shop")]);
    let rows = [
        (nameless.clone(), NOW, Value::Float(1.0)),
        (nameless, NOW + 1, Value::Float(1.0)),
        (labels("up"), NOW, Value::Float(1.0)),
    ];
    let received = receiver.receive(Protocol::V1, &message(Protocol::V1, &rows), "w", NOW).unwrap();
    assert_eq!((received.samples, received.refusals.count(Reason::BadLabels)), (1, 2));
    let text = received.refusals.describe(1);
    assert!(text.ends_with("{job=\"shop\"}: the label `__name__` is missing or empty"), "{text}");
}

#[test]
fn series_beyond_the_limit_are_refused_and_known_ones_go_on() {
    let (_, receiver) = receiver();
    let many: Vec<_> =
        (0..12).map(|number| (labels(&format!("m{number:02}")), NOW, Value::Float(0.0))).collect();
    let bytes = message(Protocol::V1, &many);
    let received = receiver.receive(Protocol::V1, &bytes, "w", NOW).unwrap();
    assert_eq!((received.samples, received.refusals.count(Reason::TooManySeries)), (10, 2));
    let known = floats(&[("m09", NOW + 1, 1.0)]);
    assert_eq!(receiver.receive(Protocol::V1, &known, "w", NOW).unwrap().samples, 1);
    assert_eq!(receiver.series(), 10);
}

#[test]
fn a_request_that_comes_twice_is_there_once() {
    let (_, receiver) = receiver();
    let bytes = floats(&[("up", NOW, 1.0), ("up", NOW + 1, 2.0)]);
    for _ in 0..2 {
        let received = receiver.receive(Protocol::V1, &bytes, "w", NOW).unwrap();
        assert_eq!((received.samples, received.replaced), (2, 0));
    }
    assert_eq!(stored(&receiver, "up").floats, [1.0, 2.0]);
    let other = floats(&[("up", NOW, 3.0)]);
    assert_eq!(receiver.receive(Protocol::V1, &other, "w", NOW).unwrap().replaced, 1);
    assert_eq!(stored(&receiver, "up").floats, [3.0, 2.0]);
}

#[test]
fn a_damaged_message_leaves_nothing_behind() {
    let (_, receiver) = receiver();
    let mut bytes = floats(&[("up", NOW, 1.0), ("down", NOW, 2.0)]);
    bytes.pop();
    let error = receiver.receive(Protocol::V1, &bytes, "w", NOW).unwrap_err();
    assert_eq!(error.to_string(), "the message cannot be read: the message ends within a field");
    assert!(stored(&receiver, "up").is_empty());
}

#[test]
fn nothing_is_acknowledged_that_is_not_durable() {
    let (engine, receiver) = receiver();
    engine.inject(Fault {
        verb: Some(Verb::AppendFrame),
        moment: FaultMoment::Before,
        after_calls: 0,
        times: 1,
    });
    let bytes = floats(&[("up", NOW, 1.0)]);
    for _ in 0..2 {
        let error = receiver.receive(Protocol::V1, &bytes, "w", NOW).unwrap_err();
        assert!(matches!(error, ReceiveError::Unavailable));
    }
    // What waits is written, and the repeated request is taken.
    receiver.store.maintain(NOW).unwrap();
    assert_eq!(receiver.receive(Protocol::V1, &bytes, "w", NOW).unwrap().samples, 1);
    assert_eq!(stored(&receiver, "up").floats, [1.0]);
}

#[test]
fn a_series_that_the_store_forgot_goes_on() {
    let (_, receiver) = receiver();
    let hour = 3_600_000;
    receiver.receive(Protocol::V1, &floats(&[("slow", NOW, 1.0)]), "w", NOW).unwrap();
    for step in 1..=4 {
        let at = NOW + step * hour;
        receiver.receive(Protocol::V1, &floats(&[("quick", at, 1.0)]), "w", at).unwrap();
        receiver.store.maintain(at + hour).unwrap();
    }
    let at = NOW + 5 * hour;
    let both = floats(&[("quick", at, 2.0), ("slow", at, 2.0)]);
    assert_eq!(receiver.receive(Protocol::V1, &both, "w", at).unwrap().samples, 2);
    assert_eq!(stored(&receiver, "slow").floats, [1.0, 2.0]);
    assert_eq!(stored(&receiver, "quick").floats.len(), 5);
}

#[test]
fn metadata_reaches_the_store() {
    let (_, receiver) = receiver();
    let metadata = |metric: &str| model::Metadata {
        metric: metric.to_owned(),
        kind: MetricKind::Counter,
        unit: String::new(),
        help: "Orders.".to_owned(),
        original: String::new(),
    };
    let (first, second) = (metadata("orders"), metadata("carts"));
    let request = remote::metadata_request(std::slice::from_ref(&first));
    receiver.receive(Protocol::V1, &request, "w", NOW).unwrap();
    let labels = labels("carts");
    let mut encoder = Encoder::new(Protocol::V2);
    encoder.push(&labels, NOW, &Value::Float(1.0), Some(&second));
    receiver.receive(Protocol::V2, &encoder.finish(), "w", NOW).unwrap();
    assert_eq!(receiver.store.metadata(), [second, first]);
}
