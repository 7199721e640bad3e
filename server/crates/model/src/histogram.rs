//! Native histograms: sparse exponential buckets, Prometheus's `FloatHistogram`.
//!
//! In schema `n` (−4 to 8) bucket `i` holds values in `(base^(i-1), base^i]` with
//! `base = 2^(2^-n)`; schema 5 gives every percentile within 1.1 %. Schema −53 has custom bounds.
//! Source: `model/histogram/float_histogram.go` in Prometheus, and its specification of native
//! histograms.

mod arithmetic;
mod buckets;
mod display;
mod resets;
mod spans;
mod trim;

pub use arithmetic::{Combined, CompensatedSum, IncompatibleSchemas};
pub use buckets::{Bucket, Buckets, bucket_bound};
pub use trim::Keep;

/// The schema with the coarsest exponential buckets.
pub const LOWEST_SCHEMA: i32 = -4;

/// The schema with the finest exponential buckets.
pub const HIGHEST_SCHEMA: i32 = 8;

/// The schema with custom bounds.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// For the first span the index of its first bucket; later the gap to the span before.
    pub offset: i32,
    /// How many buckets follow one another.
    pub length: u32,
}

/// What is known of a counter reset before this histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetHint {
    /// Nothing: compare to find out.
    #[default]
    Unknown,
    /// The counter was reset.
    Reset,
    /// It was not.
    NotReset,
    /// Not a counter but a gauge.
    Gauge,
}

/// A distribution of observations. Bucket counts are absolute, not deltas.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NativeHistogram {
    /// Resolution; see the module's documentation.
    pub schema: i32,
    /// Observations up to this absolute value count as zero.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// The sum of all observations.
    pub sum: f64,
    /// Runs of [`Self::positive`].
    pub positive_spans: Vec<Span>,
    /// Counts of the buckets above zero, in order of the bounds.
    pub positive: Vec<f64>,
    /// Runs of [`Self::negative`].
    pub negative_spans: Vec<Span>,
    /// Counts of the buckets below zero, in order of the absolute bounds.
    pub negative: Vec<f64>,
    /// Upper bounds for [`CUSTOM_BUCKETS_SCHEMA`], without the infinite last one; else empty.
    pub custom_bounds: Vec<f64>,
    /// Whether the counter restarted before this.
    pub reset_hint: ResetHint,
}

impl NativeHistogram {
    /// Whether the buckets have bounds of their own instead of an exponential schema.
    pub fn has_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Multiplies every count and the sum. A negative factor makes a gauge of it.
    pub fn scale(&mut self, factor: f64) {
        self.for_each_number(|number| *number *= factor);
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Divides every count and the sum. A negative divisor makes a gauge of it; division by zero
    /// leaves no buckets.
    pub fn divide(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.positive_spans.clear();
            self.positive.clear();
            self.negative_spans.clear();
            self.negative.clear();
        }
        self.for_each_number(|number| *number /= divisor);
        if divisor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Whether the count, the sum or a bucket is infinite.
    pub fn has_overflow(&self) -> bool {
        [self.zero_count, self.count, self.sum]
            .iter()
            .chain(&self.positive)
            .chain(&self.negative)
            .any(|number| number.is_infinite())
    }

    /// Removes empty buckets and joins adjacent spans, so that equal distributions have equal fields.
    pub fn compact(&mut self) {
        spans::compact(&mut self.positive_spans, &mut self.positive);
        spans::compact(&mut self.negative_spans, &mut self.negative);
    }

    /// Merges buckets so that the resolution is that of the lower schema `target`. Nothing happens when
    /// it is not lower or the bounds are custom.
    pub fn reduce_resolution(&mut self, target: i32) {
        if self.has_custom_buckets() || target >= self.schema || target < LOWEST_SCHEMA {
            return;
        }
        let shift = self.schema - target;
        for (spans, counts) in [
            (&mut self.positive_spans, &mut self.positive),
            (&mut self.negative_spans, &mut self.negative),
        ] {
            (*spans, *counts) = spans::merge_resolution(spans, counts, shift);
        }
        self.schema = target;
    }

    /// Whether both hold the same data: bit for bit, in the same buckets. Compact both first. What is
    /// known of counter resets does not count.
    pub fn has_same_data(&self, other: &Self) -> bool {
        let same = |a: &[f64], b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
        };
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && same(
                &[self.count, self.sum, self.zero_count],
                &[other.count, other.sum, other.zero_count],
            )
            && (!self.has_custom_buckets() || self.custom_bounds == other.custom_bounds)
            && spans::match_layout(&self.positive_spans, &other.positive_spans)
            && spans::match_layout(&self.negative_spans, &other.negative_spans)
            && same(&self.positive, &other.positive)
            && same(&self.negative, &other.negative)
    }

    fn for_each_number(&mut self, mut change: impl FnMut(&mut f64)) {
        change(&mut self.zero_count);
        change(&mut self.count);
        change(&mut self.sum);
        self.positive.iter_mut().chain(&mut self.negative).for_each(change);
    }
}

#[cfg(test)]
mod tests;
