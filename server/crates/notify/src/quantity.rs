//! Numbers with units, as a person reads them: `5.2 %`, `310 ms`, `1.5 GiB`.

use serde::{Deserialize, Serialize};

/// The unit of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A bare number.
    #[default]
    None,
    /// A share of one, shown in percent.
    Ratio,
    /// A share of one hundred.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes, shown in powers of 1024.
    Bytes,
    /// Bytes per second, shown in powers of 1024.
    BytesPerSecond,
    /// Events per second.
    PerSecond,
}

impl Unit {
    /// The value with its unit, to three significant digits.
    pub fn display(self, value: f64) -> String {
        if value.is_nan() {
            return "NaN".to_owned();
        }
        if value.is_infinite() {
            return if value > 0.0 { "∞" } else { "-∞" }.to_owned();
        }
        match self {
            Self::None => scaled(value, &DECIMAL),
            Self::Ratio => format!("{} %", percent(value * 100.0)),
            Self::Percent => format!("{} %", percent(value)),
            Self::Seconds => scaled(value, &SECONDS),
            Self::Milliseconds => scaled(value / 1_000.0, &SECONDS),
            Self::Bytes => scaled(value, &BINARY),
            Self::BytesPerSecond => format!("{}/s", scaled(value, &BINARY)),
            Self::PerSecond => format!("{}/s", scaled(value, &DECIMAL)),
        }
    }
}

/// How a rule compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Comparison {
    /// `>`
    #[serde(rename = ">")]
    Greater,
    /// `>=`
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    LessOrEqual,
    /// `==`
    #[serde(rename = "==")]
    Equal,
    /// `!=`
    #[serde(rename = "!=")]
    NotEqual,
}

impl Comparison {
    /// The operator as written in PromQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

/// Steps of a scale, largest first; a value takes the first step it reaches, else the last.
type Scale = [(f64, &'static str)];

const DECIMAL: [(f64, &str); 4] = [(1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, "")];
const BINARY: [(f64, &str); 5] = [
    (1_099_511_627_776.0, " TiB"),
    (1_073_741_824.0, " GiB"),
    (1_048_576.0, " MiB"),
    (1_024.0, " KiB"),
    (1.0, " B"),
];
const SECONDS: [(f64, &str); 6] =
    [(86_400.0, " d"), (3_600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs")];

fn scaled(value: f64, scale: &Scale) -> String {
    if value == 0.0 {
        let base = scale.iter().find(|(step, _)| *step == 1.0).map_or("", |(_, name)| name);
        return format!("0{base}");
    }
    if scale == DECIMAL && value.abs() < 10_000.0 {
        // Four digits are as easy to read as a prefix, and exact.
        return digits(value);
    }
    let mut step = scale.last().copied().unwrap_or((1.0, ""));
    // The comparison is made after rounding, so that 999.9 ms reads as 1 s.
    if let Some(reached) = scale.iter().find(|(step, _)| round(value.abs() / step) >= 1.0) {
        step = *reached;
    }
    format!("{}{}", digits(value / step.0), step.1)
}

/// Just below a hundred the third decimal counts, and nothing below reads as a hundred.
fn percent(value: f64) -> String {
    if !(99.0..100.0).contains(&value) {
        return digits(value);
    }
    let text = format!("{:.3}", (value * 1_000.0).floor() / 1_000.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// At least three significant digits, every digit before the point, no trailing zeros.
fn digits(value: f64) -> String {
    let value = round(value);
    let magnitude = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    let decimals = usize::try_from((2 - magnitude).clamp(0, 12)).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn round(value: f64) -> f64 {
    if value == 0.0 || value.abs() >= 1_000.0 {
        return value.round();
    }
    let factor = 10_f64.powi(2 - value.abs().log10().floor() as i32);
    (value * factor).round() / factor
}

/// A length in the largest two units: `42 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(crate) fn duration_text(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let pair = |major: i64, major_unit: &str, minor: i64, minor_unit: &str| {
        if minor == 0 {
            format!("{major} {major_unit}")
        } else {
            format!("{major} {major_unit} {minor} {minor_unit}")
        }
    };
    if days > 0 {
        pair(days, "d", hours, "h")
    } else if hours > 0 {
        pair(hours, "h", minutes, "min")
    } else if minutes > 0 {
        pair(minutes, "min", seconds % 60, "s")
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_a_person_would_write_them() {
        for (unit, value, expected) in [
            (Unit::None, 0.0, "0"),
            (Unit::None, 1.0, "1"),
            (Unit::None, 1_234.0, "1234"),
            (Unit::None, 12_345.0, "12.3 k"),
            (Unit::None, 0.012_345, "0.0123"),
            (Unit::None, -2.5, "-2.5"),
            (Unit::None, f64::NAN, "NaN"),
            (Unit::None, f64::NEG_INFINITY, "-∞"),
            (Unit::Ratio, 0.052, "5.2 %"),
            (Unit::Ratio, 1.0, "100 %"),
            (Unit::Percent, 99.95, "99.95 %"),
            (Unit::Percent, 99.999_99, "99.999 %"),
            (Unit::Percent, 93.25, "93.3 %"),
            (Unit::Seconds, 0.31, "310 ms"),
            (Unit::Seconds, 0.999_9, "1 s"),
            (Unit::Seconds, 90.0, "1.5 min"),
            (Unit::Seconds, 0.0, "0 s"),
            (Unit::Milliseconds, 250.0, "250 ms"),
            (Unit::Bytes, 1_610_612_736.0, "1.5 GiB"),
            (Unit::BytesPerSecond, 512.0, "512 B/s"),
            (Unit::PerSecond, 20_000.0, "20 k/s"),
        ] {
            assert_eq!(unit.display(value), expected, "{unit:?} {value}");
        }
    }

    #[test]
    fn lengths_have_at_most_two_units() {
        for (ms, expected) in [
            (-5, "0 s"),
            (42_900, "42 s"),
            (720_000, "12 min"),
            (90_000, "1 min 30 s"),
            (12_000_000, "3 h 20 min"),
            (187_200_000, "2 d 4 h"),
        ] {
            assert_eq!(duration_text(ms), expected);
        }
    }
}
