//! Native histograms column by column: each bucket's counts over time as a column of whole numbers.
//!
//! A bucket goes on as it did, whatever its neighbors do, so a column of its own is both smaller and
//! quicker to read than histogram after histogram. Histograms with the same layout that follow one
//! another are a section; when the layout changes all the time, a stream is shorter.

use std::sync::Arc;

use model::NativeHistogram;

use super::{
    Purpose,
    bits::{BitReader, BitWriter},
    histograms::{Stream, counts_of, has_same_layout, has_whole_counts},
    integers, put_values, take_values,
};
use crate::bytes::{FormatError, Reader, put_u64};

/// The most numbers in a chunk, so that damaged bytes cannot ask for much memory.
const MAX_NUMBERS: usize = 1 << 21;
/// Fewer histograms than this in a section on the average are no columns.
const LEAST_LENGTH: usize = 32;

/// The counts of a section are whole numbers;
const WHOLE: u8 = 0;
/// or any.
const ANY: u8 = 1;

/// Appends the values of a chunk. `false` when columns do not suit them, with `out` unchanged.
pub(super) fn encode(values: &[Arc<NativeHistogram>], out: &mut Vec<u8>) -> bool {
    let sections = || values.chunk_by(|a, b| has_same_layout(a, b));
    let numbers: usize = sections().map(|section| section.len() * width(&section[0])).sum();
    if sections().count() * LEAST_LENGTH > values.len() || numbers > MAX_NUMBERS {
        return false;
    }
    sections().for_each(|section| put_section(section, out));
    true
}

/// Appends exactly `count` values, and leaves the reader behind them.
pub(super) fn decode(
    reader: &mut Reader<'_>,
    count: usize,
    out: &mut Vec<Arc<NativeHistogram>>,
) -> Result<(), FormatError> {
    let (mut left, mut numbers) = (count, 0);
    while left > 0 {
        let length = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        if length == 0 || length > left {
            return Err(FormatError::Invalid("length of a section"));
        }
        left -= length;
        let mut bits = BitReader::new(reader.rest());
        let layout = Stream::default().take_layout(&mut bits)?;
        reader.take(bits.used_bytes())?;
        numbers += length.saturating_mul(width(&layout));
        if numbers > MAX_NUMBERS {
            return Err(FormatError::Invalid("number of buckets"));
        }
        take_section(reader, &layout, length, out)?;
    }
    Ok(())
}

/// How many numbers a histogram has.
fn width(value: &NativeHistogram) -> usize {
    value.positive.len() + value.negative.len() + 3
}

fn put_section(section: &[Arc<NativeHistogram>], out: &mut Vec<u8>) {
    put_u64(out, section.len() as u64);
    let mut writer = BitWriter::default();
    Stream::default().put_layout(&section[0], &mut writer);
    writer.copy_to(out);
    let is_whole = section.iter().all(|value| has_whole_counts(value));
    out.push(if is_whole { WHOLE } else { ANY });
    let mut column = Vec::with_capacity(section.len());
    // The total comes first among the counts and is written as what the others leave of it.
    for place in 0..width(&section[0]) - 1 {
        if is_whole {
            let total = |value: &NativeHistogram| whole(value.count).wrapping_sub(sum_of(value));
            let number = |value: &NativeHistogram| match place {
                0 => total(value),
                _ => whole(count_at(value, place)),
            };
            let numbers = section.iter().map(|value| number(value)).collect();
            integers::encode(numbers, Purpose::Storing, out);
        } else {
            column.clear();
            column.extend(section.iter().map(|value| count_at(value, place)));
            put_column(&column, out);
        }
    }
    column.clear();
    column.extend(section.iter().map(|value| value.sum));
    put_column(&column, out);
}

fn take_section(
    reader: &mut Reader<'_>,
    layout: &NativeHistogram,
    length: usize,
    out: &mut Vec<Arc<NativeHistogram>>,
) -> Result<(), FormatError> {
    let is_whole = match reader.u8()? {
        WHOLE => true,
        ANY => false,
        _ => return Err(FormatError::Invalid("kind of a section")),
    };
    let mut columns = Vec::with_capacity(width(layout) * length);
    for _ in 0..width(layout) - 1 {
        if is_whole {
            integers::decode(reader, length, |integer| integer as f64, &mut columns)?;
        } else {
            take_column(reader, length, &mut columns)?;
        }
    }
    take_column(reader, length, &mut columns)?;
    out.extend((0..length).map(|at| {
        let mut numbers = columns[at..].iter().step_by(length).copied();
        let mut next = || numbers.next().unwrap_or_default();
        let mut value = layout.clone();
        (value.count, value.zero_count) = (next(), next());
        value.positive.iter_mut().for_each(|count| *count = next());
        value.negative.iter_mut().for_each(|count| *count = next());
        value.sum = next();
        if is_whole {
            value.count = whole(value.count).wrapping_add(sum_of(&value)) as f64;
        }
        Arc::new(value)
    }));
    Ok(())
}

fn put_column(values: &[f64], out: &mut Vec<u8>) {
    let place = out.len();
    out.push(0);
    out[place] = put_values(values, Purpose::Storing, out);
}

fn take_column(
    reader: &mut Reader<'_>,
    count: usize,
    out: &mut Vec<f64>,
) -> Result<(), FormatError> {
    take_values(reader.u8()?, reader, count, out)
}

fn whole(count: f64) -> i64 {
    count as i64
}

/// All counts but the total.
fn sum_of(value: &NativeHistogram) -> i64 {
    counts_of(value).fold(0, |sum: i64, count| sum.wrapping_add(whole(count)))
}

/// The total, the zero bucket, positive and negative buckets in turn.
fn count_at(value: &NativeHistogram, place: usize) -> f64 {
    match place {
        0 => value.count,
        1 => value.zero_count,
        _ => match value.positive.get(place - 2) {
            Some(count) => *count,
            None => value.negative[place - 2 - value.positive.len()],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_histogram;
    use proptest::prelude::*;

    fn round_trip(values: &[Arc<NativeHistogram>]) -> bool {
        let mut bytes = Vec::new();
        if !encode(values, &mut bytes) {
            return false;
        }
        let mut reader = Reader::new(&bytes);
        let mut back = Vec::new();
        decode(&mut reader, values.len(), &mut back).unwrap();
        assert!(reader.is_empty());
        // Text compares NaN with NaN and tells −0.0 from 0.0.
        assert_eq!(format!("{back:?}"), format!("{values:?}"));
        true
    }

    #[test]
    fn a_layout_that_always_changes_is_left_to_the_stream() {
        let value = |schema| Arc::new(NativeHistogram { schema, ..NativeHistogram::default() });
        let values: Vec<_> = (0..64).map(|i| value(i % 8)).collect();
        assert!(!round_trip(&values));
        assert!(round_trip(&vec![value(1); 64]));
    }

    proptest! {
        #[test]
        fn property_histograms_round_trip(
            sections in proptest::collection::vec((any_histogram(), 40_usize..60), 1..3),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), -5.0_f64..1e6), 0..50),
        ) {
            let mut values: Vec<Arc<NativeHistogram>> =
                sections.into_iter().flat_map(|(value, length)| vec![value; length]).collect();
            for (at, change) in changes {
                let at = at.index(values.len());
                let value = Arc::make_mut(&mut values[at]);
                value.count += change.round();
                value.sum += change;
                if let Some(bucket) = value.positive.last_mut() {
                    *bucket += change.round();
                }
            }
            prop_assert!(round_trip(&values));
        }
    }
}
