//! The index of a block: its texts, and series after series.

use std::io::{BufReader, Read, Seek, SeekFrom};

use model::Labels;

use super::bytes::{Bytes, checked, read_uvarint};

const MAGIC: u32 = 0xBAAA_D700;
const VERSION: u8 = 2;
/// Six places and a checksum at the end of the file.
const CONTENTS_BYTES: u64 = 6 * 8 + 4;
/// Every series begins at a multiple of this.
const ALIGNMENT: u64 = 16;
/// The texts are kept in memory; an index with more of them is damaged, or far beyond what fits.
const MAX_SYMBOLS_BYTES: u32 = 2 << 30;
const MAX_SERIES_BYTES: u64 = 64 << 20;

/// Where a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkPlace {
    /// The number of its file, from 0.
    pub(super) segment: usize,
    pub(super) offset: u64,
}

/// A series as the index has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IndexSeries {
    /// What other files of the block name it by.
    pub(super) reference: u64,
    pub(super) labels: Labels,
    pub(super) chunks: Vec<ChunkPlace>,
}

/// An index that is read from its first series to its last.
#[derive(Debug)]
pub(super) struct Index<R: Read + Seek> {
    file: BufReader<R>,
    /// All texts one after the other, and where each ends.
    symbols: String,
    ends: Vec<usize>,
    position: u64,
    end: u64,
}

impl<R: Read + Seek> Index<R> {
    /// Reads the texts of an index.
    pub(super) fn open(mut file: R) -> Result<Self, String> {
        let unreadable = |error: std::io::Error| format!("index: {error}");
        let length = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        let mut head = [0; 5];
        file.read_exact(&mut head).map_err(unreadable)?;
        if Bytes::new(&head).u32() != Some(MAGIC) {
            return Err("index: it is not an index of Prometheus".to_owned());
        }
        if head[4] != VERSION {
            return Err(format!("index: version {} is not known; only {VERSION} is", head[4]));
        }
        let at = length.checked_sub(CONTENTS_BYTES).ok_or("index: it is too short")?;
        let mut contents = [0; CONTENTS_BYTES as usize];
        file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
        file.read_exact(&mut contents).map_err(unreadable)?;
        let damaged = || "index: its contents are damaged".to_owned();
        let mut contents = Bytes::new(checked(&contents).ok_or_else(damaged)?);
        let places = (0..6).map(|_| contents.u64()).collect::<Option<Vec<u64>>>();
        let places = places.ok_or_else(damaged)?;
        let (symbols_at, series_at) = (places[0], places[1]);
        if symbols_at > at || series_at > at {
            return Err(damaged());
        }
        // The series end where the section begins that comes next.
        let next = places.iter().copied().filter(|&place| place > series_at).min();
        let end = next.unwrap_or(at).min(at);
        let (symbols, ends) = read_symbols(&mut file, symbols_at, length)?;
        let mut file = BufReader::new(file);
        file.seek(SeekFrom::Start(series_at)).map_err(unreadable)?;
        Ok(Self { file, symbols, ends, position: series_at, end })
    }

    /// How many bytes have been read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next series.
    pub(super) fn next_series(&mut self) -> Result<Option<IndexSeries>, String> {
        let padding = self.position.next_multiple_of(ALIGNMENT) - self.position;
        self.skip(padding)?;
        if self.position >= self.end {
            return Ok(None);
        }
        let reference = self.position / ALIGNMENT;
        let length = read_uvarint(&mut self.file).map_err(|error| error.to_string())?;
        let (length, taken) = length
            .filter(|(length, _)| *length <= MAX_SERIES_BYTES.min(self.end))
            .ok_or("its length is damaged")?;
        self.position += taken;
        let mut bytes = vec![0; length as usize + 4];
        self.file.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        self.position += bytes.len() as u64;
        let body = checked(&bytes).ok_or("its checksum does not match")?;
        let (labels, chunks) = self.series(body).ok_or("it is damaged")?;
        Ok(Some(IndexSeries { reference, labels, chunks }))
    }

    fn series(&self, body: &[u8]) -> Option<(Labels, Vec<ChunkPlace>)> {
        let mut body = Bytes::new(body);
        let mut pairs = Vec::new();
        for _ in 0..body.uvarint()? {
            pairs.push((self.symbol(body.uvarint()?)?, self.symbol(body.uvarint()?)?));
        }
        let mut chunks = Vec::new();
        let count = body.uvarint()?;
        let mut reference = 0_u64;
        for number in 0..count {
            // The times are in the chunks too.
            if number == 0 {
                body.varint()?;
                body.uvarint()?;
                reference = body.uvarint()?;
            } else {
                body.uvarint()?;
                body.uvarint()?;
                reference = reference.checked_add_signed(body.varint()?)?;
            }
            chunks.push(ChunkPlace {
                segment: (reference >> 32) as usize,
                offset: reference & 0xffff_ffff,
            });
        }
        Some((Labels::from_pairs(pairs), chunks))
    }

    fn symbol(&self, number: u64) -> Option<&str> {
        let number = usize::try_from(number).ok()?;
        let start =
            number.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.symbols.get(start..*self.ends.get(number)?)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), String> {
        self.file.seek_relative(bytes as i64).map_err(|error| error.to_string())?;
        self.position += bytes;
        Ok(())
    }
}

fn read_symbols(
    file: &mut (impl Read + Seek),
    at: u64,
    length: u64,
) -> Result<(String, Vec<usize>), String> {
    let damaged = || "index: its table of texts is damaged".to_owned();
    let mut size = [0; 4];
    let unreadable = |error: std::io::Error| format!("index: {error}");
    file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
    file.read_exact(&mut size).map_err(unreadable)?;
    let size = u32::from_be_bytes(size);
    if size > MAX_SYMBOLS_BYTES || u64::from(size) > length {
        return Err(damaged());
    }
    let mut bytes = vec![0; size as usize + 4];
    file.read_exact(&mut bytes).map_err(unreadable)?;
    let mut table = Bytes::new(checked(&bytes).ok_or_else(damaged)?);
    let count = table.u32().ok_or_else(damaged)?;
    let (mut symbols, mut ends) = (String::with_capacity(size as usize), Vec::new());
    for _ in 0..count {
        symbols.push_str(table.text().ok_or_else(damaged)?);
        ends.push(symbols.len());
    }
    Ok((symbols, ends))
}
