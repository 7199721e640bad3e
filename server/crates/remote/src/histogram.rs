//! Native histograms, which both protocols write in the same way.
//!
//! Source of the rules: `model/histogram/histogram.go` and `float_histogram.go` in Prometheus,
//! `Validate`.

use model::{
    NativeHistogram, Timestamp,
    histogram::{CUSTOM_BUCKETS_SCHEMA, HIGHEST_SCHEMA, LOWEST_SCHEMA, ResetHint, Span},
    is_stale,
};

use crate::wire::{
    self, Field, Reader, WireError, put_bytes, put_double, put_doubles, put_number,
    put_packed_signed, put_present_double, put_present_number, put_signed,
};

/// Beyond this a whole number in a double may be rounded.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// No bucket of a double is as far out as this, in any schema.
const MAX_INDEX: i64 = 1 << 29;

/// Why a histogram makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHistogram {
    /// A schema that is not known here.
    #[error("schema {0} is not supported, expected -4 to 8 or -53")]
    Schema(i64),
    /// The spans promise another number of buckets than there are.
    #[error("the spans have {promised} buckets, and {found} came")]
    Buckets {
        /// By the spans.
        promised: u64,
        /// What came.
        found: usize,
    },
    /// Spans overlap, or reach beyond every bound.
    #[error("the spans overlap or reach too far")]
    Spans,
    /// A count or the width of the zero bucket is negative or no number.
    #[error("a count or the zero threshold is below zero or no number")]
    NegativeCount,
    /// The buckets hold more or fewer observations than the whole.
    #[error("the buckets do not add up to the count")]
    Count,
    /// Custom bounds do not ascend, are infinite, or come with another schema.
    #[error("the custom bounds are not ascending finite numbers of a histogram with schema -53")]
    Bounds,
    /// Custom buckets with a zero bucket or negative buckets.
    #[error("a histogram with custom bounds has a zero bucket or negative buckets")]
    CustomParts,
}

/// What a message says, before it is checked.
#[derive(Debug, Default)]
struct Raw {
    histogram: NativeHistogram,
    schema: i64,
    is_float: bool,
    positive_deltas: Vec<i64>,
    negative_deltas: Vec<i64>,
    timestamp: Timestamp,
}

/// Reads a histogram and its time.
///
/// # Errors
/// When the message is damaged; a histogram that makes no sense is the inner error.
pub(crate) fn read(
    bytes: &[u8],
) -> Result<(Timestamp, Result<NativeHistogram, BadHistogram>), WireError> {
    let mut raw = Raw::default();
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.field()? {
        raw.take(number, field)?;
    }
    Ok((raw.timestamp, raw.check()))
}

impl Raw {
    fn take(&mut self, number: u32, field: Field<'_>) -> Result<(), WireError> {
        let histogram = &mut self.histogram;
        match number {
            1 => histogram.count = field.varint(number)? as f64,
            2 => {
                histogram.count = field.double(number)?;
                self.is_float = true;
            }
            3 => histogram.sum = field.double(number)?,
            4 => self.schema = wire::unzigzag(field.varint(number)?),
            5 => histogram.zero_threshold = field.double(number)?,
            6 => histogram.zero_count = field.varint(number)? as f64,
            7 => histogram.zero_count = field.double(number)?,
            8 => histogram.negative_spans.push(read_span(field.bytes(number)?)?),
            9 => field.add_signed(number, &mut self.negative_deltas)?,
            10 => field.add_doubles(number, &mut histogram.negative)?,
            11 => histogram.positive_spans.push(read_span(field.bytes(number)?)?),
            12 => field.add_signed(number, &mut self.positive_deltas)?,
            13 => field.add_doubles(number, &mut histogram.positive)?,
            14 => {
                histogram.reset_hint = match field.varint(number)? {
                    1 => ResetHint::Reset,
                    2 => ResetHint::NotReset,
                    3 => ResetHint::Gauge,
                    _ => ResetHint::Unknown,
                }
            }
            15 => self.timestamp = field.varint(number)? as Timestamp,
            16 => field.add_doubles(number, &mut histogram.custom_bounds)?,
            _ => {}
        }
        Ok(())
    }

    fn check(self) -> Result<NativeHistogram, BadHistogram> {
        let exponential = i64::from(LOWEST_SCHEMA)..=i64::from(HIGHEST_SCHEMA);
        if self.schema != i64::from(CUSTOM_BUCKETS_SCHEMA) && !exponential.contains(&self.schema) {
            return Err(BadHistogram::Schema(self.schema));
        }
        let mut histogram = self.histogram;
        histogram.schema = self.schema as i32;
        if is_stale(histogram.sum) {
            // The end of a series says nothing else.
            return Ok(NativeHistogram {
                schema: histogram.schema,
                sum: histogram.sum,
                ..NativeHistogram::default()
            });
        }
        if !self.is_float {
            sum_up(&self.positive_deltas, &mut histogram.positive);
            sum_up(&self.negative_deltas, &mut histogram.negative);
        }
        let is_custom = histogram.has_custom_buckets();
        let highest = if is_custom { histogram.custom_bounds.len() as i64 } else { MAX_INDEX };
        check_spans(&mut histogram.positive_spans, histogram.positive.len(), highest)?;
        check_spans(&mut histogram.negative_spans, histogram.negative.len(), MAX_INDEX)?;
        check_bounds(&histogram)?;
        check_counts(&histogram, self.is_float)?;
        Ok(histogram)
    }
}

/// Absolute counts from changes against the bucket before.
fn sum_up(deltas: &[i64], counts: &mut Vec<f64>) {
    let mut count = 0_i64;
    counts.clear();
    counts.extend(deltas.iter().map(|delta| {
        count = count.wrapping_add(*delta);
        count as f64
    }));
}

fn read_span(bytes: &[u8]) -> Result<Span, WireError> {
    let mut span = Span { offset: 0, length: 0 };
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.field()? {
        match number {
            1 => span.offset = wire::unzigzag(field.varint(number)?) as i32,
            2 => span.length = field.varint(number)? as u32,
            _ => {}
        }
    }
    Ok(span)
}

/// The spans ascend without overlap, no index is above `highest`, and they hold `found` buckets. Spans
/// without buckets, which only bridge a gap, are folded into the next one.
fn check_spans(spans: &mut Vec<Span>, found: usize, highest: i64) -> Result<(), BadHistogram> {
    let promised = spans.iter().map(|span| u64::from(span.length)).sum();
    if promised != found as u64 {
        return Err(BadHistogram::Buckets { promised, found });
    }
    let mut next = 0_i64;
    for (at, span) in spans.iter().enumerate() {
        if at > 0 && span.offset < 0 {
            return Err(BadHistogram::Spans);
        }
        next += i64::from(span.offset) + i64::from(span.length);
        if next - i64::from(span.length) < -MAX_INDEX || next > highest + 1 {
            return Err(BadHistogram::Spans);
        }
    }
    if spans.iter().any(|span| span.length == 0) {
        fold_empty(spans);
    }
    Ok(())
}

fn fold_empty(spans: &mut Vec<Span>) {
    let mut gap = 0_i32;
    spans.retain_mut(|span| {
        // No index is beyond MAX_INDEX, so no gap is beyond twice that.
        gap = gap.saturating_add(span.offset);
        if span.length == 0 {
            return false;
        }
        span.offset = std::mem::take(&mut gap);
        true
    });
}

fn check_bounds(histogram: &NativeHistogram) -> Result<(), BadHistogram> {
    let bounds = &histogram.custom_bounds;
    if !histogram.has_custom_buckets() {
        return if bounds.is_empty() { Ok(()) } else { Err(BadHistogram::Bounds) };
    }
    let ascends = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascends || !bounds.iter().all(|bound| bound.is_finite()) {
        return Err(BadHistogram::Bounds);
    }
    let has_zero = histogram.zero_count != 0.0 || histogram.zero_threshold != 0.0;
    if has_zero || !histogram.negative_spans.is_empty() {
        return Err(BadHistogram::CustomParts);
    }
    // Spans of custom buckets count from 0.
    match histogram.positive_spans.first() {
        Some(span) if span.offset < 0 => Err(BadHistogram::Spans),
        _ => Ok(()),
    }
}

fn check_counts(histogram: &NativeHistogram, is_float: bool) -> Result<(), BadHistogram> {
    let buckets = || histogram.positive.iter().chain(&histogram.negative);
    let own = [histogram.count, histogram.zero_count, histogram.zero_threshold];
    if own.iter().chain(buckets()).any(|number| *number < 0.0 || number.is_nan()) {
        return Err(BadHistogram::NegativeCount);
    }
    // Sums of doubles are not exact, so only whole counts are compared.
    let total = histogram.zero_count + buckets().sum::<f64>();
    if is_float || total >= MAX_EXACT {
        return Ok(());
    }
    // Observations that are no numbers are counted and in no bucket; the sum tells.
    let fits =
        if histogram.sum.is_nan() { total <= histogram.count } else { total == histogram.count };
    if fits { Ok(()) } else { Err(BadHistogram::Count) }
}

/// Writes a histogram: with whole counts where all are whole, which receivers store in less space.
pub(crate) fn put(out: &mut Vec<u8>, timestamp: Timestamp, histogram: &NativeHistogram) {
    let is_whole = has_whole_counts(histogram);
    if is_whole {
        put_present_number(out, 1, histogram.count as u64);
    } else {
        put_present_double(out, 2, histogram.count);
    }
    put_double(out, 3, histogram.sum);
    put_signed(out, 4, i64::from(histogram.schema));
    put_double(out, 5, histogram.zero_threshold);
    if is_whole {
        put_present_number(out, 6, histogram.zero_count as u64);
    } else {
        put_present_double(out, 7, histogram.zero_count);
    }
    let sides = [
        (8, &histogram.negative_spans, &histogram.negative),
        (11, &histogram.positive_spans, &histogram.positive),
    ];
    for (field, spans, counts) in sides {
        for span in spans {
            put_span(out, field, *span);
        }
        if is_whole {
            let before = std::iter::once(&0.0).chain(counts);
            let deltas = counts.iter().zip(before).map(|(count, before)| (count - before) as i64);
            put_packed_signed(out, field + 1, deltas);
        } else {
            put_doubles(out, field + 2, counts);
        }
    }
    let hint = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    };
    put_number(out, 14, hint);
    put_number(out, 15, timestamp as u64);
    put_doubles(out, 16, &histogram.custom_bounds);
}

fn put_span(out: &mut Vec<u8>, field: u32, span: Span) {
    let mut bytes = Vec::with_capacity(8);
    put_signed(&mut bytes, 1, i64::from(span.offset));
    put_number(&mut bytes, 2, u64::from(span.length));
    put_bytes(out, field, &bytes);
}

fn has_whole_counts(histogram: &NativeHistogram) -> bool {
    [histogram.count, histogram.zero_count]
        .iter()
        .chain(&histogram.positive)
        .chain(&histogram.negative)
        .all(|count| (0.0..MAX_EXACT).contains(count) && count.fract() == 0.0)
}

#[cfg(test)]
mod tests;
