//! Chunks: the samples of one series over a stretch of time, as bytes.
//!
//! A chunk is `codec (1 byte) · count (varint) · times · values`; `docs/formats/chunk.md` has the byte
//! layout. The codec byte says how the values are written, so that a better one can be added without
//! touching what exists. A chunk holds numbers or histograms, never both, and carries no checksum: the
//! page or frame around it does. Decoders take any bytes without a panic.

use std::sync::Arc;

use model::{Column, NativeHistogram, Timestamp};

use crate::bytes::{FormatError, Reader, put_u64};

pub(crate) mod bits;
pub(crate) mod decimal;
mod floats;
mod histogram_columns;
pub(crate) mod histograms;
mod huffman;
mod integers;
mod packed;
mod quotients;
pub(crate) mod rollups;
pub(crate) mod times;
mod together;
mod tokens;

pub(crate) use together::Together;

/// The most samples one chunk may hold. A damaged count cannot ask for more memory than this.
pub(crate) const MAX_SAMPLES: usize = 1 << 16;

/// How many samples the chunks of a block hold at most: more saves little, and a query for a short
/// range decodes whole chunks.
pub(crate) const BLOCK_CHUNK_SAMPLES: usize = 720;

/// What a chunk is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be short: for blocks.
    Storing,
    /// To be read quickly: for the head, where chunks stay an hour or so.
    Reading,
}

/// One way of writing numbers.
///
/// The first byte of a chunk names the codec; ids are never used again for something else.
trait FloatCodec: Sync {
    /// The id in the chunk's first byte.
    fn id(&self) -> u8;

    /// Appends the values to `out`. `false` when this codec does not suit them, with `out` unchanged.
    fn encode(&self, values: &[f64], purpose: Purpose, out: &mut Vec<u8>) -> bool;

    /// Appends exactly `count` values to `out`, with the bits they had, and leaves the reader behind
    /// them.
    fn decode(
        &self,
        reader: &mut Reader<'_>,
        count: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), FormatError>;
}

/// All codecs for numbers; the first that suits is used, the last suits everything.
const FLOAT_CODECS: [&dyn FloatCodec; 4] =
    [&floats::Constant, &floats::Decimals, &quotients::Quotients, &floats::AnyBits];

/// The id of chunks that hold histograms one after the other,
const HISTOGRAM_STREAM: u8 = 16;
/// and of those that hold them column by column.
const HISTOGRAM_COLUMNS: u8 = 17;

/// Appends a chunk of numbers. Times are strictly increasing; both slices have the same length, at
/// least 1 and at most [`MAX_SAMPLES`].
pub(crate) fn encode_floats(
    timestamps: &[Timestamp],
    values: &[f64],
    purpose: Purpose,
    out: &mut Vec<u8>,
) {
    debug_assert_eq!(timestamps.len(), values.len());
    let place = out.len();
    out.push(0);
    put_u64(out, values.len() as u64);
    times::encode(timestamps, out);
    out[place] = put_values(values, purpose, out);
}

/// Appends numbers with the first codec that suits them, and returns its id.
fn put_values(values: &[f64], purpose: Purpose, out: &mut Vec<u8>) -> u8 {
    let codec = FLOAT_CODECS.into_iter().find(|codec| codec.encode(values, purpose, out));
    codec.expect("the last codec suits everything").id()
}

/// Appends exactly `count` numbers that the codec with this id wrote, and leaves the reader behind
/// them.
fn take_values(
    id: u8,
    reader: &mut Reader<'_>,
    count: usize,
    out: &mut Vec<f64>,
) -> Result<(), FormatError> {
    let codec = FLOAT_CODECS.into_iter().find(|codec| codec.id() == id);
    codec.ok_or(FormatError::Invalid("codec"))?.decode(reader, count, out)
}

/// Appends a chunk of histograms; same conditions as [`encode_floats`].
pub(crate) fn encode_histograms(
    timestamps: &[Timestamp],
    values: &[Arc<NativeHistogram>],
    out: &mut Vec<u8>,
) {
    debug_assert_eq!(timestamps.len(), values.len());
    let place = out.len();
    out.push(HISTOGRAM_COLUMNS);
    put_u64(out, values.len() as u64);
    times::encode(timestamps, out);
    if !histogram_columns::encode(values, out) {
        out[place] = HISTOGRAM_STREAM;
        histograms::encode(values, out);
    }
}

/// Appends the samples of a chunk to the end of `column`, in whatever order they stand to what is
/// there.
pub(crate) fn decode(chunk: &[u8], column: &mut Column) -> Result<(), FormatError> {
    let (id, count, mut reader) = open(chunk)?;
    match id {
        HISTOGRAM_STREAM => {
            times::decode(&mut reader, count, &mut column.histogram_times)?;
            return histograms::decode(reader.rest(), count, &mut column.histograms);
        }
        HISTOGRAM_COLUMNS => {
            times::decode(&mut reader, count, &mut column.histogram_times)?;
            histogram_columns::decode(&mut reader, count, &mut column.histograms)?;
        }
        _ => {
            times::decode(&mut reader, count, &mut column.float_times)?;
            take_values(id, &mut reader, count, &mut column.floats)?;
        }
    }
    if reader.is_empty() { Ok(()) } else { Err(FormatError::Invalid("end of the samples")) }
}

/// What every chunk begins with: the codec, how many samples there are, and the rest.
fn open(chunk: &[u8]) -> Result<(u8, usize, Reader<'_>), FormatError> {
    let mut reader = Reader::new(chunk);
    let id = reader.u8()?;
    let count = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
    if count == 0 || count > MAX_SAMPLES {
        return Err(FormatError::Invalid("number of samples"));
    }
    Ok((id, count, reader))
}

/// The time of the first sample of a chunk.
pub(crate) fn first_time(chunk: &[u8]) -> Result<Timestamp, FormatError> {
    let mut reader = Reader::new(chunk);
    reader.u8()?;
    reader.u64()?;
    times::first(&mut reader)
}

/// How many numbers there are in a chunk.
pub(crate) fn numbers_in(chunk: &[u8]) -> Result<usize, FormatError> {
    let (id, count, _) = open(chunk)?;
    Ok(if id == HISTOGRAM_STREAM || id == HISTOGRAM_COLUMNS { 0 } else { count })
}

#[cfg(test)]
mod tests;
