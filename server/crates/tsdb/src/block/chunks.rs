//! The chunks of a series in the index of a block: where each is and what is known of it.
//!
//! A chunk mostly lies behind the one before it, has as many samples at the same distance, and begins
//! with a value near the last one. What follows from the chunk before is not written.

use model::Timestamp;

use super::summary::Summary;
use crate::bytes::{FormatError, Reader, put_i64, put_u64};

/// Where a chunk is and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ChunkRef {
    pub(crate) page: u32,
    /// Where it begins in the page's payload.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) count: u32,
    pub(crate) min_time: Timestamp,
    pub(crate) max_time: Timestamp,
    /// Of numbers; histograms and rollups have none.
    pub(crate) summary: Option<Summary>,
}

/// Flags of a chunk: it begins where the one before ends;
const ADJOINS: u8 = 1;
/// it has as many samples as the one before, at the same distances on the whole;
const KEEPS_PACE: u8 = 2;
/// it has a summary.
const HAS_SUMMARY: u8 = 4;

impl ChunkRef {
    /// Whether a sample of the chunk may lie within the range, both ends inclusive.
    pub(crate) fn overlaps(&self, start: Timestamp, end: Timestamp) -> bool {
        self.min_time <= end && self.max_time >= start
    }

    /// Appends a chunk. `before` is the one before it of the same series; times count from
    /// `block_start`.
    pub(super) fn put(&self, before: Option<&Self>, block_start: Timestamp, out: &mut Vec<u8>) {
        let adjoins = before.is_some_and(|before| before.end() == (self.page, self.offset));
        let keeps_pace = before.and_then(Self::next_times).is_some_and(|(count, start, end)| {
            (count, start, end) == (self.count, self.min_time, self.max_time)
        });
        let flag = |flag, is_set| if is_set { flag } else { 0 };
        out.push(
            flag(ADJOINS, adjoins)
                | flag(KEEPS_PACE, keeps_pace)
                | flag(HAS_SUMMARY, self.summary.is_some()),
        );
        if !adjoins {
            put_u64(out, u64::from(self.page));
            put_u64(out, u64::from(self.offset));
        }
        put_u64(out, u64::from(self.length));
        if !keeps_pace {
            put_u64(out, u64::from(self.count));
            put_i64(out, self.min_time.wrapping_sub(block_start));
            put_i64(out, self.max_time.wrapping_sub(self.min_time));
        }
        if let Some(summary) = &self.summary {
            let last = before.and_then(|before| before.summary).map(|summary| summary.last);
            summary.put(last, self.count, out);
        }
    }

    /// Reads the chunk after `before`.
    pub(super) fn take(
        reader: &mut Reader<'_>,
        before: Option<&Self>,
        block_start: Timestamp,
    ) -> Result<Self, FormatError> {
        const FIRST: FormatError = FormatError::Invalid("first chunk of a series");
        let flags = reader.u8()?;
        if flags > ADJOINS | KEEPS_PACE | HAS_SUMMARY {
            return Err(FormatError::Invalid("kind of a chunk"));
        }
        let (page, offset) = if flags & ADJOINS == 0 {
            (reader.u32()?, reader.u32()?)
        } else {
            before.map(Self::end).ok_or(FIRST)?
        };
        let length = reader.u32()?;
        let (count, min_time, max_time) = if flags & KEEPS_PACE == 0 {
            let count = reader.u32()?;
            let min_time = block_start.wrapping_add(reader.i64()?);
            (count, min_time, min_time.wrapping_add(reader.i64()?))
        } else {
            before.and_then(Self::next_times).ok_or(FIRST)?
        };
        let summary = if flags & HAS_SUMMARY == 0 {
            None
        } else {
            let last = before.and_then(|before| before.summary).map(|summary| summary.last);
            Some(Summary::take(reader, last, count)?)
        };
        Ok(Self { page, offset, length, count, min_time, max_time, summary })
    }

    /// Page and offset behind the chunk.
    fn end(&self) -> (u32, u32) {
        (self.page, self.offset.wrapping_add(self.length))
    }

    /// Count, first and last time of the chunk after this one, if the series goes on as it is.
    fn next_times(&self) -> Option<(u32, Timestamp, Timestamp)> {
        let duration = self.max_time.checked_sub(self.min_time)?;
        let step = duration.checked_div(i64::from(self.count) - 1)?;
        let start = self.max_time.checked_add(step)?;
        Some((self.count, start, start.checked_add(duration)?))
    }
}
