//! The summary of a chunk of numbers: what can be known of it without decoding.

use model::is_stale;

use crate::{
    bytes::{FormatError, Reader, put_f64, put_i64, put_u64},
    codec::decimal,
};

/// What a chunk of numbers comes to. Staleness markers count only as such.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// The first value, a staleness marker included.
    pub(crate) first: f64,
    /// The last value, a staleness marker included.
    pub(crate) last: f64,
    /// The smallest value; infinite when there is none.
    pub(crate) min: f64,
    /// The largest value; negative infinite when there is none.
    pub(crate) max: f64,
    /// The sum of all values, added from first to last.
    pub(crate) sum: f64,
    /// How many samples are staleness markers.
    pub(crate) stale: u64,
}

/// The exponent that says the values are raw bits.
const RAW: u8 = 15;
/// Where the exponent is.
const EXPONENT: u8 = 15;
/// The sum is raw bits.
const RAW_SUM: u8 = 16;
/// There are staleness markers.
const HAS_STALE: u8 = 32;
/// All values are the same, and the sum is what that makes it.
const FLAT: u8 = 64;

impl Summary {
    /// The summary of the values of a chunk, of which there is at least one.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut summary = Self {
            first: values[0],
            last: values[values.len() - 1],
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: 0.0,
            stale: 0,
        };
        for &value in values {
            if is_stale(value) {
                summary.stale += 1;
            } else {
                summary.min = summary.min.min(value);
                summary.max = summary.max.max(value);
                summary.sum += value;
            }
        }
        summary
    }

    /// Appends the summary of a chunk with `count` samples. `before` is the last value of the chunk
    /// before.
    pub(super) fn put(&self, before: Option<f64>, count: u32, out: &mut Vec<u8>) {
        let stale = if self.stale > 0 { HAS_STALE } else { 0 };
        if let Some((exponent, [first, last, min, max])) = self.decimals() {
            let expected = expected_sum(min, max, count);
            let sum = decimal::to_integer(self.sum, exponent);
            let is_flat = min == max && sum == Some(expected);
            let form = match sum {
                _ if is_flat => FLAT,
                Some(_) => 0,
                None => RAW_SUM,
            };
            out.push(exponent | form | stale);
            put_i64(out, first.wrapping_sub(integer_before(before, exponent)));
            if !is_flat {
                put_i64(out, last - first);
                put_u64(out, first.min(last).abs_diff(min));
                put_u64(out, first.max(last).abs_diff(max));
                match sum {
                    Some(sum) => put_i64(out, sum.wrapping_sub(expected)),
                    None => put_f64(out, self.sum),
                }
            }
        } else {
            out.push(RAW | stale);
            for value in [self.first, self.last, self.min, self.max, self.sum] {
                put_f64(out, value);
            }
        }
        if stale != 0 {
            put_u64(out, self.stale);
        }
    }

    /// Reads what [`Self::put`] wrote.
    pub(super) fn take(
        reader: &mut Reader<'_>,
        before: Option<f64>,
        count: u32,
    ) -> Result<Self, FormatError> {
        let mode = reader.u8()?;
        let exponent = mode & EXPONENT;
        let [first, last, min, max, sum] = if exponent == RAW {
            [reader.f64()?, reader.f64()?, reader.f64()?, reader.f64()?, reader.f64()?]
        } else {
            decimal::checked(exponent)?;
            let value = |integer: i64| decimal::to_value(integer, exponent);
            let first = reader.i64()?.wrapping_add(integer_before(before, exponent));
            let (mut last, mut min, mut max) = (first, first, first);
            if mode & FLAT == 0 {
                last = first.wrapping_add(reader.i64()?);
                min = first.min(last).wrapping_sub_unsigned(reader.u64()?);
                max = first.max(last).wrapping_add_unsigned(reader.u64()?);
            }
            let expected = expected_sum(min, max, count);
            let sum = match mode & (FLAT | RAW_SUM) {
                0 => value(expected.wrapping_add(reader.i64()?)),
                FLAT => value(expected),
                _ => reader.f64()?,
            };
            [value(first), value(last), value(min), value(max), sum]
        };
        let stale = if mode & HAS_STALE == 0 { 0 } else { reader.u64()? };
        Ok(Self { first, last, min, max, sum, stale })
    }

    /// The values but the sum as decimals, when all are.
    fn decimals(&self) -> Option<(u8, [i64; 4])> {
        let values = [self.first, self.last, self.min, self.max];
        let mut exponent = 0;
        for value in values {
            exponent = decimal::exponent_of(value, exponent)?;
        }
        let mut integers = [0; 4];
        for (integer, value) in integers.iter_mut().zip(values) {
            *integer = decimal::to_integer(value, exponent)?;
        }
        Some((exponent, integers))
    }
}

/// The last value of the chunk before at this exponent, or 0.
fn integer_before(before: Option<f64>, exponent: u8) -> i64 {
    before.and_then(|before| decimal::to_integer(before, exponent)).unwrap_or_default()
}

/// What a chunk's values come to if they are spread evenly between the smallest and the largest.
fn expected_sum(min: i64, max: i64, count: u32) -> i64 {
    // Twice the middle, so that nothing is cut off where both are the same.
    let twice = i128::from(min) + i128::from(max);
    (twice * i128::from(count) / 2) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_float;
    use proptest::prelude::*;

    #[test]
    fn a_summary_leaves_staleness_markers_out() {
        let summary = Summary::of(&[3.0, 1.0, model::stale_marker()]);
        assert_eq!((summary.min, summary.max, summary.sum, summary.stale), (1.0, 3.0, 4.0, 1));
        assert!(is_stale(summary.last));
    }

    proptest! {
        #[test]
        fn property_summaries_round_trip(
            values in proptest::collection::vec(any_float(), 1..20),
            repeated in 1_usize..4,
            before in proptest::option::of(any_float()),
        ) {
            let values: Vec<f64> = values.repeat(repeated);
            let summary = Summary::of(&values);
            let mut out = Vec::new();
            summary.put(before, values.len() as u32, &mut out);
            let back = Summary::take(&mut Reader::new(&out), before, values.len() as u32).unwrap();
            // Text compares NaN with NaN and tells −0.0 from 0.0.
            prop_assert_eq!(format!("{back:?}"), format!("{summary:?}"));
        }
    }
}
