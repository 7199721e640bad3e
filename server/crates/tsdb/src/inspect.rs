//! Reading any bytes as one of the store's formats, for fuzzing, for measuring, and for looking at a
//! damaged row.

use model::{Column, Labels, rollup::RollupColumn};

use crate::{
    block::{Block, INDEX_MAGIC, INDEX_VERSION, PAGE_MAGIC, PAGE_VERSION, open_page},
    bytes::{FormatError, finish_envelope, start_envelope},
    codec,
    engine::BlockRow,
    frame::{self, FrameDecoder},
    postings::{Conditions, select},
    store::Notes,
};

/// A format of the store; see `docs/formats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A flush.
    Frame,
    /// Chunks of many series.
    Page,
    /// What a block holds and where.
    BlockIndex,
    /// What the store remembers besides samples.
    Notes,
    /// Samples of a series. It has no envelope of its own.
    Chunk,
    /// Windows of a series. It has no envelope of its own.
    Rollups,
}

/// Reads bytes as a format and returns how many things were in them: samples, chunks, series,
/// deletions, windows.
///
/// # Errors
/// What is wrong with them.
pub fn read(format: Format, bytes: &[u8]) -> Result<usize, FormatError> {
    match format {
        Format::Frame => {
            let flush = FrameDecoder::default().decode(bytes, |_| 0)?;
            Ok(flush.len())
        }
        Format::Page => open_page(bytes).map(<[u8]>::len),
        Format::BlockIndex => read_index(bytes),
        Format::Notes => Notes::open(bytes).map(|notes| notes.deletions.len()),
        Format::Chunk => {
            let mut column = Column::default();
            codec::decode(bytes, &mut column)?;
            Ok(column.len())
        }
        Format::Rollups => {
            let mut column = RollupColumn::default();
            codec::rollups::decode(bytes, &mut column)?;
            Ok(column.floats.len() + column.histograms.len())
        }
    }
}

/// The chunks that a block holds of a column, numbers before histograms.
pub fn chunks_of(column: &Column) -> Vec<Vec<u8>> {
    let size = codec::BLOCK_CHUNK_SAMPLES;
    let mut chunks = Vec::new();
    for (times, values) in column.float_times.chunks(size).zip(column.floats.chunks(size)) {
        let mut chunk = Vec::new();
        codec::encode_floats(times, values, codec::Purpose::Storing, &mut chunk);
        chunks.push(chunk);
    }
    let histograms = column.histogram_times.chunks(size).zip(column.histograms.chunks(size));
    for (times, values) in histograms {
        let mut chunk = Vec::new();
        codec::encode_histograms(times, values, &mut chunk);
        chunks.push(chunk);
    }
    chunks
}

/// Puts the envelope of a format around a payload, so that its checksum is right. A chunk stays as it
/// is.
pub fn enveloped(format: Format, payload: &[u8]) -> Vec<u8> {
    let (magic, version) = match format {
        Format::Frame => (frame::MAGIC, frame::VERSION),
        Format::Page => (PAGE_MAGIC, PAGE_VERSION),
        Format::BlockIndex => (INDEX_MAGIC, INDEX_VERSION),
        Format::Notes => (Notes::MAGIC, Notes::VERSION),
        Format::Chunk | Format::Rollups => return payload.to_vec(),
    };
    let mut bytes = Vec::new();
    start_envelope(&mut bytes, magic, version);
    bytes.extend_from_slice(payload);
    finish_envelope(&mut bytes);
    bytes
}

/// Opens an index and asks it for all it has.
fn read_index(bytes: &[u8]) -> Result<usize, FormatError> {
    let row = BlockRow {
        id: 1,
        level: 1,
        min_time: 0,
        max_time: 0,
        series: 0,
        samples: 0,
        page_bytes: 0,
        index: bytes.to_vec(),
    };
    let block = Block::open(row)?;
    let mut things = 0;
    for series in 0..block.len() {
        let labels: Labels = block.labels(series)?;
        things += labels.iter().count() + block.chunks(series)?.len();
    }
    for name in block.names() {
        things += block.values(name).count();
    }
    Ok(things + select(&block, &Conditions::default().of(&[])).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_lets_a_payload_through_to_the_decoder() {
        for (format, payload) in [
            (Format::Notes, &[0; 6][..]),
            (Format::Page, b"chunks"),
            (Format::BlockIndex, &[0; 8]),
            (Format::Frame, &[0; 11]),
        ] {
            let found = read(format, &enveloped(format, payload));
            assert!(found.is_ok(), "{format:?}: {found:?}");
            assert!(read(format, payload).is_err(), "{format:?}");
        }
        assert_eq!(read(Format::Chunk, &[]), Err(FormatError::Truncated));
        assert_eq!(read(Format::Rollups, &[32, 0]), Err(FormatError::Invalid("number of windows")));
    }
}
