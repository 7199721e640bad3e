//! Series in one line: `name{label="value"} 1 2+3x4 _ stale {{sum:3 count:2 buckets:[1 1]}}`.

mod cursor;
mod histogram;

use std::sync::Arc;

use model::{Labels, NativeHistogram, Value, labels::METRIC_NAME, stale_marker};

use cursor::Cursor;

/// Why a line is not a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct NotationError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// A value of a series at one step: a number, a histogram, or nothing.
pub type SequenceValue = Option<Value>;

/// A series with its values at consecutive steps.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesLine {
    /// The labels, the name among them.
    pub labels: Labels,
    /// A value per step.
    pub values: Vec<SequenceValue>,
}

/// More values than this in one line are refused.
const MAX_VALUES: u64 = 10_000_000;

/// Reads a series with its values. `a+bxn` stands for `n + 1` values, `_xn` for `n` missing ones.
///
/// # Errors
/// With the column of the mistake.
pub fn parse_series(line: &str) -> Result<SeriesLine, NotationError> {
    let mut cursor = Cursor::new(line);
    let labels = metric(&mut cursor)?;
    let mut values = Vec::new();
    loop {
        cursor.skip_blank();
        if cursor.is_at_end() {
            return Ok(SeriesLine { labels, values });
        }
        item(&mut cursor, &mut values)?;
    }
}

/// Reads labels alone: `name{label="value"}`.
///
/// # Errors
/// With the column of the mistake.
pub fn parse_labels(text: &str) -> Result<Labels, NotationError> {
    let mut cursor = Cursor::new(text);
    let labels = metric(&mut cursor)?;
    cursor.skip_blank();
    if cursor.is_at_end() {
        Ok(labels)
    } else {
        Err(cursor.error("expected the end of the labels"))
    }
}

/// Reads a line that is a single number, as the expected result of a scalar expression.
pub(super) fn parse_scalar(line: &str) -> Option<f64> {
    let mut cursor = Cursor::new(line.trim());
    let value = cursor.signed_number().ok()?;
    cursor.is_at_end().then_some(value)
}

fn metric(cursor: &mut Cursor<'_>) -> Result<Labels, NotationError> {
    cursor.skip_blank();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if !name.is_empty() {
        pairs.push((METRIC_NAME.to_owned(), name.to_owned()));
    }
    if cursor.take("{") {
        loop {
            cursor.skip_blank();
            if cursor.take("}") {
                break;
            }
            pairs.push(label(cursor)?);
            cursor.skip_blank();
            if !cursor.take(",") && !cursor.starts_with("}") {
                return Err(cursor.error("expected `,` or `}`"));
            }
        }
    } else if name.is_empty() {
        return Err(cursor.error("expected a metric name or `{`"));
    }
    Ok(Labels::from_pairs(pairs))
}

/// `name="value"`, or the metric's name in quotes.
fn label(cursor: &mut Cursor<'_>) -> Result<(String, String), NotationError> {
    let (name, is_quoted) = if cursor.starts_with("\"") {
        (cursor.quoted()?, true)
    } else {
        (cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned(), false)
    };
    if name.is_empty() {
        return Err(cursor.error("expected a label name"));
    }
    cursor.skip_blank();
    if cursor.take("=") {
        cursor.skip_blank();
        return Ok((name, cursor.quoted()?));
    }
    if is_quoted {
        return Ok((METRIC_NAME.to_owned(), name));
    }
    Err(cursor.error("expected `=`"))
}

/// One item of the values, which may stand for several.
fn item(cursor: &mut Cursor<'_>, values: &mut Vec<SequenceValue>) -> Result<(), NotationError> {
    if cursor.take("_") {
        let count = if cursor.take("x") { times(cursor)? } else { 1 };
        values.extend((0..count).map(|_| None));
    } else if cursor.starts_with("{{") {
        histograms(cursor, values)?;
    } else {
        numbers(cursor, values)?;
    }
    if cursor.is_at_end() || cursor.is_at_blank() {
        return Ok(());
    }
    Err(cursor.error("expected a blank between values"))
}

fn times(cursor: &mut Cursor<'_>) -> Result<u64, NotationError> {
    let digits = cursor.take_while(|c| c.is_ascii_digit());
    match digits.parse() {
        Ok(count) if count <= MAX_VALUES => Ok(count),
        _ => Err(cursor.error("expected how many times, at most ten million")),
    }
}

fn numbers(cursor: &mut Cursor<'_>, values: &mut Vec<SequenceValue>) -> Result<(), NotationError> {
    let mut value = if cursor.take("stale") { stale_marker() } else { cursor.signed_number()? };
    let change = match cursor.peek() {
        Some('+' | '-') => cursor.signed_number()?,
        _ => 0.0,
    };
    let has_change = change != 0.0;
    let repeats = if cursor.take("x") { times(cursor)? } else { 0 };
    for _ in 0..=repeats {
        values.push(Some(Value::Float(value)));
        if has_change {
            value += change;
        }
    }
    Ok(())
}

fn histograms(
    cursor: &mut Cursor<'_>,
    values: &mut Vec<SequenceValue>,
) -> Result<(), NotationError> {
    let mut current = histogram::parse(cursor)?;
    let sign = match cursor.peek() {
        Some('+') => 1.0,
        Some('-') => -1.0,
        _ => 0.0,
    };
    let mut change = NativeHistogram::default();
    if sign != 0.0 {
        cursor.advance();
        change = histogram::parse(cursor)?;
    }
    let repeats = if cursor.take("x") { times(cursor)? } else { 0 };
    for i in 0..=repeats {
        if i > 0 && sign != 0.0 {
            let combined =
                if sign > 0.0 { current.add(&change) } else { current.subtract(&change) };
            combined.map_err(|error| cursor.error(error.to_string()))?;
        }
        values.push(Some(Value::Histogram(Arc::new(current.clone()))));
    }
    Ok(())
}
