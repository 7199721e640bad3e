//! The three ways of writing numbers: all the same, exact decimals, and anything.

use super::{
    FloatCodec,
    bits::{BitReader, BitWriter, Rice},
    decimal,
};
use crate::bytes::{FormatError, Reader, put_i64, put_u64, zigzag};

/// All values have the same bits, which are written once.
pub(super) struct Constant;

impl FloatCodec for Constant {
    fn id(&self) -> u8 {
        1
    }

    fn encode(&self, values: &[f64], out: &mut Vec<u8>) -> bool {
        let bits = values[0].to_bits();
        if values.iter().any(|value| value.to_bits() != bits) {
            return false;
        }
        out.extend_from_slice(&bits.to_le_bytes());
        true
    }

    fn decode(&self, bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), FormatError> {
        let value = Reader::new(bytes).f64()?;
        out.extend(std::iter::repeat_n(value, count));
        Ok(())
    }
}

/// Exact decimals as integers, predicted from those before, the errors as Rice codes.
///
/// Values that are no exact decimal (staleness markers, mostly) are listed apart and take the place of
/// the integer before them.
pub(super) struct DecimalRice;

/// How the next integer is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Predictor {
    /// Always the same level: noise around a mean.
    Level = 0,
    /// The one before plus a constant slope: counters, random walks.
    Slope = 1,
    /// As far from the one before as that from its own: smooth curves.
    Curve = 2,
}

/// What the errors of a predictor look like.
struct Fit {
    predictor: Predictor,
    /// The level or slope; 0 for a curve.
    base: i64,
    cost: u64,
    parameter: u8,
}

impl FloatCodec for DecimalRice {
    fn id(&self) -> u8 {
        2
    }

    fn encode(&self, values: &[f64], out: &mut Vec<u8>) -> bool {
        let Some(exponent) = common_exponent(values) else { return false };
        let (mut integers, exceptions) = to_integers(values, exponent);
        if exceptions.len() > values.len() / 8 {
            return false;
        }
        let first = integers[0];
        let divisor = divide_by_common(&mut integers);
        let fit = best_fit(&integers);

        out.push(exponent);
        out.push(fit.predictor as u8 | fit.parameter << 2);
        put_i64(out, first);
        put_u64(out, divisor);
        put_i64(out, fit.base);
        put_u64(out, exceptions.len() as u64);
        let mut last = 0;
        for &at in &exceptions {
            put_u64(out, (at - last) as u64);
            out.extend_from_slice(&values[at].to_bits().to_le_bytes());
            last = at;
        }
        let mut writer = BitWriter::default();
        let mut rice = Rice::starting_at(fit.parameter);
        for error in errors(&integers, fit.predictor, fit.base) {
            rice.put_signed(&mut writer, error);
        }
        writer.copy_to(out);
        true
    }

    fn decode(&self, bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), FormatError> {
        let mut reader = Reader::new(bytes);
        let exponent = reader.u8()?;
        if exponent > decimal::MAX_EXPONENT {
            return Err(FormatError::Invalid("exponent"));
        }
        let kind = reader.u8()?;
        let first = reader.i64()?;
        let divisor = reader.u64()? as i64;
        let base = reader.i64()?;
        let mut exceptions = Vec::new();
        let mut at = 0_usize;
        for _ in 0..reader.count()? {
            at = at.saturating_add(usize::try_from(reader.u64()?).unwrap_or(usize::MAX));
            exceptions.push((at, reader.f64()?));
        }
        let start = out.len();
        let mut bits = BitReader::new(reader.rest());
        let mut rice = Rice::starting_at(kind >> 2);
        out.reserve(count);
        out.push(decimal::to_value(first, exponent));
        let value = |steps: i64| {
            decimal::to_value(first.wrapping_add(steps.wrapping_mul(divisor)), exponent)
        };
        // `extend` over a range reserves once and checks nothing per value.
        let mut steps = 0_i64;
        match kind & 3 {
            0 => out
                .extend((1..count).map(|_| value(base.wrapping_add(rice.take_signed(&mut bits))))),
            1 => out.extend((1..count).map(|_| {
                let error = rice.take_signed(&mut bits);
                steps = steps.wrapping_add(base).wrapping_add(error);
                value(steps)
            })),
            2 => {
                let mut slope = 0_i64;
                out.extend((1..count).map(|_| {
                    slope = slope.wrapping_add(rice.take_signed(&mut bits));
                    steps = steps.wrapping_add(slope);
                    value(steps)
                }));
            }
            _ => return Err(FormatError::Invalid("predictor")),
        }
        bits.check()?;
        for (at, value) in exceptions {
            *out[start..].get_mut(at).ok_or(FormatError::Invalid("place of a raw value"))? = value;
        }
        Ok(())
    }
}

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

/// Turns integers into their distance from the first one in units of the greatest common divisor of
/// all distances, which is returned.
fn divide_by_common(integers: &mut [i64]) -> u64 {
    let first = integers[0];
    let mut divisor = 0;
    for &integer in &*integers {
        divisor = greatest_common_divisor(divisor, (integer - first).unsigned_abs());
        if divisor == 1 {
            break;
        }
    }
    let divisor = divisor.max(1);
    for integer in integers {
        *integer = (*integer - first) / divisor as i64;
    }
    divisor
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn best_fit(steps: &[i64]) -> Fit {
    let count = steps.len().max(2) as i64 - 1;
    let last = steps.last().copied().unwrap_or_default();
    let mean =
        (steps.iter().map(|&step| i128::from(step)).sum::<i128>() / i128::from(count)) as i64;
    let candidates =
        [(Predictor::Slope, last / count), (Predictor::Level, mean), (Predictor::Curve, 0)];
    let mut best: Option<Fit> = None;
    for (predictor, base) in candidates {
        let (mut cost, mut sum) = (0_u64, 0_u64);
        for error in errors(steps, predictor, base) {
            let code = zigzag(error);
            cost += u64::from(64 - code.leading_zeros());
            sum = sum.saturating_add(code);
        }
        if best.as_ref().is_none_or(|best| cost < best.cost) {
            let parameter = Rice::parameter_for(sum / count as u64);
            best = Some(Fit { predictor, base, cost, parameter });
        }
    }
    best.expect("there is at least one candidate")
}

/// What the predictor gets wrong at each value but the first, which is 0 by definition.
fn errors(steps: &[i64], predictor: Predictor, base: i64) -> impl Iterator<Item = i64> + '_ {
    let mut slope = 0;
    steps.windows(2).map(move |pair| match predictor {
        Predictor::Level => pair[1] - base,
        Predictor::Slope => pair[1] - pair[0] - base,
        Predictor::Curve => {
            let next = pair[1] - pair[0];
            next - std::mem::replace(&mut slope, next)
        }
    })
}

/// Any bits: the difference (xor) to the value before, without its leading and trailing zeros, in the
/// way of Facebook's Gorilla. After the first value, in 64 bits, each is a zero-bit when nothing
/// changed; else a one-bit and a zero-bit and the bits within the window used before; else two
/// one-bits, the window's leading zeros and length less one (6 bits each) and its bits.
pub(super) struct Xor;

impl FloatCodec for Xor {
    fn id(&self) -> u8 {
        3
    }

    fn encode(&self, values: &[f64], out: &mut Vec<u8>) -> bool {
        let mut writer = BitWriter::default();
        let mut last = values[0].to_bits();
        writer.put_64(last);
        let (mut leading, mut length) = (64_u32, 0_u32);
        for value in &values[1..] {
            let bits = value.to_bits();
            let change = std::mem::replace(&mut last, bits) ^ bits;
            if change == 0 {
                writer.put(0, 1);
                continue;
            }
            let zeros = change.leading_zeros();
            let trailing = change.trailing_zeros();
            let reuse = zeros >= leading && trailing >= 64 - leading - length;
            if reuse {
                writer.put(0b01, 2);
            } else {
                (leading, length) = (zeros, 64 - zeros - trailing);
                writer.put(0b11, 2);
                writer.put(u64::from(leading), 6);
                writer.put(u64::from(length - 1), 6);
            }
            let kept = change >> (64 - leading - length);
            writer.put(kept & 0xffff_ffff, length.min(32));
            writer.put(kept >> 32, length.saturating_sub(32));
        }
        writer.copy_to(out);
        true
    }

    fn decode(&self, bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), FormatError> {
        let mut bits = BitReader::new(bytes);
        let mut last = bits.take_64();
        out.push(f64::from_bits(last));
        let (mut leading, mut length) = (0, 64);
        for _ in 1..count {
            if bits.take(1) == 1 {
                if bits.take(1) == 1 {
                    leading = bits.take(6) as u32;
                    length = bits.take(6) as u32 + 1;
                    if leading + length > 64 {
                        return Err(FormatError::Invalid("window of bits"));
                    }
                }
                let kept = bits.take(length.min(32)) | bits.take(length.saturating_sub(32)) << 32;
                last ^= kept << (64 - leading - length);
            }
            out.push(f64::from_bits(last));
        }
        bits.check()
    }
}
