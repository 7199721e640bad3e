//! From an offset in a scalar's text to its place in the file.

use crate::Place;

/// Line and column of a byte of the source.
pub(crate) fn place_at(source: &str, offset: usize) -> Place {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        line: before.matches('\n').count() as u64 + 1,
        column: before[line_start..].chars().count() as u64 + 1,
    }
}

/// The offset in the written form that corresponds to an offset in the text. Both are walked side
/// by side; white space is skipped, because indentation and folding change it.
pub(crate) fn align(raw: &str, text: &str, offset: usize) -> usize {
    let first_line = text.lines().next().unwrap_or("");
    let quote = raw.chars().next().filter(|c| matches!(c, '"' | '\''));
    let quote = quote.filter(|_| !raw.starts_with(first_line) || text.is_empty());
    let mut at = usize::from(quote.is_some());
    for (i, c) in text.char_indices() {
        if c.is_whitespace() && i < offset {
            continue;
        }
        at += raw[at..].len() - raw[at..].trim_start().len();
        if i >= offset {
            return at;
        }
        at += written_length(&raw[at..], c, quote);
    }
    at.min(raw.len())
}

/// How many bytes the next character of the text takes in the written form.
fn written_length(raw: &str, c: char, quote: Option<char>) -> usize {
    let escape = match (quote, raw.strip_prefix('\\')) {
        (Some('"'), Some(escaped)) => escaped.chars().next().map(|kind| match kind {
            'x' => 4,
            'u' => 6,
            'U' => 10,
            other => 1 + other.len_utf8(),
        }),
        _ if quote == Some('\'') && raw.starts_with("''") => Some(2),
        _ => None,
    };
    let length = escape.unwrap_or(c.len_utf8()).min(raw.len());
    // An escape that is not understood must not cut a character.
    (length..=raw.len()).find(|at| raw.is_char_boundary(*at)).unwrap_or(raw.len())
}
