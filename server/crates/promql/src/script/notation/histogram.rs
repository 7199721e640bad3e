//! Native histograms: `{{schema:1 sum:4 count:3 buckets:[1 2] offset:-1}}`.

use model::{
    NativeHistogram,
    histogram::{ResetHint, Span},
};

use super::{NotationError, cursor::Cursor};

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<NativeHistogram, NotationError> {
    if !cursor.take("{{") {
        return Err(cursor.error("expected a histogram in `{{…}}`"));
    }
    let mut histogram = NativeHistogram::default();
    let (mut offset, mut negative_offset) = (0, 0);
    loop {
        cursor.skip_blank();
        if cursor.take("}}") {
            break;
        }
        let key = cursor.take_while(|c| c.is_ascii_alphabetic() || c == '_');
        if !cursor.take(":") {
            return Err(cursor.error("expected a key such as `sum:` or `}}`"));
        }
        match key {
            "schema" => histogram.schema = integer(cursor)?,
            "sum" => histogram.sum = cursor.signed_number()?,
            "count" => histogram.count = cursor.signed_number()?,
            "z_bucket" => histogram.zero_count = cursor.signed_number()?,
            "z_bucket_w" => histogram.zero_threshold = cursor.signed_number()?,
            "custom_values" => histogram.custom_bounds = list(cursor)?,
            "buckets" => histogram.positive = list(cursor)?,
            "offset" => offset = integer(cursor)?,
            "n_buckets" => histogram.negative = list(cursor)?,
            "n_offset" => negative_offset = integer(cursor)?,
            "counter_reset_hint" => histogram.reset_hint = hint(cursor)?,
            other => return Err(cursor.error(format!("unknown key `{other}` of a histogram"))),
        }
    }
    histogram.positive_spans = spans(offset, &histogram.positive);
    histogram.negative_spans = spans(negative_offset, &histogram.negative);
    Ok(histogram)
}

fn spans(offset: i32, buckets: &[f64]) -> Vec<Span> {
    if buckets.is_empty() {
        return Vec::new();
    }
    vec![Span { offset, length: u32::try_from(buckets.len()).unwrap_or(u32::MAX) }]
}

fn integer(cursor: &mut Cursor<'_>) -> Result<i32, NotationError> {
    let text = cursor.take_while(|c| c.is_ascii_digit() || c == '-' || c == '+');
    text.parse().map_err(|_| cursor.error("expected a whole number"))
}

fn list(cursor: &mut Cursor<'_>) -> Result<Vec<f64>, NotationError> {
    if !cursor.take("[") {
        return Err(cursor.error("expected `[`"));
    }
    let mut numbers = Vec::new();
    loop {
        cursor.skip_blank();
        if cursor.take("]") {
            return Ok(numbers);
        }
        numbers.push(cursor.signed_number()?);
    }
}

fn hint(cursor: &mut Cursor<'_>) -> Result<ResetHint, NotationError> {
    Ok(match cursor.take_while(|c| c.is_ascii_alphabetic() || c == '_') {
        "unknown" => ResetHint::Unknown,
        "reset" => ResetHint::Reset,
        "not_reset" => ResetHint::NotReset,
        "gauge" => ResetHint::Gauge,
        _ => return Err(cursor.error("expected unknown, reset, not_reset or gauge")),
    })
}
