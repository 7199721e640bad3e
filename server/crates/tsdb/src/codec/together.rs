//! Several chunks of a series at once, which takes less time than one after the other.

use model::Column;

use super::{
    FloatCodec as _, HISTOGRAM_COLUMNS, HISTOGRAM_STREAM, decode,
    floats::Decimals,
    integers::{self, Errors, Opened, TOGETHER},
    open, times,
};
use crate::bytes::FormatError;

/// Decodes chunks in the order in which they come. The values of the last few are in the column only
/// after [`Self::finish`].
#[derive(Debug, Default)]
pub(crate) struct Together<'a> {
    /// Chunks whose times are in the column, and not yet their values.
    waiting: Vec<Waiting<'a>>,
    errors: Errors,
}

#[derive(Debug)]
struct Waiting<'a> {
    chunk: &'a [u8],
    /// What the whole numbers are divided by.
    power: f64,
    column: Opened<'a>,
}

impl<'a> Together<'a> {
    /// Appends the samples of a chunk to the end of `out`, the same column for all chunks.
    pub(crate) fn decode(&mut self, chunk: &'a [u8], out: &mut Column) -> Result<(), FormatError> {
        let (id, count, mut reader) = open(chunk)?;
        if id == Decimals.id() {
            let before = out.float_times.len();
            times::decode(&mut reader, count, &mut out.float_times)?;
            if let Some((power, column)) = Decimals::open(reader, count)
                && column.is_rice()
            {
                self.waiting.push(Waiting { chunk, power, column });
                return if self.waiting.len() == TOGETHER { self.read(out) } else { Ok(()) };
            }
            out.float_times.truncate(before);
        }
        if id != HISTOGRAM_STREAM && id != HISTOGRAM_COLUMNS {
            self.finish(out)?;
        }
        decode(chunk, out)
    }

    /// Appends the values that are missing.
    pub(crate) fn finish(&mut self, out: &mut Column) -> Result<(), FormatError> {
        let missing: usize = self.waiting.iter().map(|waiting| waiting.column.count()).sum();
        out.float_times.truncate(out.float_times.len() - missing);
        self.waiting.drain(..).try_for_each(|waiting| decode(waiting.chunk, out))
    }

    fn read(&mut self, out: &mut Column) -> Result<(), FormatError> {
        let Ok(waiting) = <[Waiting<'_>; TOGETHER]>::try_from(std::mem::take(&mut self.waiting))
        else {
            return Ok(());
        };
        let powers = waiting.each_ref().map(|waiting| waiting.power);
        let mut columns = waiting.map(|waiting| waiting.column);
        integers::read_together(&mut columns, &mut self.errors)?;
        for ((column, power), errors) in columns.iter().zip(powers).zip(&self.errors) {
            if power == 1.0 {
                column.put_read(errors, |integer| integer as f64, &mut out.floats);
            } else {
                column.put_read(errors, |integer| integer as f64 / power, &mut out.floats);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec::encode_floats, testing::any_float};
    use proptest::prelude::*;

    fn together(chunks: &[Vec<u8>]) -> Result<Column, FormatError> {
        let mut column = Column::default();
        let mut decoder = Together::default();
        for chunk in chunks {
            decoder.decode(chunk, &mut column)?;
        }
        decoder.finish(&mut column)?;
        Ok(column)
    }

    fn one_by_one(chunks: &[Vec<u8>]) -> Result<Column, FormatError> {
        let mut column = Column::default();
        for chunk in chunks {
            decode(chunk, &mut column)?;
        }
        Ok(column)
    }

    /// Text tells NaN from no NaN and −0.0 from 0.0.
    fn text(column: &Result<Column, FormatError>) -> String {
        format!("{column:?}")
    }

    fn chunk() -> impl Strategy<Value = Vec<u8>> {
        let decimals =
            proptest::collection::vec((-100_000_i32..100_000).prop_map(f64::from), 1..90);
        let smooth = proptest::collection::vec(0_i32..300, 1..130).prop_map(|steps| {
            let sums = steps.iter().scan(0, |sum, step| {
                *sum += step;
                Some(f64::from(*sum) / 8.0)
            });
            sums.collect::<Vec<f64>>()
        });
        let wild = proptest::collection::vec(any_float(), 1..20);
        let values = prop_oneof![3 => decimals, 3 => smooth, 1 => wild, 1 => Just(vec![7.0; 5])];
        (values, any::<i32>(), 1_i64..20_000).prop_map(|(values, start, step)| {
            let times: Vec<i64> =
                (0..values.len() as i64).map(|i| i64::from(start) + i * step).collect();
            let mut out = Vec::new();
            encode_floats(&times, &values, &mut out);
            out
        })
    }

    proptest! {
        #[test]
        fn property_chunks_together_are_what_they_are_one_by_one(
            chunks in proptest::collection::vec(chunk(), 0..14),
        ) {
            prop_assert_eq!(text(&together(&chunks)), text(&one_by_one(&chunks)));
        }

        #[test]
        fn property_damaged_chunks_are_survived(
            mut chunks in proptest::collection::vec(chunk(), 4..9),
            damage in proptest::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 1..4),
        ) {
            for (chunk, place, byte) in damage {
                let number = chunk % chunks.len();
                let length = chunks[number].len();
                chunks[number][place % length] = byte;
            }
            prop_assert_eq!(together(&chunks).is_ok(), one_by_one(&chunks).is_ok());
        }
    }
}
