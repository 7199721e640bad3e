//! Several chunks of a series at once, which takes less time than one after the other.

use model::Column;

use super::{
    FloatCodec as _, HISTOGRAM_COLUMNS, HISTOGRAM_STREAM, decimal, decode,
    floats::Decimals,
    integers::{Opened, Scratch, Way, read_together},
    open, times,
};
use crate::bytes::FormatError;

/// How many chunks are read side by side.
const TOGETHER: usize = 4;

/// Decodes chunks in the order in which they come. The values of the last few are in the column only
/// after [`Self::finish`].
#[derive(Debug, Default)]
pub(crate) struct Together<'a> {
    /// Chunks whose times are in the column, and not yet their values; all written in one way.
    waiting: Vec<Waiting<'a>>,
    scratch: Scratch,
}

#[derive(Debug)]
struct Waiting<'a> {
    column: Opened<'a>,
    way: Way,
    /// What the whole numbers are divided by.
    power: f64,
}

impl<'a> Together<'a> {
    /// Appends the samples of a chunk to the end of `out`, the same column for all chunks.
    pub(crate) fn decode(&mut self, chunk: &'a [u8], out: &mut Column) -> Result<(), FormatError> {
        let (id, count, mut reader) = open(chunk)?;
        if id == Decimals.id() {
            let before = out.float_times.len();
            times::decode(&mut reader, count, &mut out.float_times)?;
            if let Some((power, column)) = Decimals::open(reader, count) {
                return self.take(power, column, out);
            }
            out.float_times.truncate(before);
        }
        if id != HISTOGRAM_STREAM && id != HISTOGRAM_COLUMNS {
            self.finish(out)?;
        }
        decode(chunk, out)
    }

    fn take(
        &mut self,
        power: f64,
        column: Opened<'a>,
        out: &mut Column,
    ) -> Result<(), FormatError> {
        let way = column.way();
        if self.waiting.last().is_some_and(|last| Some(last.way) != way) {
            self.finish(out)?;
        }
        if let Some(way) = way {
            self.waiting.push(Waiting { column, way, power });
            return if self.waiting.len() == TOGETHER { self.finish(out) } else { Ok(()) };
        }
        let before = out.floats.len();
        let rest = column.read(|integer| integer as f64, &mut out.floats)?;
        decimal::scale(&mut out.floats[before..], power);
        if rest.is_empty() { Ok(()) } else { Err(FormatError::Invalid("end of the samples")) }
    }

    /// Appends the values that are missing.
    pub(crate) fn finish(&mut self, out: &mut Column) -> Result<(), FormatError> {
        match self.waiting.len() {
            0 => Ok(()),
            1 => self.read::<1>(out),
            2 => self.read::<2>(out),
            3 => self.read::<2>(out).and_then(|()| self.read::<1>(out)),
            _ => self.read::<TOGETHER>(out),
        }
    }

    fn read<const N: usize>(&mut self, out: &mut Column) -> Result<(), FormatError> {
        let Some(waiting) = self.waiting.first_chunk::<N>() else { return Ok(()) };
        let columns = waiting.each_ref().map(|waiting| &waiting.column);
        read_together(columns, waiting[0].way, &mut self.scratch)?;
        for (Waiting { column, power, .. }, errors) in waiting.iter().zip(&self.scratch.errors) {
            let before = out.floats.len();
            column.put(errors, |integer| integer as f64, &mut out.floats);
            decimal::scale(&mut out.floats[before..], *power);
        }
        self.waiting.drain(..N);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::{Purpose, encode_floats},
        testing::any_float,
    };
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
            proptest::collection::vec((-100_000_i32..100_000).prop_map(f64::from), 1..400);
        let smooth = proptest::collection::vec(0_i32..300, 1..400).prop_map(|steps| {
            let sums = steps.iter().scan(0, |sum, step| {
                *sum += step;
                Some(f64::from(*sum) / 8.0)
            });
            sums.collect::<Vec<f64>>()
        });
        let wild = proptest::collection::vec(any_float(), 1..20);
        let values = prop_oneof![3 => decimals, 3 => smooth, 1 => wild, 1 => Just(vec![7.0; 5])];
        let purpose = prop_oneof![Just(Purpose::Storing), Just(Purpose::Reading)];
        (values, any::<i32>(), 1_i64..20_000, purpose).prop_map(|(values, start, step, purpose)| {
            let times: Vec<i64> =
                (0..values.len() as i64).map(|i| i64::from(start) + i * step).collect();
            let mut out = Vec::new();
            encode_floats(&times, &values, purpose, &mut out);
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
