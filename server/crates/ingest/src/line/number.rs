//! Numbers as clients write them: integers and short decimals fast, everything else through std.

use crate::reason::Reason;

/// A double holds every integer of this many digits exactly, and the division by a power of ten of
/// the table below is then rounded once: the result is the nearest double (Clinger's fast path).
const EXACT_DIGITS: usize = 15;
const POWERS_OF_TEN: [f64; EXACT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Reads a decimal number: `5`, `-1.5`, `+5`, `.5`, `5.`, `1e16`. The result is the nearest double.
///
/// # Errors
/// [`Reason::NotFinite`] for NaN, infinities and numbers too large for a double,
/// [`Reason::MissingValue`] for nothing, [`Reason::BadValue`] for everything else, hexadecimal
/// numbers included.
#[inline]
pub fn parse(text: &[u8]) -> Result<f64, Reason> {
    match scan(text) {
        Some((value, end)) if end == text.len() => Ok(value),
        _ => parse_any(text),
    }
}

/// Reads a short decimal at the start of a text: its value, and where it ends. `None` when there is
/// none or it has more than [`EXACT_DIGITS`].
#[inline]
pub(super) fn scan(text: &[u8]) -> Option<(f64, usize)> {
    let (is_negative, start) = match text.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let mut mantissa: u64 = 0;
    let mut at = start;
    while let Some(digit) = digit_at(text, at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let mut count = at - start;
    let mut decimals = 0;
    if text.get(at) == Some(&b'.') {
        at += 1;
        let point = at;
        while let Some(digit) = digit_at(text, at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        decimals = at - point;
        count += decimals;
    }
    if count == 0 || count > EXACT_DIGITS {
        return None;
    }
    let mut value = mantissa as f64;
    if decimals > 0 {
        value /= POWERS_OF_TEN[decimals];
    }
    Some((if is_negative { -value } else { value }, at))
}

#[inline]
fn digit_at(text: &[u8], at: usize) -> Option<u64> {
    let digit = text.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

#[cold]
fn parse_any(text: &[u8]) -> Result<f64, Reason> {
    if text.is_empty() {
        return Err(Reason::MissingValue);
    }
    let text = std::str::from_utf8(text).map_err(|_| Reason::BadValue)?;
    // std reads the words for NaN and infinity in any case, and no other words.
    let value: f64 = text.parse().map_err(|_| Reason::BadValue)?;
    if value.is_finite() { Ok(value) } else { Err(Reason::NotFinite) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_as_clients_write_them() {
        for (text, expected) in [
            ("0", Ok(0.0)),
            ("320", Ok(320.0)),
            ("-1.5", Ok(-1.5)),
            ("+5", Ok(5.0)),
            (".5", Ok(0.5)),
            ("5.", Ok(5.0)),
            ("1e16", Ok(1e16)),
            ("1E3", Ok(1e3)),
            ("12.345678", Ok(12.345_678)),
            ("0.0000001", Ok(1e-7)),
            ("18446744073709551615", Ok(18_446_744_073_709_551_615.0)),
            ("1000000000000000000000", Ok(1e21)),
            ("999999999999999", Ok(999_999_999_999_999.0)),
            ("", Err(Reason::MissingValue)),
            (".", Err(Reason::BadValue)),
            ("-", Err(Reason::BadValue)),
            ("1.2.3", Err(Reason::BadValue)),
            ("0x10", Err(Reason::BadValue)),
            ("abc", Err(Reason::BadValue)),
            (" 1", Err(Reason::BadValue)),
            ("1_000", Err(Reason::BadValue)),
            ("NaN", Err(Reason::NotFinite)),
            ("inf", Err(Reason::NotFinite)),
            ("-Infinity", Err(Reason::NotFinite)),
            ("1e999", Err(Reason::NotFinite)),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(parse(&[0xff, b'1']), Err(Reason::BadValue));
    }

    proptest! {
        #[test]
        fn property_short_decimals_are_the_nearest_double(text in "[+-]?[0-9]{0,9}\\.?[0-9]{0,9}") {
            let expected = text.parse::<f64>().ok();
            prop_assert_eq!(parse(text.as_bytes()).ok(), expected);
        }

        #[test]
        fn property_printed_doubles_come_back(value in proptest::num::f64::NORMAL) {
            prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
            prop_assert_eq!(parse(format!("{value:e}").as_bytes()), Ok(value));
        }
    }
}
