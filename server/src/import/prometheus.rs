//! Blocks of Prometheus's own store: folders named by a ULID with `meta.json`, `index` and `chunks/`.
//! Source: `tsdb/docs/format` in Prometheus; the index of version 2, which every Prometheus since 2.0
//! writes.
//!
//! The series are read one after the other, so that memory does not depend on the size of a block but
//! for its table of texts.

mod bits;
mod bytes;
mod histograms;
mod index;
mod xor;

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use model::Timestamp;

use super::{ImportError, Importer};
use bytes::{Bytes, crc32c};
use index::{ChunkPlace, Index};

/// Before the chunks of a file: a magic number, a version and padding.
const SEGMENT_MAGIC: [u8; 4] = 0x85BD_40DD_u32.to_be_bytes();
/// The most bytes that the length of a chunk takes.
const LENGTH_BYTES: usize = 5;
const ENCODING_XOR: u8 = 1;
const ENCODING_HISTOGRAM: u8 = 2;
const ENCODING_FLOAT_HISTOGRAM: u8 = 3;
/// A chunk has at most 120 samples, or about a kilobyte; nothing sound is larger than this.
const MAX_CHUNK_BYTES: u64 = 1 << 20;
/// A file of deletions without any.
const EMPTY_TOMBSTONES_BYTES: u64 = 9;

/// The folders of blocks below a folder, or the folder itself, in order of name, which is their order in
/// time.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn find_blocks(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_block = |path: &Path| path.join("meta.json").is_file() && path.join("index").is_file();
    if is_block(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut blocks = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_block(&path) {
            blocks.push(path);
        }
    }
    blocks.sort();
    Ok(blocks)
}

/// Imports a block. A series that cannot be read is refused, and the others are taken. `after_series` is
/// told how many bytes of the index and how many samples in all were read.
///
/// # Errors
/// When the block's files cannot be opened or are damaged as a whole, or the store cannot be written.
pub(crate) fn read_block(
    folder: &Path,
    importer: &mut Importer<'_>,
    after_series: &mut dyn FnMut(u64, u64),
) -> Result<(), ImportError> {
    let bad = |reason: &str| ImportError::Block(format!("{}: {reason}", folder.display()));
    let mut index = Index::open(&folder.join("index")).map_err(|reason| bad(&reason))?;
    let segments = Segments::open(&folder.join("chunks"))?;
    if std::fs::metadata(folder.join("tombstones"))
        .is_ok_and(|file| file.len() > EMPTY_TOMBSTONES_BYTES)
    {
        importer.refuse(
            folder.display(),
            "series were deleted from this block without its being rewritten; they are imported all the \
             same, unless `promtool tsdb` or a compaction cleans it first",
        );
    }
    let mut samples = Samples::default();
    let mut number = 0_u64;
    loop {
        number += 1;
        let place = || format!("{}, series {number}", folder.display());
        match index.next_series() {
            Ok(None) => return Ok(()),
            Err(reason) => return Err(bad(&format!("series {number}: {reason}"))),
            Ok(Some((labels, chunks))) => {
                samples.floats.clear();
                samples.histograms.clear();
                for chunk in chunks {
                    let before = (samples.floats.len(), samples.histograms.len());
                    if let Err(reason) = segments.read(&chunk, &mut samples) {
                        samples.floats.truncate(before.0);
                        samples.histograms.truncate(before.1);
                        importer.refuse(place(), format_args!("{labels}: {reason}"));
                    }
                }
                if !samples.floats.is_empty() {
                    importer.push(&labels, &samples.floats)?;
                }
                if !samples.histograms.is_empty() {
                    importer.push_histograms(&labels, &samples.histograms)?;
                }
            }
        }
        after_series(index.position(), importer.read());
    }
}

/// The samples of a series.
#[derive(Debug, Default)]
struct Samples {
    floats: Vec<(Timestamp, f64)>,
    histograms: Vec<histograms::Sample>,
}

/// The files of a block that hold chunks.
struct Segments(Vec<File>);

impl Segments {
    fn open(folder: &Path) -> Result<Self, ImportError> {
        let entries = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
        let mut paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
        paths.sort();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let file = File::open(&path)?;
            let mut magic = [0; 4];
            file.read_exact_at(&mut magic, 0)?;
            if magic != SEGMENT_MAGIC {
                let text = format!("{} is not a file of chunks", path.display());
                return Err(ImportError::Block(text));
            }
            files.push(file);
        }
        Ok(Self(files))
    }

    /// Adds the samples of a chunk.
    fn read(&self, chunk: &ChunkPlace, samples: &mut Samples) -> Result<(), String> {
        let file = self.0.get(chunk.segment).ok_or("its chunk is in a file that is missing")?;
        let unreadable = |error: std::io::Error| format!("its chunk cannot be read: {error}");
        let mut head = [0; LENGTH_BYTES];
        let available = file.read_at(&mut head, chunk.offset).map_err(unreadable)?;
        let mut reader = Bytes::new(&head[..available]);
        let length = reader.uvarint().filter(|&length| length <= MAX_CHUNK_BYTES);
        let length = length.ok_or("the length of its chunk is damaged")? as usize;
        let start = chunk.offset + (available - reader.rest().len()) as u64;
        // The encoding, the data, the checksum over both.
        let mut bytes = vec![0; 1 + length + 4];
        file.read_exact_at(&mut bytes, start).map_err(unreadable)?;
        let (data, checksum) = bytes.split_at(1 + length);
        if crc32c(data).to_be_bytes() != checksum {
            return Err("the checksum of its chunk does not match".to_owned());
        }
        let decoded = match data[0] {
            ENCODING_XOR => xor::decode(&data[1..], &mut samples.floats),
            ENCODING_HISTOGRAM => histograms::decode(&data[1..], &mut samples.histograms),
            ENCODING_FLOAT_HISTOGRAM => {
                histograms::decode_floats(&data[1..], &mut samples.histograms)
            }
            encoding => {
                return Err(format!("its chunk has the encoding {encoding}, which is not known"));
            }
        };
        decoded.ok_or_else(|| "its chunk is damaged".to_owned())
    }
}
