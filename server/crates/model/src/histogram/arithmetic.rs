//! Addition and subtraction of histograms with different layouts.
//!
//! Before two histograms are added they are brought to one layout: the wider zero bucket (widened
//! further to the bound of a populated bucket it would cut), the lower schema, and of custom bounds
//! those that both have. Source: `FloatHistogram.Add` in Prometheus.

use std::borrow::Cow;

use super::{NativeHistogram, ResetHint, bucket_bound, spans};

/// Two histograms that have no common layout: one has custom bounds, the other an exponential schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("histograms with exponential and custom buckets cannot be combined")]
pub struct IncompatibleSchemas;

/// What a reader should be told of an addition or subtraction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Combined {
    /// One side was known to follow a counter reset, the other known not to.
    pub reset_conflict: bool,
    /// The custom bounds differed; only those in both were kept.
    pub bounds_reconciled: bool,
}

impl NativeHistogram {
    /// Adds another histogram, bringing both to a common layout. Compact the result to remove buckets
    /// that became empty.
    ///
    /// # Errors
    /// [`IncompatibleSchemas`]; nothing is changed then.
    pub fn add(&mut self, other: &Self) -> Result<Combined, IncompatibleSchemas> {
        self.combine(other, 1.0)
    }

    /// Subtracts another histogram, bringing both to a common layout. The result's reset hint is that
    /// of an addition; a difference that is shown should be marked as a gauge.
    ///
    /// # Errors
    /// [`IncompatibleSchemas`]; nothing is changed then.
    pub fn subtract(&mut self, other: &Self) -> Result<Combined, IncompatibleSchemas> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<Combined, IncompatibleSchemas> {
        let (other, bounds_reconciled) = unify(self, None, other)?;
        let reset_conflict = self.merge_reset_hint(other.reset_hint);
        self.zero_count += sign * other.zero_count;
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        let keep = outside_zero(self);
        spans::add(
            (&mut self.positive_spans, &mut self.positive),
            (&other.positive_spans, &other.positive),
            |ours, theirs| ours + sign * theirs,
            &keep,
        );
        spans::add(
            (&mut self.negative_spans, &mut self.negative),
            (&other.negative_spans, &other.negative),
            |ours, theirs| ours + sign * theirs,
            &keep,
        );
        Ok(Combined { reset_conflict, bounds_reconciled })
    }

    /// The hint of a combination, and whether the two contradict each other.
    fn merge_reset_hint(&mut self, other: ResetHint) -> bool {
        let (hint, conflict) = match (self.reset_hint, other) {
            (a, b) if a == b => (a, false),
            (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => (ResetHint::Gauge, false),
            (ResetHint::Unknown, _) | (_, ResetHint::Unknown) => (ResetHint::Unknown, false),
            _ => (ResetHint::Unknown, true),
        };
        self.reset_hint = hint;
        conflict
    }

    /// The zero count for a zero bucket of at least this threshold, and the threshold, widened to the
    /// outer bound of a populated bucket it would cut.
    pub(super) fn zero_count_within(&self, threshold: f64) -> (f64, f64) {
        let mut threshold = threshold;
        'widened: loop {
            let mut count = self.zero_count;
            for bucket in self.positive_buckets() {
                if bucket.lower >= threshold {
                    break;
                }
                count += bucket.count;
                if bucket.upper > threshold {
                    if bucket.count != 0.0 {
                        threshold = bucket.upper;
                    }
                    break;
                }
            }
            for bucket in self.negative_buckets() {
                if bucket.upper <= -threshold {
                    break;
                }
                count += bucket.count;
                if bucket.lower < -threshold {
                    if bucket.count != 0.0 {
                        threshold = -bucket.lower;
                        continue 'widened;
                    }
                    break;
                }
            }
            return (count, threshold);
        }
    }

    /// Widens the zero bucket to at least `threshold`.
    fn widen_zero_bucket(&mut self, threshold: f64) {
        let (count, threshold) = self.zero_count_within(threshold);
        self.zero_count = count;
        self.zero_threshold = threshold;
        self.drop_buckets_inside_zero();
    }

    /// Moves every bucket that begins below the threshold into the zero bucket.
    fn absorb_into_zero(&mut self, threshold: f64) {
        let inside: f64 = self
            .positive_buckets()
            .filter(|bucket| bucket.lower < threshold)
            .chain(self.negative_buckets().filter(|bucket| bucket.upper > -threshold))
            .map(|bucket| bucket.count)
            .sum();
        self.zero_count += inside;
        self.zero_threshold = threshold;
        self.drop_buckets_inside_zero();
    }

    fn drop_buckets_inside_zero(&mut self) {
        let (schema, threshold) = (self.schema, self.zero_threshold);
        let is_outside =
            |index: i32| bucket_bound(schema, index.saturating_sub(1), &[]) >= threshold;
        for (spans, counts) in [
            (&mut self.positive_spans, &mut self.positive),
            (&mut self.negative_spans, &mut self.negative),
        ] {
            let kept: Vec<(i32, f64)> =
                spans::indexed(spans, counts).filter(|(index, _)| is_outside(*index)).collect();
            (*spans, *counts) = spans::from_indexed(kept);
        }
    }

    /// Moves the counts to coarser custom bounds, all of which are among the present ones.
    fn rebucket(&mut self, bounds: &[f64]) {
        let mut counts = vec![0.0; bounds.len() + 1];
        for bucket in self.positive_buckets() {
            counts[bounds.partition_point(|bound| *bound < bucket.upper)] += bucket.count;
        }
        let indexed = counts.into_iter().enumerate();
        (self.positive_spans, self.positive) =
            spans::from_indexed(indexed.map(|(index, count)| (index as i32, count)));
        self.custom_bounds = bounds.to_vec();
    }
}

/// Which indices of a side lie outside the zero bucket.
fn outside_zero(histogram: &NativeHistogram) -> impl Fn(i32) -> bool + use<> {
    let (schema, threshold) = (histogram.schema, histogram.zero_threshold);
    let is_custom = histogram.has_custom_buckets();
    move |index| is_custom || threshold == 0.0 || bucket_bound(schema, index, &[]) > threshold
}

/// Brings two histograms, and the compensation kept beside the first, to one layout. Returns the
/// second in that layout and whether custom bounds had to give way.
fn unify<'a>(
    target: &mut NativeHistogram,
    mut compensation: Option<&mut NativeHistogram>,
    other: &'a NativeHistogram,
) -> Result<(Cow<'a, NativeHistogram>, bool), IncompatibleSchemas> {
    if target.has_custom_buckets() != other.has_custom_buckets() {
        return Err(IncompatibleSchemas);
    }
    let mut other = Cow::Borrowed(other);
    if target.has_custom_buckets() {
        if target.custom_bounds == other.custom_bounds {
            return Ok((other, false));
        }
        let common: Vec<f64> = target
            .custom_bounds
            .iter()
            .filter(|bound| other.custom_bounds.contains(bound))
            .copied()
            .collect();
        target.rebucket(&common);
        if let Some(compensation) = &mut compensation {
            compensation.rebucket(&common);
        }
        other.to_mut().rebucket(&common);
        return Ok((other, true));
    }
    while other.zero_threshold != target.zero_threshold {
        if target.zero_threshold > other.zero_threshold {
            let threshold = target.zero_threshold;
            other.to_mut().widen_zero_bucket(threshold);
        } else if other.zero_threshold > target.zero_threshold {
            target.widen_zero_bucket(other.zero_threshold);
            if let Some(compensation) = &mut compensation {
                compensation.absorb_into_zero(target.zero_threshold);
            }
        } else {
            // A threshold that is not a number compares with nothing; the layouts stay as they are.
            break;
        }
    }
    if other.schema < target.schema {
        target.reduce_resolution(other.schema);
        if let Some(compensation) = &mut compensation {
            compensation.reduce_resolution(other.schema);
        }
    } else if other.schema > target.schema {
        other.to_mut().reduce_resolution(target.schema);
    }
    Ok((other, false))
}

/// A running sum of histograms that keeps the rounding error of every number beside it (Neumaier's
/// variant of Kahan's summation), as Prometheus does for `sum` and `avg`.
#[derive(Debug, Clone)]
pub struct CompensatedSum {
    sum: NativeHistogram,
    /// The errors, always in the layout of the sum.
    compensation: NativeHistogram,
}

impl CompensatedSum {
    /// A sum of one histogram.
    pub fn new(first: NativeHistogram) -> Self {
        let mut compensation = first.clone();
        compensation.for_each_number(|number| *number = 0.0);
        Self { sum: first, compensation }
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// [`IncompatibleSchemas`]; the sum is unchanged then.
    pub fn add(&mut self, other: &NativeHistogram) -> Result<Combined, IncompatibleSchemas> {
        let (other, bounds_reconciled) = unify(&mut self.sum, Some(&mut self.compensation), other)?;
        let reset_conflict = self.sum.merge_reset_hint(other.reset_hint);
        let (sum, compensation) = (&mut self.sum, &mut self.compensation);
        add_compensated(&mut sum.zero_count, &mut compensation.zero_count, other.zero_count);
        add_compensated(&mut sum.count, &mut compensation.count, other.count);
        add_compensated(&mut sum.sum, &mut compensation.sum, other.sum);
        let keep = outside_zero(sum);
        add_side(
            (&mut sum.positive_spans, &mut sum.positive),
            (&mut compensation.positive_spans, &mut compensation.positive),
            (&other.positive_spans, &other.positive),
            &keep,
        );
        add_side(
            (&mut sum.negative_spans, &mut sum.negative),
            (&mut compensation.negative_spans, &mut compensation.negative),
            (&other.negative_spans, &other.negative),
            &keep,
        );
        Ok(Combined { reset_conflict, bounds_reconciled })
    }

    /// Multiplies the sum so far.
    pub fn scale(&mut self, factor: f64) {
        self.sum.scale(factor);
        self.compensation.scale(factor);
    }

    /// Divides the sum so far.
    pub fn divide(&mut self, divisor: f64) {
        self.sum.divide(divisor);
        self.compensation.divide(divisor);
    }

    /// Whether a number of the sum is infinite.
    pub fn has_overflow(&self) -> bool {
        self.sum.has_overflow()
    }

    /// The sum, the rounding errors added.
    pub fn finish(self) -> NativeHistogram {
        let Self { mut sum, compensation } = self;
        // Both always have one schema, so the addition cannot fail; without it the sum is only less
        // precise.
        let _combined: Result<Combined, IncompatibleSchemas> = sum.add(&compensation);
        sum
    }
}

type SideMut<'a> = (&'a mut Vec<super::Span>, &'a mut Vec<f64>);

fn add_side(
    (spans, counts): SideMut<'_>,
    (error_spans, errors): SideMut<'_>,
    (other_spans, other): (&[super::Span], &[f64]),
    keep: &impl Fn(i32) -> bool,
) {
    let is_same = |a: &[super::Span], b: &[super::Span]| a == b;
    let starts_outside = other_spans.first().is_none_or(|span| keep(span.offset));
    if starts_outside
        && is_same(spans, other_spans)
        && is_same(error_spans, other_spans)
        && counts.len() == other.len()
        && errors.len() == other.len()
    {
        for ((count, error), value) in counts.iter_mut().zip(errors).zip(other) {
            add_compensated(count, error, *value);
        }
        return;
    }
    let merged = {
        let ours = spans::indexed(spans, counts).zip(spans::indexed(error_spans, errors));
        let ours = ours.map(|((index, count), (_, error))| (index, count, error));
        let theirs = spans::indexed(other_spans, other).filter(|(index, _)| keep(*index));
        merge(ours, theirs, counts.len() + other.len())
    };
    let (layout, sums) = spans::from_indexed(merged.iter().map(|(index, sum, _)| (*index, *sum)));
    (*spans, *counts) = (layout.clone(), sums);
    *error_spans = layout;
    *errors = merged.into_iter().map(|(_, _, error)| error).collect();
}

/// Adds buckets in order of their indices.
fn merge(
    ours: impl Iterator<Item = (i32, f64, f64)>,
    theirs: impl Iterator<Item = (i32, f64)>,
    capacity: usize,
) -> Vec<(i32, f64, f64)> {
    let (mut ours, mut theirs) = (ours.peekable(), theirs.peekable());
    let mut merged = Vec::with_capacity(capacity);
    loop {
        match (ours.peek().copied(), theirs.peek().copied()) {
            (Some(bucket), Some((index, _))) if bucket.0 < index => {
                merged.push(bucket);
                ours.next();
            }
            (Some((index, mut sum, mut error)), Some((other, value))) if index == other => {
                add_compensated(&mut sum, &mut error, value);
                merged.push((index, sum, error));
                ours.next();
                theirs.next();
            }
            (_, Some((index, value))) => {
                merged.push((index, value, 0.0));
                theirs.next();
            }
            (Some(bucket), None) => {
                merged.push(bucket);
                ours.next();
            }
            (None, None) => return merged,
        }
    }
}

fn add_compensated(sum: &mut f64, compensation: &mut f64, value: f64) {
    let total = *sum + value;
    if total.is_infinite() {
        *compensation = 0.0;
    } else if sum.abs() >= value.abs() {
        *compensation += (*sum - total) + value;
    } else {
        *compensation += (value - total) + *sum;
    }
    *sum = total;
}
