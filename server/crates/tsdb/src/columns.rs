//! Putting together the samples of one series from several places.

use std::sync::Arc;

use model::{Column, Sample, Timestamp, Value, rollup::RollupColumn};

/// What two columns had in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Overlap {
    /// Times that both had.
    pub(crate) same_time: u64,
    /// Of those, with another value.
    pub(crate) replaced: u64,
}

/// Adds the samples of `newer` to `older`. At the same time `newer` wins, whatever its kind.
pub(crate) fn merge(older: &mut Column, newer: &Column) -> Overlap {
    let (Some(first), Some(last)) = (first_time(newer), last_time(older)) else {
        if older.is_empty() {
            older.clone_from(newer);
        }
        return Overlap::default();
    };
    if first > last {
        append(older, newer);
        return Overlap::default();
    }
    if older.histograms.is_empty() && newer.histograms.is_empty() {
        return merge_floats(older, newer);
    }
    let (left, right) = (samples(older), samples(newer));
    older.clear();
    let mut overlap = Overlap::default();
    let mut left = left.into_iter().peekable();
    for sample in right {
        while let Some(earlier) = left.next_if(|l| l.timestamp < sample.timestamp) {
            older.push(earlier.timestamp, earlier.value);
        }
        if let Some(same) = left.next_if(|l| l.timestamp == sample.timestamp) {
            overlap.same_time += 1;
            overlap.replaced += u64::from(!is_same_value(&same.value, &sample.value));
        }
        older.push(sample.timestamp, sample.value);
    }
    for later in left {
        older.push(later.timestamp, later.value);
    }
    overlap
}

/// The same of numbers alone, the usual case.
fn merge_floats(older: &mut Column, newer: &Column) -> Overlap {
    let (first, count) = (newer.float_times.first(), newer.float_times.len());
    let at = older.float_times.partition_point(|time| Some(time) < first);
    if older.float_times.get(at..at + count) == Some(&newer.float_times) {
        // What was sent again, or imported too, mostly has the same times.
        let pairs = older.floats[at..at + count].iter_mut().zip(&newer.floats);
        let replaced = pairs
            .map(|(old, new)| u64::from(std::mem::replace(old, *new).to_bits() != new.to_bits()));
        return Overlap { same_time: count as u64, replaced: replaced.sum() };
    }
    let mut overlap = Overlap::default();
    let length = older.floats.len() + newer.floats.len();
    let (mut times, mut values) = (Vec::with_capacity(length), Vec::with_capacity(length));
    let mut next = 0;
    for (&time, &value) in newer.float_times.iter().zip(&newer.floats) {
        let from = next;
        while older.float_times.get(next).is_some_and(|&earlier| earlier < time) {
            next += 1;
        }
        times.extend_from_slice(&older.float_times[from..next]);
        values.extend_from_slice(&older.floats[from..next]);
        if older.float_times.get(next) == Some(&time) {
            overlap.same_time += 1;
            overlap.replaced += u64::from(older.floats[next].to_bits() != value.to_bits());
            next += 1;
        }
        times.push(time);
        values.push(value);
    }
    times.extend_from_slice(&older.float_times[next..]);
    values.extend_from_slice(&older.floats[next..]);
    (older.float_times, older.floats) = (times, values);
    overlap
}

/// Keeps only the samples from `start` to `end`, both inclusive.
pub(crate) fn clip(column: &mut Column, start: Timestamp, end: Timestamp) {
    clip_side(&mut column.float_times, &mut column.floats, start, end);
    clip_side(&mut column.histogram_times, &mut column.histograms, start, end);
}

fn clip_side<T>(times: &mut Vec<Timestamp>, values: &mut Vec<T>, start: Timestamp, end: Timestamp) {
    let kept = times.partition_point(|&time| time <= end);
    times.truncate(kept);
    values.truncate(kept);
    let before = times.partition_point(|&time| time < start);
    times.drain(..before);
    values.drain(..before);
}

/// Takes away the samples from `start` to `end`, both inclusive.
pub(crate) fn remove(column: &mut Column, start: Timestamp, end: Timestamp) {
    remove_side(&mut column.float_times, &mut column.floats, start, end);
    remove_side(&mut column.histogram_times, &mut column.histograms, start, end);
}

fn remove_side<T>(
    times: &mut Vec<Timestamp>,
    values: &mut Vec<T>,
    start: Timestamp,
    end: Timestamp,
) {
    let from = times.partition_point(|&time| time < start);
    let to = times.partition_point(|&time| time <= end);
    if from < to {
        times.drain(from..to);
        values.drain(from..to);
    }
}

/// Takes away the windows of which any part lies between `start` and `end`, both inclusive.
pub(crate) fn remove_windows(
    column: &mut RollupColumn,
    start: Timestamp,
    end: Timestamp,
    window_ms: i64,
) {
    let is_kept = |last: Timestamp| last < start || last.saturating_sub(window_ms) >= end;
    column.floats.retain(|window| is_kept(window.end));
    column.histograms.retain(|window| is_kept(window.end));
}

/// Puts windows of one node in order. Of two of the same time the one of more samples counts: the other
/// one lacked some, such as what was imported later.
pub(crate) fn tidy_windows(column: &mut RollupColumn) {
    if !column.floats.is_sorted_by(|a, b| a.end < b.end) {
        column.floats.sort_by_key(|window| (window.end, std::cmp::Reverse(window.count)));
        column.floats.dedup_by_key(|window| window.end);
    }
    if !column.histograms.is_sorted_by(|a, b| a.end < b.end) {
        column.histograms.sort_by_key(|window| (window.end, std::cmp::Reverse(window.count)));
        column.histograms.dedup_by_key(|window| window.end);
    }
}

/// All samples in order of time.
pub(crate) fn samples(column: &Column) -> Vec<Sample> {
    let floats = column.float_times.iter().zip(&column.floats);
    let histograms = column.histogram_times.iter().zip(&column.histograms);
    let mut all: Vec<Sample> = floats
        .map(|(&timestamp, &value)| Sample { timestamp, value: Value::Float(value) })
        .chain(histograms.map(|(&timestamp, value)| Sample {
            timestamp,
            value: Value::Histogram(Arc::clone(value)),
        }))
        .collect();
    all.sort_by_key(|sample| sample.timestamp);
    all
}

pub(crate) fn first_time(column: &Column) -> Option<Timestamp> {
    earliest(column.float_times.first(), column.histogram_times.first())
}

pub(crate) fn last_time(column: &Column) -> Option<Timestamp> {
    column.float_times.last().max(column.histogram_times.last()).copied()
}

/// Whether two values are the same bits.
pub(crate) fn is_same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Histogram(a), Value::Histogram(b)) => {
            a == b || (a.sum.to_bits() == b.sum.to_bits() && a.sum.is_nan() && a.count == b.count)
        }
        _ => false,
    }
}

fn earliest(a: Option<&Timestamp>, b: Option<&Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(*a.min(b)),
        (one, other) => one.or(other).copied(),
    }
}

fn append(older: &mut Column, newer: &Column) {
    older.float_times.extend_from_slice(&newer.float_times);
    older.floats.extend_from_slice(&newer.floats);
    older.histogram_times.extend_from_slice(&newer.histogram_times);
    older.histograms.extend_from_slice(&newer.histograms);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    fn column_of(samples: &BTreeMap<i64, f64>) -> Column {
        Column {
            float_times: samples.keys().copied().collect(),
            floats: samples.values().copied().collect(),
            ..Column::default()
        }
    }

    #[test]
    fn a_histogram_replaces_a_number_of_the_same_time() {
        let mut column = column_of(&BTreeMap::from([(1, 1.0), (2, 2.0)]));
        let newer = Column {
            histogram_times: vec![2],
            histograms: vec![Arc::default()],
            ..Column::default()
        };
        assert_eq!(merge(&mut column, &newer), Overlap { same_time: 1, replaced: 1 });
        assert_eq!(column.float_times, [1]);
        assert_eq!(column.histogram_times, [2]);
    }

    proptest! {
        #[test]
        fn property_merging_agrees_with_a_map(
            older in proptest::collection::btree_map(0_i64..40, -3_i32..3, 0..20),
            newer in proptest::collection::btree_map(0_i64..60, -3_i32..3, 0..20),
            start in 0_i64..30,
            end in 20_i64..60,
        ) {
            let to_floats = |map: BTreeMap<i64, i32>| -> BTreeMap<i64, f64> {
                map.into_iter().map(|(time, value)| (time, f64::from(value))).collect()
            };
            let (older, newer) = (to_floats(older), to_floats(newer));
            let mut merged = column_of(&older);
            let overlap = merge(&mut merged, &column_of(&newer));
            let in_both = || newer.iter().filter_map(|(time, value)| Some((value, older.get(time)?)));
            prop_assert_eq!(overlap.same_time, in_both().count() as u64);
            let replaced = in_both().filter(|(new, old)| new != old).count();
            prop_assert_eq!(overlap.replaced, replaced as u64);
            let mut expected = older;
            expected.extend(newer);
            prop_assert_eq!(&merged, &column_of(&expected));
            clip(&mut merged, start, end);
            expected.retain(|&time, _| (start..=end).contains(&time));
            prop_assert_eq!(&merged, &column_of(&expected));
        }
    }
}
