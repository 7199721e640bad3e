//! Chains of frames: round trips, what they cost, and damage.

use model::{Labels, MetricKind, labels::LabelsRef};
use proptest::prelude::*;

use super::*;
use crate::{head::Head, testing::any_value};

fn labels(slot: u32) -> Labels {
    Labels::from_pairs([("__name__", "requests_total"), ("path", &format!("/é/{slot}"))])
}

fn encode(encoder: &mut FrameEncoder, flush: &mut Flush) -> Vec<u8> {
    let mut head = Head::default();
    for slot in 0..1_000 {
        assert_eq!(head.resolve(labels(slot).as_ref()).slot(), slot);
    }
    encoder.encode(flush, &head)
}

fn slot_of(labels: LabelsRef<'_>) -> u32 {
    labels.to_labels().get("path").unwrap().trim_start_matches("/é/").parse().unwrap()
}

fn ticks(timestamp: i64, value: impl Fn(u32) -> f64) -> Flush {
    let ticks = (0..1_000).map(|slot| (slot, timestamp, Value::Float(value(slot)))).collect();
    Flush { timestamp, ticks, ..Flush::default() }
}

#[test]
fn unchanged_series_cost_nothing_and_small_changes_a_byte_or_two() {
    let mut encoder = FrameEncoder::default();
    encode(&mut encoder, &mut ticks(0, f64::from));
    let quiet = encode(&mut encoder, &mut ticks(10, f64::from));
    assert!(quiet.len() < 50, "{} bytes", quiet.len());
    let busy = encode(&mut encoder, &mut ticks(20, |slot| f64::from(slot + 7)));
    assert!(busy.len() < 1_050, "{} bytes", busy.len());
}

#[test]
fn a_frame_out_of_its_place_is_refused_until_the_next_epoch() {
    let mut encoder = FrameEncoder::default();
    encoder.start_epoch(1);
    let frames: Vec<_> = (0..3).map(|i| encode(&mut encoder, &mut ticks(i, f64::from))).collect();
    encoder.start_epoch(2);
    let fresh = encode(&mut encoder, &mut ticks(3, f64::from));
    let mut decoder = FrameDecoder::default();
    assert!(decoder.decode(&frames[1], slot_of).is_err());
    assert!(decoder.decode(&frames[0], slot_of).is_ok());
    assert!(decoder.decode(&frames[2], slot_of).is_err());
    assert!(decoder.decode(&frames[1], slot_of).is_err(), "nothing after a gap");
    let mut decoded = decoder.decode(&fresh, slot_of).unwrap();
    decoded.ticks.sort_by_key(|sample| sample.0);
    assert_eq!(decoded, ticks(3, f64::from));
}

#[test]
fn a_frame_cut_at_any_byte_is_refused() {
    let mut encoder = FrameEncoder::default();
    let mut flush = ticks(0, f64::from);
    flush.ticks.truncate(20);
    let frame = encode(&mut encoder, &mut flush);
    for cut in 0..frame.len() {
        assert!(FrameDecoder::default().decode(&frame[..cut], slot_of).is_err(), "cut at {cut}");
    }
}

/// A frame of version 1: the labels of each new series are one text.
#[test]
fn frames_of_version_1_are_read() {
    use crate::bytes::{finish_envelope, put_i64, put_text, put_u64, start_envelope};
    let mut frame = Vec::new();
    start_envelope(&mut frame, MAGIC, 1);
    put_u64(&mut frame, 7);
    put_u64(&mut frame, 0);
    put_i64(&mut frame, 1_000);
    put_u64(&mut frame, 0);
    put_u64(&mut frame, 2);
    let (first, second) = (labels(3), labels(4));
    let shared = first.as_packed().len() - 1;
    put_u64(&mut frame, 0);
    put_text(&mut frame, first.as_packed());
    put_u64(&mut frame, shared as u64);
    put_text(&mut frame, &second.as_packed()[shared..]);
    // No metadata, no dated samples, two ticks: one run of two series, then a run of two zeros.
    for number in [0, 0, 0] {
        put_u64(&mut frame, number);
    }
    put_u64(&mut frame, 2);
    put_i64(&mut frame, 0);
    put_u64(&mut frame, 2);
    put_u64(&mut frame, 0);
    put_u64(&mut frame, 2 << 3);
    finish_envelope(&mut frame);
    let decoded = FrameDecoder::default().decode(&frame, slot_of).unwrap();
    let zero = |slot| (slot, 1_000, Value::Float(0.0));
    assert_eq!((decoded.timestamp, decoded.ticks), (1_000, vec![zero(3), zero(4)]));
}

fn any_flush() -> impl Strategy<Value = Flush> {
    let dated = proptest::collection::vec((0_u32..20, -100_i64..100, any_value()), 0..6);
    let ticks = proptest::collection::btree_map(0_u32..20, any_value(), 0..20);
    // Hardly ever has a series two samples in a flush, and never are they sorted.
    let again = proptest::option::weighted(0.1, (0_u32..20, any_value()));
    let ticks = (ticks, again).prop_flat_map(|(ticks, again)| {
        Just(ticks.into_iter().chain(again).collect::<Vec<_>>()).prop_shuffle()
    });
    let metadata = proptest::collection::vec("[a-c]", 0..2);
    (any::<i32>(), dated, ticks, metadata).prop_map(|(timestamp, dated, ticks, metadata)| {
        let timestamp = i64::from(timestamp);
        Flush {
            timestamp,
            dated: dated.into_iter().map(|(s, offset, v)| (s, timestamp + offset, v)).collect(),
            ticks: ticks.into_iter().map(|(slot, value)| (slot, timestamp, value)).collect(),
            metadata: metadata
                .into_iter()
                .map(|metric| Metadata {
                    metric,
                    kind: MetricKind::Gauge,
                    unit: "seconds".to_owned(),
                    help: String::new(),
                    original: "a.b".to_owned(),
                })
                .collect(),
        }
    })
}

proptest! {
    #[test]
    fn property_chains_round_trip(
        flushes in proptest::collection::vec((any_flush(), proptest::bool::weighted(0.2)), 1..8),
    ) {
        let mut encoder = FrameEncoder::default();
        let mut decoder = FrameDecoder::default();
        for (i, (mut flush, is_new_epoch)) in flushes.into_iter().enumerate() {
            if is_new_epoch {
                encoder.start_epoch(i as u64 + 1);
            }
            let frame = encode(&mut encoder, &mut flush);
            let mut decoded = decoder.decode(&frame, slot_of).unwrap();
            // Only samples of the same series keep their order.
            for samples in
                [&mut decoded.dated, &mut decoded.ticks, &mut flush.dated, &mut flush.ticks]
            {
                samples.sort_by_key(|sample| sample.0);
            }
            prop_assert_eq!(format!("{decoded:?}"), format!("{flush:?}"));
        }
    }

    #[test]
    fn property_any_payload_is_read_or_refused(
        mut flush in any_flush(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut frame = encode(&mut FrameEncoder::default(), &mut flush);
        let header = crate::bytes::ENVELOPE_BYTES;
        for (at, byte) in flips {
            let at = header + at.index(frame.len() - header);
            frame[at] = byte;
        }
        crate::bytes::finish_envelope(&mut frame);
        drop(FrameDecoder::default().decode(&frame, |_| 0));
    }
}
