//! Durations in Prometheus's notation: `1h30m`, `5m`, `100ms`.
//!
//! The format is that of `prometheus/common/model`: the units `y w d h m s ms` in this order, each at
//! most once, each with a whole number. A year has 365 days. `0` needs no unit.

use std::{fmt, time::Duration};

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is empty.
    #[error("empty duration, expected something like 30s, 5m or 1h30m")]
    Empty,
    /// The text does not follow the format.
    #[error("`{0}` is not a duration, expected something like 30s, 5m or 1h30m")]
    Malformed(String),
    /// The length does not fit the range of milliseconds.
    #[error("duration `{0}` is too long")]
    TooLong(String),
}

/// Reads Prometheus's notation.
///
/// # Errors
/// See [`DurationError`]; the text is named in the message.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let malformed = || DurationError::Malformed(text.to_owned());
    let too_long = || DurationError::TooLong(text.to_owned());
    let mut rest = text;
    let mut total_ms: u64 = 0;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
        if digits == 0 || letters == 0 {
            return Err(malformed());
        }
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        rest = &rest[digits + letters..];
        let position = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(malformed)?;
        if position < next_unit {
            return Err(malformed());
        }
        next_unit = position + 1;
        let number: u64 = number.parse().map_err(|_| too_long())?;
        total_ms = number
            .checked_mul(UNITS[position].1)
            .and_then(|ms| total_ms.checked_add(ms))
            .filter(|ms| i64::try_from(*ms).is_ok())
            .ok_or_else(too_long)?;
    }
    Ok(Duration::from_millis(total_ms))
}

/// Displays a duration as Prometheus does: `1h30m`, and `0s` for zero. Parts below a millisecond are
/// dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pretty(pub Duration);

impl fmt::Display for Pretty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ms = self.0.as_millis() as u64;
        if ms == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in UNITS {
            // Weeks and years only when exact, else a 10 day window would read as 1w3d.
            let exact_only = matches!(name, "y" | "w");
            if ms >= unit && (!exact_only || ms.is_multiple_of(unit)) {
                write!(f, "{}{name}", ms / unit)?;
                ms %= unit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_prometheus_does() {
        for (text, ms, pretty) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("324ms", 324, "324ms"),
            ("3s", 3_000, "3s"),
            ("5m", 300_000, "5m"),
            ("1h", 3_600_000, "1h"),
            ("4d", 345_600_000, "4d"),
            ("4d1h", 349_200_000, "4d1h"),
            ("14d", 1_209_600_000, "2w"),
            ("3w2d1h", 1_990_800_000, "23d1h"),
            ("10y", 315_360_000_000, "10y"),
            ("1h90s", 3_690_000, "1h1m30s"),
        ] {
            let parsed = parse(text).unwrap();
            assert_eq!(parsed, Duration::from_millis(ms), "{text}");
            assert_eq!(Pretty(parsed).to_string(), pretty, "{text}");
        }
    }

    #[test]
    fn malformed_durations_are_named() {
        for text in ["1", "1y1m1d", "-1w", "1.5d", "d", "10m5h", "1m1m", "5 m", "1mm"] {
            assert_eq!(parse(text), Err(DurationError::Malformed(text.to_owned())), "{text}");
        }
        assert_eq!(parse(""), Err(DurationError::Empty));
        let long = "294000000000y";
        assert_eq!(parse(long), Err(DurationError::TooLong(long.to_owned())));
    }
}
