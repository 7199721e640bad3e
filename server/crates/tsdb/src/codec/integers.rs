//! A column of whole numbers: predicted from those before, and the errors written in one of several
//! ways.
//!
//! Sums and differences wrap around, so any numbers come back as they were.

mod fit;
mod side_by_side;

use super::{
    Purpose,
    bits::{BitReader, BitWriter, Rice},
    packed, tokens,
};
use crate::bytes::{FormatError, Reader, put_i64, put_u64, unzigzag, zigzag};

use fit::{Fit, Predictor, best_fit, divide_by_common, for_each_error, middle};
pub(super) use side_by_side::{Scratch, Way, read_together};

/// Of the first byte: which predictor;
const PREDICTOR: u8 = 3;
/// there is a divisor;
const HAS_DIVISOR: u8 = 4;
/// there is a base;
const HAS_BASE: u8 = 8;
/// how the errors are written: not at all, because all are 0,
const CODING_SHIFT: u32 = 4;
const EXACT: u8 = 0;
/// as Rice codes,
const RICE: u8 = 1;
/// as tokens (the ids from here on are the ways of [`tokens`]),
const TOKENS: u8 = 2;
/// or packed, where none is below 0.
const PACKED: u8 = 9;

/// With fewer numbers the table of tokens takes more than it saves, and finding the best way costs
/// more than it is worth.
const MANY: usize = 100;

/// Appends a column of at least one number.
pub(super) fn encode(mut numbers: Vec<i64>, purpose: Purpose, out: &mut Vec<u8>) {
    let first = numbers[0];
    let divisor = divide_by_common(&mut numbers);
    let fit = best_fit(&numbers);
    if fit.cost == 0 {
        put_head(EXACT, first, divisor, fit, out);
        return;
    }
    if purpose == Purpose::Reading
        && let Some((fit, errors)) = packable(&numbers, fit)
    {
        put_head(PACKED, first, divisor, fit, out);
        packed::write(&errors, out);
        return;
    }
    let mut errors = Vec::with_capacity(numbers.len());
    for_each_error(&numbers, fit, |error| errors.push(zigzag(error)));
    let place = out.len();
    put_head(RICE, first, divisor, fit, out);
    let coding = put_errors(&errors, out);
    out[place] += (coding - RICE) << CODING_SHIFT;
}

fn put_head(coding: u8, first: i64, divisor: u64, fit: Fit, out: &mut Vec<u8>) {
    let mut kind = fit.predictor as u8 | coding << CODING_SHIFT;
    kind |= if divisor > 1 { HAS_DIVISOR } else { 0 };
    kind |= if fit.base == 0 { 0 } else { HAS_BASE };
    out.push(kind);
    put_i64(out, first);
    if divisor > 1 {
        put_u64(out, divisor);
    }
    if fit.base != 0 {
        put_i64(out, fit.base);
    }
}

/// How steps are predicted so that no error is below 0, and the errors; `None` where packing them takes
/// much more than codes do that tell rare numbers from frequent ones.
fn packable(steps: &[i64], fit: Fit) -> Option<(Fit, Vec<u64>)> {
    let predictor = match fit.predictor {
        Predictor::Level => Predictor::Level,
        _ => Predictor::Slope,
    };
    let mut fit = Fit { predictor, base: 0, ..fit };
    let mut least = i64::MAX;
    for_each_error(steps, fit, |error| least = least.min(error));
    fit.base = least;
    let mut errors = Vec::with_capacity(steps.len());
    for_each_error(steps, fit, |error| errors.push(error as u64));
    // A code has about two bits beside those of its number.
    let usual = fit.cost + 2 * errors.len() as u64;
    let bits = packed::bits(&errors)?;
    (bits <= usual + usual / 4).then_some((fit, errors))
}

/// Appends the errors the shortest way, which is returned.
fn put_errors(errors: &[u64], out: &mut Vec<u8>) -> u8 {
    let sum = errors.iter().fold(0_u64, |sum, &error| sum.saturating_add(error));
    let parameter = Rice::parameter_for(sum / errors.len() as u64);
    let mut writer = BitWriter::default();
    let mut rice = Rice::starting_at(parameter);
    if errors.len() >= MANY {
        let plan = tokens::Plan::of(errors);
        let mut measured = rice;
        let bits: u64 = errors.iter().map(|&error| u64::from(measured.measure(error))).sum();
        // Rice codes are quicker to read.
        if plan.bits + plan.bits / 32 < bits {
            plan.write(errors, &mut writer);
            writer.copy_to(out);
            return TOKENS + plan.way();
        }
    }
    writer.put(u64::from(parameter), 8);
    for &error in errors {
        rice.put(&mut writer, error);
    }
    writer.copy_to(out);
    RICE
}

/// A column whose errors are to be read.
#[derive(Debug, Clone)]
pub(super) struct Opened<'a> {
    count: usize,
    first: i64,
    divisor: i64,
    base: i64,
    predictor: u8,
    coding: u8,
    /// The errors, and whatever follows.
    bytes: &'a [u8],
}

/// Reads how a column of `count` numbers, at least one, is written.
pub(super) fn open<'a>(reader: &Reader<'a>, count: usize) -> Result<Opened<'a>, FormatError> {
    let mut reader = *reader;
    let kind = reader.u8()?;
    let first = reader.i64()?;
    let divisor = if kind & HAS_DIVISOR == 0 { 1 } else { reader.u64()? as i64 };
    let base = if kind & HAS_BASE == 0 { 0 } else { reader.i64()? };
    let (predictor, coding) = (kind & PREDICTOR, kind >> CODING_SHIFT);
    Ok(Opened { count, first, divisor, base, predictor, coding, bytes: reader.rest() })
}

/// Appends what `convert` makes of exactly `count` numbers, at least one, and leaves the reader behind
/// them.
pub(super) fn decode<T: Copy>(
    reader: &mut Reader<'_>,
    count: usize,
    convert: impl Fn(i64) -> T + Copy,
    out: &mut Vec<T>,
) -> Result<(), FormatError> {
    let left = open(reader, count)?.read(convert, out)?;
    reader.take(reader.rest().len() - left.len())?;
    Ok(())
}

impl<'a> Opened<'a> {
    /// Appends what `convert` makes of all numbers, and returns the bytes that follow them.
    pub(super) fn read<T: Copy>(
        &self,
        convert: impl Fn(i64) -> T + Copy,
        out: &mut Vec<T>,
    ) -> Result<&'a [u8], FormatError> {
        let mut errors = Vec::new();
        let mut bits = BitReader::new(self.bytes);
        match self.coding {
            PACKED => return self.read_packed(convert, out),
            EXACT => errors.resize(self.count - 1, 0),
            RICE => {
                let mut rice = Rice::starting_at(bits.take(8) as u8);
                errors.extend((1..self.count).map(|_| rice.take(&mut bits)));
                bits.check()?;
            }
            coding => tokens::read(&mut bits, coding - TOKENS, self.count - 1, &mut errors)?,
        }
        self.put(&errors, convert, out);
        self.bytes.get(bits.used_bytes()..).ok_or(FormatError::Truncated)
    }

    /// Appends all numbers, given the error of each but the first, zigzagged.
    ///
    /// What a loop needs is moved into it: found behind references it takes several times as long.
    pub(super) fn put<T: Copy>(
        &self,
        errors: &[u64],
        convert: impl Fn(i64) -> T + Copy,
        out: &mut Vec<T>,
    ) {
        let Self { count, first, divisor, base, predictor, .. } = *self;
        let number = move |steps: i64| convert(first.wrapping_add(steps.wrapping_mul(divisor)));
        let errors = errors.iter().map(|error| unzigzag(*error));
        let (mut steps, mut slope) = (0_i64, base);
        out.reserve(count);
        out.push(number(0));
        match predictor {
            0 => out.extend(errors.map(move |error| number(base.wrapping_add(error)))),
            1 => out.extend(errors.map(move |error| {
                // Only one of the two waits for the number before.
                steps = steps.wrapping_add(base.wrapping_add(error));
                number(steps)
            })),
            2 => out.extend(errors.map(move |error| {
                slope = slope.wrapping_add(error);
                steps = steps.wrapping_add(slope);
                number(steps)
            })),
            _ => out.extend(errors.map(move |error| {
                steps = middle(steps, base).wrapping_add(error);
                number(steps)
            })),
        }
    }

    fn read_packed<T: Copy>(
        &self,
        convert: impl Fn(i64) -> T + Copy,
        out: &mut Vec<T>,
    ) -> Result<&'a [u8], FormatError> {
        let Self { count, first, divisor, base, .. } = *self;
        let number = move |steps: i64| convert(first.wrapping_add(steps.wrapping_mul(divisor)));
        let slope = move |error: u64| base.wrapping_add(error.cast_signed());
        let mut reader = Reader::new(self.bytes);
        let start = out.len();
        out.resize(start + count, number(0));
        let slots = &mut out[start + 1..];
        if self.predictor == Predictor::Level as u8 {
            packed::read(&mut reader, slots, move |error| number(slope(error)))?;
        } else if self.predictor == Predictor::Slope as u8 {
            let mut steps = 0_i64;
            let next = move |error| {
                steps = steps.wrapping_add(slope(error));
                number(steps)
            };
            packed::read(&mut reader, slots, next)?;
        } else {
            return Err(FormatError::Invalid("prediction of packed numbers"));
        }
        Ok(reader.rest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(numbers: &[i64], purpose: Purpose) -> usize {
        let mut bytes = Vec::new();
        encode(numbers.to_vec(), purpose, &mut bytes);
        let length = bytes.len();
        bytes.push(0xaa);
        let mut reader = Reader::new(&bytes);
        let mut back = vec![7];
        decode(&mut reader, numbers.len(), |number| number, &mut back).unwrap();
        assert_eq!(back[1..], *numbers);
        assert_eq!(reader.rest(), [0xaa]);
        length
    }

    #[test]
    fn what_is_predicted_costs_no_byte_a_number() {
        for (name, numbers, most) in [
            ("the same", vec![1_000; 720], 3),
            ("a slope", (0..720).map(|i| 5 + 3 * i).collect(), 4),
            ("a curve", (0..720).map(|i| i * i).collect(), 100),
            ("a rare step", (0..720).map(|i| i / 100 * 4_096).collect(), 30),
            ("an idle counter", (0..720).map(|i| 900_000 + i / 50).collect(), 40),
            ("a coin", (0..720).map(|i| i * i % 7 % 2).collect(), 120),
        ] {
            let length = round_trip(&numbers, Purpose::Storing);
            assert!(length <= most, "{name}: {length} bytes");
        }
    }

    proptest! {
        #[test]
        fn property_any_numbers_round_trip(
            numbers in proptest::collection::vec((any::<i64>(), 0_u32..64), 1..300),
            multiple in prop_oneof![Just(1_i64), 1_i64..1_000_000, Just(i64::MIN)],
        ) {
            let numbers: Vec<i64> =
                numbers.into_iter().map(|(n, shift)| (n >> shift).wrapping_mul(multiple)).collect();
            for purpose in [Purpose::Storing, Purpose::Reading] {
                round_trip(&numbers, purpose);
            }
        }

        #[test]
        fn property_any_bytes_are_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            count in 1_usize..200,
        ) {
            let mut numbers = Vec::new();
            let result = decode(&mut Reader::new(&bytes), count, |number| number, &mut numbers);
            prop_assert!(result.is_err() || numbers.len() == count);
        }
    }
}
