//! Native histograms as a stream of bits, each built on the one before.
//!
//! A histogram says first whether its layout (schema, zero threshold, spans, custom bounds, reset
//! hint) is the one before, then the change of every bucket's count. A bucket that was not there
//! before counts as zero. The total is written as its distance from the sum of the buckets, which is
//! nearly always nothing. The sum is an exact decimal where it can be, else raw bits.
//!
//! [`Encoder`] and [`Decoder`] hold what one stream has to remember; the same stream serves chunks,
//! the open chunks of the head, and frames, where the histogram before is passed in.

use std::sync::Arc;

use model::{
    NativeHistogram,
    histogram::{ResetHint, Span},
};

use super::{
    bits::{BitReader, BitWriter, Rice},
    decimal,
};
use crate::bytes::FormatError;

/// The layout is written out.
const NEW_LAYOUT: u64 = 1;
/// Counts are not all whole numbers and are written as raw bits.
const RAW_COUNTS: u64 = 2;
/// The sum is raw bits.
const RAW_SUM: u64 = 4;
/// The sum has another exponent than the one before.
const NEW_EXPONENT: u64 = 8;

/// Whole counts stay below this, so that sums and differences are exact.
const MAX_COUNT: f64 = (1_u64 << 52) as f64;

/// Appends the values of a chunk.
pub(super) fn encode(values: &[Arc<NativeHistogram>], out: &mut Vec<u8>) {
    let mut writer = BitWriter::default();
    let mut stream = Stream::per_bucket();
    let mut last: Option<&NativeHistogram> = None;
    for value in values {
        stream.put(last, value, &mut writer);
        last = Some(value);
    }
    writer.copy_to(out);
}

/// Appends exactly `count` values.
pub(super) fn decode(
    bytes: &[u8],
    count: usize,
    out: &mut Vec<Arc<NativeHistogram>>,
) -> Result<(), FormatError> {
    decode_stream(bytes, count, Stream::per_bucket(), out)
}

/// Appends the values of a stream that was written with one context for all buckets.
pub(crate) fn decode_shared(
    bytes: &[u8],
    count: usize,
    out: &mut Vec<Arc<NativeHistogram>>,
) -> Result<(), FormatError> {
    decode_stream(bytes, count, Stream::default(), out)
}

fn decode_stream(
    bytes: &[u8],
    count: usize,
    mut stream: Stream,
    out: &mut Vec<Arc<NativeHistogram>>,
) -> Result<(), FormatError> {
    let mut bits = BitReader::new(bytes);
    let first = out.len();
    for _ in 0..count {
        let last = out[first..].last().map(Arc::as_ref);
        let value = stream.take(last, &mut bits)?;
        out.push(Arc::new(value));
    }
    Ok(())
}

/// What a stream of histograms remembers besides the last histogram.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stream {
    flags: Rice,
    layout: Rice,
    zero: Rice,
    rest: Rice,
    sum: Rice,
    exponent: u8,
    /// For the first histogram, whose counts have nothing to do with later changes.
    first: Rice,
    shared: Rice,
    /// One context per bucket of the present layout; `None` when all share one.
    buckets: Option<Vec<Rice>>,
}

impl Stream {
    /// A stream that follows the magnitude of every bucket by itself: smaller, but with a memory per
    /// bucket. The default one has one context for all.
    fn per_bucket() -> Self {
        Self { buckets: Some(Vec::new()), ..Self::default() }
    }

    /// Writes `value` as the one after `last`.
    pub(crate) fn put(
        &mut self,
        last: Option<&NativeHistogram>,
        value: &NativeHistogram,
        writer: &mut BitWriter,
    ) {
        let new_layout = last.is_none_or(|last| !has_same_layout(last, value));
        let whole = has_whole_counts(value) && last.is_none_or(has_whole_counts);
        let exponent = match decimal::to_integer(value.sum, self.exponent) {
            Some(_) => Some(self.exponent),
            None => decimal::exponent_of(value.sum, 0),
        };
        let mut flags = 0;
        flags |= if new_layout { NEW_LAYOUT } else { 0 };
        flags |= if whole { 0 } else { RAW_COUNTS };
        flags |= match exponent {
            None => RAW_SUM,
            Some(exponent) if exponent != self.exponent => NEW_EXPONENT,
            Some(_) => 0,
        };
        self.flags.put(writer, flags);
        if new_layout {
            self.put_layout(value, writer);
        }
        if whole {
            self.put_counts(last, value, writer);
        } else {
            for count in counts(value) {
                writer.put_64(count.to_bits());
            }
        }
        match exponent {
            None => writer.put_64(value.sum.to_bits()),
            Some(exponent) => {
                if exponent != self.exponent {
                    self.exponent = exponent;
                    writer.put(u64::from(exponent), 4);
                }
                let error = integer_sum(value, exponent).wrapping_sub(self.sum_before(last));
                self.sum.put_signed(writer, error);
            }
        }
    }

    /// Reads the histogram after `last`.
    pub(crate) fn take(
        &mut self,
        last: Option<&NativeHistogram>,
        bits: &mut BitReader<'_>,
    ) -> Result<NativeHistogram, FormatError> {
        let flags = self.flags.take(bits);
        let mut value = if flags & NEW_LAYOUT != 0 {
            self.take_layout(bits)?
        } else {
            last.ok_or(FormatError::Invalid("histogram without a layout"))?.clone()
        };
        if flags & RAW_COUNTS == 0 {
            self.take_counts(last, &mut value, bits);
        } else {
            for count in counts_mut(&mut value) {
                *count = f64::from_bits(bits.take_64());
            }
        }
        if flags & RAW_SUM != 0 {
            value.sum = f64::from_bits(bits.take_64());
        } else {
            if flags & NEW_EXPONENT != 0 {
                self.exponent = (bits.take(4) as u8).min(decimal::MAX_EXPONENT);
            }
            let error = self.sum.take_signed(bits);
            value.sum = decimal::to_value(self.sum_before(last).wrapping_add(error), self.exponent);
        }
        bits.check()?;
        Ok(value)
    }

    fn sum_before(&self, last: Option<&NativeHistogram>) -> i64 {
        last.map_or(0, |last| integer_sum(last, self.exponent))
    }

    pub(super) fn put_layout(&mut self, value: &NativeHistogram, writer: &mut BitWriter) {
        self.layout.put_signed(writer, i64::from(value.schema));
        self.layout.put(writer, hint_to_number(value.reset_hint));
        writer.put_64(value.zero_threshold.to_bits());
        for (spans, buckets) in
            [(&value.positive_spans, &value.positive), (&value.negative_spans, &value.negative)]
        {
            self.layout.put(writer, spans.len() as u64);
            for span in spans {
                self.layout.put_signed(writer, i64::from(span.offset));
                self.layout.put(writer, u64::from(span.length));
            }
            self.layout.put(writer, buckets.len() as u64);
        }
        self.layout.put(writer, value.custom_bounds.len() as u64);
        for bound in &value.custom_bounds {
            writer.put_64(bound.to_bits());
        }
    }

    pub(super) fn take_layout(
        &mut self,
        bits: &mut BitReader<'_>,
    ) -> Result<NativeHistogram, FormatError> {
        let mut value = NativeHistogram {
            schema: self.layout.take_signed(bits) as i32,
            reset_hint: number_to_hint(self.layout.take(bits))?,
            zero_threshold: f64::from_bits(bits.take_64()),
            ..NativeHistogram::default()
        };
        (value.positive_spans, value.positive) = self.take_side(bits)?;
        (value.negative_spans, value.negative) = self.take_side(bits)?;
        for _ in 0..self.take_length(bits)? {
            value.custom_bounds.push(f64::from_bits(bits.take_64()));
        }
        bits.check()?;
        Ok(value)
    }

    fn take_side(
        &mut self,
        bits: &mut BitReader<'_>,
    ) -> Result<(Vec<Span>, Vec<f64>), FormatError> {
        let mut spans = Vec::new();
        for _ in 0..self.take_length(bits)? {
            let offset = self.layout.take_signed(bits) as i32;
            spans.push(Span { offset, length: self.layout.take(bits) as u32 });
            bits.check()?;
        }
        Ok((spans, vec![0.0; self.take_length(bits)?]))
    }

    /// A number of things that take at least a bit each, so that a damaged number cannot ask for
    /// more memory than there are bits.
    fn take_length(&mut self, bits: &mut BitReader<'_>) -> Result<usize, FormatError> {
        let length = self.layout.take(bits);
        bits.check()?;
        if length > bits.left() as u64 {
            return Err(FormatError::Truncated);
        }
        Ok(length as usize)
    }

    fn put_counts(
        &mut self,
        last: Option<&NativeHistogram>,
        value: &NativeHistogram,
        writer: &mut BitWriter,
    ) {
        let mut slot = 0;
        let mut total = value.zero_count as i64;
        let zero_before = last.map_or(0, |last| last.zero_count as i64);
        self.zero.put_signed(writer, total - zero_before);
        for side in [Side::Positive, Side::Negative] {
            let (spans, counts) = side.of(value);
            let mut before = Before::new(last, side, spans, counts.len());
            for (position, &count) in counts.iter().enumerate() {
                let change = count as i64 - before.next(position);
                self.context(slot, last).put_signed(writer, change);
                total = total.wrapping_add(count as i64);
                slot += 1;
            }
        }
        self.rest.put_signed(writer, (value.count as i64).wrapping_sub(total));
    }

    fn take_counts(
        &mut self,
        last: Option<&NativeHistogram>,
        value: &mut NativeHistogram,
        bits: &mut BitReader<'_>,
    ) {
        let mut slot = 0;
        let zero_before = last.map_or(0, |last| last.zero_count as i64);
        let mut total = zero_before.wrapping_add(self.zero.take_signed(bits));
        value.zero_count = total as f64;
        for side in [Side::Positive, Side::Negative] {
            let (spans, counts) = side.of_mut(value);
            let mut before = Before::new(last, side, spans, counts.len());
            for (position, count) in counts.iter_mut().enumerate() {
                let change = self.context(slot, last).take_signed(bits);
                let integer = before.next(position).wrapping_add(change);
                *count = integer as f64;
                total = total.wrapping_add(integer);
                slot += 1;
            }
        }
        value.count = total.wrapping_add(self.rest.take_signed(bits)) as f64;
    }

    #[inline]
    fn context(&mut self, slot: usize, last: Option<&NativeHistogram>) -> &mut Rice {
        if last.is_none() {
            return &mut self.first;
        }
        let Some(buckets) = &mut self.buckets else { return &mut self.shared };
        if slot >= buckets.len() {
            buckets.resize(slot + 1, Rice::default());
        }
        &mut buckets[slot]
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Positive,
    Negative,
}

impl Side {
    fn of(self, value: &NativeHistogram) -> (&[Span], &[f64]) {
        match self {
            Self::Positive => (&value.positive_spans, &value.positive),
            Self::Negative => (&value.negative_spans, &value.negative),
        }
    }

    fn of_mut(self, value: &mut NativeHistogram) -> (&[Span], &mut [f64]) {
        match self {
            Self::Positive => (&value.positive_spans, &mut value.positive),
            Self::Negative => (&value.negative_spans, &mut value.negative),
        }
    }
}

/// The counts that one side's buckets had in the histogram before.
enum Before<'a> {
    /// There was no histogram.
    Nothing,
    /// The buckets are the same.
    Same(&'a [f64]),
    /// The buckets are other ones and are found by their index.
    Mapped(Mapped<'a>),
}

impl<'a> Before<'a> {
    fn new(
        last: Option<&'a NativeHistogram>,
        side: Side,
        spans: &'a [Span],
        length: usize,
    ) -> Self {
        let Some((last_spans, last_counts)) = last.map(|last| side.of(last)) else {
            return Self::Nothing;
        };
        if last_spans == spans && last_counts.len() == length {
            return Self::Same(last_counts);
        }
        let mut buckets = bucket_indices(last_spans).zip(last_counts);
        let next = buckets.next();
        let mapped =
            Mapped { indices: Box::new(bucket_indices(spans)), buckets: Box::new(buckets), next };
        Self::Mapped(mapped)
    }

    /// The count before of the next bucket, which stands at `position`.
    #[inline]
    fn next(&mut self, position: usize) -> i64 {
        match self {
            Self::Nothing => 0,
            Self::Same(counts) => counts[position] as i64,
            Self::Mapped(mapped) => mapped.next(),
        }
    }
}

/// Walks the buckets of two histograms side by side.
struct Mapped<'a> {
    indices: Box<dyn Iterator<Item = i64> + 'a>,
    buckets: Box<dyn Iterator<Item = (i64, &'a f64)> + 'a>,
    next: Option<(i64, &'a f64)>,
}

impl Mapped<'_> {
    fn next(&mut self) -> i64 {
        // Buckets that no span covers, which only a broken client sends, count as new.
        let Some(index) = self.indices.next() else { return 0 };
        while let Some((at, count)) = self.next {
            if at > index {
                return 0;
            }
            self.next = self.buckets.next();
            if at == index {
                return *count as i64;
            }
        }
        0
    }
}

fn bucket_indices(spans: &[Span]) -> impl Iterator<Item = i64> + '_ {
    let mut next = 0_i64;
    spans.iter().flat_map(move |span| {
        let start = next + i64::from(span.offset);
        next = start + i64::from(span.length);
        start..next
    })
}

pub(super) fn has_same_layout(a: &NativeHistogram, b: &NativeHistogram) -> bool {
    a.schema == b.schema
        && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
        && a.reset_hint == b.reset_hint
        && a.positive_spans == b.positive_spans
        && a.negative_spans == b.negative_spans
        && a.positive.len() == b.positive.len()
        && a.negative.len() == b.negative.len()
        && a.custom_bounds
            .iter()
            .map(|b| b.to_bits())
            .eq(b.custom_bounds.iter().map(|b| b.to_bits()))
}

pub(super) fn has_whole_counts(value: &NativeHistogram) -> bool {
    counts(value).all(|count| {
        count.abs() < MAX_COUNT && ((count as i64) as f64).to_bits() == count.to_bits()
    })
}

/// The counts of all buckets, that of zero first.
pub(super) fn counts_of(value: &NativeHistogram) -> impl Iterator<Item = f64> + '_ {
    let buckets = value.positive.iter().chain(&value.negative).copied();
    std::iter::once(value.zero_count).chain(buckets)
}

fn counts(value: &NativeHistogram) -> impl Iterator<Item = f64> + '_ {
    let totals = [value.zero_count, value.count];
    totals.into_iter().chain(counts_of(value).skip(1))
}

fn counts_mut(value: &mut NativeHistogram) -> impl Iterator<Item = &mut f64> {
    let totals = [&mut value.zero_count, &mut value.count];
    totals.into_iter().chain(&mut value.positive).chain(&mut value.negative)
}

/// The sum as an integer at this exponent, 0 when that is not exact: a prediction, not a value.
fn integer_sum(value: &NativeHistogram, exponent: u8) -> i64 {
    decimal::to_integer(value.sum, exponent).unwrap_or_default()
}

fn hint_to_number(hint: ResetHint) -> u64 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

fn number_to_hint(number: u64) -> Result<ResetHint, FormatError> {
    match number {
        0 => Ok(ResetHint::Unknown),
        1 => Ok(ResetHint::Reset),
        2 => Ok(ResetHint::NotReset),
        3 => Ok(ResetHint::Gauge),
        _ => Err(FormatError::Invalid("reset hint")),
    }
}
