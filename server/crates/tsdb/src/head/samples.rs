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
const OPEN_SAMPLES: u8 = 120;
/// or this many bytes.
const OPEN_BYTES: usize = 238;

/// What an open chunk of numbers grows to, step by step: as much as common allocators round to anyway.
/// Chunks that follow use the same memory again, so that the heap does not fall to pieces.
const OPEN_CAPACITIES: [usize; 4] = [24, 56, 120, 248];

/// Samples in order of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    /// Closed chunks. They are never moved or made longer.
    closed: Vec<Box<[u8]>>,
    /// The tokens of an open chunk of numbers: varints, 0 and the raw bits, or 1 more than the zigzag
    /// distance from the number before as a decimal.
    open: Vec<u8>,
    min_time: Timestamp,
    max_time: Timestamp,
    /// The first time of the open chunk and the usual distance, which takes no memory.
    open_time: Timestamp,
    step: i64,
    /// The integer of the last decimal in the open chunk.
    last: i64,
    /// What few series need.
    rare: Option<Box<Rare>>,
    count: u32,
    /// The memory of the closed chunks.
    closed_bytes: u32,
    open_count: u8,
    exponent: u8,
}

#[derive(Debug, Clone, Default)]
struct Rare {
    /// Once a time was off the step: how far each sample but the first was, as signed varints.
    irregular: Vec<u8>,
    /// The open chunk, when it is one of histograms.
    histograms: Option<OpenHistograms>,
}

impl Samples {
    /// Adds a sample that is newer than all others.
    pub(crate) fn append(&mut self, timestamp: Timestamp, value: &Value) {
        debug_assert!(self.count == 0 || timestamp > self.max_time);
        if self.open_count > 0 && (self.is_open_full() || self.is_other_kind(value)) {
            self.close();
        }
        self.push_time(timestamp);
        match value {
            Value::Float(value) => self.push_float(*value),
            Value::Histogram(value) => {
                let rare = self.rare.get_or_insert_default();
                rare.histograms.get_or_insert_default().push(value);
            }
        }
        if self.count == 0 {
            self.min_time = timestamp;
        }
        self.max_time = timestamp;
        self.count += 1;
        self.open_count += 1;
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
        for chunk in &self.closed {
            codec::decode(chunk, out)?;
        }
        self.read_open(out)
    }

    /// Appends the samples from `start` to `end`, both inclusive, to `out`, and perhaps some around
    /// them: what begins after the end or ends before the start is left as it is.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn read_around(
        &self,
        start: Timestamp,
        end: Timestamp,
        out: &mut Column,
    ) -> Result<(), FormatError> {
        let mut chunks = self.closed.iter().peekable();
        while let Some(chunk) = chunks.next() {
            let after = match chunks.peek() {
                Some(next) => codec::first_time(next)?,
                None if self.open_count > 0 => self.open_time,
                None => Timestamp::MAX,
            };
            if after > start {
                codec::decode(chunk, out)?;
            }
            if after > end {
                return Ok(());
            }
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
    #[inline]
    pub(crate) fn heap_bytes(&self) -> usize {
        // Counted chunk by chunk this would cost every append.
        self.closed_bytes as usize
            + self.open.capacity()
            + self.rare.as_ref().map_or(0, |rare| rare.heap_bytes())
    }

    fn open_histograms(&self) -> Option<&OpenHistograms> {
        self.rare.as_ref()?.histograms.as_ref()
    }

    fn is_other_kind(&self, value: &Value) -> bool {
        self.open_histograms().is_some() != matches!(value, Value::Histogram(_))
    }

    fn is_open_full(&self) -> bool {
        // A histogram is large; a chunk of few of them repeats too much of the first one.
        let bytes = match self.open_histograms() {
            Some(open) => open.bits.len_bytes() / 8,
            None => self.open.len(),
        };
        self.open_count >= OPEN_SAMPLES || bytes >= OPEN_BYTES
    }

    /// Adds the time of a sample that follows.
    fn push_time(&mut self, timestamp: Timestamp) {
        match self.open_count {
            0 => self.open_time = timestamp,
            1 => self.step = timestamp.wrapping_sub(self.max_time),
            count => {
                let off = timestamp.wrapping_sub(self.max_time).wrapping_sub(self.step);
                if off == 0 && self.rare.as_ref().is_none_or(|rare| rare.irregular.is_empty()) {
                    return;
                }
                let irregular = &mut self.rare.get_or_insert_default().irregular;
                if irregular.is_empty() {
                    irregular.resize(usize::from(count) - 1, 0);
                }
                put_u64(irregular, zigzag(off));
            }
        }
    }

    fn read_times(&self, out: &mut Vec<Timestamp>) -> Result<(), FormatError> {
        let irregular = self.rare.as_ref().map_or(&[][..], |rare| &rare.irregular);
        let mut irregular = Reader::new(irregular);
        let mut time = self.open_time;
        out.push(time);
        for _ in 1..self.open_count {
            let off = if irregular.is_empty() { 0 } else { irregular.i64()? };
            time = time.wrapping_add(self.step).wrapping_add(off);
            out.push(time);
        }
        Ok(())
    }

    #[inline]
    fn push_float(&mut self, value: f64) {
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
        let token = zigzag(integer - self.last) + 1;
        self.make_room((70 - token.leading_zeros() as usize) / 7);
        put_u64(&mut self.open, token);
        self.last = integer;
        true
    }

    fn push_raw(&mut self, value: f64) {
        self.make_room(9);
        self.open.push(0);
        self.open.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    #[inline]
    fn make_room(&mut self, more: usize) {
        let needed = self.open.len() + more;
        if needed > self.open.capacity() {
            let capacity = OPEN_CAPACITIES.into_iter().find(|&capacity| capacity >= needed);
            self.open.reserve_exact(capacity.unwrap_or(needed) - self.open.len());
        }
    }

    /// Writes the open chunk again with more decimals.
    fn rescale(&mut self, exponent: u8) {
        let mut values = Vec::new();
        self.read_floats(&mut values).expect("the open chunk was written by this very code");
        self.open.clear();
        self.last = 0;
        self.exponent = exponent;
        for value in values {
            if !self.push_decimal(value) {
                self.push_raw(value);
            }
        }
    }

    fn read_floats(&self, out: &mut Vec<f64>) -> Result<(), FormatError> {
        let mut reader = Reader::new(&self.open);
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

    fn read_open(&self, out: &mut Column) -> Result<(), FormatError> {
        if self.open_count == 0 {
            return Ok(());
        }
        if let Some(open) = self.open_histograms() {
            self.read_times(&mut out.histogram_times)?;
            let mut bytes = Vec::with_capacity(open.bits.len_bytes());
            open.bits.copy_to(&mut bytes);
            let count = usize::from(self.open_count);
            return histograms::decode_shared(&bytes, count, &mut out.histograms);
        }
        self.read_times(&mut out.float_times)?;
        self.read_floats(&mut out.floats)
    }

    /// Writes the open chunk as a closed one.
    fn close(&mut self) {
        let mut column = Column::default();
        self.read_open(&mut column).expect("the open chunk was written by this very code");
        let mut chunk = Vec::new();
        if !column.floats.is_empty() {
            codec::encode_floats(&column.float_times, &column.floats, &mut chunk);
        } else if !column.histograms.is_empty() {
            codec::encode_histograms(&column.histogram_times, &column.histograms, &mut chunk);
        }
        self.closed_bytes += (chunk.len() + size_of::<Box<[u8]>>()) as u32;
        self.closed.reserve_exact(1);
        self.closed.push(chunk.into());
        self.open.clear();
        self.open_count = 0;
        self.step = 0;
        self.last = 0;
        self.exponent = 0;
        self.rare = None;
    }
}

impl Rare {
    fn heap_bytes(&self) -> usize {
        let histograms = self.histograms.as_ref().map_or(0, |open| open.bits.capacity());
        size_of::<Self>() + self.irregular.capacity() + histograms
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
    fn only_chunks_around_a_range_are_read() {
        let mut store = Samples::default();
        for i in 0..1_000 {
            store.append(i * 10, &Value::Float((i * 7_919 % 1_000) as f64));
        }
        for (start, end) in [(0, 9_990), (3_333, 3_333), (5_000, 6_000), (9_985, 20_000)] {
            let mut column = Column::default();
            store.read_around(start, end, &mut column).unwrap();
            let wanted = (0..1_000_i64).map(|i| i * 10).filter(|t| (start..=end).contains(t));
            let inside = column.float_times.iter().copied().filter(|t| (start..=end).contains(t));
            assert!(inside.eq(wanted));
            assert!(column.float_times.is_sorted());
            assert!(end - start > 5_000 || column.len() < 400, "{} samples", column.len());
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
