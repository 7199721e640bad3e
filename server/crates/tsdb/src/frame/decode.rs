//! Reading frames.

use model::{Timestamp, Value, labels::LabelsRef};

use super::{
    Flush, FrameSample, payload_of,
    series::KnownPairs,
    values::{LastValues, take_series},
};
use crate::bytes::{FormatError, Reader};

/// Reads frames in the order in which they were written.
#[derive(Debug, Default)]
pub(crate) struct FrameDecoder {
    epoch: Option<u64>,
    position: u64,
    /// The slot of each series of the epoch, by its number.
    slots: Vec<u32>,
    pairs: KnownPairs,
    last: LastValues,
}

impl FrameDecoder {
    /// Reads a frame; `resolve` gives the slot for labels that are new in the epoch. After an error
    /// the rest of the epoch cannot be read.
    pub(crate) fn decode(
        &mut self,
        bytes: &[u8],
        resolve: impl FnMut(LabelsRef<'_>) -> u32,
    ) -> Result<Flush, FormatError> {
        let result = self.decode_chained(bytes, resolve);
        if result.is_err() {
            self.position = u64::MAX;
        }
        result
    }

    fn decode_chained(
        &mut self,
        bytes: &[u8],
        resolve: impl FnMut(LabelsRef<'_>) -> u32,
    ) -> Result<Flush, FormatError> {
        let (version, payload) = payload_of(bytes)?;
        let mut reader = Reader::new(payload);
        let epoch = reader.u64()?;
        let position = reader.u64()?;
        let timestamp = reader.i64()?;
        let known = reader.u64()?;
        if position == 0 {
            self.epoch = Some(epoch);
            self.slots.clear();
            self.pairs.clear();
            self.last.clear();
        } else if self.epoch != Some(epoch) || self.position != position {
            return Err(FormatError::Invalid("place of the frame in its epoch"));
        }
        if known != self.slots.len() as u64 {
            return Err(FormatError::Invalid("number of known series"));
        }
        if version == 1 {
            self.take_labels(&mut reader, resolve)?;
        } else {
            self.take_series(&mut reader, resolve)?;
        }
        self.last.grow(self.slots.len());
        let mut flush = Flush { timestamp, ..Flush::default() };
        for _ in 0..reader.count()? {
            flush.metadata.push(crate::metadata::take(&mut reader)?);
        }
        flush.dated = self.take_samples(&mut reader, timestamp, true)?;
        flush.ticks = self.take_samples(&mut reader, timestamp, false)?;
        if !reader.is_empty() {
            return Err(FormatError::Invalid("end of the frame"));
        }
        self.position = position + 1;
        Ok(flush)
    }

    fn take_series(
        &mut self,
        reader: &mut Reader<'_>,
        mut resolve: impl FnMut(LabelsRef<'_>) -> u32,
    ) -> Result<(), FormatError> {
        let Self { pairs, slots, .. } = self;
        pairs.take(reader, |labels| slots.push(resolve(labels)))
    }

    /// New series as version 1 has them.
    fn take_labels(
        &mut self,
        reader: &mut Reader<'_>,
        mut resolve: impl FnMut(LabelsRef<'_>) -> u32,
    ) -> Result<(), FormatError> {
        let mut packed = String::new();
        for _ in 0..reader.count()? {
            let shared = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
            if packed.get(..shared).is_none() {
                return Err(FormatError::Invalid("shared part of labels"));
            }
            packed.truncate(shared);
            packed.push_str(reader.text()?);
            let labels = LabelsRef::from_packed(&packed).ok_or(FormatError::Invalid("labels"))?;
            self.slots.push(resolve(labels));
        }
        Ok(())
    }

    fn take_samples(
        &mut self,
        reader: &mut Reader<'_>,
        timestamp: Timestamp,
        is_dated: bool,
    ) -> Result<Vec<FrameSample>, FormatError> {
        let mut columns = Vec::new();
        for _ in 0..2 {
            let count = reader.u64()?;
            let series = take_series(reader, count, self.slots.len())?;
            let mut times = Vec::new();
            if is_dated {
                for _ in &series {
                    times.push(timestamp.wrapping_add(reader.i64()?));
                }
            }
            columns.push((series, times));
        }
        let mut samples = Vec::with_capacity(columns.iter().map(|(series, _)| series.len()).sum());
        for (kind, (series, times)) in columns.iter().enumerate() {
            let mut at = 0;
            let mut add = |value: Value| {
                let time = times.get(at).copied().unwrap_or(timestamp);
                samples.push((self.slots[series[at] as usize], time, value));
                at += 1;
            };
            if kind == 0 {
                self.last.take_floats(reader, series, |value| add(Value::Float(value)))?;
            } else if !series.is_empty() {
                self.last.take_histograms(reader, series, |value| add(Value::Histogram(value)))?;
            }
        }
        Ok(samples)
    }
}
