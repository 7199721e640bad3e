//! Closed chunks that are still in the form of the open one.
//!
//! Writing a full chunk with the full codec is most of what a sample costs, and a start has millions of
//! them to replay before the first query is answered. So while frames are replayed full chunks stay as
//! they are; the next seal writes them anyway.

use model::{Column, Timestamp};

use super::{Samples, open::read_tokens};
use crate::{
    bytes::{FormatError, Reader},
    codec,
};

/// The first byte of such a chunk, which is no codec.
const UNPACKED: u8 = 0xff;

/// The open chunk as a closed one: the mark, exponent and count (1 byte each), step (u32), the first time
/// (i64), tokens. It holds numbers at regular times.
pub(super) fn chunk(samples: &Samples) -> Box<[u8]> {
    let mut chunk = vec![UNPACKED, samples.exponent, samples.open_count];
    chunk.reserve_exact(12 + samples.tokens().len());
    chunk.extend_from_slice(&samples.step.to_le_bytes());
    chunk.extend_from_slice(&samples.regular_open_time().to_le_bytes());
    chunk.extend_from_slice(samples.tokens());
    chunk.into()
}

/// Decodes closed chunks of either form, in order.
#[derive(Debug, Default)]
pub(super) struct Chunks<'a>(codec::Together<'a>);

impl<'a> Chunks<'a> {
    /// Appends the samples of a chunk. Some values are there only after [`Self::finish`].
    pub(super) fn decode(&mut self, chunk: &'a [u8], out: &mut Column) -> Result<(), FormatError> {
        if chunk.first() != Some(&UNPACKED) {
            return self.0.decode(chunk, out);
        }
        self.0.finish(out)?;
        let mut reader = Reader::new(&chunk[1..]);
        let (exponent, count) = (reader.u8()?, reader.u8()?);
        let step = u32::from_le_bytes(reader.array()?);
        let mut time = Timestamp::from_le_bytes(reader.array()?);
        for _ in 0..count {
            out.float_times.push(time);
            time = time.wrapping_add(i64::from(step));
        }
        read_tokens(reader.rest(), exponent, &mut out.floats)
    }

    /// Appends the values that are missing.
    pub(super) fn finish(&mut self, out: &mut Column) -> Result<(), FormatError> {
        self.0.finish(out)
    }
}

/// How many numbers a closed chunk has; 0 when it is one of histograms.
pub(super) fn numbers_in(chunk: &[u8]) -> Result<usize, FormatError> {
    match chunk {
        [UNPACKED, _, count, ..] => Ok(usize::from(*count)),
        _ => codec::numbers_in(chunk),
    }
}

/// The time of the first sample of a closed chunk.
pub(super) fn first_time(chunk: &[u8]) -> Result<Timestamp, FormatError> {
    match chunk {
        [UNPACKED, _, _, _, _, _, _, rest @ ..] => {
            Reader::new(rest).array().map(Timestamp::from_le_bytes)
        }
        _ => codec::first_time(chunk),
    }
}
