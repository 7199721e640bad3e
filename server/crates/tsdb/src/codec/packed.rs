//! Numbers of one width next to each other, in groups with a width of their own.
//!
//! Where each number begins is known without reading those before it, so a processor works on many at
//! once: this takes a third of the time of Rice codes and tokens. What is rarely large takes more
//! bytes, so it is used in memory only.

use crate::bytes::{FormatError, Reader};

/// How many numbers share a width.
const GROUP: usize = 32;
/// The widest number: with up to seven bits before it, it is in one word.
const MAX_WIDTH: u32 = 56;
/// The bytes of the largest group, and a word behind them; a power of two so that places need no check.
const ROOM: usize = 256;

/// About how many bits these numbers take; `None` when one of them is too large.
pub(super) fn bits(numbers: &[u64]) -> Option<u64> {
    numbers.chunks(GROUP).try_fold(0, |bits, group| {
        let width = width(group);
        (width <= MAX_WIDTH).then(|| bits + 8 + u64::from(width) * group.len() as u64)
    })
}

/// Appends numbers for which there is a size.
pub(super) fn write(numbers: &[u64], out: &mut Vec<u8>) {
    for group in numbers.chunks(GROUP) {
        let width = width(group);
        out.push(width as u8);
        let (mut pending, mut used) = (0_u64, 0);
        for &number in group {
            pending |= number << used;
            used += width;
            while used >= 8 {
                out.push(pending as u8);
                pending >>= 8;
                used -= 8;
            }
        }
        if used > 0 {
            out.push(pending as u8);
        }
    }
}

fn width(group: &[u64]) -> u32 {
    64 - group.iter().fold(0, |all, number| all | number).leading_zeros()
}

/// Fills `out` with what `convert` makes of the numbers, one after the other, and leaves the reader
/// behind them.
pub(super) fn read<T>(
    reader: &mut Reader<'_>,
    out: &mut [T],
    mut convert: impl FnMut(u64) -> T,
) -> Result<(), FormatError> {
    let mut room = [0; ROOM + 8];
    for group in out.chunks_mut(GROUP) {
        let width = usize::from(reader.u8()?);
        if width > MAX_WIDTH as usize {
            return Err(FormatError::Invalid("width of numbers"));
        }
        let bytes = reader.take((group.len() * width).div_ceil(8))?;
        room[..bytes.len()].copy_from_slice(bytes);
        let mask = (1 << width) - 1;
        let mut bit = 0;
        for slot in group {
            let word = room[bit / 8 % ROOM..][..8].try_into().map_or(0, u64::from_le_bytes);
            *slot = convert((word >> (bit % 8)) & mask);
            bit += width;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_numbers_round_trip(
            numbers in proptest::collection::vec((any::<u64>(), 0_u32..64), 0..150),
        ) {
            let numbers: Vec<u64> = numbers.into_iter().map(|(n, shift)| n >> shift).collect();
            let Some(bits) = bits(&numbers) else {
                prop_assert!(numbers.iter().any(|number| *number >= 1 << MAX_WIDTH));
                return Ok(());
            };
            let mut bytes = Vec::new();
            write(&numbers, &mut bytes);
            prop_assert_eq!(bytes.len() as u64, bits.div_ceil(8));
            bytes.push(0xaa);
            let mut reader = Reader::new(&bytes);
            let mut back = vec![0; numbers.len()];
            read(&mut reader, &mut back, |number| number).unwrap();
            prop_assert_eq!(back, numbers);
            prop_assert_eq!(reader.rest(), &[0xaa]);
        }

        #[test]
        fn property_any_bytes_are_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            count in 0_usize..200,
        ) {
            let mut reader = Reader::new(&bytes);
            let result = read(&mut reader, &mut vec![0; count], |number| number);
            prop_assert!(result.is_ok() || reader.rest().len() < bytes.len() || bytes.is_empty());
        }
    }
}
