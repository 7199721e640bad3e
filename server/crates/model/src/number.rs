//! Numbers as Prometheus writes them, which is as Go does.

use std::fmt;

/// A float as the shortest text that reads back the same.
#[derive(Debug, Clone, Copy)]
pub enum Shortest {
    /// Go's `%g` and `%v`: with an exponent when that is below −4 or at least 6.
    General(f64),
    /// Go's `strconv.FormatFloat(v, 'f', -1, 64)`: never with an exponent.
    Plain(f64),
    /// As Prometheus writes points in JSON: with an exponent below a millionth and from 10²¹ on.
    /// Source: `util/jsonutil` in Prometheus.
    Point(f64),
}

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::General(value) | Self::Plain(value) | Self::Point(value)) = *self;
        if value.is_nan() {
            return f.write_str("NaN");
        }
        if value.is_infinite() {
            return f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        let is_plain = match self {
            Self::General(_) => value == 0.0,
            Self::Plain(_) => true,
            Self::Point(_) => value == 0.0 || (1e-6..1e21).contains(&value.abs()),
        };
        if is_plain {
            return write!(f, "{value}");
        }
        let scientific = format!("{value:e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if matches!(self, Self::General(_)) && (-4..6).contains(&exponent) {
            return write!(f, "{value}");
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(f, "{mantissa}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        for (value, general, plain) in [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.5, "1.5", "1.5"),
            (1e6, "1e+06", "1000000"),
            (123_456.0, "123456", "123456"),
            (1e-4, "0.0001", "0.0001"),
            (1.25e-5, "1.25e-05", "0.0000125"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
        ] {
            assert_eq!(Shortest::General(value).to_string(), general);
            assert_eq!(Shortest::Plain(value).to_string(), plain);
        }
    }

    #[test]
    fn points_have_an_exponent_only_far_from_one() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-07"),
            (1e20, "100000000000000000000"),
            (-1e21, "-1e+21"),
            (1.234_567_89e308, "1.23456789e+308"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(Shortest::Point(value).to_string(), expected);
        }
    }
}
