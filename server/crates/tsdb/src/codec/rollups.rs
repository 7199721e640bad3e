//! Chunks of rollups: the windows of one series, column by column.
//!
//! A column is written as a chunk of numbers is, without times; columns that follow from others are
//! left out, which for a counter is the smallest and the largest value of every window.

use std::sync::Arc;

use model::{
    NativeHistogram, Timestamp,
    rollup::{HistogramRollup, Rollup, RollupColumn},
};

use super::{MAX_SAMPLES, Purpose, histograms, put_values, take_values, times};
use crate::bytes::{FormatError, Reader, put_u64};

/// The id of chunks that hold rollups of numbers.
const FLOAT_ROLLUPS: u8 = 32;
/// The id of chunks that hold rollups of histograms.
const HISTOGRAM_ROLLUPS: u8 = 33;

/// Some window lost something at a counter's reset.
const HAS_LOST: u8 = 1;
/// Some window is the end of the series.
const HAS_ENDED: u8 = 2;
/// In every window the first value is the smallest,
const MIN_IS_FIRST: u8 = 4;
/// or the last one the largest.
const MAX_IS_LAST: u8 = 8;

/// Appends rollups of numbers, at least 1 and at most [`MAX_SAMPLES`].
pub(crate) fn encode_floats(rollups: &[Rollup], out: &mut Vec<u8>) {
    let is_same = |a: f64, b: f64| a.to_bits() == b.to_bits();
    let mut flags = 0;
    for (flag, holds) in [
        (HAS_LOST, rollups.iter().any(|r| !is_same(r.lost, 0.0))),
        (HAS_ENDED, rollups.iter().any(|r| r.is_ended)),
        (MIN_IS_FIRST, rollups.iter().all(|r| is_same(r.min, r.first))),
        (MAX_IS_LAST, rollups.iter().all(|r| is_same(r.max, r.last))),
    ] {
        flags |= if holds { flag } else { 0 };
    }
    put_head(FLOAT_ROLLUPS, flags, rollups.iter().map(|r| r.end), out);
    let mut put = |of: &dyn Fn(&Rollup) -> f64| put_column(rollups.iter().map(of), out);
    put(&|r| r.count as f64);
    put(&|r| (r.end - r.first_time) as f64);
    put(&|r| (r.end - r.last_time) as f64);
    put(&|r| r.first);
    put(&|r| r.last);
    put(&|r| r.sum);
    if flags & MIN_IS_FIRST == 0 {
        put(&|r| r.min);
    }
    if flags & MAX_IS_LAST == 0 {
        put(&|r| r.max);
    }
    if flags & HAS_LOST != 0 {
        put(&|r| r.lost);
    }
    if flags & HAS_ENDED != 0 {
        put(&|r| f64::from(u8::from(r.is_ended)));
    }
}

/// Appends rollups of histograms, at least 1 and at most [`MAX_SAMPLES`] / 2.
pub(crate) fn encode_histograms(rollups: &[HistogramRollup], out: &mut Vec<u8>) {
    let has_lost = rollups.iter().any(|r| r.lost.is_some());
    let flags = if has_lost { HAS_LOST } else { 0 };
    put_head(HISTOGRAM_ROLLUPS, flags, rollups.iter().map(|r| r.end), out);
    let mut put = |of: &dyn Fn(&HistogramRollup) -> f64| put_column(rollups.iter().map(of), out);
    put(&|r| r.count as f64);
    put(&|r| (r.end - r.first_time) as f64);
    put(&|r| (r.end - r.last_time) as f64);
    if has_lost {
        put(&|r| f64::from(u8::from(r.lost.is_some())));
    }
    // First and last of a window follow each other in a counter, so they stand together.
    let edges: Vec<_> =
        rollups.iter().flat_map(|r| [Arc::clone(&r.first), Arc::clone(&r.last)]).collect();
    put_histograms(&edges, out);
    let sums: Vec<_> = rollups.iter().map(|r| Arc::clone(&r.sum)).collect();
    put_histograms(&sums, out);
    if has_lost {
        let lost: Vec<_> = rollups.iter().filter_map(|r| r.lost.clone()).collect();
        put_histograms(&lost, out);
    }
}

/// Appends the windows of a chunk to `column`.
pub(crate) fn decode(chunk: &[u8], column: &mut RollupColumn) -> Result<(), FormatError> {
    let mut reader = Reader::new(chunk);
    let id = reader.u8()?;
    let count = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
    if count == 0 || count > MAX_SAMPLES {
        return Err(FormatError::Invalid("number of windows"));
    }
    let flags = reader.u8()?;
    let mut ends = Vec::new();
    times::decode(&mut reader, count, &mut ends)?;
    match id {
        FLOAT_ROLLUPS => take_floats(&mut reader, flags, &ends, &mut column.floats)?,
        HISTOGRAM_ROLLUPS if count <= MAX_SAMPLES / 2 => {
            take_histograms(&mut reader, flags, &ends, &mut column.histograms)?;
        }
        _ => return Err(FormatError::Invalid("codec")),
    }
    if reader.is_empty() { Ok(()) } else { Err(FormatError::Invalid("end of the windows")) }
}

fn take_floats(
    reader: &mut Reader<'_>,
    flags: u8,
    ends: &[Timestamp],
    out: &mut Vec<Rollup>,
) -> Result<(), FormatError> {
    let from = out.len();
    let counts = take_column(reader, ends.len())?;
    out.extend(
        ends.iter()
            .zip(counts)
            .map(|(&end, count)| Rollup { count: count as u64, ..Rollup::new(end, end, 0.0) }),
    );
    let windows = &mut out[from..];
    let mut take = |set: &mut dyn FnMut(&mut Rollup, f64)| {
        let values = take_column(reader, windows.len())?;
        windows.iter_mut().zip(values).for_each(|(window, value)| set(window, value));
        Ok::<(), FormatError>(())
    };
    take(&mut |r, v| r.first_time = r.end.saturating_sub(v as i64))?;
    take(&mut |r, v| r.last_time = r.end.saturating_sub(v as i64))?;
    take(&mut |r, v| (r.first, r.min) = (v, v))?;
    take(&mut |r, v| (r.last, r.max) = (v, v))?;
    take(&mut |r, v| r.sum = v)?;
    if flags & MIN_IS_FIRST == 0 {
        take(&mut |r, v| r.min = v)?;
    }
    if flags & MAX_IS_LAST == 0 {
        take(&mut |r, v| r.max = v)?;
    }
    if flags & HAS_LOST != 0 {
        take(&mut |r, v| r.lost = v)?;
    }
    if flags & HAS_ENDED != 0 {
        take(&mut |r, v| r.is_ended = v != 0.0)?;
    }
    Ok(())
}

fn take_histograms(
    reader: &mut Reader<'_>,
    flags: u8,
    ends: &[Timestamp],
    out: &mut Vec<HistogramRollup>,
) -> Result<(), FormatError> {
    let counts = take_column(reader, ends.len())?;
    let first_times = take_column(reader, ends.len())?;
    let last_times = take_column(reader, ends.len())?;
    let has_lost = flags & HAS_LOST != 0;
    let losing = if has_lost { take_column(reader, ends.len())? } else { vec![0.0; ends.len()] };
    let edges = take_histogram_column(reader, 2 * ends.len())?;
    let sums = take_histogram_column(reader, ends.len())?;
    let losses = losing.iter().filter(|&&is_losing| is_losing != 0.0).count();
    let lost = if losses > 0 { take_histogram_column(reader, losses)? } else { Vec::new() };
    let mut lost = lost.into_iter();
    for (at, sum) in sums.into_iter().enumerate() {
        let end = ends[at];
        out.push(HistogramRollup {
            end,
            first_time: end.saturating_sub(first_times[at] as i64),
            last_time: end.saturating_sub(last_times[at] as i64),
            count: counts[at] as u64,
            first: Arc::clone(&edges[2 * at]),
            last: Arc::clone(&edges[2 * at + 1]),
            sum,
            lost: if losing[at] == 0.0 { None } else { lost.next() },
        });
    }
    Ok(())
}

fn put_head(id: u8, flags: u8, ends: impl Iterator<Item = Timestamp>, out: &mut Vec<u8>) {
    let ends: Vec<Timestamp> = ends.collect();
    out.push(id);
    put_u64(out, ends.len() as u64);
    out.push(flags);
    times::encode(&ends, out);
}

fn put_column(values: impl Iterator<Item = f64>, out: &mut Vec<u8>) {
    let values: Vec<f64> = values.collect();
    let place = out.len();
    out.push(0);
    out[place] = put_values(&values, Purpose::Storing, out);
}

fn take_column(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, FormatError> {
    let mut values = Vec::new();
    take_values(reader.u8()?, reader, count, &mut values)?;
    Ok(values)
}

fn put_histograms(values: &[Arc<NativeHistogram>], out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    histograms::encode(values, &mut bytes);
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(&bytes);
}

fn take_histogram_column(
    reader: &mut Reader<'_>,
    count: usize,
) -> Result<Vec<Arc<NativeHistogram>>, FormatError> {
    let length = reader.count()?;
    let mut values = Vec::new();
    histograms::decode(reader.take(length)?, count, &mut values)?;
    if values.len() == count { Ok(values) } else { Err(FormatError::Truncated) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_value;
    use model::Column;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_rollups_round_trip(
            samples in proptest::collection::btree_map(-5_000_i64..5_000, any_value(), 1..200),
            window in 1_i64..2_000,
        ) {
            let mut column = Column::default();
            for (time, value) in samples {
                column.push(time, value);
            }
            let mut rollups = RollupColumn::default();
            rollups.add(&column, i64::MIN, window);
            let mut back = RollupColumn::default();
            let mut bytes = Vec::new();
            if !rollups.floats.is_empty() {
                encode_floats(&rollups.floats, &mut bytes);
                decode(&bytes, &mut back).unwrap();
            }
            if !rollups.histograms.is_empty() {
                let mut bytes = Vec::new();
                encode_histograms(&rollups.histograms, &mut bytes);
                decode(&bytes, &mut back).unwrap();
            }
            // Text compares NaN with NaN and tells −0.0 from 0.0.
            prop_assert_eq!(format!("{back:?}"), format!("{rollups:?}"));
        }

        #[test]
        fn property_any_bytes_are_read_without_a_panic(
            id in 32_u8..34,
            count in 0_u8..9,
            rest in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [&[id, count][..], &rest].concat();
            let _ = decode(&bytes, &mut RollupColumn::default());
        }
    }
}
