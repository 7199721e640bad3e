//! PromQL's `</` and `>/`: keeping the observations on one side of a value.
//!
//! Inside the bucket that holds the value the observations are taken to be spread evenly, on a
//! logarithmic scale for exponential buckets, on a linear one for custom bounds and the zero bucket.
//! Source: `FloatHistogram.TrimBuckets` in Prometheus.

use super::{Bucket, NativeHistogram};

/// Which observations stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those up to the value.
    Below,
    /// Those above it.
    Above,
}

impl NativeHistogram {
    /// Removes the observations on the other side of `value`. When that changes a bucket, the count
    /// becomes that of what is left, and the sum is estimated from the middles of what is left.
    pub fn trim(&mut self, value: f64, keep: Keep) {
        let is_custom = self.has_custom_buckets();
        let mut left = Left::default();
        let positive: Vec<Bucket> = self.positive_buckets().collect();
        let side = Side { is_custom, is_positive: true };
        let has_positive = left.side(&positive, &mut self.positive, (value, keep), side);
        let negative: Vec<Bucket> = self.negative_buckets().collect();
        let side = Side { is_custom, is_positive: false };
        let has_negative = left.side(&negative, &mut self.negative, (value, keep), side);
        if self.zero_count > 0.0 {
            let mut bucket = self.zero_bucket();
            // A zero bucket ends at zero when all other observations are on the other side.
            match (has_negative, has_positive) {
                (true, false) => bucket.upper = 0.0,
                (false, true) => bucket.lower = 0.0,
                _ => {}
            }
            left.add(&mut self.zero_count, zero_part(bucket, value, keep));
        }
        if left.is_changed {
            self.count = left.count;
            self.sum = left.sum;
            self.compact();
        }
    }
}

#[derive(Clone, Copy)]
struct Side {
    is_custom: bool,
    is_positive: bool,
}

/// What is left of a bucket: how many observations, and the value that stands for them.
#[derive(Clone, Copy)]
struct Part {
    count: f64,
    middle: f64,
}

/// What is left of all buckets.
#[derive(Default)]
struct Left {
    count: f64,
    sum: f64,
    is_changed: bool,
}

impl Left {
    /// Trims the buckets of one side; whether any of them was populated.
    fn side(
        &mut self,
        buckets: &[Bucket],
        counts: &mut [f64],
        (value, keep): (f64, Keep),
        side: Side,
    ) -> bool {
        let mut is_populated = false;
        for (bucket, count) in buckets.iter().zip(counts) {
            if bucket.count == 0.0 {
                continue;
            }
            is_populated = true;
            let (stays, is_cut) = match keep {
                Keep::Below => (bucket.upper <= value, bucket.lower < value),
                Keep::Above => (bucket.lower >= value, bucket.upper > value),
            };
            let part = if stays {
                Part { count: bucket.count, middle: middle(bucket.lower, bucket.upper, side) }
            } else if is_cut {
                cut(*bucket, value, keep, side)
            } else {
                Part { count: 0.0, middle: 0.0 }
            };
            self.add(count, part);
        }
        is_populated
    }

    fn add(&mut self, count: &mut f64, part: Part) {
        self.is_changed |= *count != part.count;
        *count = part.count;
        self.count += part.count;
        self.sum += part.middle * part.count;
    }
}

/// The value that stands for what lies between two bounds.
fn middle(lower: f64, upper: f64, side: Side) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if side.is_custom => f64::midpoint(lower, upper),
        (false, false) => {
            let geometric = (lower * upper).abs().sqrt();
            if side.is_positive { geometric } else { -geometric }
        }
    }
}

/// What stays of the bucket that holds the value.
fn cut(bucket: Bucket, value: f64, keep: Keep, side: Side) -> Part {
    if bucket.lower == f64::NEG_INFINITY {
        return cut_without_lower_bound(bucket, value, keep);
    }
    if bucket.upper == f64::INFINITY {
        // Nothing is known of the spread towards infinity: the bucket stays or goes as a whole.
        return match keep {
            Keep::Above => Part { count: bucket.count, middle: value },
            Keep::Below => Part { count: 0.0, middle: 0.0 },
        };
    }
    let below = count_below(bucket, value, side);
    match keep {
        Keep::Below => Part { count: below, middle: middle(bucket.lower, value, side) },
        Keep::Above => {
            Part { count: bucket.count - below, middle: middle(value, bucket.upper, side) }
        }
    }
}

/// The first custom bucket is taken to begin at zero when its upper bound is positive.
fn cut_without_lower_bound(bucket: Bucket, value: f64, keep: Keep) -> Part {
    let Bucket { upper, count, .. } = bucket;
    let has_positive_bound = upper > 0.0 && upper.is_finite();
    match keep {
        Keep::Below if has_positive_bound && value > 0.0 => {
            Part { count: count * value / upper, middle: value / 2.0 }
        }
        Keep::Below if upper <= 0.0 => Part { count, middle: value },
        Keep::Above if has_positive_bound && value >= 0.0 => {
            Part { count: count * (1.0 - value / upper), middle: f64::midpoint(value, upper) }
        }
        Keep::Below | Keep::Above => Part { count: 0.0, middle: 0.0 },
    }
}

fn zero_part(bucket: Bucket, value: f64, keep: Keep) -> Part {
    let Bucket { lower, upper, count, .. } = bucket;
    let inside = match value {
        value if value < lower => lower,
        value if value > upper => upper,
        value => value,
    };
    let (from, to) = match keep {
        Keep::Below => (lower, inside),
        Keep::Above => (inside, upper),
    };
    if from >= to {
        // Only a bucket without extent can be all there and yet have none.
        let stays = match keep {
            Keep::Below => value >= upper && value > lower,
            Keep::Above => value <= lower,
        };
        let count = if stays { count } else { 0.0 };
        return Part { count, middle: f64::midpoint(lower, upper) };
    }
    Part { count: count * ((to - from) / (upper - lower)), middle: f64::midpoint(from, to) }
}

/// How many observations of a bucket with finite bounds are at most `value`, which is inside.
fn count_below(bucket: Bucket, value: f64, side: Side) -> f64 {
    let Bucket { lower, upper, count, .. } = bucket;
    if side.is_custom {
        return count * ((value - lower) / (upper - lower));
    }
    let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
    let at = value.abs().log2();
    let share = if side.is_positive {
        (at - log_lower) / (log_upper - log_lower)
    } else {
        1.0 - (at - log_upper) / (log_lower - log_upper)
    };
    count * share
}
