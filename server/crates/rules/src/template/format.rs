//! Go's ways to write numbers and quoted texts, byte for byte.
//!
//! Source: the documentation of Go's packages `fmt` and `strconv`.

mod printf;

use std::fmt::Write as _;

pub(super) use printf::sprintf;

/// Go's `%v` and `%g` of a float: the fewest digits that read back as the same number.
pub(super) fn shortest(value: f64) -> String {
    if let Some(text) = not_finite(value) {
        return text.to_owned();
    }
    let (digits, exponent) = shortest_digits(value);
    general(value, &digits, exponent, SHORTEST_EXPONENT)
}

/// From this decimal exponent on the shortest form is written with an exponent: `1e+06`.
const SHORTEST_EXPONENT: i32 = 6;

/// `%.{precision}f`
pub(super) fn fixed(value: f64, precision: usize) -> String {
    not_finite(value).map_or_else(|| format!("{value:.precision$}"), str::to_owned)
}

/// `%.{precision}g`
pub(super) fn significant(value: f64, precision: usize) -> String {
    if let Some(text) = not_finite(value) {
        return text.to_owned();
    }
    let precision = precision.max(1);
    let (digits, exponent) = digits_of(&format!("{:.*e}", precision - 1, value.abs()));
    general(value, digits.trim_end_matches('0'), exponent, precision as i32)
}

/// `%.{precision}e`
fn scientific(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = not_finite(value) {
        return text.to_owned();
    }
    let written = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    format!("{mantissa}{}", exponent_part(exponent.parse().unwrap_or(0)))
}

fn not_finite(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

fn shortest_digits(value: f64) -> (String, i32) {
    digits_of(&format!("{:e}", value.abs()))
}

/// The digits and the decimal exponent of a number written by Rust's `{:e}`.
fn digits_of(written: &str) -> (String, i32) {
    let (mantissa, exponent) = written.split_once('e').unwrap_or((written, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// Digits with an exponent when it is below -4 or not below `limit`, else without.
fn general(value: f64, digits: &str, exponent: i32, limit: i32) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let digits = if digits.is_empty() { "0" } else { digits };
    if exponent < -4 || exponent >= limit {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}{}", exponent_part(exponent));
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        format!("{sign}{digits}{}", "0".repeat(whole - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    }
}

fn exponent_part(exponent: i32) -> String {
    format!("e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// Go's `%x` of a float: `0x1.8p+01`.
fn hexadecimal(value: f64) -> String {
    if let Some(text) = not_finite(value) {
        return text.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value == 0.0 {
        return format!("{sign}0x0p+00");
    }
    let bits = value.to_bits();
    let mut fraction = bits & ((1 << 52) - 1);
    let mut exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    if exponent == -1023 {
        // A subnormal number is written like the others, with a leading one.
        let shift = fraction.leading_zeros() - 11;
        fraction = (fraction << shift) & ((1 << 52) - 1);
        exponent = -1022 - shift as i32;
    }
    let hex = format!("{fraction:013x}");
    let hex = hex.trim_end_matches('0');
    let point = if hex.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}0x1{point}{hex}p{exponent_sign}{:02}", exponent.abs())
}

/// Go's `strconv.Quote`.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x80 && c.is_control() => _ = write!(out, "\\x{:02x}", c as u32),
            c if c.is_control() => _ = write!(out, "\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
