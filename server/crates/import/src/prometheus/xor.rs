//! Chunks of numbers: times as differences of differences, values as what changed of their bits.
//! Source: `tsdb/chunkenc/xor.go` in Prometheus, after Facebook's Gorilla (2015).

use model::Timestamp;

use super::{
    bits::{BitWriter, Bits},
    bytes::{Bytes, put_uvarint},
};

/// The most samples that one chunk may hold.
const MAX_SAMPLES: usize = u16::MAX as usize;

/// The chunk of some samples as Prometheus writes it, 65,535 at most; what is beyond them is left out.
pub fn encode_numbers(samples: &[(Timestamp, f64)]) -> Vec<u8> {
    let samples = &samples[..samples.len().min(MAX_SAMPLES)];
    let mut head = (samples.len() as u16).to_be_bytes().to_vec();
    let Some((first, rest)) = samples.split_first() else { return head };
    put_uvarint(&mut head, zigzag(first.0));
    head.extend_from_slice(&first.1.to_be_bytes());
    let (mut before, mut delta) = (*first, 0_i64);
    // No value leads with so many zeros, so the first change brings a window of its own.
    let mut window = (u32::MAX, 0);
    let mut bits = BitWriter::default();
    for (number, &(at, value)) in rest.iter().enumerate() {
        let new_delta = at.wrapping_sub(before.0);
        if number == 0 {
            put_uvarint(&mut head, new_delta as u64);
            bits = BitWriter::new(std::mem::take(&mut head));
        } else {
            put_second_difference(&mut bits, new_delta.wrapping_sub(delta));
        }
        put_change(&mut bits, value.to_bits() ^ before.1.to_bits(), &mut window);
        (before, delta) = ((at, value), new_delta);
    }
    if rest.is_empty() { head } else { bits.finish() }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The counterpart of [`second_difference`].
fn put_second_difference(bits: &mut BitWriter, value: i64) {
    if value == 0 {
        return bits.put(0, 1);
    }
    for (ones, width) in [(2, 14), (3, 17), (4, 20)] {
        let half = 1_i64 << (width - 1);
        if (1 - half..=half).contains(&value) {
            // As many ones as tell the width, then a zero.
            bits.put((1 << ones) - 2, ones);
            return bits.put(value as u64, width);
        }
    }
    bits.put(0b1111, 4);
    bits.put(value as u64, 64);
}

/// The counterpart of [`change`].
fn put_change(bits: &mut BitWriter, change: u64, window: &mut (u32, u32)) {
    if change == 0 {
        return bits.put(0, 1);
    }
    bits.put(1, 1);
    let (leading, trailing) = (change.leading_zeros().min(31), change.trailing_zeros());
    if leading >= window.0 && trailing >= window.1 {
        bits.put(0, 1);
    } else {
        *window = (leading, trailing);
        bits.put(1, 1);
        bits.put(u64::from(leading), 5);
        // 64 does not fit and is written as 0.
        bits.put(u64::from(64 - leading - trailing), 6);
    }
    bits.put(change >> window.1, 64 - window.0 - window.1);
}

/// Adds the samples of a chunk; `None` when it is damaged.
pub(super) fn decode(bytes: &[u8], samples: &mut Vec<(Timestamp, f64)>) -> Option<()> {
    let mut head = Bytes::new(bytes);
    let count = u16::from_be_bytes(head.take(2)?.try_into().ok()?);
    if count == 0 {
        return Some(());
    }
    let mut at = head.varint()?;
    let mut value = head.u64()?;
    samples.push((at, f64::from_bits(value)));
    if count == 1 {
        return Some(());
    }
    // From here on nothing begins at a byte, but the first difference still is a varint.
    let mut delta = head.uvarint()? as i64;
    let mut bits = Bits::new(head.rest());
    let mut window = (0, 0);
    for number in 1..count {
        if number > 1 {
            delta = delta.wrapping_add(second_difference(&mut bits)?);
        }
        at = at.wrapping_add(delta);
        value ^= change(&mut bits, &mut window)?;
        samples.push((at, f64::from_bits(value)));
    }
    Some(())
}

/// `0` for none; else as many ones as tell the width that follows.
fn second_difference(bits: &mut Bits<'_>) -> Option<i64> {
    let mut ones = 0;
    while ones < 4 && bits.take(1)? == 1 {
        ones += 1;
    }
    let width = match ones {
        0 => return Some(0),
        1 => 14,
        2 => 17,
        3 => 20,
        _ => return Some(bits.take(64)? as i64),
    };
    let value = bits.take(width)? as i64;
    // The highest value of a width is positive, unlike in two's complement.
    Some(if value > 1 << (width - 1) { value - (1 << width) } else { value })
}

/// The bits in which a value differs from the one before; `window` is how many zeros lead and trail.
pub(super) fn change(bits: &mut Bits<'_>, window: &mut (u32, u32)) -> Option<u64> {
    if bits.take(1)? == 0 {
        return Some(0);
    }
    if bits.take(1)? == 1 {
        let leading = bits.take(5)? as u32;
        let significant = match bits.take(6)? as u32 {
            0 => 64,
            significant => significant,
        };
        *window = (leading, 64_u32.checked_sub(leading + significant)?);
    }
    let (leading, trailing) = *window;
    Some(bits.take(64 - leading - trailing)? << trailing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn samples_become_the_bytes_of_prometheus() {
        // Four samples every 15 s, as `tsdb/chunkenc` writes them: the header, a varint, a value; a
        // difference and no change; then a bit each for time and value.
        let samples = [(0, 1.0), (15_000, 1.0), (30_000, 1.0), (45_000, 1.0)];
        let expected = [0, 4, 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x98, 0x75, 0];
        assert_eq!(encode_numbers(&samples), expected);
        assert_eq!(encode_numbers(&[]), [0, 0]);
    }

    fn any_time() -> impl Strategy<Value = i64> {
        prop_oneof![
            6 => 14_900_i64..15_100,
            2 => -200_000_i64..2_000_000,
            1 => Just(1 << 13), 1 => Just(-(1 << 13)), 1 => Just(1 << 16), 1 => Just(1 << 19),
            1 => any::<i64>(),
        ]
    }

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![3 => (0_u32..1_000).prop_map(f64::from), 1 => any::<u64>().prop_map(f64::from_bits)]
    }

    proptest! {
        #[test]
        fn property_samples_survive(steps in proptest::collection::vec((any_time(), any_value()), 0..300)) {
            let mut at = 1_700_000_000_000_i64;
            let samples: Vec<(i64, f64)> = steps
                .into_iter()
                .map(|(step, value)| {
                    at = at.wrapping_add(step);
                    (at, value)
                })
                .collect();
            let mut read = Vec::new();
            prop_assert!(decode(&encode_numbers(&samples), &mut read).is_some());
            let bits = |samples: &[(i64, f64)]| -> Vec<(i64, u64)> {
                samples.iter().map(|(at, value)| (*at, value.to_bits())).collect()
            };
            prop_assert_eq!(bits(&read), bits(&samples));
        }

        #[test]
        fn property_no_bytes_panic(bytes: Vec<u8>) {
            let mut samples = Vec::new();
            decode(&bytes, &mut samples);
            prop_assert!(samples.len() <= 65_536);
        }
    }
}
