//! Numbers as exact decimals: `value = integer / 10^exponent`, bit for bit.
//!
//! Division of two exactly represented numbers is correctly rounded, so every decimal of up to 15
//! digits comes back with its bits. What does not (a full mantissa, −0.0, NaN, infinities) is no
//! decimal here, and its caller keeps the raw bits.

use crate::bytes::FormatError;

/// The largest exponent tried: nanoseconds as seconds.
pub(crate) const MAX_EXPONENT: u8 = 9;

const POWERS: [f64; MAX_EXPONENT as usize + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Integers stay below this magnitude, so that scaling a value is exact enough to find its integer
/// and differences of differences fit easily.
const MAX_INTEGER: f64 = (1_u64 << 52) as f64;

/// The integer that stands for `value` at this exponent, when that is exact.
#[inline]
pub(crate) fn to_integer(value: f64, exponent: u8) -> Option<i64> {
    let scaled = value * POWERS[usize::from(exponent)];
    let rounded = rounded(scaled);
    if rounded.abs() < MAX_INTEGER / 2.0 {
        let integer = rounded as i64;
        if to_value(integer, exponent).to_bits() == value.to_bits() {
            return Some(integer);
        }
    }
    None
}

/// The nearest whole number, of two the even one, for a magnitude up to 2^51.
#[inline]
pub(crate) fn rounded(value: f64) -> f64 {
    // Adding and taking away 1.5 * 2^52 rounds without a call.
    (value + 1.5 * MAX_INTEGER) - 1.5 * MAX_INTEGER
}

/// `10^exponent`, which is at most [`MAX_EXPONENT`].
#[inline]
pub(crate) fn power(exponent: u8) -> f64 {
    POWERS[usize::from(exponent)]
}

/// An exponent as it was read.
///
/// # Errors
/// When it is above [`MAX_EXPONENT`].
pub(crate) fn checked(exponent: u8) -> Result<u8, FormatError> {
    if exponent > MAX_EXPONENT { Err(FormatError::Invalid("exponent")) } else { Ok(exponent) }
}

/// The value that an integer stands for. `exponent` is at most [`MAX_EXPONENT`].
#[inline]
pub(crate) fn to_value(integer: i64, exponent: u8) -> f64 {
    if exponent == 0 {
        return integer as f64;
    }
    integer as f64 / POWERS[usize::from(exponent)]
}

/// Turns whole numbers into the values that they stand for, given [`power`] of the exponent.
#[inline]
pub(crate) fn scale(numbers: &mut [f64], power: f64) {
    // On its own the division is done for several numbers at a time.
    if power != 1.0 {
        for number in numbers {
            *number /= power;
        }
    }
}

/// The smallest exponent from `from` on at which the value is exact.
#[inline]
pub(crate) fn exponent_of(value: f64, from: u8) -> Option<u8> {
    (from..=MAX_EXPONENT).find(|&exponent| to_integer(value, exponent).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_exact_decimals_have_an_exponent() {
        for (value, expected) in [
            (0.0, Some(0)),
            (-17.0, Some(0)),
            (0.5, Some(1)),
            (1.25, Some(2)),
            (99.999, Some(3)),
            (1e-9, Some(9)),
            (1e15, Some(0)),
            (-0.0, None),
            (1.0 / 3.0, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (model::stale_marker(), None),
            (1e300, None),
            (9_007_199_254_740_993.0, None),
        ] {
            assert_eq!(exponent_of(value, 0), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn property_decimals_keep_their_bits(integer in -1_000_000_000_000_i64..1_000_000_000_000, exponent in 0_u8..=MAX_EXPONENT) {
            let value = to_value(integer, exponent);
            prop_assert_eq!(to_integer(value, exponent), Some(integer));
        }

        #[test]
        fn property_any_bits_are_exact_or_refused(bits: u64, exponent in 0_u8..=MAX_EXPONENT) {
            let value = f64::from_bits(bits);
            if let Some(integer) = to_integer(value, exponent) {
                prop_assert_eq!(to_value(integer, exponent).to_bits(), bits);
            }
        }
    }
}
