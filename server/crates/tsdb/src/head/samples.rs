//! The samples of one series that are not sealed yet, compressed from the first one on.
//!
//! Samples first go into an open chunk, which is written so that the next sample is a few bytes at the
//! end and nothing else moves. When it is full it is written again as a closed chunk with the full
//! codec. A reader shares the whole by its `Arc` and is not disturbed by samples that follow.
//!
//! There are millions of these, so what few series need, or all of them only after a while, is kept
//! elsewhere ([`More`]), and what can be computed is not kept at all. The newest sample is at hand
//! without decoding anything: it is what the next one is written against.

mod open;
mod unpacked;

use std::sync::Arc;

use model::{Column, NativeHistogram, Sample, Timestamp, Value};

use crate::{
    bytes::FormatError,
    codec::{bits::BitWriter, histograms},
    columns::{self, Overlap},
};

/// A full open chunk has this many samples,
const OPEN_SAMPLES: u8 = 120;
/// or this many bytes.
const OPEN_BYTES: usize = 238;

/// What an open chunk of numbers grows to, step by step: as much as common allocators round to anyway.
/// Chunks that follow use the same memory again, so that the heap does not fall to pieces.
const OPEN_CAPACITIES: [usize; 4] = [24, 56, 120, 248];

/// There is a newest sample, whether it is here or in a block by now.
const HAS_LAST: u8 = 1;
/// The newest sample is not the last one here, and is kept in [`More::newest`].
const IS_OVERTAKEN: u8 = 2;
/// The open chunk is one of histograms.
const IS_HISTOGRAM: u8 = 4;
/// A time of the open chunk is off the step.
const IS_IRREGULAR: u8 = 8;

/// Samples in order of time, and the newest one ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    /// The tokens of an open chunk of numbers, `open_length` bytes: varints, 0 and the raw bits, or 1
    /// more than the zigzag distance from the number before as a decimal. What is no decimal counts as
    /// 0 for the next distance.
    open: Box<[u8]>,
    more: Option<Box<More>>,
    /// The time of the last sample.
    last_time: Timestamp,
    /// Its value, when it is a number.
    last_value: f64,
    /// The usual distance of times in the open chunk, in milliseconds.
    step: u32,
    open_length: u8,
    open_count: u8,
    exponent: u8,
    flags: u8,
}

/// What only some series need.
#[derive(Debug, Clone, Default)]
struct More {
    /// Closed chunks. They are never moved or made longer, which would leave holes in the heap.
    closed: Vec<Box<[u8]>>,
    closed_bytes: usize,
    /// Once a time was off the step: how far each sample but the first was, as signed varints.
    irregular: Vec<u8>,
    /// The oldest time in `closed`.
    min_time: Timestamp,
    /// The first time of the open chunk, when it is irregular.
    open_time: Timestamp,
    /// The open chunk, when it is one of histograms.
    histograms: Option<Box<OpenHistograms>>,
    /// The value of the last sample, when it is a histogram.
    last_histogram: Option<Arc<NativeHistogram>>,
    /// A sample newer than all here.
    newest: Option<Sample>,
}

impl Samples {
    /// No samples after one that is kept elsewhere.
    pub(crate) fn after(last: Option<Sample>) -> Self {
        let mut samples = Self::default();
        if let Some(Sample { timestamp, value }) = last {
            samples.set_last(timestamp, &value);
        }
        samples
    }

    /// Adds a sample that is newer than all others, and returns by how much the memory grew.
    #[inline]
    pub(crate) fn append(&mut self, timestamp: Timestamp, value: &Value) -> isize {
        debug_assert!(self.last_time().is_none_or(|last| last < timestamp));
        if let Value::Float(value) = value
            && self.is_next(timestamp)
        {
            let before = self.open.len();
            self.push_float(*value);
            self.open_count += 1;
            (self.last_time, self.last_value) = (timestamp, *value);
            return self.open.len().wrapping_sub(before).cast_signed();
        }
        let before = self.bytes();
        self.append_slowly(timestamp, value);
        self.bytes().wrapping_sub(before).cast_signed()
    }

    /// Whether a number of this time goes to the end of the open chunk, and nothing else changes.
    #[inline]
    fn is_next(&self, timestamp: Timestamp) -> bool {
        self.open_count > 1
            && self.open_count < OPEN_SAMPLES
            && usize::from(self.open_length) < OPEN_BYTES
            && self.flags == HAS_LAST
            && timestamp.wrapping_sub(self.last_time) == i64::from(self.step)
    }

    fn append_slowly(&mut self, timestamp: Timestamp, value: &Value) {
        if self.open_count > 0 && (self.is_open_full() || self.is_other_kind(value)) {
            self.close();
        }
        self.push_time(timestamp);
        match value {
            Value::Float(value) => self.push_float(*value),
            Value::Histogram(value) => self.push_histogram(value),
        }
        self.open_count += 1;
        if self.has(IS_OVERTAKEN)
            && let Some(more) = &mut self.more
        {
            more.newest = None;
            self.flags &= !IS_OVERTAKEN;
        }
        self.set_last(timestamp, value);
    }

    fn set_last(&mut self, timestamp: Timestamp, value: &Value) {
        self.flags |= HAS_LAST;
        self.last_time = timestamp;
        match value {
            Value::Float(value) => {
                self.last_value = *value;
                if let Some(more) = &mut self.more {
                    more.last_histogram = None;
                }
            }
            Value::Histogram(value) => {
                self.more.get_or_insert_default().last_histogram = Some(Arc::clone(value));
            }
        }
    }

    /// Adds samples of any time, none newer than `newest`; at the same time the new one wins.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn insert(
        &mut self,
        late: &Column,
        newest: Option<Sample>,
    ) -> Result<Overlap, FormatError> {
        let mut all = Column::default();
        self.read(&mut all)?;
        let overlap = columns::merge(&mut all, late);
        *self = Self::from_samples(columns::samples(&all));
        self.keep_newest(newest);
        Ok(overlap)
    }

    /// Takes away all samples from `start` to `end`, both inclusive, and returns how many they were. The
    /// newest one stays known.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn remove(&mut self, start: Timestamp, end: Timestamp) -> Result<u64, FormatError> {
        if self.time_range().is_none_or(|(min, max)| min > end || max < start) {
            return Ok(0);
        }
        let mut all = Column::default();
        self.read(&mut all)?;
        let newest = self.last();
        let mut kept = columns::samples(&all);
        kept.retain(|sample| !(start..=end).contains(&sample.timestamp));
        let removed = all.len() - kept.len();
        *self = Self::from_samples(kept);
        self.keep_newest(newest);
        Ok(removed as u64)
    }

    fn from_samples(all: Vec<Sample>) -> Self {
        let mut samples = Self::default();
        for sample in all {
            samples.append_slowly(sample.timestamp, &sample.value);
        }
        samples
    }

    /// Sets the newest sample, which may be gone from here or never have been here.
    pub(crate) fn replace_newest(&mut self, newest: Option<Sample>) {
        if self.is_empty() {
            *self = Self::after(newest);
            return;
        }
        self.flags &= !IS_OVERTAKEN;
        if let Some(more) = &mut self.more {
            more.newest = None;
        }
        self.keep_newest(newest);
    }

    fn keep_newest(&mut self, newest: Option<Sample>) {
        let Some(newest) = newest else { return };
        if self.is_empty() {
            *self = Self::after(Some(newest));
        } else if self.last_time < newest.timestamp {
            self.more.get_or_insert_default().newest = Some(newest);
            self.flags |= IS_OVERTAKEN;
        }
    }

    /// Appends all samples to `out`.
    ///
    /// # Errors
    /// When the memory is damaged.
    pub(crate) fn read(&self, out: &mut Column) -> Result<(), FormatError> {
        let mut chunks = unpacked::Chunks::default();
        for chunk in self.more.iter().flat_map(|more| &more.closed) {
            chunks.decode(chunk, out)?;
        }
        chunks.finish(out)?;
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
        let closed = self.more.as_ref().map_or(&[][..], |more| &more.closed);
        let begins_by = |chunk: &[u8], time| unpacked::first_time(chunk).is_ok_and(|t| t <= time);
        let ends = closed.partition_point(|chunk| begins_by(chunk, end));
        let has_open = self.open_count > 0;
        let starts = if has_open && self.open_time() <= start {
            closed.len()
        } else {
            closed.partition_point(|chunk| begins_by(chunk, start)).saturating_sub(1)
        };
        let chunks = closed.get(starts..ends).unwrap_or_default();
        // Chunks lie all over the memory: here all are looked at, one right after the other, so that
        // they are waited for together and not one by one.
        let numbers =
            chunks.iter().try_fold(0, |sum, chunk| Ok(sum + unpacked::numbers_in(chunk)?))?;
        out.float_times.reserve(numbers);
        out.floats.reserve(numbers);
        let mut together = unpacked::Chunks::default();
        for chunk in chunks {
            together.decode(chunk, out)?;
        }
        together.finish(out)?;
        if has_open && self.open_time() <= end { self.read_open(out) } else { Ok(()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open_count == 0
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        let mut column = Column::default();
        self.read(&mut column).expect("the chunks were written by this very code");
        column.len()
    }

    /// The newest sample that was ever here or before.
    pub(crate) fn last(&self) -> Option<Sample> {
        if !self.has(HAS_LAST) {
            return None;
        }
        if self.has(IS_OVERTAKEN) {
            return self.more.as_ref()?.newest.clone();
        }
        let histogram = self.more.as_ref().and_then(|more| more.last_histogram.as_ref());
        let value = match histogram {
            Some(histogram) => Value::Histogram(Arc::clone(histogram)),
            None => Value::Float(self.last_value),
        };
        Some(Sample { timestamp: self.last_time, value })
    }

    /// The time of [`Self::last`].
    #[inline]
    pub(crate) fn last_time(&self) -> Option<Timestamp> {
        if self.has(IS_OVERTAKEN) {
            return Some(self.more.as_ref()?.newest.as_ref()?.timestamp);
        }
        self.has(HAS_LAST).then_some(self.last_time)
    }

    /// The times of the oldest and newest sample; `None` when there is none.
    pub(crate) fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        let first_closed = self.more.as_ref().filter(|more| !more.closed.is_empty());
        let min_time = first_closed.map_or_else(|| self.open_time(), |more| more.min_time);
        (!self.is_empty()).then_some((min_time, self.last_time))
    }

    /// The memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        if !self.has(HAS_LAST) {
            // This is what all series without samples share.
            return 0;
        }
        size_of::<Self>() + self.open.len() + self.more.as_ref().map_or(0, |more| more.bytes())
    }

    #[inline]
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn open_histograms(&self) -> Option<&OpenHistograms> {
        self.more.as_ref()?.histograms.as_deref()
    }

    fn is_other_kind(&self, value: &Value) -> bool {
        self.has(IS_HISTOGRAM) != matches!(value, Value::Histogram(_))
    }

    fn is_open_full(&self) -> bool {
        // A histogram is large; a chunk of few of them repeats too much of the first one.
        let bytes = match self.open_histograms() {
            Some(open) => open.bits.len_bytes() / 8,
            None => usize::from(self.open_length),
        };
        self.open_count >= OPEN_SAMPLES || bytes >= OPEN_BYTES
    }
}

impl More {
    fn bytes(&self) -> usize {
        let histograms = self.histograms.as_ref();
        let histograms = histograms.map_or(0, |open| size_of_val(&**open) + open.bits.capacity());
        size_of::<Self>() + self.closed_bytes + self.irregular.capacity() + histograms
    }
}

/// Histograms as a stream of bits with one context for all buckets.
#[derive(Debug, Clone, Default)]
struct OpenHistograms {
    stream: histograms::Stream,
    bits: BitWriter,
}

impl OpenHistograms {
    fn push(&mut self, last: Option<&NativeHistogram>, value: &NativeHistogram) {
        self.stream.put(last, value, &mut self.bits);
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
            is_hasty: bool,
            late in proptest::collection::btree_map(0_i64..10_000, any_value(), 0..5),
        ) {
            let mut expected = std::collections::BTreeMap::new();
            let mut store = Samples::default();
            for (i, (time, value)) in samples.into_iter().enumerate() {
                let time = if regular { i as i64 * 25 } else { time };
                if is_hasty {
                    store.close_as_it_is();
                }
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
            let newest = store.last();
            store.insert(&late_column, newest).unwrap();
            let mut column = Column::default();
            store.read(&mut column).unwrap();
            let read: Vec<_> = columns::samples(&column);
            let expected: Vec<_> = expected.into_iter().map(|(timestamp, value)| Sample { timestamp, value }).collect();
            prop_assert_eq!(format!("{read:?}"), format!("{expected:?}"));
            prop_assert_eq!(store.count(), expected.len());
            prop_assert_eq!(format!("{:?}", store.last()), format!("{:?}", expected.last()));
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
            if i < 500 {
                store.close_as_it_is();
            }
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
    fn more_decimals_than_an_open_chunk_has_room_for_change_no_value() {
        let mut store = Samples::default();
        let values: Vec<f64> =
            (0..119).map(|i| f64::from(i % 50)).chain([0.123_456_789, 5.5, 1e-7]).collect();
        for (time, value) in (0..).zip(&values) {
            store.append(time, &Value::Float(*value));
        }
        let mut column = Column::default();
        store.read(&mut column).unwrap();
        assert_eq!(column.floats, values);
        assert!(column.float_times.iter().copied().eq(0..122));
    }

    #[test]
    fn the_newest_sample_stays_known_without_its_chunk() {
        let histogram = Value::Histogram(Arc::default());
        for value in [Value::Float(1.5), histogram] {
            let newest = Sample { timestamp: 100, value };
            let mut store = Samples::after(Some(newest.clone()));
            assert!(store.is_empty());
            assert_eq!((store.last(), store.time_range()), (Some(newest.clone()), None));
            let mut late = Column::default();
            late.push(50, Value::Float(7.0));
            store.insert(&late, Some(newest.clone())).unwrap();
            assert_eq!((store.count(), store.time_range()), (1, Some((50, 50))));
            assert_eq!((store.last(), store.last_time()), (Some(newest.clone()), Some(100)));
            store.remove(0, 60).unwrap();
            assert_eq!((store.count(), store.last()), (0, Some(newest)));
            store.append(110, &Value::Float(2.0));
            assert_eq!(store.last(), Some(Sample { timestamp: 110, value: Value::Float(2.0) }));
            assert_eq!((store.count(), store.time_range()), (1, Some((110, 110))));
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
