//! Reading the index of a block.
//!
//! The index stays as its bytes. Opening it checks all of it once and remembers where things begin;
//! what is asked for later is read from the bytes, so a block in memory is little larger than on disk.

use model::{Labels, Metadata, Timestamp};

use super::{INDEX_MAGIC, INDEX_VERSION, chunks::ChunkRef};
use crate::{
    bytes::{FormatError, Reader, open_envelope},
    engine::BlockRow,
    postings::{Condition, Index, List, merged},
};

/// A block that can be queried.
#[derive(Debug)]
pub(crate) struct Block {
    /// The row, with its index bytes taken out.
    pub(crate) row: BlockRow,
    /// Of two blocks with a sample of the same series and time, the one with the higher order counts.
    pub(crate) order: u64,
    /// The length of the windows when the block holds rollups; 0 when it holds samples.
    pub(crate) window_ms: i64,
    /// Deletions up to this id have been carried out in the block.
    pub(crate) cleaned: u64,
    /// Frames up to this one are in this block or an older one.
    pub(crate) frames: u64,
    /// What is known of the block's metrics.
    pub(crate) metadata: Vec<Metadata>,
    payload: Box<[u8]>,
    /// Where each text begins, in order of the texts.
    symbols: Box<[u32]>,
    /// Where each series begins.
    series: Box<[u32]>,
    /// Name, value and where their postings begin, ascending by name and value.
    postings: Box<[(u32, u32, u32)]>,
}

impl Block {
    /// Checks a row and makes it a block.
    pub(crate) fn open(mut row: BlockRow) -> Result<Self, FormatError> {
        let mut index = std::mem::take(&mut row.index);
        open_envelope(&index, INDEX_MAGIC, INDEX_VERSION, "block index")?;
        index.drain(..crate::bytes::ENVELOPE_BYTES);
        let payload = index.into_boxed_slice();
        let mut reader = Reader::new(&payload);
        let order = reader.u64()?;
        let window_ms = i64::from(reader.u32()?);
        let cleaned = reader.u64()?;
        let frames = reader.u64()?;
        let at = |reader: &Reader<'_>| (payload.len() - reader.rest().len()) as u32;

        let mut symbols = Vec::new();
        let mut last = None;
        for _ in 0..reader.count()? {
            symbols.push(at(&reader));
            let text = reader.text()?;
            if last.is_some_and(|last| last >= text) {
                return Err(FormatError::Invalid("order of texts"));
            }
            last = Some(text);
        }
        let symbol = |reader: &mut Reader<'_>| -> Result<u32, FormatError> {
            let symbol = reader.u32()?;
            let is_known = (symbol as usize) < symbols.len();
            if is_known { Ok(symbol) } else { Err(FormatError::Invalid("number of a text")) }
        };
        let mut series = Vec::new();
        for _ in 0..reader.count()? {
            series.push(at(&reader));
            for _ in 0..reader.count()? {
                symbol(&mut reader)?;
                symbol(&mut reader)?;
            }
            let mut before = None;
            for _ in 0..reader.count()? {
                before = Some(ChunkRef::take(&mut reader, before.as_ref(), row.min_time)?);
            }
        }
        let mut postings = Vec::new();
        for _ in 0..reader.count()? {
            let (name, value) = (symbol(&mut reader)?, symbol(&mut reader)?);
            let start = at(&reader);
            if take_postings(&mut reader)?.last().is_some_and(|&s| s as usize >= series.len()) {
                return Err(FormatError::Invalid("number of a series"));
            }
            postings.push((name, value, start));
        }
        if !postings.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)) {
            return Err(FormatError::Invalid("order of postings"));
        }
        let mut metadata = Vec::new();
        for _ in 0..reader.count()? {
            metadata.push(crate::metadata::take(&mut reader)?);
        }
        if !reader.is_empty() {
            return Err(FormatError::Invalid("end of the index"));
        }
        let (symbols, series, postings) = (symbols.into(), series.into(), postings.into());
        Ok(Self {
            row,
            order,
            window_ms,
            cleaned,
            frames,
            metadata,
            payload,
            symbols,
            series,
            postings,
        })
    }

    /// How many series the block has.
    pub(crate) fn len(&self) -> u32 {
        self.series.len() as u32
    }

    /// Whether a sample of the block may lie within the range, both ends inclusive.
    pub(crate) fn overlaps(&self, start: Timestamp, end: Timestamp) -> bool {
        self.row.min_time <= end && self.row.max_time >= start
    }

    /// The labels of a series by its number.
    pub(crate) fn labels(&self, series: u32) -> Result<Labels, FormatError> {
        let mut reader = self.series_reader(series)?;
        let count = reader.count()?;
        let mut pairs = Vec::with_capacity(count);
        for _ in 0..count {
            pairs.push((self.symbol(reader.u32()?), self.symbol(reader.u32()?)));
        }
        Ok(Labels::from_pairs(pairs))
    }

    /// The chunks of a series by its number: those of numbers, then those of histograms, each in order
    /// of time.
    pub(crate) fn chunks(&self, series: u32) -> Result<Vec<ChunkRef>, FormatError> {
        let mut reader = self.series_reader(series)?;
        for _ in 0..2 * reader.count()? {
            reader.u32()?;
        }
        let count = reader.count()?;
        let mut chunks: Vec<ChunkRef> = Vec::with_capacity(count);
        for _ in 0..count {
            chunks.push(ChunkRef::take(&mut reader, chunks.last(), self.row.min_time)?);
        }
        Ok(chunks)
    }

    /// All label names, ascending.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let same = |a: &&(u32, u32, u32), b: &&(u32, u32, u32)| a.0 == b.0;
        let mut last = None;
        self.postings.iter().filter_map(move |entry| {
            let is_new = last.is_none_or(|last| !same(&last, &entry));
            last = Some(entry);
            is_new.then(|| self.symbol(entry.0))
        })
    }

    /// All values of a label, ascending.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values_of(name).iter().map(|entry| self.symbol(entry.1))
    }

    /// The bytes of index and pages as stored.
    pub(crate) fn stored_bytes(&self) -> u64 {
        (self.payload.len() + crate::bytes::ENVELOPE_BYTES) as u64 + self.row.page_bytes
    }

    /// The memory held, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.payload.len() + 4 * (self.symbols.len() + self.series.len()) + 12 * self.postings.len()
    }

    fn series_reader(&self, series: u32) -> Result<Reader<'_>, FormatError> {
        let start = self.series.get(series as usize).ok_or(FormatError::Invalid("series"))?;
        Ok(self.reader_at(*start))
    }

    fn reader_at(&self, start: u32) -> Reader<'_> {
        Reader::new(self.payload.get(start as usize..).unwrap_or_default())
    }

    /// A text by its number; opening the block has checked that it is there.
    fn symbol(&self, symbol: u32) -> &str {
        let start = self.symbols.get(symbol as usize).copied().unwrap_or(u32::MAX);
        self.reader_at(start).text().unwrap_or_default()
    }

    fn find_symbol(&self, text: &str) -> Option<u32> {
        let at = self
            .symbols
            .partition_point(|&start| self.reader_at(start).text().unwrap_or_default() < text);
        (at < self.symbols.len() && self.symbol(at as u32) == text).then_some(at as u32)
    }

    fn values_of(&self, name: &str) -> &[(u32, u32, u32)] {
        let Some(name) = self.find_symbol(name) else { return &[] };
        let start = self.postings.partition_point(|entry| entry.0 < name);
        let end = self.postings.partition_point(|entry| entry.0 <= name);
        &self.postings[start..end]
    }

    fn postings_at(&self, start: u32) -> Vec<u32> {
        take_postings(&mut self.reader_at(start)).unwrap_or_default()
    }
}

impl Index for Block {
    fn all(&self) -> Vec<u32> {
        (0..self.len()).collect()
    }

    fn postings(&self, name: &str, value: &str) -> List<'_> {
        let values = self.values_of(name);
        let postings = self.find_symbol(value).and_then(|value| {
            let at = values.binary_search_by_key(&value, |entry| entry.1).ok()?;
            Some(self.postings_at(values[at].2))
        });
        List::Owned(postings.unwrap_or_default())
    }

    fn with_values(&self, condition: &Condition<'_>, wanted: bool) -> List<'_> {
        let mut values = self.values_of(&condition.matcher.name);
        if wanted {
            let prefix = condition.prefix();
            let from = values.partition_point(|entry| self.symbol(entry.1) < prefix);
            values = &values[from..];
            let to = values.partition_point(|entry| self.symbol(entry.1).starts_with(prefix));
            values = &values[..to];
        }
        let lists: Vec<Vec<u32>> = values
            .iter()
            .filter(|entry| condition.is_match(self.symbol(entry.1)) == wanted)
            .map(|entry| self.postings_at(entry.2))
            .collect();
        let length = lists.iter().map(Vec::len).sum();
        List::Owned(merged(lists.iter().map(Vec::as_slice), length))
    }
}

fn take_postings(reader: &mut Reader<'_>) -> Result<Vec<u32>, FormatError> {
    let mut series = Vec::new();
    let mut next = 0_u32;
    for _ in 0..reader.count()? {
        let number = next.checked_add(reader.u32()?).filter(|&number| number < u32::MAX);
        let number = number.ok_or(FormatError::Invalid("number of a series"))?;
        series.push(number);
        next = number + 1;
    }
    Ok(series)
}
