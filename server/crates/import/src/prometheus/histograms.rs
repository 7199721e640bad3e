//! Chunks of native histograms, of whole numbers and of any. What all histograms of a chunk have in common
//! is said once, before the first. Source: `tsdb/chunkenc/histogram.go`, `float_histogram.go` and
//! `histogram_meta.go` in Prometheus.

use std::sync::Arc;

use model::{
    NativeHistogram, Timestamp,
    histogram::{CUSTOM_BUCKETS_SCHEMA, HIGHEST_SCHEMA, LOWEST_SCHEMA, ResetHint, Span},
    value::is_stale,
};

use super::{bits::Bits, bytes::Bytes, xor};

/// No sound histogram comes near; a damaged number must not take all memory.
const MAX_BUCKETS: u64 = 1 << 16;

/// A histogram with its time.
pub(super) type Sample = (Timestamp, Arc<NativeHistogram>);

/// Adds the histograms of a chunk of whole numbers; `None` when it is damaged.
pub(super) fn decode(bytes: &[u8], samples: &mut Vec<Sample>) -> Option<()> {
    let Chunk { count, hint, layout, mut bits } = open(bytes)?;
    if count == 0 {
        return Some(());
    }
    let (mut at, mut step) = (bits.varbit_int()?, 0);
    let mut counts = [Number::default(), Number::default()];
    counts[0].value = bits.varbit_uint()? as i64;
    counts[1].value = bits.varbit_uint()? as i64;
    let mut sum = bits.take(64)?;
    let mut window = (0, 0);
    let mut buckets = vec![Number::default(); layout.positive.len() + layout.negative.len()];
    for number in 0..count {
        if number > 0 {
            step = if number == 1 {
                bits.varbit_uint()? as i64
            } else {
                bits.varbit_int()?.wrapping_add(step)
            };
            at = at.wrapping_add(step);
            for count in &mut counts {
                count.go_on(&mut bits)?;
            }
            sum ^= xor::change(&mut bits, &mut window)?;
        }
        if is_stale(f64::from_bits(sum)) {
            samples.push((at, stale()));
            continue;
        }
        for bucket in &mut buckets {
            if number == 0 {
                bucket.value = bits.varbit_int()?;
            } else {
                bucket.go_on(&mut bits)?;
            }
        }
        let mut histogram = NativeHistogram { reset_hint: hint.of(number), ..layout.clone() };
        histogram.count = counts[0].value as u64 as f64;
        histogram.zero_count = counts[1].value as u64 as f64;
        histogram.sum = f64::from_bits(sum);
        // Each bucket says how it differs from the one before it.
        let (positive, negative) = buckets.split_at(layout.positive.len());
        for (to, from) in [(&mut histogram.positive, positive), (&mut histogram.negative, negative)]
        {
            let mut total = 0_i64;
            for (to, from) in to.iter_mut().zip(from) {
                total = total.wrapping_add(from.value);
                *to = total as f64;
            }
        }
        samples.push((at, Arc::new(histogram)));
    }
    Some(())
}

/// Adds the histograms of a chunk of any numbers; `None` when it is damaged.
pub(super) fn decode_floats(bytes: &[u8], samples: &mut Vec<Sample>) -> Option<()> {
    let Chunk { count, hint, layout, mut bits } = open(bytes)?;
    if count == 0 {
        return Some(());
    }
    let (mut at, mut step) = (bits.varbit_int()?, 0_i64);
    let mut numbers = vec![(0_u64, (0, 0)); 3 + layout.positive.len() + layout.negative.len()];
    for number in 0..count {
        if number > 0 {
            step = step.wrapping_add(bits.varbit_int()?);
            at = at.wrapping_add(step);
        }
        let (counts, buckets) = numbers.split_at_mut(3);
        let mut read = |(value, window): &mut (u64, (u32, u32))| {
            *value ^= if number == 0 { bits.take(64)? } else { xor::change(&mut bits, window)? };
            Some(f64::from_bits(*value))
        };
        let [total, zeros, sum] = counts else { return None };
        let (total, zeros, sum) = (read(total)?, read(zeros)?, read(sum)?);
        if is_stale(sum) {
            samples.push((at, stale()));
            continue;
        }
        let mut histogram = NativeHistogram { reset_hint: hint.of(number), ..layout.clone() };
        (histogram.count, histogram.zero_count, histogram.sum) = (total, zeros, sum);
        let all = histogram.positive.iter_mut().chain(&mut histogram.negative);
        for (to, from) in all.zip(buckets) {
            *to = read(from)?;
        }
        samples.push((at, Arc::new(histogram)));
    }
    Some(())
}

/// A number that is told by how its difference differs.
#[derive(Debug, Clone, Copy, Default)]
struct Number {
    value: i64,
    step: i64,
}

impl Number {
    fn go_on(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.step = self.step.wrapping_add(bits.varbit_int()?);
        self.value = self.value.wrapping_add(self.step);
        Some(())
    }
}

/// What the first byte of a chunk says of resets.
#[derive(Debug, Clone, Copy)]
struct Hint(u8);

impl Hint {
    /// That of a histogram by its number in the chunk. A chunk ends where a counter restarts, so within one
    /// there is no reset; before one there may be another that is not known here.
    fn of(self, number: u16) -> ResetHint {
        match (self.0 >> 6, number) {
            (0b11, _) => ResetHint::Gauge,
            (_, 1..) => ResetHint::NotReset,
            (0b10, 0) => ResetHint::Reset,
            _ => ResetHint::Unknown,
        }
    }
}

struct Chunk<'a> {
    count: u16,
    hint: Hint,
    /// A histogram with all buckets, empty.
    layout: NativeHistogram,
    bits: Bits<'a>,
}

/// Reads what stands before the first histogram. When there is none the rest is not looked at.
fn open(bytes: &[u8]) -> Option<Chunk<'_>> {
    let mut head = Bytes::new(bytes);
    let count = u16::from_be_bytes(head.take(2)?.try_into().ok()?);
    let hint = Hint(head.take(1)?[0]);
    let mut bits = Bits::new(head.rest());
    if count == 0 {
        return Some(Chunk { count, hint, layout: NativeHistogram::default(), bits });
    }
    let zero_threshold = match bits.take(8)? {
        0 => 0.0,
        255 => bits.float()?,
        exponent => (exponent as f64 - 244.0).exp2(),
    };
    let schema = i32::try_from(bits.varbit_int()?).ok()?;
    let is_known = (LOWEST_SCHEMA..=HIGHEST_SCHEMA).contains(&schema);
    if !is_known && schema != CUSTOM_BUCKETS_SCHEMA {
        return None;
    }
    let (positive_spans, positive) = spans(&mut bits)?;
    let (negative_spans, negative) = spans(&mut bits)?;
    let mut custom_bounds = Vec::new();
    if schema == CUSTOM_BUCKETS_SCHEMA {
        for _ in 0..bits.varbit_uint().filter(|&count| count <= MAX_BUCKETS)? {
            custom_bounds.push(match bits.varbit_uint()? {
                0 => bits.float()?,
                thousandths => (thousandths - 1) as f64 / 1_000.0,
            });
        }
    }
    let layout = NativeHistogram {
        schema,
        zero_threshold,
        positive_spans,
        positive,
        negative_spans,
        negative,
        custom_bounds,
        ..NativeHistogram::default()
    };
    Some(Chunk { count, hint, layout, bits })
}

/// Runs of buckets, and as many empty ones.
fn spans(bits: &mut Bits<'_>) -> Option<(Vec<Span>, Vec<f64>)> {
    let (mut spans, mut buckets) = (Vec::new(), 0);
    for _ in 0..bits.varbit_uint().filter(|&count| count <= MAX_BUCKETS)? {
        let length = bits.varbit_uint()?;
        let offset = i32::try_from(bits.varbit_int()?).ok()?;
        buckets += length.min(MAX_BUCKETS + 1);
        if buckets > MAX_BUCKETS || (!spans.is_empty() && offset < 0) {
            return None;
        }
        spans.push(Span { offset, length: length as u32 });
    }
    Some((spans, vec![0.0; buckets as usize]))
}

/// The end of a series.
fn stale() -> Arc<NativeHistogram> {
    Arc::new(NativeHistogram { sum: model::stale_marker(), ..NativeHistogram::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_no_bytes_panic(bytes: Vec<u8>) {
            for decode in [decode, decode_floats] {
                let mut samples = Vec::new();
                decode(&bytes, &mut samples);
                prop_assert!(samples.len() <= 65_536);
            }
        }
    }
}
