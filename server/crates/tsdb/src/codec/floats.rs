//! Three ways of writing numbers: all the same, exact decimals, and any bits.

use super::{FloatCodec, Purpose, decimal, integers};
use crate::bytes::{FormatError, Reader, put_u64};

/// All values have the same bits, which are written once.
pub(super) struct Constant;

impl FloatCodec for Constant {
    fn id(&self) -> u8 {
        1
    }

    fn encode(&self, values: &[f64], _: Purpose, out: &mut Vec<u8>) -> bool {
        let bits = values[0].to_bits();
        if values.iter().any(|value| value.to_bits() != bits) {
            return false;
        }
        out.extend_from_slice(&bits.to_le_bytes());
        true
    }

    fn decode(
        &self,
        reader: &mut Reader<'_>,
        count: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), FormatError> {
        let value = reader.f64()?;
        out.extend(std::iter::repeat_n(value, count));
        Ok(())
    }
}

/// Exact decimals as a column of whole numbers.
///
/// Values that are no exact decimal (staleness markers, mostly) are listed apart and take the place of
/// the integer before them.
pub(super) struct Decimals;

impl FloatCodec for Decimals {
    fn id(&self) -> u8 {
        4
    }

    fn encode(&self, values: &[f64], purpose: Purpose, out: &mut Vec<u8>) -> bool {
        let Some(exponent) = common_exponent(values) else { return false };
        let (integers, exceptions) = to_integers(values, exponent);
        if exceptions.len() > values.len() / 8 {
            return false;
        }
        let has_exceptions = !exceptions.is_empty();
        out.push(exponent | if has_exceptions { HAS_EXCEPTIONS } else { 0 });
        if has_exceptions {
            put_u64(out, exceptions.len() as u64);
        }
        let mut last = 0;
        for &at in &exceptions {
            put_u64(out, (at - last) as u64);
            out.extend_from_slice(&values[at].to_bits().to_le_bytes());
            last = at;
        }
        integers::encode(integers, purpose, out);
        true
    }

    fn decode(
        &self,
        reader: &mut Reader<'_>,
        count: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), FormatError> {
        let mode = reader.u8()?;
        let exponent = decimal::checked(mode & !HAS_EXCEPTIONS)?;
        let mut exceptions = Vec::new();
        let mut at = 0_usize;
        let listed = if mode == exponent { 0 } else { reader.count()? };
        for _ in 0..listed {
            at = at.saturating_add(usize::try_from(reader.u64()?).unwrap_or(usize::MAX));
            exceptions.push((at, reader.f64()?));
        }
        let start = out.len();
        integers::decode(reader, count, |integer| integer as f64, out)?;
        decimal::scale(&mut out[start..], decimal::power(exponent));
        for (at, value) in exceptions {
            *out[start..].get_mut(at).ok_or(FormatError::Invalid("place of a raw value"))? = value;
        }
        Ok(())
    }
}

impl Decimals {
    /// Opens values of which none is listed apart; `None` for others.
    pub(super) fn open(
        mut reader: Reader<'_>,
        count: usize,
    ) -> Option<(f64, integers::Opened<'_>)> {
        let exponent = decimal::checked(reader.u8().ok()?).ok()?;
        let column = integers::open(&reader, count).ok()?;
        Some((decimal::power(exponent), column))
    }
}

/// Beside the exponent: some values are listed apart.
const HAS_EXCEPTIONS: u8 = 0x80;

/// The smallest exponent at which all values that are decimals at all are exact; `None` when too many
/// are not.
fn common_exponent(values: &[f64]) -> Option<u8> {
    let mut exponent = 0;
    let mut others = 0;
    for &value in values {
        match decimal::exponent_of(value, exponent) {
            Some(needed) => exponent = needed,
            None => others += 1,
        }
        if others > values.len() / 8 {
            return None;
        }
    }
    Some(exponent)
}

/// The integers of all values, and the places where there is none.
fn to_integers(values: &[f64], exponent: u8) -> (Vec<i64>, Vec<usize>) {
    let mut integers = Vec::with_capacity(values.len());
    let mut exceptions = Vec::new();
    let mut last = values.iter().find_map(|&value| decimal::to_integer(value, exponent));
    for (at, &value) in values.iter().enumerate() {
        match decimal::to_integer(value, exponent) {
            Some(integer) => last = Some(integer),
            None => exceptions.push(at),
        }
        integers.push(last.unwrap_or_default());
    }
    (integers, exceptions)
}

/// Any bits, as whole numbers in the order of the values: values that lie close together differ in the
/// low bits only, and what has trailing zero-bits, as single precision does, has a common divisor.
pub(super) struct AnyBits;

impl FloatCodec for AnyBits {
    fn id(&self) -> u8 {
        6
    }

    fn encode(&self, values: &[f64], purpose: Purpose, out: &mut Vec<u8>) -> bool {
        integers::encode(values.iter().map(|&value| to_ordered(value)).collect(), purpose, out);
        true
    }

    fn decode(
        &self,
        reader: &mut Reader<'_>,
        count: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), FormatError> {
        integers::decode(reader, count, from_ordered, out)
    }
}

/// A number for each bit pattern, in the order of the values: −0.0 just below 0.0.
#[inline]
pub(super) fn to_ordered(value: f64) -> i64 {
    flip(value.to_bits() as i64)
}

/// The value that [`to_ordered`] made this number of.
#[inline]
pub(super) fn from_ordered(integer: i64) -> f64 {
    f64::from_bits(flip(integer) as u64)
}

/// Turns the order of negative numbers around; twice changes nothing.
#[inline]
fn flip(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}
