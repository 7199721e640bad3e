//! Units, and numbers with units as a person reads them: `5.2%`, `310 ms`, `1.5 GiB`.
//!
//! The same in the browser, in mails, on charts and in the terminal, so that a number in a mail is found
//! on the page by looking for it. It deliberately knows nothing of axes, which is `chart`, nor of
//! templates, whose `humanize` is Prometheus's.
//!
//! Entry points: [`Unit::format`], [`Unit::exact`], and [`Unit::scale`] for numbers that share a size.

use serde::{Deserialize, Serialize};

/// What a value measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A plain number.
    #[default]
    None,
    /// A ratio from 0 to 1, written as percent.
    Ratio,
    /// Percent, 0 to 100.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes, in powers of 1024.
    Bytes,
    /// Bytes per second, in powers of 1024.
    BytesPerSecond,
    /// Events per second.
    PerSecond,
}

/// A size in which values of some magnitude are written: `value / divisor` and the suffix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// What a value is divided by.
    pub divisor: f64,
    /// What is written behind the number, with the space before it, if any.
    pub suffix: &'static str,
}

/// `(from this magnitude, divisor, suffix)`, the largest first.
type Table = &'static [(f64, f64, &'static str)];

const COUNT: Table = &[
    (9.995e11, 1e12, "T"),
    (9.995e8, 1e9, "G"),
    (9.995e5, 1e6, "M"),
    (9.9995e3, 1e3, "k"),
    (0.0, 1.0, ""),
];
const PER_SECOND: Table = &[
    (9.995e11, 1e12, "T/s"),
    (9.995e8, 1e9, "G/s"),
    (9.995e5, 1e6, "M/s"),
    (9.9995e3, 1e3, "k/s"),
    (0.0, 1.0, "/s"),
];
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;
const GIB: f64 = 1024.0 * MIB;
const TIB: f64 = 1024.0 * GIB;
const PIB: f64 = 1024.0 * TIB;
const BYTES: Table = &[
    (PIB, PIB, " PiB"),
    (TIB, TIB, " TiB"),
    (GIB, GIB, " GiB"),
    (MIB, MIB, " MiB"),
    (KIB, KIB, " KiB"),
    (0.0, 1.0, " B"),
];
const BYTES_PER_SECOND: Table = &[
    (PIB, PIB, " PiB/s"),
    (TIB, TIB, " TiB/s"),
    (GIB, GIB, " GiB/s"),
    (MIB, MIB, " MiB/s"),
    (KIB, KIB, " KiB/s"),
    (0.0, 1.0, " B/s"),
];
const SECONDS: Table = &[
    (172_800.0, 86_400.0, " d"),
    (7_200.0, 3_600.0, " h"),
    (120.0, 60.0, " min"),
    (0.9995, 1.0, " s"),
    (0.999_5e-3, 1e-3, " ms"),
    (0.999_5e-6, 1e-6, " µs"),
    (0.0, 1e-9, " ns"),
];

impl Unit {
    /// A value for reading at a glance: three significant digits, such as `82.7/s` or `1.5 GiB`; a
    /// dash when it is not a number.
    pub fn format(self, value: f64) -> String {
        let is_share = matches!(self, Self::Ratio | Self::Percent);
        self.write(value, |number| match number {
            // Here the third decimal counts, and nothing below reads as a hundred.
            99.0..100.0 if is_share => trim_zeros(&format!("{:.3}", (number * 1e3).floor() / 1e3)),
            _ => significant(number, 3),
        })
    }

    /// A value in full, such as `82.7312/s`, for the tooltip of a shortened one.
    pub fn exact(self, value: f64) -> String {
        self.write(value, |number| {
            // Ten significant digits hide the noise of binary fractions and keep everything measured.
            significant(number, 10)
        })
    }

    /// The size for values up to `magnitude`.
    pub fn scale(self, magnitude: f64) -> Scale {
        let decimal = |divisor, suffix| Scale { divisor, suffix };
        let pick = |table: Table| {
            let entry = table.iter().find(|entry| magnitude.abs() >= entry.0);
            entry.map_or(decimal(1.0, ""), |entry| decimal(entry.1, entry.2))
        };
        match self {
            Self::None => pick(COUNT),
            Self::PerSecond => pick(PER_SECOND),
            Self::Bytes => pick(BYTES),
            Self::BytesPerSecond => pick(BYTES_PER_SECOND),
            Self::Ratio => decimal(0.01, "%"),
            Self::Percent => decimal(1.0, "%"),
            Self::Seconds => seconds(magnitude),
            Self::Milliseconds => {
                let scale = seconds(magnitude / 1e3);
                Scale { divisor: scale.divisor * 1e3, ..scale }
            }
        }
    }

    fn write(self, value: f64, number: impl Fn(f64) -> String) -> String {
        if value.is_nan() {
            return "–".to_owned();
        }
        if value.is_infinite() {
            return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
        }
        let scale = self.scale(value);
        let text = number(value / scale.divisor);
        // "0 ns" and "0 B" say less than the unit's usual name.
        let suffix = match self {
            Self::Seconds | Self::Milliseconds if value == 0.0 => " s",
            _ => scale.suffix,
        };
        format!("{text}{suffix}")
    }
}

fn seconds(magnitude: f64) -> Scale {
    let entry = SECONDS.iter().find(|entry| magnitude.abs() >= entry.0);
    let (_, divisor, suffix) = entry.copied().unwrap_or((0.0, 1.0, " s"));
    Scale { divisor, suffix }
}

/// `number` with at most `digits` significant digits, without trailing zeros; a power of ten outside
/// of what reads well.
fn significant(number: f64, digits: usize) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let exponent = number.abs().log10().floor() as i32;
    if !(-6..15).contains(&exponent) {
        return minus(&format!("{number:.2e}"));
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0).min(12);
    minus(&trim_zeros(&format!("{number:.decimals$}")))
}

/// A number as text with the true minus sign, which is as wide as a digit.
pub fn minus(text: &str) -> String {
    text.replacen('-', "−", 1)
}

fn trim_zeros(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_at_a_glance() {
        let cases = [
            ("zero", Unit::None, 0.0, "0"),
            ("three digits", Unit::None, 12.345, "12.3"),
            ("small", Unit::None, 0.001_234, "0.00123"),
            ("whole below ten thousand", Unit::None, 9_876.0, "9876"),
            ("thousands", Unit::None, 12_500.0, "12.5k"),
            ("rounds into the next size", Unit::None, 999_960.0, "1M"),
            ("negative", Unit::None, -42.0, "−42"),
            ("ratio", Unit::Ratio, 0.042, "4.2%"),
            ("percent", Unit::Percent, 99.5, "99.5%"),
            ("nearly all", Unit::Percent, 99.95, "99.95%"),
            ("a hair less than all", Unit::Ratio, 0.999_999_9, "99.999%"),
            ("all", Unit::Ratio, 1.0, "100%"),
            ("percent below", Unit::Percent, 93.25, "93.2%"),
            ("milliseconds from seconds", Unit::Seconds, 0.25, "250 ms"),
            ("rounds up to a second", Unit::Seconds, 0.9996, "1 s"),
            ("microseconds", Unit::Seconds, 0.000_042, "42 µs"),
            ("minutes", Unit::Seconds, 150.0, "2.5 min"),
            ("hours", Unit::Seconds, 9_000.0, "2.5 h"),
            ("days", Unit::Seconds, 259_200.0, "3 d"),
            ("no time", Unit::Seconds, 0.0, "0 s"),
            ("milliseconds", Unit::Milliseconds, 250.0, "250 ms"),
            ("seconds from milliseconds", Unit::Milliseconds, 1_500.0, "1.5 s"),
            ("kibibytes", Unit::Bytes, 1_536.0, "1.5 KiB"),
            ("traffic", Unit::BytesPerSecond, 3.0 * 1024.0 * 1024.0, "3 MiB/s"),
            ("rate", Unit::PerSecond, 82.73, "82.7/s"),
            ("not a number", Unit::PerSecond, f64::NAN, "–"),
            ("infinite", Unit::Seconds, f64::INFINITY, "∞"),
        ];
        for (name, unit, value, expected) in cases {
            assert_eq!(unit.format(value), expected, "{name}");
        }
    }

    #[test]
    fn an_exact_value_keeps_its_digits() {
        assert_eq!(Unit::PerSecond.exact(82.731_25), "82.73125/s");
        assert_eq!(Unit::None.exact(0.1 + 0.2), "0.3");
    }
}
