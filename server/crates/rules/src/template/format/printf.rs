//! Go's `fmt.Sprintf`.

use std::fmt::Write as _;

use super::{fixed, hexadecimal, quoted, scientific, shortest, significant};
use crate::template::{MAX_TEXT, value::Value};

/// No width or precision above this is followed; Go's own limit is a million.
const MAX_WIDTH: usize = 10_000;

/// Flags, width and precision between `%` and the verb.
#[derive(Debug, Clone, Copy, Default)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Go's `fmt.Sprintf`, its complaints about wrong verbs and arguments included. Beyond
/// [`MAX_TEXT`] the rest of the format is left as it is: such a result is refused by the caller.
pub(in crate::template) fn sprintf(format: &str, arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut next = 0;
    let mut rest = format;
    while let Some(percent) = rest.find('%').filter(|_| out.len() <= MAX_TEXT) {
        out.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        let spec = spec(&mut rest, arguments, &mut next, &mut out);
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
        } else if let Some(argument) = arguments.get(next) {
            next += 1;
            write_verb(&mut out, spec, verb, argument);
        } else {
            _ = write!(out, "%!{verb}(MISSING)");
        }
    }
    out.push_str(rest);
    write_extra(&mut out, arguments.get(next..).unwrap_or_default());
    out
}

fn write_extra(out: &mut String, extra: &[Value]) {
    if extra.is_empty() {
        return;
    }
    out.push_str("%!(EXTRA ");
    for (i, argument) in extra.iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        if matches!(argument, Value::None) {
            out.push_str("<nil>");
        } else {
            _ = write!(out, "{}={}", argument.type_name(), argument.to_plain());
        }
    }
    out.push(')');
}

fn spec(rest: &mut &str, arguments: &[Value], next: &mut usize, out: &mut String) -> Spec {
    let mut spec = Spec::default();
    while let Some(flag) = rest.chars().next() {
        match flag {
            '-' => {
                spec.minus = true;
                spec.zero = false;
            }
            '+' => spec.plus = true,
            '#' => spec.sharp = true,
            ' ' => spec.space = true,
            '0' => spec.zero = !spec.minus,
            _ => break,
        }
        *rest = &rest[1..];
    }
    if let Some(width) = amount(rest, arguments, next, out, "%!(BADWIDTH)") {
        if width < 0 {
            spec.minus = true;
            spec.zero = false;
        }
        spec.width = Some(width.unsigned_abs() as usize);
    }
    if let Some(after) = rest.strip_prefix('.') {
        *rest = after;
        let precision = amount(rest, arguments, next, out, "%!(BADPREC)").unwrap_or(0);
        spec.precision = usize::try_from(precision).ok();
    }
    spec
}

/// A width or precision: digits, or `*` for the next argument.
fn amount(
    rest: &mut &str,
    arguments: &[Value],
    next: &mut usize,
    out: &mut String,
    complaint: &str,
) -> Option<i64> {
    let value = if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        let argument = arguments.get(*next);
        *next += 1;
        match argument {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    } else {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let value = rest[..digits].parse().ok();
        *rest = &rest[digits..];
        value
    };
    let value = value.filter(|v: &i64| v.unsigned_abs() <= MAX_WIDTH as u64);
    if value.is_none() {
        out.push_str(complaint);
    }
    value
}

fn write_verb(out: &mut String, spec: Spec, verb: char, argument: &Value) {
    match verb {
        'T' => return pad(out, spec, argument.type_name()),
        'v' if matches!(argument, Value::None) => return pad(out, spec, "<nil>"),
        _ => {}
    }
    let written = match argument {
        Value::Bool(value) if matches!(verb, 't' | 'v') => {
            pad(out, spec, if *value { "true" } else { "false" });
            true
        }
        Value::Int(value) => write_int(out, spec, verb, *value),
        Value::Float(value) => write_float(out, spec, verb, *value),
        Value::Text(text) | Value::Html(text) => write_text(out, spec, verb, text),
        Value::Bool(_) | Value::None => false,
        // Types with a `String` method take the verbs of texts by it, maps and structs pass the
        // verb on to their parts; for texts both come out as the whole.
        other => {
            matches!(verb, 'v' | 's') && {
                pad(out, spec, &other.to_plain());
                true
            }
        }
    };
    if !written {
        write_bad_verb(out, spec, verb, argument);
    }
}

/// `%!d(float64=1.5)`: what Go writes for a verb that does not fit.
fn write_bad_verb(out: &mut String, spec: Spec, verb: char, argument: &Value) {
    if matches!(argument, Value::None) {
        _ = write!(out, "%!{verb}(<nil>)");
        return;
    }
    _ = write!(out, "%!{verb}({}=", argument.type_name());
    write_verb(out, spec, 'v', argument);
    out.push(')');
}

fn write_int(out: &mut String, spec: Spec, verb: char, value: i64) -> bool {
    let magnitude = value.unsigned_abs();
    let digits = match verb {
        'v' | 'd' => magnitude.to_string(),
        'b' => format!("{magnitude:b}"),
        'o' => format!("{}{magnitude:o}", if spec.sharp { "0" } else { "" }),
        'O' => format!("0o{magnitude:o}"),
        'x' => format!("{}{magnitude:x}", if spec.sharp { "0x" } else { "" }),
        'X' => format!("{}{magnitude:X}", if spec.sharp { "0X" } else { "" }),
        'c' | 'q' | 'U' => {
            let character = u32::try_from(value).ok().and_then(char::from_u32);
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            let text = match verb {
                'c' => character.to_string(),
                'q' => format!("'{character}'"),
                _ => format!("U+{magnitude:04X}"),
            };
            pad(out, spec, &text);
            return true;
        }
        _ => return false,
    };
    let digits = match spec.precision {
        Some(0) if value == 0 => String::new(),
        Some(precision) => format!("{digits:0>precision$}"),
        None => digits,
    };
    let zero = spec.zero && spec.precision.is_none();
    pad_number(out, Spec { zero, ..spec }, value < 0, &digits);
    true
}

fn write_float(out: &mut String, spec: Spec, verb: char, value: f64) -> bool {
    let text = match verb {
        'v' | 'g' | 'G' => match spec.precision {
            None => shortest(value),
            Some(precision) => significant(value, precision),
        },
        'f' | 'F' => fixed(value, spec.precision.unwrap_or(6)),
        'e' | 'E' => scientific(value, Some(spec.precision.unwrap_or(6))),
        'x' | 'X' => hexadecimal(value),
        _ => return false,
    };
    let text = if verb.is_uppercase() && value.is_finite() { text.to_uppercase() } else { text };
    let is_negative = text.starts_with('-');
    let digits = text.trim_start_matches(['-', '+']);
    if value.is_finite() {
        pad_number(out, spec, is_negative, digits);
    } else if value.is_nan() && !spec.plus && !spec.space {
        pad(out, Spec { zero: false, ..spec }, digits);
    } else {
        let plus = spec.plus || !spec.space;
        pad_number(out, Spec { zero: false, plus, ..spec }, is_negative, digits);
    }
    true
}

fn write_text(out: &mut String, spec: Spec, verb: char, text: &str) -> bool {
    let cut = spec.precision.map_or(text, |precision| {
        text.char_indices().nth(precision).map_or(text, |(end, _)| &text[..end])
    });
    match verb {
        'v' | 's' => pad(out, spec, cut),
        'q' if spec.sharp && !cut.contains('`') => pad(out, spec, &format!("`{cut}`")),
        'q' => pad(out, spec, &quoted(cut)),
        'x' | 'X' => {
            // The precision counts bytes here.
            let bytes = &text.as_bytes()[..spec.precision.unwrap_or(text.len()).min(text.len())];
            let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                _ = write!(hex, "{byte:02x}");
                hex
            });
            pad(out, spec, &if verb == 'X' { hex.to_uppercase() } else { hex });
        }
        _ => return false,
    }
    true
}

fn pad_number(out: &mut String, spec: Spec, is_negative: bool, digits: &str) {
    let sign = match (is_negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (.., true) => " ",
        _ => "",
    };
    if let (true, Some(width)) = (spec.zero, spec.width) {
        let width = width.saturating_sub(sign.len());
        _ = write!(out, "{sign}{digits:0>width$}");
    } else {
        pad(out, spec, &format!("{sign}{digits}"));
    }
}

fn pad(out: &mut String, spec: Spec, text: &str) {
    let width = spec.width.unwrap_or(0);
    _ = match (spec.minus, spec.zero) {
        (true, _) => write!(out, "{text:<width$}"),
        (_, true) => write!(out, "{text:0>width$}"),
        _ => write!(out, "{text:>width$}"),
    };
}
