use std::sync::Arc;

use model::{
    Labels, Metadata, MetricKind, NativeHistogram, Timestamp, Value,
    histogram::{ResetHint, Span},
    stale_marker,
};
use proptest::prelude::*;

use crate::{
    BadLabels, Encoder, Exemplar, Message, Protocol, WireError, metadata_request,
    wire::{put_bytes, put_double, put_number, put_present_number, put_varint},
};

type Row = (Labels, Timestamp, Value);

fn encode(protocol: Protocol, rows: &[Row], metadata: Option<&Metadata>) -> Vec<u8> {
    let mut encoder = Encoder::new(protocol);
    for (labels, timestamp, value) in rows {
        encoder.push(labels, *timestamp, value, metadata);
    }
    assert_eq!(encoder.samples() + encoder.histograms(), rows.len() as u64);
    encoder.finish()
}

/// Reads everything; numbers of a series before its histograms.
fn decode(protocol: Protocol, bytes: &[u8]) -> Result<Vec<Row>, WireError> {
    let message = Message::open(protocol, bytes, 7)?;
    let mut rows = Vec::new();
    for series in message.series() {
        let series = series?;
        series.key()?;
        series.metadata()?;
        assert!(series.describe().len() < 2000);
        let labels = series.labels();
        for sample in series.samples() {
            let (timestamp, value) = sample?;
            if let Ok(labels) = &labels {
                rows.push((labels.clone(), timestamp, Value::Float(value)));
            }
        }
        for histogram in series.histograms() {
            let (timestamp, histogram) = histogram?;
            if let (Ok(labels), Ok(histogram)) = (&labels, histogram) {
                rows.push((labels.clone(), timestamp, Value::Histogram(Arc::new(histogram))));
            }
        }
    }
    for metadata in message.metadata() {
        metadata?;
    }
    Ok(rows)
}

/// Equal bit by bit, so that every NaN counts.
fn assert_same(found: &[Row], expected: &[Row]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((&found.0, found.1), (&expected.0, expected.1));
        match (&found.2, &expected.2) {
            (Value::Float(a), Value::Float(b)) => assert_eq!(a.to_bits(), b.to_bits()),
            (Value::Histogram(a), Value::Histogram(b)) => {
                assert!(a.has_same_data(b), "{a:?} {b:?}");
                assert_eq!(a.reset_hint, b.reset_hint);
            }
            other => panic!("different kinds: {other:?}"),
        }
    }
}

fn any_labels() -> impl Strategy<Value = Labels> {
    let pairs = proptest::collection::btree_map("[a-zé]{1,8}", "[a-z ü]{1,40}", 0..6);
    ("[a-z_:]{1,20}", pairs).prop_map(|(name, pairs)| {
        Labels::from_pairs(pairs.into_iter().chain([("__name__".to_owned(), name)]))
    })
}

fn any_side() -> impl Strategy<Value = (Vec<Span>, Vec<f64>)> {
    let span = (0..20_i32, proptest::collection::vec(0..1_000_000_u32, 1..6));
    proptest::collection::vec(span, 0..4).prop_map(|spans| {
        let layout = spans
            .iter()
            .enumerate()
            .map(|(at, (offset, counts))| Span {
                offset: if at == 0 { offset - 10 } else { *offset },
                length: counts.len() as u32,
            })
            .collect();
        let counts = spans.into_iter().flat_map(|(_, counts)| counts).map(f64::from).collect();
        (layout, counts)
    })
}

fn any_histogram() -> impl Strategy<Value = NativeHistogram> {
    let hint = prop_oneof![
        Just(ResetHint::Unknown),
        Just(ResetHint::Reset),
        Just(ResetHint::NotReset),
        Just(ResetHint::Gauge)
    ];
    (-4..=8_i32, any_side(), any_side(), 0..1000_u32, -1e9..1e9_f64, hint, any::<bool>()).prop_map(
        |(schema, positive, negative, zero, sum, reset_hint, has_fractions)| {
            let counts = positive.1.iter().chain(&negative.1);
            let mut histogram = NativeHistogram {
                schema,
                zero_threshold: 1e-3,
                zero_count: f64::from(zero),
                count: f64::from(zero) + counts.sum::<f64>(),
                sum,
                positive_spans: positive.0,
                positive: positive.1,
                negative_spans: negative.0,
                negative: negative.1,
                custom_bounds: Vec::new(),
                reset_hint,
            };
            if has_fractions {
                histogram.scale(0.3);
            }
            histogram
        },
    )
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => any::<f64>().prop_map(Value::Float),
        1 => Just(Value::Float(stale_marker())),
        2 => any_histogram().prop_map(|histogram| Value::Histogram(Arc::new(histogram))),
    ]
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec((any_labels(), any::<i64>(), any_value()), 0..20)
}

proptest! {
    #[test]
    fn property_what_is_sent_is_received(rows in any_rows()) {
        for protocol in Protocol::ALL {
            let bytes = encode(protocol, &rows, None);
            assert_same(&decode(protocol, &bytes).unwrap(), &rows);
        }
    }

    #[test]
    fn property_any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        for protocol in Protocol::ALL {
            drop(decode(protocol, &bytes));
        }
    }

    #[test]
    fn property_damaged_requests_are_read_without_a_panic(
        rows in any_rows(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        for protocol in Protocol::ALL {
            let mut bytes = encode(protocol, &rows, None);
            if bytes.is_empty() {
                continue;
            }
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            drop(decode(protocol, &bytes));
            bytes.truncate(cut.index(bytes.len()));
            drop(decode(protocol, &bytes));
        }
    }

    #[test]
    fn property_keys_are_equal_where_labels_are(a in any_labels(), b in any_labels()) {
        for protocol in Protocol::ALL {
            let row = |labels: &Labels, time| (labels.clone(), time, Value::Float(time as f64));
            // The same labels after others have other symbol numbers.
            let first = encode(protocol, &[row(&a, 1), row(&b, 2)], None);
            let second = encode(protocol, &[row(&b, 3), row(&a, 4)], None);
            let keys = |bytes: &[u8]| -> Vec<u128> {
                let message = Message::open(protocol, bytes, 7).unwrap();
                message.series().map(|series| series.unwrap().key().unwrap()).collect()
            };
            let (first, second) = (keys(&first), keys(&second));
            if a == b {
                prop_assert_eq!(&first, &second);
            } else {
                prop_assert_eq!([first[0], first[1]], [second[1], second[0]]);
                prop_assert_ne!(first[0], first[1]);
            }
        }
    }
}

fn text_label(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut label = Vec::new();
    put_bytes(&mut label, 1, name);
    put_bytes(&mut label, 2, value);
    label
}

#[track_caller]
fn labels_of_v1(pairs: &[(&[u8], &[u8])]) -> Result<Labels, BadLabels> {
    let mut series = Vec::new();
    for (name, value) in pairs {
        put_bytes(&mut series, 1, &text_label(name, value));
    }
    let mut message = Vec::new();
    put_bytes(&mut message, 1, &series);
    let message = Message::open(Protocol::V1, &message, 0).unwrap();
    message.series().next().unwrap().unwrap().labels()
}

#[test]
fn labels_that_break_the_rules_are_refused() {
    let long = vec![b'x'; crate::MAX_LABEL_BYTES];
    for (name, pairs, expected) in [
        ("none", &[][..], BadLabels::NoMetricName),
        ("no metric name", &[(&b"a"[..], &b"b"[..])], BadLabels::NoMetricName),
        ("empty metric name", &[(b"__name__", b"")], BadLabels::NoMetricName),
        ("empty name", &[(b"", b"x"), (b"__name__", b"m")], BadLabels::EmptyName),
        (
            "twice",
            &[(b"__name__", b"m"), (b"a", b"1"), (b"a", b"2")],
            BadLabels::Duplicate("a".into()),
        ),
        ("unsorted", &[(b"b", b"1"), (b"__name__", b"m")], BadLabels::Unsorted("__name__".into())),
        ("no UTF-8", &[(b"__name__", b"\xff")], BadLabels::NotUtf8),
        ("too long", &[(b"__name__", &long)], BadLabels::TooLong(crate::MAX_LABEL_BYTES + 8)),
    ] {
        assert_eq!(labels_of_v1(pairs), Err(expected), "{name}");
    }
    let expected = Labels::from_pairs([("__name__", "m"), ("b", "1")]);
    assert_eq!(labels_of_v1(&[(b"__name__", b"m"), (b"a", b""), (b"b", b"1")]), Ok(expected));
}

/// A message of protocol 2.0 with one series whose fields are given.
fn v2_message(symbols: &[&str], series: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    // The series first: the order of fields is free.
    put_bytes(&mut message, 5, series);
    for symbol in symbols {
        put_bytes(&mut message, 4, symbol.as_bytes());
    }
    message
}

#[test]
fn fields_may_come_in_any_order_and_form() {
    let symbols = ["", "__name__", "m", "a", "b"];
    let mut packed = Vec::new();
    let mut references = Vec::new();
    for number in 1..=4 {
        put_varint(&mut references, number);
    }
    put_bytes(&mut packed, 1, &references);
    let mut loose = Vec::new();
    let mut sample = Vec::new();
    put_double(&mut sample, 1, 2.5);
    put_number(&mut sample, 2, 9);
    put_bytes(&mut loose, 2, &sample);
    for number in 1..=4 {
        put_present_number(&mut loose, 1, number);
    }
    put_bytes(&mut loose, 4, b"");
    put_number(&mut loose, 6, 5);

    let expected = Labels::from_pairs([("__name__", "m"), ("a", "b")]);
    let bytes = v2_message(&symbols, &packed);
    let packed = Message::open(Protocol::V2, &bytes, 1).unwrap();
    let packed = packed.series().next().unwrap().unwrap();
    let bytes = v2_message(&symbols, &loose);
    let loose = Message::open(Protocol::V2, &bytes, 1).unwrap();
    let loose = loose.series().next().unwrap().unwrap();
    assert_eq!(packed.labels(), Ok(expected.clone()));
    assert_eq!(loose.labels(), Ok(expected));
    assert_eq!(packed.key(), loose.key());
    assert_eq!(loose.samples().collect::<Vec<_>>(), [Ok((9, 2.5))]);
    assert_eq!((loose.has_exemplars, loose.has_created_time), (true, true));
    assert_eq!((packed.has_exemplars, packed.has_created_time), (false, false));
}

#[test]
fn exemplars_of_both_protocols_are_read() {
    let tail = |out: &mut Vec<u8>| {
        put_double(out, 2, 0.5);
        put_number(out, 3, 1_700);
    };
    let mut labels = Vec::new();
    for (name, value) in [("trace_id", "abc"), ("a", "é")] {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut labels, 1, &label);
    }
    tail(&mut labels);
    let mut series = Vec::new();
    put_bytes(&mut series, 3, &labels);
    put_bytes(&mut series, 3, b"\x0a\x04\x0a\x00\x12\x00");
    let mut first = Vec::new();
    put_bytes(&mut first, 1, &series);

    let (mut packed, mut loose, mut series) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes(&mut packed, 1, &[1, 2, 3, 4]);
    tail(&mut packed);
    for number in 1..=4 {
        put_present_number(&mut loose, 1, number);
    }
    tail(&mut loose);
    put_bytes(&mut series, 4, &packed);
    put_bytes(&mut series, 4, &loose);
    put_bytes(&mut series, 4, &[0x0a, 1, 9]);
    let second = v2_message(&["", "trace_id", "abc", "a", "é"], &series);

    let expected = Exemplar {
        labels: Labels::from_pairs([("a", "é"), ("trace_id", "abc")]),
        value: 0.5,
        timestamp: 1_700,
    };
    let read = |protocol, bytes: &[u8]| -> Vec<_> {
        let message = Message::open(protocol, bytes, 0).unwrap();
        let series = message.series().next().unwrap().unwrap();
        assert!(series.has_exemplars);
        series.exemplars().collect()
    };
    let (good, bad) = (Ok(Ok(expected)), Ok(Err(BadLabels::EmptyName)));
    assert_eq!(read(Protocol::V1, &first), [good.clone(), bad]);
    let nowhere = Err(WireError::Symbol(9));
    assert_eq!(read(Protocol::V2, &second), [good.clone(), good, nowhere]);
}

#[test]
fn references_that_lead_nowhere_are_errors() {
    let mut series = Vec::new();
    put_bytes(&mut series, 1, &[1, 9]);
    let bytes = v2_message(&["", "__name__"], &series);
    let message = Message::open(Protocol::V2, &bytes, 0).unwrap();
    let series = message.series().next().unwrap().unwrap();
    assert_eq!(series.key(), Err(WireError::Symbol(9)));
    assert_eq!(series.labels(), Err(BadLabels::Wire(WireError::Symbol(9))));

    let mut series = Vec::new();
    put_bytes(&mut series, 1, &[1]);
    let bytes = v2_message(&["", "__name__"], &series);
    let message = Message::open(Protocol::V2, &bytes, 0).unwrap();
    assert_eq!(message.series().next().unwrap().unwrap().labels(), Err(BadLabels::Odd));
}

fn metadata(metric: &str, kind: MetricKind) -> Metadata {
    Metadata {
        metric: metric.into(),
        kind,
        unit: "seconds".into(),
        help: "How long it took.".into(),
        original: String::new(),
    }
}

#[test]
fn metadata_travels_with_series_in_2_0_and_alone_in_1_0() {
    let known = metadata("took", MetricKind::Histogram);
    let labels = Labels::from_pairs([("__name__", "took_bucket"), ("le", "1")]);
    let rows = [(labels, 5, Value::Float(1.0))];
    let bytes = encode(Protocol::V2, &rows, Some(&known));
    let message = Message::open(Protocol::V2, &bytes, 0).unwrap();
    let found = message.series().next().unwrap().unwrap().metadata().unwrap().unwrap();
    assert_eq!(found.for_metric("took_bucket"), known, "the family has no suffix");
    assert_eq!(message.metadata().count(), 0);

    let bytes = metadata_request(&[known.clone(), metadata("b", MetricKind::Counter)]);
    let message = Message::open(Protocol::V1, &bytes, 0).unwrap();
    let found: Vec<Metadata> = message.metadata().map(Result::unwrap).collect();
    assert_eq!(found, [known, metadata("b", MetricKind::Counter)]);
}

#[test]
fn a_message_of_the_other_protocol_is_empty() {
    let labels = Labels::from_pairs([("__name__", "m")]);
    let rows = [(labels, 5, Value::Float(1.0))];
    assert_eq!(decode(Protocol::V1, &encode(Protocol::V2, &rows, None)), Ok(Vec::new()));
    assert_eq!(decode(Protocol::V2, &encode(Protocol::V1, &rows, None)), Ok(Vec::new()));
}
