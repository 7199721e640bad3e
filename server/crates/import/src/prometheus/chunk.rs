//! The files of a block that hold chunks.

use std::{
    io::{BufReader, Read, Seek, SeekFrom},
    sync::Arc,
};

use model::{NativeHistogram, Timestamp};

use super::{
    bytes::{checked, read_uvarint},
    histograms, xor,
};

/// Before the chunks of a file: a magic number, a version and padding.
const SEGMENT_MAGIC: [u8; 4] = 0x85BD_40DD_u32.to_be_bytes();
const ENCODING_XOR: u8 = 1;
const ENCODING_HISTOGRAM: u8 = 2;
const ENCODING_FLOAT_HISTOGRAM: u8 = 3;
/// A chunk has at most 120 samples, or about a kilobyte; nothing sound is larger than this.
const MAX_CHUNK_BYTES: u64 = 1 << 20;
/// The chunks of a series mostly lie behind one another.
const BUFFER_BYTES: usize = 64 << 10;

/// The samples of a series, in the order of its chunks.
#[derive(Debug, Default)]
pub struct Samples {
    /// Numbers.
    pub floats: Vec<(Timestamp, f64)>,
    /// Native histograms.
    pub histograms: Vec<(Timestamp, Arc<NativeHistogram>)>,
}

impl Samples {
    pub(super) fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
    }
}

/// Adds the samples of a chunk; none when it cannot be read.
///
/// # Errors
/// When the encoding is not known (1 are numbers, 2 histograms of whole numbers, 3 histograms of any), or
/// the bytes are not such a chunk.
pub fn decode_chunk(encoding: u8, bytes: &[u8], samples: &mut Samples) -> Result<(), String> {
    let before = (samples.floats.len(), samples.histograms.len());
    let decoded = match encoding {
        ENCODING_XOR => xor::decode(bytes, &mut samples.floats),
        ENCODING_HISTOGRAM => histograms::decode(bytes, &mut samples.histograms),
        ENCODING_FLOAT_HISTOGRAM => histograms::decode_floats(bytes, &mut samples.histograms),
        _ => return Err(format!("its chunk has the encoding {encoding}, which is not known")),
    };
    if decoded.is_none() {
        samples.floats.truncate(before.0);
        samples.histograms.truncate(before.1);
        return Err("its chunk is damaged".to_owned());
    }
    Ok(())
}

/// A file of chunks.
#[derive(Debug)]
pub(super) struct Segment<R: Read + Seek> {
    file: BufReader<R>,
    /// Where the reader is, unless a failure left it anywhere.
    position: Option<u64>,
}

impl<R: Read + Seek> Segment<R> {
    pub(super) fn open(file: R) -> Result<Self, String> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut magic = [0; SEGMENT_MAGIC.len()];
        file.read_exact(&mut magic).map_err(|error| error.to_string())?;
        if magic != SEGMENT_MAGIC {
            return Err("it is not one".to_owned());
        }
        Ok(Self { file, position: Some(magic.len() as u64) })
    }

    /// Adds the samples of the chunk at an offset.
    pub(super) fn read(&mut self, offset: u64, samples: &mut Samples) -> Result<(), String> {
        let unreadable = |error: std::io::Error| format!("its chunk cannot be read: {error}");
        match self.position.take() {
            Some(position) => self.file.seek_relative(offset.wrapping_sub(position) as i64),
            None => self.file.seek(SeekFrom::Start(offset)).map(drop),
        }
        .map_err(unreadable)?;
        let length = read_uvarint(&mut self.file).map_err(unreadable)?;
        let length = length.filter(|(length, _)| *length <= MAX_CHUNK_BYTES);
        let (length, taken) = length.ok_or("the length of its chunk is damaged")?;
        // The encoding, the data, the checksum over both.
        let mut bytes = vec![0; 1 + length as usize + 4];
        self.file.read_exact(&mut bytes).map_err(unreadable)?;
        self.position = Some(offset + taken + bytes.len() as u64);
        let body = checked(&bytes).ok_or("the checksum of its chunk does not match")?;
        let (encoding, data) = body.split_first().ok_or("its chunk is damaged")?;
        decode_chunk(*encoding, data, samples)
    }
}
