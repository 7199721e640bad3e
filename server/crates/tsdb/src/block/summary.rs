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
/// The sum is raw bits.
const RAW_SUM: u8 = 16;

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

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        if let Some((exponent, [first, last, min, max])) = self.decimals() {
            let sum = decimal::to_integer(self.sum, exponent);
            out.push(exponent | if sum.is_none() { RAW_SUM } else { 0 });
            put_i64(out, first);
            for other in [last, min, max] {
                put_i64(out, other - first);
            }
            match sum {
                Some(sum) => put_i64(out, sum),
                None => put_f64(out, self.sum),
            }
        } else {
            out.push(RAW);
            for value in [self.first, self.last, self.min, self.max, self.sum] {
                put_f64(out, value);
            }
        }
        put_u64(out, self.stale);
    }

    pub(crate) fn take(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let mode = reader.u8()?;
        let exponent = mode & 15;
        let [first, last, min, max, sum] = if exponent == RAW {
            [reader.f64()?, reader.f64()?, reader.f64()?, reader.f64()?, reader.f64()?]
        } else {
            if exponent > decimal::MAX_EXPONENT {
                return Err(FormatError::Invalid("exponent"));
            }
            let first = reader.i64()?;
            let value = |integer: i64| decimal::to_value(integer, exponent);
            let mut other = || Ok(value(first.wrapping_add(reader.i64()?)));
            let (last, min, max) = (other()?, other()?, other()?);
            let sum = if mode & RAW_SUM == 0 { value(reader.i64()?) } else { reader.f64()? };
            [value(first), last, min, max, sum]
        };
        Ok(Self { first, last, min, max, sum, stale: reader.u64()? })
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
        fn property_summaries_round_trip(values in proptest::collection::vec(any_float(), 1..20)) {
            let summary = Summary::of(&values);
            let mut out = Vec::new();
            summary.put(&mut out);
            let back = Summary::take(&mut Reader::new(&out)).unwrap();
            // Text compares NaN with NaN and tells −0.0 from 0.0.
            prop_assert_eq!(format!("{back:?}"), format!("{summary:?}"));
        }
    }
}
