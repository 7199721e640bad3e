//! The columns of a frame: series numbers, times, numbers and histograms.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{NativeHistogram, Timestamp};

use crate::{
    bytes::{FormatError, Reader, put_i64, put_u64, unzigzag, zigzag},
    codec::{
        bits::{BitReader, BitWriter},
        decimal,
        histograms::Stream,
    },
};

/// The kind of a token for a run of unchanged numbers; its value is the length.
const RUN: u64 = 0;
/// The kind of a token followed by the raw bits. Kinds between are the exponent plus one of a change.
const RAW: u64 = 7;
const MAX_EXPONENT: u8 = 5;

/// The values of the frame before, by the series' number in the epoch.
#[derive(Debug, Default)]
pub(super) struct LastValues {
    floats: Vec<f64>,
    histograms: HashMap<u32, Arc<NativeHistogram>, foldhash::fast::FixedState>,
}

impl LastValues {
    pub(super) fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
    }

    /// Makes room for all series of the epoch.
    pub(super) fn grow(&mut self, series: usize) {
        if series > self.floats.len() {
            self.floats.resize(series, 0.0);
        }
    }

    pub(super) fn put_floats<'a>(
        &mut self,
        values: impl Iterator<Item = (u32, &'a f64)>,
        out: &mut Vec<u8>,
    ) {
        let mut run = 0_u64;
        for (series, &value) in values {
            let last = std::mem::replace(&mut self.floats[series as usize], value);
            if last.to_bits() == value.to_bits() {
                run += 1;
                continue;
            }
            put_run(out, &mut run);
            if let Some(exponent) = exponent_of(value) {
                let before = decimal::to_integer(last, exponent).unwrap_or_default();
                let now = decimal::to_integer(value, exponent).unwrap_or_default();
                put_u64(out, zigzag(now - before) << 3 | u64::from(exponent + 1));
            } else {
                put_u64(out, RAW);
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
        }
        put_run(out, &mut run);
    }

    pub(super) fn take_floats(
        &mut self,
        reader: &mut Reader<'_>,
        series: &[u32],
        mut visit: impl FnMut(f64),
    ) -> Result<(), FormatError> {
        let mut run = 0_u64;
        for &series in series {
            let last = &mut self.floats[series as usize];
            if run == 0 {
                let token = reader.u64()?;
                match token & 7 {
                    RUN => run = token >> 3,
                    RAW => *last = reader.f64()?,
                    kind => {
                        let exponent = kind as u8 - 1;
                        let before = decimal::to_integer(*last, exponent).unwrap_or_default();
                        let now = before.wrapping_add(unzigzag(token >> 3));
                        *last = decimal::to_value(now, exponent);
                    }
                }
                if token & 7 != RUN {
                    visit(*last);
                    continue;
                }
            }
            run = run.checked_sub(1).ok_or(FormatError::Invalid("run of unchanged values"))?;
            visit(*last);
        }
        if run == 0 { Ok(()) } else { Err(FormatError::Invalid("run of unchanged values")) }
    }

    pub(super) fn put_histograms<'a>(
        &mut self,
        values: impl Iterator<Item = (u32, &'a Arc<NativeHistogram>)>,
        out: &mut Vec<u8>,
    ) {
        let mut writer = BitWriter::default();
        let mut stream = Stream::default();
        for (series, value) in values {
            let last = self.histograms.insert(series, Arc::clone(value));
            stream.put(last.as_deref(), value, &mut writer);
        }
        put_u64(out, writer.len_bytes() as u64);
        writer.copy_to(out);
    }

    pub(super) fn take_histograms(
        &mut self,
        reader: &mut Reader<'_>,
        series: &[u32],
        mut visit: impl FnMut(Arc<NativeHistogram>),
    ) -> Result<(), FormatError> {
        let length = reader.count()?;
        let mut bits = BitReader::new(reader.take(length)?);
        let mut stream = Stream::default();
        for &series in series {
            let last = self.histograms.get(&series);
            let value = Arc::new(stream.take(last.map(Arc::as_ref), &mut bits)?);
            self.histograms.insert(series, Arc::clone(&value));
            visit(value);
        }
        Ok(())
    }
}

fn exponent_of(value: f64) -> Option<u8> {
    decimal::exponent_of(value, 0).filter(|&exponent| exponent <= MAX_EXPONENT)
}

fn put_run(out: &mut Vec<u8>, run: &mut u64) {
    if *run > 0 {
        put_u64(out, *run << 3 | RUN);
        *run = 0;
    }
}

/// Appends series numbers as runs: how far the first is from where the last run ended, and the length.
pub(super) fn put_series(series: impl Iterator<Item = u32>, out: &mut Vec<u8>) {
    let (mut expected, mut start, mut length) = (0_i64, 0_i64, 0_u64);
    for number in series {
        let number = i64::from(number);
        if length > 0 && number == start + length as i64 {
            length += 1;
            continue;
        }
        if length > 0 {
            put_i64(out, start - expected);
            put_u64(out, length);
            expected = start + length as i64;
        }
        (start, length) = (number, 1);
    }
    if length > 0 {
        put_i64(out, start - expected);
        put_u64(out, length);
    }
}

/// Reads `count` series numbers, all below `bound`.
pub(super) fn take_series(
    reader: &mut Reader<'_>,
    count: u64,
    bound: usize,
) -> Result<Vec<u32>, FormatError> {
    let mut series = Vec::new();
    let mut next = 0_i64;
    while (series.len() as u64) < count {
        let start = next.wrapping_add(reader.i64()?);
        let length = reader.u64()?;
        let end = i64::try_from(length).ok().and_then(|length| start.checked_add(length));
        let end = end.filter(|&end| start >= 0 && length > 0 && end <= bound as i64);
        let end = end.ok_or(FormatError::Invalid("series number"))?;
        if length > count - series.len() as u64 {
            return Err(FormatError::Invalid("number of samples"));
        }
        series.extend((start..end).map(|number| number as u32));
        next = end;
    }
    Ok(series)
}

/// Appends times as their distances from the time of the flush.
pub(super) fn put_times(
    times: impl Iterator<Item = Timestamp>,
    flush: Timestamp,
    out: &mut Vec<u8>,
) {
    for time in times {
        put_i64(out, time.wrapping_sub(flush));
    }
}
