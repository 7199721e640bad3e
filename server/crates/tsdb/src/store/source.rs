//! Reading whole blocks, series by series, to write them again in another form.

use std::iter::Peekable;

use model::{Column, Labels, Timestamp, rollup::RollupColumn};

use super::{
    maintain::MaintainError,
    notes::{Deletion, Notes},
};
use crate::{
    block::{Block, series_order},
    bytes::FormatError,
    cache::Page,
    codec, columns,
    engine::{Engine, EngineError},
};

/// Why a block could not be read to its end.
#[derive(Debug)]
pub(super) enum SourceError {
    Store(MaintainError),
    /// This block has a page that cannot be read. It stays as it is: writing it again would lose what
    /// a person might still rescue.
    Damaged(u64),
}

impl<E: Into<MaintainError>> From<E> for SourceError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// Which part of a block is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The oldest time, inclusive.
    pub(super) start: Timestamp,
    /// The newest time, inclusive.
    pub(super) end: Timestamp,
    /// Whether what is damaged is left out; else it is an error.
    pub(super) skips_damage: bool,
}

impl Part {
    /// All of it.
    pub(super) const WHOLE: Self =
        Self { start: Timestamp::MIN, end: Timestamp::MAX, skips_damage: false };
}

type SeriesOfBlock<'a> = Box<dyn Iterator<Item = (u32, Result<Labels, FormatError>)> + 'a>;

/// A block read from its first series to its last, without what was deleted.
pub(super) struct Source<'a> {
    engine: &'a dyn Engine,
    block: &'a Block,
    part: Part,
    deletions: Vec<&'a Deletion>,
    series: Peekable<SeriesOfBlock<'a>>,
    /// The page read last; the next series is most likely in it too.
    page: Option<(u32, Page)>,
}

/// The first series in the order of blocks that some source has next.
pub(super) fn next_labels(sources: &mut [Source<'_>]) -> Result<Option<Labels>, SourceError> {
    let mut first: Option<Labels> = None;
    for source in sources {
        if let Some(labels) = source.peek()?
            && first.as_ref().is_none_or(|first| series_order(labels, first).is_lt())
        {
            first = Some(labels.clone());
        }
    }
    Ok(first)
}

impl<'a> Source<'a> {
    pub(super) fn new(
        engine: &'a dyn Engine,
        block: &'a Block,
        notes: &'a Notes,
        part: Part,
    ) -> Self {
        let series = (0..block.len()).map(|number| (number, block.labels(number)));
        let series: SeriesOfBlock<'a> = Box::new(series);
        let deletions = notes.pending(block);
        Self { engine, block, part, deletions, series: series.peekable(), page: None }
    }

    fn peek(&mut self) -> Result<Option<&Labels>, SourceError> {
        let id = self.block.row.id;
        match self.series.peek() {
            None => Ok(None),
            Some((_, Ok(labels))) => Ok(Some(labels)),
            Some((_, Err(_))) => Err(SourceError::Damaged(id)),
        }
    }

    /// Merges the samples of the next series into `column` if it has these labels.
    pub(super) fn take(&mut self, labels: &Labels, column: &mut Column) -> Result<(), SourceError> {
        let Part { start, end, .. } = self.part;
        let mut own = Column::default();
        self.each_chunk(labels, &mut |chunk| codec::decode(chunk, &mut own))?;
        for deletion in self.deletions.iter().filter(|deletion| deletion.is_about(labels)) {
            columns::remove(&mut own, deletion.start, deletion.end);
        }
        columns::clip(&mut own, start, end);
        columns::merge(column, &own);
        Ok(())
    }

    /// Appends the windows of the next series to `column` if it has these labels.
    pub(super) fn take_rollups(
        &mut self,
        labels: &Labels,
        column: &mut RollupColumn,
    ) -> Result<(), SourceError> {
        let mut own = RollupColumn::default();
        self.each_chunk(labels, &mut |chunk| codec::rollups::decode(chunk, &mut own))?;
        let window_ms = self.block.window_ms;
        for deletion in self.deletions.iter().filter(|deletion| deletion.is_about(labels)) {
            columns::remove_windows(&mut own, deletion.start, deletion.end, window_ms);
        }
        column.floats.append(&mut own.floats);
        column.histograms.append(&mut own.histograms);
        Ok(())
    }

    fn each_chunk(
        &mut self,
        labels: &Labels,
        decode: &mut dyn FnMut(&[u8]) -> Result<(), FormatError>,
    ) -> Result<(), SourceError> {
        if self.peek()? != Some(labels) {
            return Ok(());
        }
        let Some((number, _)) = self.series.next() else { return Ok(()) };
        let damaged = || SourceError::Damaged(self.block.row.id);
        let chunks = self.block.chunks(number).map_err(|_| damaged())?;
        let Part { start, end, skips_damage } = self.part;
        for chunk in chunks.iter().filter(|chunk| chunk.overlaps(start, end)) {
            let page = self.page(chunk.page)?;
            let bytes = page.and_then(|page| page.chunk(chunk.offset, chunk.length));
            if bytes.is_none_or(|bytes| decode(bytes).is_err()) && !skips_damage {
                return Err(SourceError::Damaged(self.block.row.id));
            }
        }
        Ok(())
    }

    fn page(&mut self, number: u32) -> Result<Option<&Page>, EngineError> {
        if self.page.as_ref().is_none_or(|(at, _)| *at != number) {
            let row = self.engine.pages(self.block.row.id, &[number])?.pop();
            self.page = row.and_then(|row| Some((number, Page::open(row.bytes).ok()?)));
        }
        Ok(self.page.as_ref().filter(|(at, _)| *at == number).map(|(_, page)| page))
    }
}
