//! Constants in templates: numbers and quoted texts.

use super::{
    ast::NumberValue,
    lex::{Kind, Token},
    parse::Failure,
};

/// Reads a constant as Go does; `None` when it is none.
pub(super) fn number(written: &str) -> Option<NumberValue> {
    let (negative, digits) = match written.as_bytes().first()? {
        b'-' => (true, &written[1..]),
        b'+' => (false, &written[1..]),
        _ => (false, written),
    };
    let clean = digits.replace('_', "");
    let radix = match clean.get(..2) {
        Some("0x" | "0X") => Some((16, &clean[2..])),
        Some("0o" | "0O") => Some((8, &clean[2..])),
        Some("0b" | "0B") => Some((2, &clean[2..])),
        _ if clean.len() > 1
            && clean.bytes().all(|b| b.is_ascii_digit())
            && clean.starts_with('0') =>
        {
            Some((8, &clean[1..]))
        }
        _ => None,
    };
    let (base, body) = radix.unwrap_or((10, clean.as_str()));
    if body.starts_with(['+', '-']) {
        return None;
    }
    if let Ok(value) = i64::from_str_radix(body, base) {
        return Some(NumberValue::Int(if negative { -value } else { value }));
    }
    // Rust reads `inf` and `nan` too, which Go's templates do not.
    if radix.is_some() || !clean.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let value: f64 = clean.parse().ok().filter(|v: &f64| v.is_finite())?;
    Some(NumberValue::Float(if negative { -value } else { value }))
}

/// The text a quoted token stands for, with Go's escapes.
pub(super) fn unquote(token: Token<'_>) -> Result<String, Failure> {
    let inner = &token.text[1..token.text.len() - 1];
    if token.kind == Kind::Raw {
        return Ok(inner.replace('\r', ""));
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            let escape = escape(&mut rest).ok_or_else(|| Failure {
                position: token.position,
                message: format!("invalid escape in {}", token.text),
                hint: None,
            })?;
            out.push(escape);
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

fn escape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let kind = rest.next()?;
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        '0'..='7' => {
            let octal: String = std::iter::once(kind).chain(rest.by_ref().take(2)).collect();
            return u32::from_str_radix(&octal, 8).ok().and_then(char::from_u32);
        }
        _ => {
            return Some(match kind {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                '\\' | '\'' | '"' => kind,
                _ => return None,
            });
        }
    };
    let hex: String = rest.by_ref().take(digits).collect();
    if hex.len() != digits {
        return None;
    }
    u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32)
}
