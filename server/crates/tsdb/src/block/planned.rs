//! The series of a block that is being built.
//!
//! A block has as many series as the head, and all of them wait until the last one is known, because
//! texts are numbered in their order. So they wait as bytes, about as many as they take in the index.

use super::ChunkRef;
use crate::bytes::{Reader, put_u64};

/// A full part has so many bytes, or a series more.
const PART_BYTES: usize = 64 << 10;

/// Series in order: the numbers of name and value of each label, and where the chunks are.
#[derive(Debug, Default)]
pub(super) struct PlannedSeries {
    /// All but the last one are full.
    parts: Vec<Vec<u8>>,
    len: u64,
}

impl PlannedSeries {
    /// Adds a series at the end.
    pub(super) fn push(&mut self, labels: &[(u32, u32)], chunks: &[ChunkRef]) {
        if self.parts.last().is_none_or(|part| part.len() >= PART_BYTES) {
            self.parts.push(Vec::with_capacity(PART_BYTES));
        }
        let Some(out) = self.parts.last_mut() else { return };
        put_u64(out, labels.len() as u64);
        for &(name, value) in labels {
            put_u64(out, u64::from(name));
            put_u64(out, u64::from(value));
        }
        put_u64(out, chunks.len() as u64);
        let mut before = None;
        for chunk in chunks {
            chunk.put(before, 0, out);
            before = Some(chunk);
        }
        self.len += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }

    /// Visits all in order.
    pub(super) fn each(&self, mut visit: impl FnMut(&[(u32, u32)], &[ChunkRef])) {
        const OWN: &str = "these bytes were written here";
        let (mut labels, mut chunks) = (Vec::new(), Vec::<ChunkRef>::new());
        for part in &self.parts {
            let mut reader = Reader::new(part);
            while !reader.is_empty() {
                labels.clear();
                for _ in 0..reader.count().expect(OWN) {
                    labels.push((reader.u32().expect(OWN), reader.u32().expect(OWN)));
                }
                chunks.clear();
                for _ in 0..reader.count().expect(OWN) {
                    let chunk = ChunkRef::take(&mut reader, chunks.last(), 0).expect(OWN);
                    chunks.push(chunk);
                }
                visit(&labels, &chunks);
            }
        }
    }
}
