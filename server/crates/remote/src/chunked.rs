//! Remote read: the answer in chunks, `ChunkedReadResponse`, as a stream of frames.
//!
//! A frame is the length of a message as a varint, the CRC-32C of the message in four bytes, big endian,
//! and the message. Source: `storage/remote/chunked.go` and `prompb/remote.proto` in Prometheus.

use crc::{CRC_32_ISCSI, Crc};
use model::{Labels, Timestamp};

use crate::wire::{put_bytes, put_number, put_present_number, put_varint};

static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Chunks of numbers, `Chunk.Encoding.XOR`.
const ENCODING_XOR: u64 = 1;
/// From this size on a frame ends, as in Prometheus; the chunks that are left go into the next one.
const FRAME_BYTES: usize = 1 << 20;

/// A chunk of a series.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The time of its first sample.
    pub start: Timestamp,
    /// The time of its last sample.
    pub end: Timestamp,
    /// The samples in Prometheus's XOR encoding.
    pub data: Vec<u8>,
}

/// Adds a series of the answer to question number `query`, in frames of about a megabyte. Clients want
/// the series of a question in the order of their labels.
pub fn put_chunked_series(
    out: &mut Vec<u8>,
    query: u64,
    labels: &Labels,
    chunks: impl Iterator<Item = Chunk>,
) {
    let mut head = Vec::new();
    let mut scratch = Vec::new();
    for (name, value) in labels {
        scratch.clear();
        put_bytes(&mut scratch, 1, name.as_bytes());
        put_bytes(&mut scratch, 2, value.as_bytes());
        put_bytes(&mut head, 1, &scratch);
    }
    let mut series = head.clone();
    for chunk in chunks {
        scratch.clear();
        put_number(&mut scratch, 1, chunk.start as u64);
        put_number(&mut scratch, 2, chunk.end as u64);
        put_present_number(&mut scratch, 3, ENCODING_XOR);
        put_bytes(&mut scratch, 4, &chunk.data);
        put_bytes(&mut series, 2, &scratch);
        if series.len() >= FRAME_BYTES {
            put_frame(out, query, &series);
            series.clone_from(&head);
        }
    }
    if series.len() > head.len() {
        put_frame(out, query, &series);
    }
}

fn put_frame(out: &mut Vec<u8>, query: u64, series: &[u8]) {
    let mut message = Vec::with_capacity(series.len() + 16);
    put_bytes(&mut message, 1, series);
    put_number(&mut message, 2, query);
    put_varint(out, message.len() as u64);
    out.extend_from_slice(&CRC32C.checksum(&message).to_be_bytes());
    out.extend_from_slice(&message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Reader;

    #[test]
    fn a_long_series_is_cut_into_frames_with_its_labels_in_each() {
        let labels = Labels::from_pairs([("__name__", "x"), ("job", "a")]);
        let chunk = |number: i64| Chunk { start: number, end: number + 1, data: vec![7; 300_000] };
        let mut out = Vec::new();
        put_chunked_series(&mut out, 3, &labels, (0..5).map(chunk));
        put_chunked_series(&mut out, 4, &labels, std::iter::empty());
        let mut frames = Vec::new();
        let mut rest = &out[..];
        while !rest.is_empty() {
            let mut reader = Reader::new(rest);
            let length = reader.varint().unwrap() as usize;
            let (checksum, body) = reader.rest().split_first_chunk::<4>().unwrap();
            let (message, after) = body.split_at(length);
            assert_eq!(CRC32C.checksum(message), u32::from_be_bytes(*checksum));
            frames.push(message);
            rest = after;
        }
        let chunks: Vec<usize> = frames
            .iter()
            .map(|message| {
                let mut reader = Reader::new(message);
                let (_, series) = reader.field().unwrap().unwrap();
                let (number, query) = reader.field().unwrap().unwrap();
                assert_eq!((number, query.varint(2)), (2, Ok(3)));
                let mut series = Reader::new(series.bytes(1).unwrap());
                let mut numbers = Vec::new();
                while let Some((number, _)) = series.field().unwrap() {
                    numbers.push(number);
                }
                assert_eq!(numbers[..2], [1, 1], "both labels come first");
                numbers.len() - 2
            })
            .collect();
        assert_eq!(chunks, [4, 1]);
    }
}
