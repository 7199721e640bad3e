//! Chunks of numbers: times as differences of differences, values as what changed of their bits.
//! Source: `tsdb/chunkenc/xor.go` in Prometheus, after Facebook's Gorilla (2015).

use model::Timestamp;

use super::bytes::Bytes;

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
fn change(bits: &mut Bits<'_>, window: &mut (u32, u32)) -> Option<u64> {
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

/// Bits, highest first.
struct Bits<'a> {
    rest: &'a [u8],
    byte: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest, byte: 0, left: 0 }
    }

    fn take(&mut self, mut count: u32) -> Option<u64> {
        let mut value = 0_u64;
        while count > 0 {
            if self.left == 0 {
                (self.byte, self.rest) = self.rest.split_first().map(|(&b, rest)| (b, rest))?;
                self.left = 8;
            }
            let part = count.min(self.left);
            let shift = self.left - part;
            let mask = ((1_u16 << part) - 1) as u8;
            value = value << part | u64::from(self.byte >> shift & mask);
            self.left -= part;
            count -= part;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bits_come_highest_first_and_across_bytes() {
        let mut bits = Bits::new(&[0b1010_0110, 0b1111_0000]);
        assert_eq!(
            (bits.take(1), bits.take(3), bits.take(8)),
            (Some(1), Some(2), Some(0b0110_1111))
        );
        assert_eq!((bits.take(4), bits.take(1)), (Some(0), None));
        assert_eq!(Bits::new(&[0xff; 8]).take(64), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn property_no_bytes_panic(bytes: Vec<u8>) {
            let mut samples = Vec::new();
            decode(&bytes, &mut samples);
            prop_assert!(samples.len() <= 65_536);
        }
    }
}
