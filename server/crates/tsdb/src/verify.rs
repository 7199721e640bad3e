//! Reading everything an engine holds, to find what is damaged.
//!
//! Nothing is changed and little is held in memory: one block's index and one page at a time. What a
//! store passes over when it opens or reads is found here before anybody asks for it, and more: whether
//! every chunk decodes to what the index says of it.

use std::collections::BTreeSet;

use hashbrown::HashSet;
use model::{Column, Timestamp, rollup::RollupColumn};

use crate::{
    block::{Block, ChunkRef, Summary},
    bytes::FormatError,
    cache::Page,
    codec,
    engine::{BlockRow, Engine, EngineError, FrameRow},
    frame::FrameDecoder,
    store::notes::{self, Notes},
};

/// The most damages that are told apart; all are counted.
const MAX_DAMAGES: usize = 1_000;

/// What was read, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Flushes that are not in a block yet and can be read.
    pub frames: u64,
    /// Samples of these.
    pub frame_samples: u64,
    /// Blocks.
    pub blocks: u64,
    /// Series of all blocks, counted in each.
    pub series: u64,
    /// Pages that were read.
    pub pages: u64,
    /// Bytes of these.
    pub page_bytes: u64,
    /// Chunks that decode to what the index says.
    pub chunks: u64,
    /// Samples of these; a window of a rollup stands for several.
    pub samples: u64,
    /// What is wrong, in the order in which it was found; at most a thousand.
    pub damages: Vec<Damage>,
    /// How much is wrong.
    pub damaged: u64,
    /// Blocks without a row that have pages: left by a crash, removed at the next start.
    pub stray_blocks: Vec<u64>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct Damage {
    /// Where.
    pub place: Place,
    /// What.
    pub reason: FormatError,
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Place {
    /// A flush; those that build on it are lost with it.
    #[error("frame {seq}")]
    Frame {
        /// The row's key.
        seq: u64,
        /// The time of the flush.
        timestamp: Timestamp,
    },
    /// The index of a block, or its row.
    #[error("block {block}")]
    Block {
        /// The row's key.
        block: u64,
        /// The time of its oldest and of its newest sample, as the row says.
        range: (Timestamp, Timestamp),
    },
    /// A page.
    #[error("page {page} of block {block}")]
    Page {
        /// The block.
        block: u64,
        /// The page's number.
        page: u32,
        /// The time of the block's oldest and newest sample.
        range: (Timestamp, Timestamp),
    },
    /// A chunk of a page that is otherwise sound.
    #[error("a chunk of {series} in page {page} of block {block}")]
    Chunk {
        /// The block.
        block: u64,
        /// The page's number.
        page: u32,
        /// The series.
        series: String,
        /// The time of the chunk's first and last sample, as the index says.
        range: (Timestamp, Timestamp),
    },
}

/// How far a check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of pages read.
    pub done_bytes: u64,
    /// Bytes of the pages of all blocks.
    pub total_bytes: u64,
}

/// Reads all frames, blocks, pages and chunks. The rows must not change meanwhile.
///
/// # Errors
/// When the engine fails. Damage is no error.
pub fn verify(
    engine: &dyn Engine,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verified, EngineError> {
    let mut found = Verified::default();
    verify_frames(engine, &mut found)?;
    let rows = engine.blocks()?;
    let known: BTreeSet<u64> = rows.iter().map(|row| row.id).collect();
    let total_bytes = rows.iter().map(|row| row.page_bytes).sum();
    for row in rows {
        verify_block(engine, row, &mut found, &mut |done_bytes| {
            progress(Progress { done_bytes, total_bytes });
        })?;
    }
    let with_pages = engine.blocks_with_pages()?;
    found.stray_blocks = with_pages.into_iter().filter(|id| !known.contains(id)).collect();
    Ok(found)
}

impl Verified {
    fn note(&mut self, place: Place, reason: FormatError) {
        self.damaged += 1;
        if self.damages.len() < MAX_DAMAGES {
            self.damages.push(Damage { place, reason });
        }
    }
}

fn verify_frames(engine: &dyn Engine, found: &mut Verified) -> Result<(), EngineError> {
    let mut decoder = FrameDecoder::default();
    let mut slots = 0_u32;
    engine.frames(0, &mut |frame: FrameRow| {
        let mut next_slot = |_: model::labels::LabelsRef<'_>| {
            slots = slots.wrapping_add(1);
            slots
        };
        match decoder.decode(&frame.bytes, &mut next_slot) {
            Ok(flush) => {
                found.frames += 1;
                found.frame_samples += flush.len() as u64;
            }
            Err(reason) => {
                let FrameRow { seq, timestamp, .. } = frame;
                found.note(Place::Frame { seq, timestamp }, reason);
            }
        }
    })
}

fn verify_block(
    engine: &dyn Engine,
    row: BlockRow,
    found: &mut Verified,
    progress: &mut dyn FnMut(u64),
) -> Result<(), EngineError> {
    let (id, range) = (row.id, (row.min_time, row.max_time));
    if row.level == notes::LEVEL {
        if let Err(reason) = Notes::open(&row.index) {
            found.note(Place::Block { block: id, range }, reason);
        }
        return Ok(());
    }
    found.blocks += 1;
    let block = match Block::open(row) {
        Ok(block) => block,
        Err(reason) => {
            found.note(Place::Block { block: id, range }, reason);
            return Ok(());
        }
    };
    found.series += u64::from(block.len());
    let mut reading = Reading { engine, id, range, page: None, bad: HashSet::default() };
    let (mut samples, damaged) = (0_u64, found.damaged);
    let mut columns = Columns::default();
    for number in 0..block.len() {
        let parts = block.labels(number).and_then(|labels| Ok((labels, block.chunks(number)?)));
        let (labels, chunks) = match parts {
            Ok(parts) => parts,
            Err(reason) => {
                found.note(Place::Block { block: id, range }, reason);
                continue;
            }
        };
        for chunk in chunks {
            let Some(page) = reading.page(chunk.page, found, progress)? else { continue };
            let read = if block.window_ms > 0 {
                verify_rollups(page, &chunk, &mut columns.windows)
            } else {
                verify_chunk(page, &chunk, &mut columns.samples)
            };
            match read {
                Ok(count) => {
                    found.chunks += 1;
                    found.samples += count;
                    samples += count;
                }
                Err(reason) => {
                    let range = (chunk.min_time, chunk.max_time);
                    let series = labels.to_string();
                    let place = Place::Chunk { block: id, page: chunk.page, series, range };
                    found.note(place, reason);
                }
            }
        }
    }
    // Of what is damaged the number of samples is not known.
    let is_short = found.damaged == damaged && samples != block.row.samples;
    if is_short || u64::from(block.len()) != block.row.series {
        let reason = FormatError::Invalid("number of series or samples");
        found.note(Place::Block { block: id, range }, reason);
    }
    Ok(())
}

/// The pages of one block, read one after the other.
struct Reading<'a> {
    engine: &'a dyn Engine,
    id: u64,
    range: (Timestamp, Timestamp),
    page: Option<(u32, Page)>,
    /// Pages that were told to be damaged.
    bad: HashSet<u32, foldhash::fast::FixedState>,
}

impl Reading<'_> {
    /// A page; `None` when it is damaged, which is noted once.
    fn page(
        &mut self,
        number: u32,
        found: &mut Verified,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<&Page>, EngineError> {
        if self.bad.contains(&number) {
            return Ok(None);
        }
        if self.page.as_ref().is_none_or(|(at, _)| *at != number) {
            self.page = None;
            let row = self.engine.pages(self.id, &[number])?.pop();
            let opened = row.ok_or(FormatError::Truncated).and_then(|row| {
                found.pages += 1;
                found.page_bytes += row.bytes.len() as u64;
                Page::open(row.bytes)
            });
            progress(found.page_bytes);
            match opened {
                Ok(page) => self.page = Some((number, page)),
                Err(reason) => {
                    self.bad.insert(number);
                    let place = Place::Page { block: self.id, page: number, range: self.range };
                    found.note(place, reason);
                }
            }
        }
        Ok(self.page.as_ref().map(|(_, page)| page))
    }
}

/// Whether a chunk decodes to what the index says of it.
/// Memory for what a chunk holds.
#[derive(Debug, Default)]
struct Columns {
    samples: Column,
    windows: RollupColumn,
}

/// How many samples a chunk holds.
fn verify_chunk(page: &Page, chunk: &ChunkRef, column: &mut Column) -> Result<u64, FormatError> {
    column.clear();
    let bytes = page.chunk(chunk.offset, chunk.length).ok_or(FormatError::Truncated)?;
    codec::decode(bytes, column)?;
    let (times, summary) = if column.float_times.is_empty() {
        (&column.histogram_times, None)
    } else {
        (&column.float_times, Some(Summary::of(&column.floats)))
    };
    verify_times(times, chunk)?;
    match (summary, chunk.summary) {
        (Some(own), Some(said)) if bits_of(&own) == bits_of(&said) => Ok(times.len() as u64),
        (None, None) => Ok(times.len() as u64),
        _ => Err(FormatError::Invalid("summary of the chunk")),
    }
}

/// How many samples the windows of a chunk stand for.
fn verify_rollups(
    page: &Page,
    chunk: &ChunkRef,
    column: &mut RollupColumn,
) -> Result<u64, FormatError> {
    column.clear();
    let bytes = page.chunk(chunk.offset, chunk.length).ok_or(FormatError::Truncated)?;
    codec::rollups::decode(bytes, column)?;
    let floats = column.floats.iter().map(|window| (window.end, window.count));
    let histograms = column.histograms.iter().map(|window| (window.end, window.count));
    let (times, counts): (Vec<Timestamp>, Vec<u64>) = floats.chain(histograms).unzip();
    verify_times(&times, chunk)?;
    Ok(counts.iter().sum())
}

fn verify_times(times: &[Timestamp], chunk: &ChunkRef) -> Result<(), FormatError> {
    if times.len() as u64 != u64::from(chunk.count) {
        return Err(FormatError::Invalid("number of samples"));
    }
    if !times.is_sorted_by(|a, b| a < b) {
        return Err(FormatError::Invalid("order of the samples"));
    }
    if times.first() != Some(&chunk.min_time) || times.last() != Some(&chunk.max_time) {
        return Err(FormatError::Invalid("time range of the chunk"));
    }
    Ok(())
}

/// The summary as bits, which compare where numbers do not.
fn bits_of(summary: &Summary) -> ([u64; 5], u64) {
    let Summary { first, last, min, max, sum, stale } = *summary;
    ([first, last, min, max, sum].map(f64::to_bits), stale)
}

#[cfg(test)]
mod tests;
