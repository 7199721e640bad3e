//! Means and rates: quotients of whole numbers, whose mantissas only look random.
//!
//! A mean is a sum divided by a count. Both are found again from the quotient as a continued fraction,
//! and written in its stead: 17.394736842105264 is 661 / 38. What rounding did to a value on its way,
//! as when the sum was added up from fractions, is written as a correction in units of the last place.

use super::{
    FloatCodec, Purpose, decimal,
    floats::{AnyBits, from_ordered, to_ordered},
    integers,
};
use crate::bytes::{FormatError, Reader, put_f64};

/// A quotient whose parts have more bits together says nothing that the mantissa does not.
const MAX_BITS: u32 = 40;
/// How far a value may be from the quotient that it is taken for, as a part of it.
const TOLERANCE: f64 = 1.0 / (1_u64 << 47) as f64;
/// How many values are tried before all are.
const TRIED: usize = 5;
/// With fewer values the search costs more than it saves.
const LEAST_VALUES: usize = 100;
/// A fraction that needs more terms has more bits too.
const MAX_TERMS: usize = 24;

/// Beside the exponent: values are predicted from the one before, not from the center.
const FOLLOWS: u8 = 0x80;

/// Values as `integer / 10^exponent / divisor`.
pub(super) struct Quotients;

impl FloatCodec for Quotients {
    fn id(&self) -> u8 {
        5
    }

    fn encode(&self, values: &[f64], purpose: Purpose, out: &mut Vec<u8>) -> bool {
        if values.len() < LEAST_VALUES {
            return false;
        }
        let Some(exponent) = best_exponent(values) else { return false };
        let parts: Vec<(i64, i64)> =
            values.iter().map(|&value| parts_of(value, exponent).unwrap_or((0, 1))).collect();
        let failed = parts.iter().zip(values).filter(|(p, v)| p.0 == 0 && **v != 0.0).count();
        if failed > values.len() / 8 {
            return false;
        }
        let start = out.len();
        let center = center_of(values);
        let follows = is_better_followed(values, center);
        out.push(exponent | if follows { FOLLOWS } else { 0 });
        put_f64(out, center);
        integers::encode(parts.iter().map(|part| part.1).collect(), purpose, out);
        let mut errors = Vec::with_capacity(values.len());
        let mut corrections = Vec::with_capacity(values.len());
        let power = decimal::power(exponent);
        let mut model = Model { power, center, follows, last: center };
        for (&value, (numerator, divisor)) in values.iter().zip(parts) {
            errors.push(numerator.wrapping_sub(model.expected(divisor)));
            let exact = model.value(numerator, divisor);
            corrections.push(to_ordered(value).wrapping_sub(to_ordered(exact)));
            model.last = value;
        }
        integers::encode(errors, purpose, out);
        integers::encode(corrections, purpose, out);
        // What has no structure is shorter as plain bits.
        let mut plain = Vec::new();
        if AnyBits.encode(values, purpose, &mut plain) && plain.len() <= out.len() - start {
            out.truncate(start);
            return false;
        }
        true
    }

    fn decode(
        &self,
        reader: &mut Reader<'_>,
        count: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), FormatError> {
        let mode = reader.u8()?;
        let exponent = decimal::checked(mode & !FOLLOWS)?;
        let center = reader.f64()?;
        let mut columns = Vec::with_capacity(3 * count);
        for _ in 0..3 {
            integers::decode(reader, count, |number| number, &mut columns)?;
        }
        let (divisors, rest) = columns.split_at(count);
        let (errors, corrections) = rest.split_at(count);
        let power = decimal::power(exponent);
        let mut model = Model { power, center, follows: mode != exponent, last: center };
        out.extend(divisors.iter().zip(errors).zip(corrections).map(
            |((&divisor, &error), &correction)| {
                let numerator = model.expected(divisor).wrapping_add(error);
                let exact = to_ordered(model.value(numerator, divisor));
                model.last = from_ordered(exact.wrapping_add(correction));
                model.last
            },
        ));
        Ok(())
    }
}

/// What both sides know before a value.
struct Model {
    /// `10^exponent`.
    power: f64,
    center: f64,
    follows: bool,
    last: f64,
}

impl Model {
    /// The numerator that fits the divisor best. Products and roundings of two numbers are the same on
    /// every machine.
    #[inline]
    fn expected(&self, divisor: i64) -> i64 {
        let value = if self.follows && self.last.is_finite() { self.last } else { self.center };
        decimal::rounded(value * self.power * divisor as f64) as i64
    }

    #[inline]
    fn value(&self, numerator: i64, divisor: i64) -> f64 {
        numerator as f64 / self.power / divisor as f64
    }
}

/// The exponent at which the parts of some values are shortest; `None` when they are no quotients.
fn best_exponent(values: &[f64]) -> Option<u8> {
    let step = (values.len() / TRIED).max(1);
    let tried = || values.iter().step_by(step).take(TRIED);
    let cost_at = |exponent: u8| {
        let mut failed = 0;
        let mut bits = 0;
        for &value in tried() {
            if let Some((numerator, divisor)) = parts_of(value, exponent) {
                bits += length(numerator) + length(divisor);
            } else {
                failed += 1;
                bits += 64;
            }
        }
        (failed <= 1).then_some((bits, exponent))
    };
    (0..=decimal::MAX_EXPONENT).filter_map(cost_at).min().map(|(_, exponent)| exponent)
}

fn length(number: i64) -> u32 {
    64 - number.unsigned_abs().leading_zeros()
}

/// The whole numbers whose quotient is the value times `10^exponent`, the second above 0, by continued
/// fractions. `None` when they would be long.
fn parts_of(value: f64, exponent: u8) -> Option<(i64, i64)> {
    let wanted = value.abs() * decimal::power(exponent);
    if wanted.is_nan() || wanted >= (1_u64 << MAX_BITS) as f64 {
        return None;
    }
    let (mut before, mut parts) = ((0.0, 1.0), (1.0, 0.0));
    let mut rest = wanted;
    for _ in 0..MAX_TERMS {
        // Below 2^40, so this cuts off the fraction.
        let term = rest as i64 as f64;
        (before, parts) = (parts, (term * parts.0 + before.0, term * parts.1 + before.1));
        let (numerator, divisor) = parts;
        if (numerator + 1.0) * divisor >= (1_u64 << MAX_BITS) as f64 {
            return None;
        }
        if (numerator / divisor - wanted).abs() <= wanted * TOLERANCE {
            return Some(((numerator as i64) * if value < 0.0 { -1 } else { 1 }, divisor as i64));
        }
        rest = 1.0 / (rest - term);
    }
    None
}

/// The mean of what is finite.
fn center_of(values: &[f64]) -> f64 {
    let finite = values.iter().filter(|value| value.is_finite());
    let center = finite.clone().sum::<f64>() / finite.count().max(1) as f64;
    if center.is_finite() { center } else { 0.0 }
}

/// Whether values are closer to the one before than to the center.
fn is_better_followed(values: &[f64], center: f64) -> bool {
    let finite = |distance: f64| if distance.is_finite() { distance.abs() } else { 0.0 };
    let steps: f64 = values.windows(2).map(|pair| finite(pair[1] - pair[0])).sum();
    let distances: f64 = values.iter().map(|value| finite(value - center)).sum();
    steps < distances
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_float, bits_of};
    use proptest::prelude::*;

    fn round_trip(values: &[f64]) -> Option<usize> {
        let mut bytes = Vec::new();
        if !Quotients.encode(values, Purpose::Storing, &mut bytes) {
            assert!(bytes.is_empty());
            return None;
        }
        let mut back = Vec::new();
        let mut reader = Reader::new(&bytes);
        Quotients.decode(&mut reader, values.len(), &mut back).unwrap();
        assert_eq!(bits_of(&back), bits_of(values));
        assert!(reader.is_empty());
        Some(bytes.len())
    }

    #[test]
    fn parts_are_found_again() {
        for (value, exponent, expected) in [
            (661.0 / 38.0, 0, Some((661, 38))),
            (-2.0 / 3.0, 0, Some((-2, 3))),
            (0.0, 0, Some((0, 1))),
            (123_456.789 / 77.0, 3, Some((123_456_789, 77))),
            (0.1 + 0.2, 1, Some((3, 1))),
            (std::f64::consts::PI, 0, None),
            (f64::NAN, 0, None),
            (f64::INFINITY, 0, None),
            (1e300, 0, None),
            (5e-324, 0, None),
        ] {
            assert_eq!(parts_of(value, exponent), expected, "{value}");
        }
    }

    #[test]
    fn means_cost_what_sum_and_count_do() {
        let mut random = 1_u64;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % bound
        };
        let means: Vec<f64> =
            (0..720).map(|_| (5_000 + below(1_000)) as f64 / (100 + below(32)) as f64).collect();
        let length = round_trip(&means).unwrap();
        assert!(length < 720 * 5 / 2, "{length} bytes");
        let mut total = 0.0;
        let added_up: Vec<f64> = (0..720)
            .map(|_| {
                total += below(1_000) as f64 / 1e3;
                total
            })
            .collect();
        let length = round_trip(&added_up).unwrap();
        assert!(length < 720 * 3, "{length} bytes");
    }

    proptest! {
        #[test]
        fn property_quotients_round_trip(
            parts in proptest::collection::vec((-1_000_000_i64..1_000_000, 1_i64..1_000), 90..300),
            exponent in 0_u8..4,
            others in proptest::collection::vec((any::<prop::sample::Index>(), any_float()), 0..5),
        ) {
            let mut values: Vec<f64> =
                parts.iter().map(|&(n, d)| decimal::to_value(n, exponent) / d as f64).collect();
            for (at, value) in others {
                let at = at.index(values.len());
                values[at] = value;
            }
            round_trip(&values);
        }
    }
}
