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
pub(crate) mod histograms;
pub(crate) mod rollups;
pub(crate) mod times;

/// The most samples one chunk may hold. A damaged count cannot ask for more memory than this.
pub(crate) const MAX_SAMPLES: usize = 1 << 16;

/// How many samples the chunks of a block hold at most: more saves little, and a query for a short
/// range decodes whole chunks.
pub(crate) const BLOCK_CHUNK_SAMPLES: usize = 720;

/// One way of writing numbers.
///
/// The first byte of a chunk names the codec; ids are never used again for something else.
trait FloatCodec: Sync {
    /// The id in the chunk's first byte.
    fn id(&self) -> u8;

    /// Appends the values to `out`. `false` when this codec does not suit them, with `out` unchanged.
    fn encode(&self, values: &[f64], out: &mut Vec<u8>) -> bool;

    /// Appends exactly `count` values to `out`, with the bits they had.
    fn decode(&self, bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), FormatError>;
}

/// All codecs for numbers; the first that suits is used, the last suits everything.
const FLOAT_CODECS: [&dyn FloatCodec; 3] = [&floats::Constant, &floats::DecimalRice, &floats::Xor];

/// The id of chunks that hold histograms.
const HISTOGRAM_CODEC: u8 = 16;

/// Appends a chunk of numbers. Times are strictly increasing; both slices have the same length, at
/// least 1 and at most [`MAX_SAMPLES`].
pub(crate) fn encode_floats(timestamps: &[Timestamp], values: &[f64], out: &mut Vec<u8>) {
    debug_assert_eq!(timestamps.len(), values.len());
    let start = out.len();
    for codec in FLOAT_CODECS {
        out.truncate(start);
        out.push(codec.id());
        put_u64(out, values.len() as u64);
        times::encode(timestamps, out);
        if codec.encode(values, out) {
            return;
        }
    }
}

/// Appends a chunk of histograms; same conditions as [`encode_floats`].
pub(crate) fn encode_histograms(
    timestamps: &[Timestamp],
    values: &[Arc<NativeHistogram>],
    out: &mut Vec<u8>,
) {
    debug_assert_eq!(timestamps.len(), values.len());
    out.push(HISTOGRAM_CODEC);
    put_u64(out, values.len() as u64);
    times::encode(timestamps, out);
    histograms::encode(values, out);
}

/// Appends the samples of a chunk to the end of `column`, in whatever order they stand to what is
/// there.
pub(crate) fn decode(chunk: &[u8], column: &mut Column) -> Result<(), FormatError> {
    let mut reader = Reader::new(chunk);
    let id = reader.u8()?;
    let count = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
    if count == 0 || count > MAX_SAMPLES {
        return Err(FormatError::Invalid("number of samples"));
    }
    if id == HISTOGRAM_CODEC {
        times::decode(&mut reader, count, &mut column.histogram_times)?;
        return histograms::decode(reader.rest(), count, &mut column.histograms);
    }
    let codec = FLOAT_CODECS
        .into_iter()
        .find(|codec| codec.id() == id)
        .ok_or(FormatError::Invalid("codec"))?;
    times::decode(&mut reader, count, &mut column.float_times)?;
    codec.decode(reader.rest(), count, &mut column.floats)
}

/// The time of the first sample of a chunk.
pub(crate) fn first_time(chunk: &[u8]) -> Result<Timestamp, FormatError> {
    let mut reader = Reader::new(chunk);
    reader.u8()?;
    reader.u64()?;
    times::first(&mut reader)
}

#[cfg(test)]
mod tests;
