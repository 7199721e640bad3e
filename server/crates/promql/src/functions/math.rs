//! Functions of a single number.

use crate::eval::{Values, is_absent};

/// Functions of a single number, some with scalar parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MathFunction {
    /// `abs`
    Abs,
    /// `acos`
    Acos,
    /// `acosh`
    Acosh,
    /// `asin`
    Asin,
    /// `asinh`
    Asinh,
    /// `atan`
    Atan,
    /// `atanh`
    Atanh,
    /// `ceil`
    Ceil,
    /// `clamp`
    Clamp,
    /// `clamp_max`
    ClampMax,
    /// `clamp_min`
    ClampMin,
    /// `cos`
    Cos,
    /// `cosh`
    Cosh,
    /// `deg`
    Deg,
    /// `exp`
    Exp,
    /// `floor`
    Floor,
    /// `ln`
    Ln,
    /// `log10`
    Log10,
    /// `log2`
    Log2,
    /// `rad`
    Rad,
    /// `round`
    Round,
    /// `sgn`
    Sgn,
    /// `sin`
    Sin,
    /// `sinh`
    Sinh,
    /// `sqrt`
    Sqrt,
    /// `tan`
    Tan,
    /// `tanh`
    Tanh,
}

/// Computes every number of a row; histograms are left out. `params` hold the scalar arguments per
/// step.
pub(crate) fn apply(
    function: MathFunction,
    params: &[Vec<f64>],
    input: &Values,
    output: &mut Values,
) {
    for (step, value) in input.floats.iter().enumerate() {
        if is_absent(*value) {
            continue;
        }
        let param = |i: usize| params.get(i).map(|values| values[step]);
        let bounds = match function {
            MathFunction::Clamp => param(0).zip(param(1)),
            MathFunction::ClampMax => param(0).map(|max| (f64::NEG_INFINITY, max)),
            MathFunction::ClampMin => param(0).map(|min| (min, f64::INFINITY)),
            _ => None,
        };
        output.floats[step] = match bounds {
            Some((min, max)) if max < min => continue,
            Some((min, max)) => extreme(true, min, extreme(false, max, *value)),
            None if function == MathFunction::Round => round(*value, param(0).unwrap_or(1.0)),
            None => of_number(function, *value),
        };
    }
}

/// The lesser or the greater of two numbers, as Go's `math.Min` and `math.Max`: not a number when
/// either is not, unless the other is the extreme of all, and of two zeros the one with the sign that
/// counts.
pub(crate) fn extreme(greatest: bool, a: f64, b: f64) -> f64 {
    let utmost = if greatest { f64::INFINITY } else { f64::NEG_INFINITY };
    if a == utmost || b == utmost {
        return utmost;
    }
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == b {
        return if a.is_sign_negative() == greatest { b } else { a };
    }
    if (a > b) == greatest { a } else { b }
}

/// Rounds to a multiple, halves upwards. The inverse is multiplied with because that errs less.
fn round(value: f64, to_nearest: f64) -> f64 {
    let inverse = 1.0 / to_nearest;
    (value * inverse + 0.5).floor() / inverse
}

fn of_number(function: MathFunction, value: f64) -> f64 {
    match function {
        MathFunction::Abs => value.abs(),
        MathFunction::Acos => value.acos(),
        MathFunction::Acosh => value.acosh(),
        MathFunction::Asin => value.asin(),
        MathFunction::Asinh => value.asinh(),
        MathFunction::Atan => value.atan(),
        MathFunction::Atanh => value.atanh(),
        MathFunction::Ceil => value.ceil(),
        MathFunction::Cos => value.cos(),
        MathFunction::Cosh => value.cosh(),
        MathFunction::Deg => value * 180.0 / std::f64::consts::PI,
        MathFunction::Exp => value.exp(),
        MathFunction::Floor => value.floor(),
        MathFunction::Ln => value.ln(),
        MathFunction::Log10 => value.log10(),
        MathFunction::Log2 => value.log2(),
        MathFunction::Rad => value * std::f64::consts::PI / 180.0,
        MathFunction::Sgn if value < 0.0 => -1.0,
        MathFunction::Sgn if value > 0.0 => 1.0,
        MathFunction::Sin => value.sin(),
        MathFunction::Sinh => value.sinh(),
        MathFunction::Sqrt => value.sqrt(),
        MathFunction::Tan => value.tan(),
        MathFunction::Tanh => value.tanh(),
        // Zero and NaN are their own sign; the others never get here.
        MathFunction::Sgn
        | MathFunction::Clamp
        | MathFunction::ClampMax
        | MathFunction::ClampMin
        | MathFunction::Round => value,
    }
}
