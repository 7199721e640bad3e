//! Blocks of Prometheus's own store: folders named by a ULID with `meta.json`, `index` and `chunks/`.
//! Source: `tsdb/docs/format` in Prometheus; the index of version 2, which every Prometheus since 2.0
//! writes.
//!
//! The series are read one after the other, so that memory does not depend on the size of a block but
//! for its table of texts.

mod bits;
mod bytes;
mod chunk;
mod histograms;
mod index;
mod tombstones;
mod xor;

use std::io::{Read, Seek};

pub use chunk::{Samples, decode_chunk};
pub use tombstones::Tombstones;
pub use xor::encode_numbers;

use crate::sink::{ReadError, Sink};
use chunk::Segment;
use index::Index;

/// The files of a block, open at their beginnings.
#[derive(Debug)]
pub struct BlockFiles<R> {
    /// What the block is called where something in it is refused.
    pub name: String,
    /// `index`.
    pub index: R,
    /// The files in `chunks`, ascending by name.
    pub chunks: Vec<R>,
    /// `tombstones`; `None` where there is none.
    pub tombstones: Option<R>,
}

/// Reads a block, without what was deleted from it. A series or chunk that cannot be read is refused, and the
/// others are taken. `after_series` is told how many bytes of the index were read.
///
/// # Errors
/// When the index cannot be read or is damaged, or a file of chunks is none, or the sink takes no more.
pub fn read_block<R: Read + Seek, S: Sink>(
    files: BlockFiles<R>,
    sink: &mut S,
    after_series: &mut dyn FnMut(&S, u64),
) -> Result<(), ReadError<S::Error>> {
    let name = files.name;
    let bad = |reason: &str| ReadError::Block(format!("{name}: {reason}"));
    let mut index = Index::open(files.index).map_err(|reason| bad(&reason))?;
    let segments = files.chunks.into_iter().enumerate().map(|(number, file)| {
        let opened = Segment::open(file);
        opened.map_err(|reason| bad(&format!("file {} of chunks: {reason}", number + 1)))
    });
    let mut segments: Vec<Segment<R>> = segments.collect::<Result<_, _>>()?;
    let tombstones = match files.tombstones.map(Tombstones::read) {
        None => Tombstones::default(),
        Some(Ok(tombstones)) => tombstones,
        Some(Err(reason)) => {
            let reason = format!("tombstones: {reason}; what was deleted is imported all the same");
            sink.refuse(&name, &reason);
            Tombstones::default()
        }
    };
    let mut samples = Samples::default();
    let mut number = 0_u64;
    while let Some(series) = {
        number += 1;
        index.next_series().map_err(|reason| bad(&format!("series {number}: {reason}")))?
    } {
        samples.clear();
        for place in series.chunks {
            let read = match segments.get_mut(place.segment) {
                None => Err("its chunk is in a file that is missing".to_owned()),
                Some(segment) => segment.read(place.offset, &mut samples),
            };
            if let Err(reason) = read {
                let place = format_args!("{name}, series {number}");
                sink.refuse(&place, &format_args!("{}: {reason}", series.labels));
            }
        }
        tombstones.remove_from(series.reference, &mut samples);
        if !samples.floats.is_empty() {
            sink.push(&series.labels, &samples.floats).map_err(ReadError::Sink)?;
        }
        if !samples.histograms.is_empty() {
            let histograms = &samples.histograms;
            sink.push_histograms(&series.labels, histograms).map_err(ReadError::Sink)?;
        }
        after_series(sink, index.position());
    }
    Ok(())
}
