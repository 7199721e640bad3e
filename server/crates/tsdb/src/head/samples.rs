//! The samples of one series that are not sealed yet, compressed from the first one on.
//!
//! Samples first go into an open chunk, which is written so that the next sample is a few bytes at the
//! end and nothing else moves. When it is full it is written again as a closed chunk with the full
//! codec. A reader shares the whole by its `Arc` and is not disturbed by samples that follow.

use std::sync::Arc;

use model::{Column, NativeHistogram, Timestamp, Value};

use crate::{
    bytes::{FormatError, Reader, put_u64, unzigzag, zigzag},
    codec::{self, bits::BitWriter, decimal, histograms},
    columns::{self, Overlap},
};

/// A full open chunk has this many samples,
const OPEN_SAMPLES: u32 = 120;
/// or this many bytes.
const OPEN_BYTES: usize = 240;

/// Samples in order of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    /// Closed chunks, each with its length as a varint before it.
    closed: Vec<u8>,
    open: Open,
    times: OpenTimes,
    count: u32,
    min_time: Timestamp,
    max_time: Timestamp,
}

#[derive(Debug, Clone, Default)]
enum Open {
    #[default]
    Empty,
    Floats(OpenFloats),
    Histograms(Box<OpenHistograms>),
}

impl Samples {
    /// Adds a sample that is newer than all others.
    pub(crate) fn append(&mut self, timestamp: Timestamp, value: &Value) {
        debug_assert!(self.count == 0 || timestamp > self.max_time);
        let is_other_kind = matches!(
            (&self.open, value),
            (Open::Floats(_), Value::Histogram(_)) | (Open::Histograms(_), Value::Float(_))
        );
        let is_full = self.times.count >= OPEN_SAMPLES || self.open.len_bytes() >= OPEN_BYTES;
        if is_other_kind || is_full {
            self.close();
        }
        self.times.push(self.max_time, timestamp);
        match (&mut self.open, value) {
            (Open::Floats(open), Value::Float(value)) => open.push(*value),
            (Open::Histograms(open), Value::Histogram(value)) => open.push(value),
            (open, Value::Float(value)) => {
                let mut floats = OpenFloats::default();
                floats.push(*value);
                *open = Open::Floats(floats);
            }
            (open, Value::Histogram(value)) => {
                let mut histograms = Box::<OpenHistograms>::default();
                histograms.push(value);
                *open = Open::Histograms(histograms);
            }
        }
        if self.count == 0 {
            self.min_time = timestamp;
        }
        self.max_time = timestamp;
        self.count += 1;
    }

    /// Adds samples of any time; at the same time the new one wins.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn insert(&mut self, late: &Column) -> Result<Overlap, FormatError> {
        let mut all = Column::default();
        self.read(&mut all)?;
        let overlap = columns::merge(&mut all, late);
        *self = Self::from_column(&all);
        Ok(overlap)
    }

    /// Takes away all samples from `start` to `end`, both inclusive, and returns how many they were.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn remove(&mut self, start: Timestamp, end: Timestamp) -> Result<u64, FormatError> {
        if self.count == 0 || self.min_time > end || self.max_time < start {
            return Ok(0);
        }
        let mut all = Column::default();
        self.read(&mut all)?;
        let mut kept = Self::default();
        for sample in columns::samples(&all) {
            if !(start..=end).contains(&sample.timestamp) {
                kept.append(sample.timestamp, &sample.value);
            }
        }
        let removed = self.count - kept.count;
        *self = kept;
        Ok(u64::from(removed))
    }

    fn from_column(column: &Column) -> Self {
        let mut samples = Self::default();
        for sample in columns::samples(column) {
            samples.append(sample.timestamp, &sample.value);
        }
        samples
    }

    /// Appends all samples to `out`.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn read(&self, out: &mut Column) -> Result<(), FormatError> {
        let mut reader = Reader::new(&self.closed);
        while !reader.is_empty() {
            let length = reader.count()?;
            codec::decode(reader.take(length)?, out)?;
        }
        self.read_open(out)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        u64::from(self.count)
    }

    /// The times of the oldest and newest sample; `None` when there is none.
    pub(crate) fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        (self.count > 0).then_some((self.min_time, self.max_time))
    }

    /// The memory held, in bytes, without the value itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        let open = match &self.open {
            Open::Empty => 0,
            Open::Floats(open) => open.tokens.capacity(),
            Open::Histograms(open) => size_of::<OpenHistograms>() + open.bits.capacity(),
        };
        self.closed.capacity() + self.times.irregular.capacity() + open
    }

    fn read_open(&self, out: &mut Column) -> Result<(), FormatError> {
        match &self.open {
            Open::Empty => Ok(()),
            Open::Floats(open) => {
                self.times.read(&mut out.float_times)?;
                open.read(&mut out.floats)
            }
            Open::Histograms(open) => {
                self.times.read(&mut out.histogram_times)?;
                let mut bytes = Vec::with_capacity(open.bits.len_bytes());
                open.bits.copy_to(&mut bytes);
                histograms::decode_shared(&bytes, self.times.count as usize, &mut out.histograms)
            }
        }
    }

    /// Writes the open chunk as a closed one and keeps its memory for the next.
    fn close(&mut self) {
        let mut column = Column::default();
        self.read_open(&mut column).expect("the open chunk was written by this very code");
        let mut chunk = Vec::new();
        if !column.floats.is_empty() {
            codec::encode_floats(&column.float_times, &column.floats, &mut chunk);
        } else if !column.histograms.is_empty() {
            codec::encode_histograms(&column.histogram_times, &column.histograms, &mut chunk);
        }
        self.closed.reserve_exact(chunk.len() + 2);
        put_u64(&mut self.closed, chunk.len() as u64);
        self.closed.extend_from_slice(&chunk);
        self.times.clear();
        match &mut self.open {
            Open::Floats(open) => open.clear(),
            other => *other = Open::Empty,
        }
        if column.floats.is_empty() {
            self.open = Open::Empty;
        }
    }
}

impl Open {
    fn len_bytes(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Floats(open) => open.tokens.len(),
            // A histogram is large; a chunk of few of them repeats too much of the first one.
            Self::Histograms(open) => open.bits.len_bytes() / 8,
        }
    }
}

/// The times of an open chunk: a regular step takes no memory.
#[derive(Debug, Clone, Default)]
struct OpenTimes {
    first: Timestamp,
    step: i64,
    count: u32,
    /// Once a time was off the step: how far each sample but the first was, as signed varints.
    irregular: Vec<u8>,
}

impl OpenTimes {
    /// Adds a time; `last` is the one before, which counts from the second on.
    fn push(&mut self, last: Timestamp, timestamp: Timestamp) {
        match self.count {
            0 => self.first = timestamp,
            1 => self.step = timestamp.wrapping_sub(last),
            count => {
                let off = timestamp.wrapping_sub(last).wrapping_sub(self.step);
                if off != 0 && self.irregular.is_empty() {
                    self.irregular.resize(count as usize - 1, 0);
                }
                if !self.irregular.is_empty() {
                    put_u64(&mut self.irregular, zigzag(off));
                }
            }
        }
        self.count += 1;
    }

    fn read(&self, out: &mut Vec<Timestamp>) -> Result<(), FormatError> {
        if self.count == 0 {
            return Ok(());
        }
        let mut time = self.first;
        out.push(time);
        let mut irregular = Reader::new(&self.irregular);
        for _ in 1..self.count {
            let off = if irregular.is_empty() { 0 } else { irregular.i64()? };
            time = time.wrapping_add(self.step).wrapping_add(off);
            out.push(time);
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.count = 0;
        self.step = 0;
        self.irregular.clear();
    }
}

/// Numbers as varints: 0 and the raw bits, or 1 more than the zigzag distance from the number before
/// as a decimal.
#[derive(Debug, Clone, Default)]
struct OpenFloats {
    tokens: Vec<u8>,
    last: i64,
    exponent: u8,
}

impl OpenFloats {
    fn push(&mut self, value: f64) {
        if !self.push_decimal(value) {
            match decimal::exponent_of(value, self.exponent) {
                Some(exponent) => {
                    self.rescale(exponent);
                    self.push_decimal(value);
                }
                None => self.push_raw(value),
            }
        }
    }

    /// Adds a value that is a decimal at the present exponent; else returns `false`.
    #[inline]
    fn push_decimal(&mut self, value: f64) -> bool {
        let Some(integer) = decimal::to_integer(value, self.exponent) else { return false };
        put_u64(&mut self.tokens, zigzag(integer - self.last) + 1);
        self.last = integer;
        true
    }

    fn push_raw(&mut self, value: f64) {
        self.tokens.push(0);
        self.tokens.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    /// Writes everything again with more decimals.
    fn rescale(&mut self, exponent: u8) {
        let mut values = Vec::new();
        self.read(&mut values).expect("the open chunk was written by this very code");
        self.clear();
        self.exponent = exponent;
        for value in values {
            if !self.push_decimal(value) {
                self.push_raw(value);
            }
        }
    }

    fn read(&self, out: &mut Vec<f64>) -> Result<(), FormatError> {
        let mut reader = Reader::new(&self.tokens);
        let mut integer = 0_i64;
        while !reader.is_empty() {
            out.push(match reader.u64()? {
                0 => reader.f64()?,
                token => {
                    integer = integer.wrapping_add(unzigzag(token - 1));
                    decimal::to_value(integer, self.exponent)
                }
            });
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.tokens.clear();
        self.last = 0;
        self.exponent = 0;
    }
}

/// Histograms as a stream of bits with one context for all buckets.
#[derive(Debug, Clone, Default)]
struct OpenHistograms {
    stream: histograms::Stream,
    bits: BitWriter,
    last: Option<Arc<NativeHistogram>>,
}

impl OpenHistograms {
    fn push(&mut self, value: &Arc<NativeHistogram>) {
        self.stream.put(self.last.as_deref(), value, &mut self.bits);
        self.last = Some(Arc::clone(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_value;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_what_goes_in_comes_out(
            samples in proptest::collection::btree_map(0_i64..10_000, any_value(), 0..400),
            regular: bool,
            late in proptest::collection::btree_map(0_i64..10_000, any_value(), 0..5),
        ) {
            let mut expected = std::collections::BTreeMap::new();
            let mut store = Samples::default();
            for (i, (time, value)) in samples.into_iter().enumerate() {
                let time = if regular { i as i64 * 25 } else { time };
                store.append(time, &value);
                expected.insert(time, value);
            }
            let shared = store.clone();
            let mut before = Column::default();
            shared.read(&mut before).unwrap();
            let mut late_column = Column::default();
            for (time, value) in late {
                late_column.push(time, value.clone());
                expected.insert(time, value);
            }
            store.insert(&late_column).unwrap();
            let mut column = Column::default();
            store.read(&mut column).unwrap();
            let read: Vec<_> = columns::samples(&column);
            let expected: Vec<_> = expected.into_iter().map(|(timestamp, value)| model::Sample { timestamp, value }).collect();
            prop_assert_eq!(format!("{read:?}"), format!("{expected:?}"));
            prop_assert_eq!(store.count(), expected.len() as u64);
            prop_assert_eq!(store.time_range().map(|range| range.1), expected.last().map(|s| s.timestamp));
            let mut again = Column::default();
            shared.read(&mut again).unwrap();
            prop_assert_eq!(format!("{before:?}"), format!("{again:?}"));
        }
    }

    #[test]
    fn removing_a_range_keeps_the_rest() {
        let mut store = Samples::default();
        for i in 0..300 {
            store.append(i * 10, &Value::Float(i as f64 / 4.0));
        }
        assert_eq!(store.remove(100, 199).unwrap(), 10);
        assert_eq!(store.remove(5_000, 6_000).unwrap(), 0);
        let mut column = Column::default();
        store.read(&mut column).unwrap();
        assert_eq!(column.len(), 290);
        assert!(column.float_times.iter().all(|time| !(100..200).contains(time)));
    }
}
