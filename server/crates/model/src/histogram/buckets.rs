//! Buckets with their bounds.

use super::{CUSTOM_BUCKETS_SCHEMA, NativeHistogram, spans};

/// A bucket with its bounds.
///
/// Buckets above zero, and all custom ones, include their upper bound, those below zero their lower
/// one, the zero bucket both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The lower bound, −∞ for the first custom bucket.
    pub lower: f64,
    /// The upper bound, +∞ for the last custom bucket.
    pub upper: f64,
    /// Whether the lower bound belongs to the bucket.
    pub lower_inclusive: bool,
    /// Whether the upper bound belongs to the bucket.
    pub upper_inclusive: bool,
    /// How many observations it holds.
    pub count: f64,
}

/// All buckets of a histogram, ascending: see [`NativeHistogram::buckets`].
pub type Buckets = Vec<Bucket>;

impl NativeHistogram {
    /// The zero bucket.
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// The buckets above zero, or all of them when the bounds are custom, ascending.
    pub fn positive_buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        spans::indexed(&self.positive_spans, &self.positive).map(|(index, count)| Bucket {
            lower: bucket_bound(self.schema, index.saturating_sub(1), &self.custom_bounds),
            upper: bucket_bound(self.schema, index, &self.custom_bounds),
            lower_inclusive: false,
            upper_inclusive: true,
            count,
        })
    }

    /// The buckets below zero, from zero down.
    pub fn negative_buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        spans::indexed(&self.negative_spans, &self.negative).map(|(index, count)| Bucket {
            lower: -bucket_bound(self.schema, index, &self.custom_bounds),
            upper: -bucket_bound(self.schema, index.saturating_sub(1), &self.custom_bounds),
            lower_inclusive: true,
            upper_inclusive: false,
            count,
        })
    }

    /// All buckets, ascending, with the zero bucket when it is populated. A bucket that overlaps the
    /// zero bucket begins where that ends.
    pub fn buckets(&self) -> Buckets {
        let threshold = self.zero_threshold;
        let mut all: Buckets = self.negative_buckets().collect();
        all.reverse();
        if self.zero_count > 0.0 {
            all.push(self.zero_bucket());
        }
        all.extend(self.positive_buckets());
        for bucket in &mut all {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            } else if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
        }
        all
    }
}

/// The upper bound of the bucket above zero with this index.
///
/// The last exponential bucket before infinity ends at the greatest finite number, as in Prometheus.
pub fn bucket_bound(schema: i32, index: i32, custom_bounds: &[f64]) -> f64 {
    if schema == CUSTOM_BUCKETS_SCHEMA {
        return match usize::try_from(index) {
            Ok(index) => custom_bounds.get(index).copied().unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        };
    }
    if schema <= 0 {
        let exponent = i64::from(index) << (-schema).min(31);
        return if exponent == 1024 { f64::MAX } else { power_of_two(exponent as f64) };
    }
    let per_doubling = 1_i32 << schema.min(30);
    let fraction = f64::from(index.rem_euclid(per_doubling)) / f64::from(per_doubling);
    let exponent = index.div_euclid(per_doubling);
    if exponent == 1024 && fraction == 0.0 {
        return f64::MAX;
    }
    fraction.exp2() * power_of_two(f64::from(exponent))
}

fn power_of_two(exponent: f64) -> f64 {
    exponent.exp2()
}
