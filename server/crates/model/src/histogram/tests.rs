use proptest::prelude::*;

use super::*;

fn histogram(schema: i32, positive: &[(i32, f64)]) -> NativeHistogram {
    let (positive_spans, positive) = spans::from_indexed(positive.iter().copied());
    let count = positive.iter().fold(0.0, |sum, count| sum + count);
    NativeHistogram { schema, positive_spans, positive, count, sum: count, ..Default::default() }
}

#[test]
fn bounds_follow_the_schema() {
    for (schema, index, bound) in [
        (0, 0, 1.0),
        (0, 3, 8.0),
        (0, -2, 0.25),
        (1, 1, 2_f64.sqrt()),
        (3, 8, 2.0),
        (-2, 1, 16.0),
        (0, 1024, f64::MAX),
        (8, 256 * 1024, f64::MAX),
    ] {
        let found = bucket_bound(schema, index, &[]);
        assert!((found / bound - 1.0).abs() < 1e-15, "{schema} {index}: {found}");
    }
    assert_eq!(bucket_bound(CUSTOM_BUCKETS_SCHEMA, -1, &[1.0, 5.0]), f64::NEG_INFINITY);
    assert_eq!(bucket_bound(CUSTOM_BUCKETS_SCHEMA, 1, &[1.0, 5.0]), 5.0);
    assert_eq!(bucket_bound(CUSTOM_BUCKETS_SCHEMA, 2, &[1.0, 5.0]), f64::INFINITY);
}

#[test]
fn a_histogram_is_written_in_the_notation_of_prometheus() {
    let mut h = histogram(0, &[(1, 3.0), (2, 0.0), (3, 1.0)]);
    h.sum = 7.5;
    h.zero_threshold = 0.001;
    h.zero_count = 2.0;
    h.negative_spans = vec![Span { offset: 0, length: 2 }];
    h.negative = vec![1.0, 4.0];
    assert_eq!(
        h.to_string(),
        "{count:4, sum:7.5, [-2,-1):4, [-1,-0.5):1, [-0.001,0.001]:2, (1,2]:3, (4,8]:1}"
    );
}

#[test]
fn the_finer_histogram_gives_way_when_two_are_added() {
    let mut coarse = histogram(0, &[(1, 1.0)]);
    let fine = histogram(1, &[(1, 2.0), (2, 3.0), (3, 4.0)]);
    assert_eq!(coarse.add(&fine), Ok(Combined::default()));
    assert_eq!((coarse.schema, coarse.positive.clone()), (0, vec![6.0, 4.0]));
    let mut fine = fine;
    fine.subtract(&histogram(0, &[(1, 1.0)])).unwrap();
    assert_eq!((fine.schema, fine.positive), (0, vec![4.0, 4.0]));
}

#[test]
fn a_zero_bucket_widens_to_the_bound_of_a_populated_bucket() {
    let mut wide = histogram(0, &[(3, 1.0)]);
    wide.zero_threshold = 1.5;
    wide.zero_count = 5.0;
    wide.add(&histogram(0, &[(0, 1.0), (1, 2.0), (2, 4.0)])).unwrap();
    // Threshold 1.5 cuts the bucket (1, 2], so that bucket is absorbed as a whole.
    assert_eq!((wide.zero_threshold, wide.zero_count), (2.0, 8.0));
    assert_eq!(wide.positive, [4.0, 1.0]);
}

#[test]
fn custom_bounds_are_reduced_to_the_common_ones() {
    let custom = |bounds: &[f64], counts: &[f64]| NativeHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        custom_bounds: bounds.to_vec(),
        positive_spans: vec![Span { offset: 0, length: counts.len() as u32 }],
        positive: counts.to_vec(),
        count: counts.iter().sum(),
        ..Default::default()
    };
    let mut a = custom(&[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0]);
    let combined = a.add(&custom(&[2.0, 4.0], &[10.0, 20.0, 30.0])).unwrap();
    assert!(combined.bounds_reconciled);
    assert_eq!(
        (a.custom_bounds.as_slice(), a.positive.as_slice()),
        (&[2.0][..], &[13.0, 57.0][..])
    );
    assert_eq!(a.add(&histogram(0, &[])), Err(IncompatibleSchemas));
}

#[test]
fn conflicting_reset_hints_are_told() {
    let hinted = |reset_hint| NativeHistogram { reset_hint, ..Default::default() };
    for (a, b, hint, conflict) in [
        (ResetHint::Reset, ResetHint::Reset, ResetHint::Reset, false),
        (ResetHint::Reset, ResetHint::NotReset, ResetHint::Unknown, true),
        (ResetHint::Gauge, ResetHint::Reset, ResetHint::Gauge, false),
        (ResetHint::NotReset, ResetHint::Unknown, ResetHint::Unknown, false),
    ] {
        let mut sum = hinted(a);
        let combined = sum.add(&hinted(b)).unwrap();
        assert_eq!((sum.reset_hint, combined.reset_conflict), (hint, conflict), "{a:?} {b:?}");
    }
}

#[test]
fn a_reset_is_seen_in_any_count() {
    let before = histogram(1, &[(1, 2.0), (3, 1.0)]);
    for (name, after, is_reset) in [
        ("same", before.clone(), false),
        ("more", histogram(1, &[(1, 2.0), (2, 5.0), (3, 2.0)]), false),
        ("a bucket lost some", histogram(1, &[(1, 1.0), (3, 9.0)]), true),
        ("a bucket vanished", histogram(1, &[(3, 9.0)]), true),
        ("fewer in all", histogram(1, &[(1, 1.0)]), true),
        ("coarser", histogram(0, &[(1, 2.0), (2, 1.0)]), false),
        ("finer", histogram(2, &[(2, 2.0), (6, 1.0)]), true),
    ] {
        assert_eq!(after.is_reset_since(&before), is_reset, "{name}");
    }
    let mut hinted = before.clone();
    hinted.reset_hint = ResetHint::Reset;
    assert!(hinted.is_reset_since(&before));
}

#[test]
fn a_compensated_sum_keeps_what_large_numbers_hide() {
    let mut sum = CompensatedSum::new(histogram(0, &[(1, 1.0)]));
    for value in [1e100, 1.0, -1e100] {
        sum.add(&histogram(0, &[(1, value)])).unwrap();
    }
    let sum = sum.finish();
    assert_eq!((sum.count, sum.positive[0]), (2.0, 2.0));
}

#[test]
fn a_compensated_sum_is_the_sum_whatever_the_layouts() {
    let mut coarse = histogram(0, &[(0, 1.0), (1, 0.0), (2, 3.0), (5, 2.0)]);
    coarse.zero_threshold = 0.25;
    let mut wide = histogram(2, &[(-3, 2.0), (6, 4.0), (9, 1.0)]);
    wide.zero_threshold = 0.5;
    wide.zero_count = 3.0;
    let parts = [histogram(1, &[(3, 7.0), (4, 1.0)]), coarse, wide, histogram(0, &[(7, 5.0)])];
    let mut plain = parts[0].clone();
    let mut sum = CompensatedSum::new(parts[0].clone());
    for part in &parts[1..] {
        plain.add(part).unwrap();
        sum.add(part).unwrap();
    }
    let mut sum = sum.finish();
    sum.compact();
    plain.compact();
    assert_eq!(sum, plain);
}

#[test]
fn trimming_cuts_a_bucket_in_proportion() {
    let mut h = histogram(0, &[(1, 4.0), (2, 8.0), (3, 4.0)]);
    h.trim(8_f64.sqrt(), Keep::Below);
    assert!((h.count - 8.0).abs() < 1e-12, "{h}");
    let mut h = histogram(0, &[(1, 4.0), (2, 8.0)]);
    h.trim(2.0, Keep::Above);
    assert_eq!((h.count, h.positive), (8.0, vec![8.0]));
    assert!((h.sum - 8.0 * 8_f64.sqrt()).abs() < 1e-12, "{}", h.sum);
}

#[test]
fn trimming_nothing_away_keeps_the_sum() {
    let mut h = histogram(0, &[(1, 4.0), (2, 8.0)]);
    h.sum = 123.75;
    let before = h.clone();
    h.trim(4.0, Keep::Below);
    h.trim(1.0, Keep::Above);
    assert_eq!(h, before);
}

proptest! {
    #[test]
    fn property_layout_round_trips(buckets in proptest::collection::btree_map(-1000_i32..1000, 0.5_f64..9.0, 0..40)) {
        let buckets: Vec<(i32, f64)> = buckets.into_iter().collect();
        let (spans, counts) = spans::from_indexed(buckets.clone());
        prop_assert_eq!(spans::indexed(&spans, &counts).collect::<Vec<_>>(), buckets);
    }

    #[test]
    fn property_reducing_resolution_keeps_every_observation(
        buckets in proptest::collection::btree_map(-200_i32..200, 1_u32..9, 0..40),
        target in -4_i32..5,
    ) {
        let buckets: Vec<(i32, f64)> = buckets.into_iter().map(|(i, c)| (i, f64::from(c))).collect();
        let mut h = histogram(5, &buckets);
        let total = h.count;
        h.reduce_resolution(target);
        prop_assert_eq!(h.positive.iter().sum::<f64>(), total);
        prop_assert_eq!(h.schema, target);
    }

    #[test]
    fn property_subtracting_what_was_added_gives_the_same_back(
        a in proptest::collection::btree_map(-50_i32..50, 1_u32..9, 0..20),
        b in proptest::collection::btree_map(-50_i32..50, 1_u32..9, 0..20),
    ) {
        let of = |buckets: std::collections::BTreeMap<i32, u32>| {
            let buckets: Vec<_> = buckets.into_iter().map(|(i, c)| (i, f64::from(c))).collect();
            histogram(2, &buckets)
        };
        let (a, b) = (of(a), of(b));
        let mut back = a.clone();
        back.add(&b).unwrap();
        prop_assert!(!back.is_reset_since(&a));
        back.subtract(&b).unwrap();
        back.compact();
        prop_assert!(back.has_same_data(&a));
    }

    #[test]
    fn property_any_layout_is_survived(
        offsets in proptest::collection::vec((any::<i32>(), 0_u32..5), 0..5),
        counts in proptest::collection::vec(any::<f64>(), 0..10),
    ) {
        let spans: Vec<Span> =
            offsets.into_iter().map(|(offset, length)| Span { offset, length }).collect();
        let mut h = NativeHistogram {
            positive_spans: spans.clone(),
            positive: counts.clone(),
            negative_spans: spans,
            negative: counts,
            zero_threshold: 0.5,
            ..Default::default()
        };
        let _text = h.to_string();
        let other = h.clone();
        let _reset = h.is_reset_since(&other);
        let _added = h.add(&other);
        h.trim(1.0, Keep::Below);
        h.reduce_resolution(-2);
        h.compact();
    }
}
