use super::*;

/// Two positive buckets from index 1, `[1, 3]` observations, two in the zero bucket.
fn histogram() -> NativeHistogram {
    NativeHistogram {
        schema: 3,
        zero_threshold: 0.5,
        zero_count: 2.0,
        count: 6.0,
        sum: 10.0,
        positive_spans: vec![Span { offset: 1, length: 2 }],
        positive: vec![1.0, 3.0],
        ..NativeHistogram::default()
    }
}

fn round_trip(histogram: &NativeHistogram) -> Result<NativeHistogram, BadHistogram> {
    let mut bytes = Vec::new();
    put(&mut bytes, 77, histogram);
    let (timestamp, found) = read(&bytes).unwrap();
    assert_eq!(timestamp, 77);
    found
}

#[test]
fn what_makes_no_sense_is_refused() {
    let custom = |bounds: &[f64]| NativeHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        zero_threshold: 0.0,
        zero_count: 0.0,
        count: 4.0,
        custom_bounds: bounds.to_vec(),
        positive_spans: vec![Span { offset: 0, length: 2 }],
        ..histogram()
    };
    let spans = |spans: &[(i32, u32)]| NativeHistogram {
        positive_spans: spans.iter().map(|&(offset, length)| Span { offset, length }).collect(),
        ..histogram()
    };
    for (name, histogram, expected) in [
        ("whole", histogram(), Ok(())),
        ("custom", custom(&[1.0, 2.0]), Ok(())),
        ("custom, last bucket to infinity", custom(&[1.0]), Ok(())),
        ("schema", NativeHistogram { schema: 9, ..histogram() }, Err(BadHistogram::Schema(9))),
        (
            "a billion buckets",
            spans(&[(0, u32::MAX)]),
            Err(BadHistogram::Buckets { promised: u64::from(u32::MAX), found: 2 }),
        ),
        ("overlap", spans(&[(0, 1), (-1, 1)]), Err(BadHistogram::Spans)),
        ("far out", spans(&[(i32::MAX, 2)]), Err(BadHistogram::Spans)),
        ("far down", spans(&[(i32::MIN, 2)]), Err(BadHistogram::Spans)),
        (
            "negative count",
            NativeHistogram { positive: vec![-1.0, 5.0], ..histogram() },
            Err(BadHistogram::NegativeCount),
        ),
        (
            "negative zero threshold",
            NativeHistogram { zero_threshold: -1.0, ..histogram() },
            Err(BadHistogram::NegativeCount),
        ),
        ("count", NativeHistogram { count: 7.0, ..histogram() }, Err(BadHistogram::Count)),
        (
            "observations that are no numbers",
            NativeHistogram { count: 7.0, sum: f64::NAN, ..histogram() },
            Ok(()),
        ),
        ("custom bounds down", custom(&[2.0, 1.0]), Err(BadHistogram::Bounds)),
        ("custom bounds infinite", custom(&[1.0, f64::INFINITY]), Err(BadHistogram::Bounds)),
        ("more custom buckets than bounds", custom(&[]), Err(BadHistogram::Spans)),
        (
            "custom bounds of an exponential schema",
            NativeHistogram { custom_bounds: vec![1.0], ..histogram() },
            Err(BadHistogram::Bounds),
        ),
        (
            "custom with a zero bucket",
            NativeHistogram { zero_threshold: 1.0, ..custom(&[1.0, 2.0]) },
            Err(BadHistogram::CustomParts),
        ),
    ] {
        assert_eq!(round_trip(&histogram).map(|_| ()), expected, "{name}");
    }
}

#[test]
fn the_end_of_a_series_is_only_that() {
    let stale = NativeHistogram { sum: model::stale_marker(), ..histogram() };
    let found = round_trip(&stale).unwrap();
    assert!(is_stale(found.sum));
    assert!(found.positive.is_empty() && found.positive_spans.is_empty());
}

#[test]
fn spans_without_buckets_are_folded_into_the_next() {
    let spans = [(1, 1), (3, 0), (2, 1), (5, 0)];
    let gapped = NativeHistogram {
        positive_spans: spans.map(|(offset, length)| Span { offset, length }).to_vec(),
        ..histogram()
    };
    let found = round_trip(&gapped).unwrap();
    let expected = [Span { offset: 1, length: 1 }, Span { offset: 5, length: 1 }];
    assert_eq!(found.positive_spans, expected);
}

#[test]
fn counts_with_fractions_are_sent_as_they_are() {
    let mut sampled = histogram();
    sampled.scale(2.5);
    assert_eq!(round_trip(&sampled).unwrap(), sampled);
}
