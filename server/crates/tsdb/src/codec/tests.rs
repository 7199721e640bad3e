//! Round trips of whole chunks, and what the bytes cost.

use proptest::prelude::*;

use super::*;
use crate::testing::{any_float, any_histogram, bits_of};

fn times(count: usize) -> Vec<Timestamp> {
    (0..count as i64).map(|i| 1_700_000_000_000 + i * 10_000).collect()
}

#[track_caller]
fn check_floats(values: &[f64], most_bytes: usize) {
    let times = times(values.len());
    let mut chunk = Vec::new();
    encode_floats(&times, values, Purpose::Storing, &mut chunk);
    let mut column = Column::default();
    decode(&chunk, &mut column).unwrap();
    assert_eq!(column.float_times, times);
    assert_eq!(bits_of(&column.floats), bits_of(values));
    assert!(chunk.len() <= most_bytes, "{} bytes, at most {most_bytes} expected", chunk.len());
}

#[test]
fn usual_series_take_about_a_byte_a_sample() {
    let mut random = 12_345_u64;
    let mut noise = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let mut total = 0_u64;
    let counter: Vec<f64> = (0..360)
        .map(|_| {
            total += 1_000 + noise(30);
            total as f64
        })
        .collect();
    check_floats(&counter, 320);
    let gauge: Vec<f64> = (0..360).map(|_| 20.0 + noise(100) as f64 / 100.0).collect();
    check_floats(&gauge, 420);
    let memory: Vec<f64> =
        (0..360).map(|_| (1_u64 << 30) as f64 + (noise(64) * 4_096) as f64).collect();
    check_floats(&memory, 400);
    check_floats(&[7.25; 360], 24);
    let steps: Vec<f64> = (0..360).map(|i| if i < 200 { 3.0 } else { 4.0 }).collect();
    check_floats(&steps, 80);
    let mantissas: Vec<f64> = (0..360).map(|_| noise(1 << 30) as f64 / 3.0).collect();
    check_floats(&mantissas, 360 * 8 + 40);
}

#[test]
fn a_stale_marker_does_not_spoil_a_chunk() {
    let mut values: Vec<f64> = (0..360).map(f64::from).collect();
    values[100] = model::stale_marker();
    values[0] = -0.0;
    check_floats(&values, 110);
}

#[test]
fn integers_near_the_limits_are_exact() {
    check_floats(&[9e15, -9e15, 9e15, 4_503_599_627_370_495.0, -4_503_599_627_370_495.0, 0.0], 200);
    check_floats(&[f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, f64::INFINITY], 200);
    check_floats(&[2_251_799_813_685_247.0, -2_251_799_813_685_247.0, 2_251_799_813_685_247.0], 60);
}

#[test]
fn a_quiet_histogram_costs_a_bit_per_bucket() {
    let quiet = Arc::new(NativeHistogram {
        schema: 5,
        count: 64_000.0,
        sum: 123_456.789,
        positive_spans: vec![model::histogram::Span { offset: 10, length: 64 }],
        positive: vec![1_000.0; 64],
        ..NativeHistogram::default()
    });
    let mut chunk = Vec::new();
    encode_histograms(&times(360), &vec![quiet; 360], &mut chunk);
    assert!(chunk.len() < 360 * 11, "{} bytes", chunk.len());
}

fn chunk_of_any_kind() -> impl Strategy<Value = Vec<u8>> {
    let floats = proptest::collection::vec(any_float(), 1..60).prop_map(|values| {
        let mut chunk = Vec::new();
        encode_floats(&times(values.len()), &values, Purpose::Storing, &mut chunk);
        chunk
    });
    let same = (any_histogram(), 32_usize..50).prop_map(|(value, count)| vec![value; count]);
    let histograms = prop_oneof![proptest::collection::vec(any_histogram(), 1..10), same];
    let histograms = histograms.prop_map(|values| {
        let mut chunk = Vec::new();
        encode_histograms(&times(values.len()), &values, &mut chunk);
        chunk
    });
    prop_oneof![floats, histograms]
}

proptest! {
    #[test]
    fn property_any_numbers_round_trip(
        values in proptest::collection::btree_map(any::<i64>(), any_float(), 1..200),
    ) {
        let (times, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
        let mut chunk = Vec::new();
        encode_floats(&times, &values, Purpose::Storing, &mut chunk);
        let mut column = Column::default();
        decode(&chunk, &mut column).unwrap();
        prop_assert_eq!(column.float_times, times);
        prop_assert_eq!(bits_of(&column.floats), bits_of(&values));
    }

    #[test]
    fn property_any_histograms_round_trip(
        values in proptest::collection::vec(any_histogram(), 1..20),
    ) {
        let mut chunk = Vec::new();
        encode_histograms(&times(values.len()), &values, &mut chunk);
        let mut column = Column::default();
        decode(&chunk, &mut column).unwrap();
        prop_assert_eq!(column.histogram_times, times(values.len()));
        // Text compares NaN with NaN and tells −0.0 from 0.0.
        prop_assert_eq!(format!("{:?}", column.histograms), format!("{values:?}"));
    }

    #[test]
    fn property_damaged_chunks_never_panic(
        chunk in chunk_of_any_kind(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut chunk = chunk;
        for (at, byte) in flips {
            let at = at.index(chunk.len());
            chunk[at] = byte;
        }
        chunk.truncate(cut.index(chunk.len() + 1));
        let _ = decode(&chunk, &mut Column::default());
    }

    #[test]
    fn property_any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for codec in [1, 4, 5, 6, HISTOGRAM_STREAM, HISTOGRAM_COLUMNS] {
            let mut chunk = vec![codec];
            chunk.extend_from_slice(&bytes);
            let _ = decode(&chunk, &mut Column::default());
        }
    }
}
