//! Chunks of numbers: times as differences of differences, values as what changed of their bits.
//! Source: `tsdb/chunkenc/xor.go` in Prometheus, after Facebook's Gorilla (2015).

use model::Timestamp;

use super::{bits::Bits, bytes::Bytes};

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

    proptest! {
        #[test]
        fn property_no_bytes_panic(bytes: Vec<u8>) {
            let mut samples = Vec::new();
            decode(&bytes, &mut samples);
            prop_assert!(samples.len() <= 65_536);
        }
    }
}
