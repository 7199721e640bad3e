//! Native histograms. Within an exponential bucket observations are taken to be spread evenly on a
//! logarithmic scale, within custom buckets and the zero bucket on a linear one. Source:
//! `promql/quantile.go` in Prometheus.

use model::{NativeHistogram, histogram::Bucket};

use crate::functions::range::Kahan;

/// What observations that are not numbers do to a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skew {
    /// The quantile is among them.
    Nan,
    /// It is higher than without them.
    Higher,
}

/// A quantile.
pub(super) fn quantile(q: f64, histogram: &NativeHistogram) -> (f64, Option<Skew>) {
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if histogram.count == 0.0 || q.is_nan() {
        return (f64::NAN, None);
    }
    // Observations of NaN are in the count but in no bucket, so that only the way up finds the rank.
    let has_nan = histogram.sum.is_nan();
    let goes_up = has_nan || q < 0.5;
    let mut rank = if goes_up { q } else { 1.0 - q } * histogram.count;
    let mut buckets = histogram.buckets();
    if !goes_up {
        buckets.reverse();
    }
    let mut count = 0.0;
    let mut found: Option<Bucket> = None;
    for bucket in buckets {
        found = Some(bucket);
        if bucket.count == 0.0 {
            continue;
        }
        count += bucket.count;
        if count >= rank {
            break;
        }
    }
    let Some(bucket) = found else {
        // Observations without a bucket, of which only NaN may have none.
        let value = if has_nan || rank <= 0.0 { f64::NAN } else { 0.0 };
        return (value, has_nan.then_some(Skew::Nan));
    };
    let mut bucket =
        if histogram.has_custom_buckets() { bucket } else { one_sided(bucket, histogram) };
    if histogram.has_custom_buckets() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return (bucket.upper, None);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return (bucket.lower, None);
        }
    }
    count = count.min(histogram.count);
    if count < rank {
        // Beyond all buckets: among the observations of NaN, if there are any.
        return if has_nan { (f64::NAN, Some(Skew::Nan)) } else { (bucket.upper, None) };
    }
    rank = if goes_up { rank - (count - bucket.count) } else { count - rank };
    // A sum of both infinities is NaN too, but then every observation is in a bucket.
    let is_skewed = has_nan && in_buckets(&histogram.buckets()) < histogram.count;
    let value = interpolate(bucket, rank / bucket.count, histogram);
    (value, is_skewed.then_some(Skew::Higher))
}

fn in_buckets(buckets: &[Bucket]) -> f64 {
    buckets.iter().fold(0.0, |sum, bucket| sum + bucket.count)
}

/// The value below which a share of a bucket lies.
fn interpolate(bucket: Bucket, share: f64, histogram: &NativeHistogram) -> f64 {
    let Bucket { lower, upper, .. } = bucket;
    if histogram.has_custom_buckets() || (lower <= 0.0 && upper >= 0.0) {
        return lower + (upper - lower) * share;
    }
    let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
    if lower > 0.0 {
        return (log_lower + (log_upper - log_lower) * share).exp2();
    }
    -(log_upper + (log_lower - log_upper) * (1.0 - share)).exp2()
}

/// A zero bucket ends at zero when all other observations are on the other side.
fn one_sided(mut bucket: Bucket, histogram: &NativeHistogram) -> Bucket {
    if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
        if histogram.negative.is_empty() && !histogram.positive.is_empty() {
            bucket.lower = 0.0;
        } else if histogram.positive.is_empty() && !histogram.negative.is_empty() {
            bucket.upper = 0.0;
        }
    }
    bucket
}

/// The share of observations between two values, and whether observations of NaN were left out.
pub(super) fn fraction(lower: f64, upper: f64, histogram: &NativeHistogram) -> (f64, bool) {
    let total = histogram.count;
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return (f64::NAN, false);
    }
    if lower >= upper {
        return (0.0, false);
    }
    let buckets = histogram.buckets();
    let counted = if histogram.sum.is_nan() { in_buckets(&buckets) } else { total };
    let ranks = [lower, upper].map(|value| rank(&buckets, value, histogram).min(counted));
    ((ranks[1] - ranks[0]) / total, counted < total)
}

/// How many observations are up to a value.
fn rank(buckets: &[Bucket], value: f64, histogram: &NativeHistogram) -> f64 {
    let mut before = 0.0;
    for bucket in buckets {
        let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        let mut bucket = one_sided(*bucket, histogram);
        if histogram.has_custom_buckets() && bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0
        {
            bucket.lower = 0.0;
        }
        if bucket.lower >= value {
            return before;
        }
        if bucket.upper > value {
            let is_linear = histogram.has_custom_buckets() || is_zero;
            return before + bucket.count * share_below(bucket, value, is_linear);
        }
        before += bucket.count;
    }
    f64::INFINITY
}

fn share_below(bucket: Bucket, value: f64, is_linear: bool) -> f64 {
    let Bucket { lower, upper, .. } = bucket;
    if is_linear {
        if lower.is_infinite() {
            // Nothing can be said of the inside of such a bucket: all of it counts as lower.
            return 1.0;
        }
        return (value - lower) / (upper - lower);
    }
    let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
    let at = value.abs().log2();
    if value > 0.0 {
        (at - log_lower) / (log_upper - log_lower)
    } else {
        1.0 - (at - log_upper) / (log_lower - log_upper)
    }
}

/// The variance, every observation taken to be in the middle of its bucket.
pub(super) fn variance(histogram: &NativeHistogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut squares = Kahan::default();
    for bucket in histogram.buckets() {
        if bucket.count == 0.0 {
            continue;
        }
        let middle = if histogram.has_custom_buckets() {
            f64::midpoint(bucket.lower, bucket.upper)
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.lower * bucket.upper).sqrt().copysign(bucket.upper)
        };
        let delta = middle - mean;
        squares.add(bucket.count * delta * delta);
    }
    (squares.sum + squares.compensation) / histogram.count
}
