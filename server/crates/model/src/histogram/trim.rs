//! PromQL's `</` and `>/`: keeping the observations on one side of a value.
//!
//! Inside the bucket that holds the value the observations are taken to be spread evenly, on a
//! logarithmic scale for exponential buckets, on a linear one for custom bounds and the zero bucket.

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
    /// Removes the observations on the other side of `value`; the count becomes that of what is left
    /// and the sum is estimated from the middle of what was removed.
    pub fn trim(&mut self, value: f64, keep: Keep) {
        let is_custom = self.has_custom_buckets();
        let mut outcome = Trimmed::default();
        let positive: Vec<Bucket> = self.positive_buckets().collect();
        for (bucket, count) in positive.into_iter().zip(&mut self.positive) {
            if bucket.count == 0.0 {
                continue;
            }
            if is_custom {
                outcome.has_negative |= bucket.lower < 0.0 || bucket.upper <= 0.0;
                outcome.has_positive |= bucket.upper > 0.0;
            } else {
                outcome.has_positive = true;
            }
            *count = outcome.keep(bucket, value, keep, Side { is_custom, is_positive: true });
        }
        let negative: Vec<Bucket> = self.negative_buckets().collect();
        for (bucket, count) in negative.into_iter().zip(&mut self.negative) {
            if bucket.count == 0.0 {
                continue;
            }
            outcome.has_negative = true;
            *count = outcome.keep(bucket, value, keep, Side { is_custom, is_positive: false });
        }
        if self.zero_count > 0.0 {
            let below = count_below(self.zero_bucket(), value, true, true);
            self.zero_count = match keep {
                Keep::Below => below,
                Keep::Above => self.zero_count - below,
            };
            outcome.count += self.zero_count;
        }
        self.sum = outcome.new_sum(self.sum);
        self.count = outcome.count;
        self.compact();
    }
}

#[derive(Clone, Copy)]
struct Side {
    is_custom: bool,
    is_positive: bool,
}

#[derive(Default)]
struct Trimmed {
    count: f64,
    removed_sum: f64,
    has_positive: bool,
    has_negative: bool,
}

impl Trimmed {
    /// What of a bucket stays.
    fn keep(&mut self, bucket: Bucket, value: f64, keep: Keep, side: Side) -> f64 {
        let (is_kept, is_cut) = match keep {
            Keep::Below => (bucket.upper <= value, bucket.lower < value),
            Keep::Above => (bucket.lower >= value, bucket.upper > value),
        };
        if is_kept {
            self.count += bucket.count;
            return bucket.count;
        }
        let (kept, middle) = cut(bucket, value, keep, side);
        if is_cut {
            self.removed_sum += (bucket.count - kept) * middle;
            self.count += kept;
            return kept;
        }
        let middle = if side.is_custom { middle } else { (bucket.lower * bucket.upper).sqrt() };
        self.removed_sum += bucket.count * middle;
        0.0
    }

    fn new_sum(&self, sum: f64) -> f64 {
        if self.count == 0.0 {
            return 0.0;
        }
        let sum = sum - self.removed_sum;
        let impossible = (!self.has_negative && sum < 0.0) || (!self.has_positive && sum > 0.0);
        if impossible { 0.0 } else { sum }
    }
}

/// How many observations of a bucket stay, and the middle of the part that goes.
fn cut(bucket: Bucket, value: f64, keep: Keep, side: Side) -> (f64, f64) {
    if bucket.lower.is_infinite() || bucket.upper.is_infinite() {
        return cut_infinite(bucket, value, keep);
    }
    let below = count_below(bucket, value, side.is_positive, side.is_custom);
    let (kept, product) = match keep {
        Keep::Below => (below, bucket.lower.abs() * value.abs()),
        Keep::Above => (bucket.count - below, value.abs() * bucket.upper.abs()),
    };
    let middle = match (side.is_custom, side.is_positive) {
        (true, _) => f64::midpoint(bucket.lower, bucket.upper),
        (false, true) => product.sqrt(),
        (false, false) => -product.sqrt(),
    };
    (kept, middle)
}

/// A custom bucket without a bound on one side. Nothing is known of the spread towards infinity, so
/// such a bucket goes as a whole when it is cut, except that the first one is taken to begin at zero
/// when its upper bound is positive.
fn cut_infinite(bucket: Bucket, value: f64, keep: Keep) -> (f64, f64) {
    if bucket.lower.is_infinite() {
        let begins_at_zero = value >= 0.0 && bucket.upper > value && bucket.upper.is_finite();
        return match keep {
            Keep::Below if value >= bucket.upper => (bucket.count, 0.0),
            Keep::Below if begins_at_zero => {
                (bucket.count * value / bucket.upper, f64::midpoint(value, bucket.upper))
            }
            Keep::Above if value <= bucket.lower => (bucket.count, 0.0),
            Keep::Above if begins_at_zero => {
                (bucket.count * (1.0 - value / bucket.upper), value / 2.0)
            }
            Keep::Below | Keep::Above => (0.0, bucket.upper),
        };
    }
    match keep {
        Keep::Above if value <= bucket.lower => (bucket.count, 0.0),
        Keep::Above | Keep::Below => (0.0, bucket.lower),
    }
}

/// How many observations of a bucket are at most `value`.
fn count_below(bucket: Bucket, value: f64, is_positive: bool, is_linear: bool) -> f64 {
    if value <= bucket.lower {
        return 0.0;
    }
    if value >= bucket.upper {
        return bucket.count;
    }
    if is_linear {
        return bucket.count * ((value - bucket.lower) / (bucket.upper - bucket.lower));
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    let at = value.abs().log2();
    let fraction = if is_positive {
        (at - lower) / (upper - lower)
    } else {
        1.0 - (at - upper) / (lower - upper)
    };
    bucket.count * fraction
}
