//! Classic histograms: cumulative counts per upper bound. Within a bucket observations are taken to be
//! spread evenly. Source: `promql/quantile.go` in Prometheus.

use model::Timestamp;

use crate::annotations::Forced;

/// A cumulative bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClassicBucket {
    pub(super) upper: f64,
    pub(super) count: f64,
}

/// Smaller relative differences between neighbors are rounding errors.
const TOLERANCE: f64 = 1e-12;

/// A quantile; the buckets are sorted and repaired on the way.
pub(super) fn quantile(
    q: f64,
    buckets: &mut Vec<ClassicBucket>,
    at: Timestamp,
) -> (f64, Option<Forced>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if !(0.0..=1.0).contains(&q) {
        return (if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY }, None);
    }
    if !sort_and_join(buckets) {
        return (f64::NAN, None);
    }
    let forced = make_monotonic(buckets, at);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if buckets.len() < 2 || observations == 0.0 {
        return (f64::NAN, forced);
    }
    let mut rank = q * observations;
    // Without a known number of observations the rank is beyond all buckets.
    let is_known = !rank.is_nan();
    let found = buckets[..last].partition_point(|bucket| !is_known || bucket.count < rank);
    if found == last {
        return (buckets[last - 1].upper, forced);
    }
    if found == 0 && buckets[0].upper <= 0.0 {
        return (buckets[0].upper, forced);
    }
    let (mut start, mut count) = (0.0, buckets[found].count);
    if found > 0 {
        let below = buckets[found - 1];
        start = below.upper;
        count -= below.count;
        rank -= below.count;
    }
    (start + (buckets[found].upper - start) * (rank / count), forced)
}

/// The share of observations between two values.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if !sort_and_join(buckets) {
        return f64::NAN;
    }
    let count = buckets[buckets.len() - 1].count;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let below = |value: f64| rank(buckets, value, count);
    (below(upper) - below(lower)) / count
}

/// How many observations are up to a value. The lowest bucket begins at zero, or at −∞ when its upper
/// bound is not positive.
fn rank(buckets: &[ClassicBucket], value: f64, count: f64) -> f64 {
    let mut before = 0.0;
    let mut start = if buckets[0].upper <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    for bucket in buckets {
        if start >= value {
            return before;
        }
        if bucket.upper > value {
            // Nothing can be said of the inside of a bucket without bound: below it all counts as
            // lower, above it as higher.
            let part =
                if start.is_infinite() { 1.0 } else { (value - start) / (bucket.upper - start) };
            return (before + (bucket.count - before) * part).min(count);
        }
        before = bucket.count;
        start = bucket.upper;
    }
    count
}

/// Sorts the buckets and joins those with the same bound; false when the last is not infinite.
fn sort_and_join(buckets: &mut Vec<ClassicBucket>) -> bool {
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    buckets.dedup_by(|next, kept| {
        let is_same = next.upper == kept.upper;
        if is_same {
            kept.count += next.count;
        }
        is_same
    });
    buckets.last().is_some_and(|last| last.upper == f64::INFINITY)
}

/// Ignores tiny differences between neighbors and raises buckets that hold less than a lower one.
fn make_monotonic(buckets: &mut [ClassicBucket], at: Timestamp) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == before {
            continue;
        }
        let is_tiny = (count - before).abs() < TOLERANCE * (count.abs() + before.abs());
        if is_tiny {
            bucket.count = before;
        } else if count < before {
            let difference = before - count;
            let known = forced.get_or_insert(Forced {
                from: bucket.upper,
                to: bucket.upper,
                difference,
                first: at,
                last: at,
                samples: 1,
            });
            known.to = bucket.upper;
            known.difference = known.difference.max(difference);
            bucket.count = before;
        } else {
            before = count;
        }
    }
    forced
}
