//! Merging: several sealed blocks become one of the next level.
//!
//! Larger blocks mean fewer indexes and longer chunks. Samples that came late are put in their place
//! on the way: where two blocks have the same series and time, the newer block counts.

use std::{iter::Peekable, sync::Arc};

use model::{Column, Labels};

use super::{
    Tsdb,
    maintain::{MaintainError, Maintainer},
    seal::unreadable,
};
use crate::{
    block::{Block, BlockBuilder, BlockPlan, series_order},
    bytes::FormatError,
    cache::Page,
    codec, columns,
    engine::{BlockChange, BlockRow, Engine, EngineError},
};

/// What merging came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merged {
    /// No group of blocks is due.
    Nothing,
    /// So many blocks became one.
    Blocks(u64),
}

/// Why blocks could not be merged.
#[derive(Debug)]
enum MergeError {
    Store(MaintainError),
    /// This block has a page that cannot be read. It stays as it is: merging would lose what a person
    /// might still rescue.
    Damaged(u64),
}

impl<E: Into<MaintainError>> From<E> for MergeError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

impl Tsdb {
    /// Merges the oldest group of sealed blocks that is large enough.
    pub(super) fn merge_blocks(
        &self,
        maintainer: &mut Maintainer,
    ) -> Result<Merged, MaintainError> {
        let Some(group) = self.next_group(maintainer) else { return Ok(Merged::Nothing) };
        let newest = group.iter().map(|block| block.row.max_time).max().unwrap_or_default();
        let id = maintainer.take_id(self.options.least_block(newest));
        let row = match self.build_merged(&group, id) {
            Ok(row) => row,
            Err(error) => {
                maintainer.add_stray(id);
                match error {
                    MergeError::Store(error) => return self.count_failure(Err(error)),
                    MergeError::Damaged(block) => maintainer.unmergeable.push(block),
                }
                return Ok(Merged::Nothing);
            }
        };
        let ids: Vec<u64> = group.iter().map(|block| block.row.id).collect();
        let change = BlockChange { add: row.clone(), remove: ids.clone(), delete_frames_up_to: 0 };
        if let Err(error) = self.change_blocks(maintainer, &change) {
            // Whether the pages are needed shows when the blocks are next read.
            maintainer.add_stray(id);
            return Err(error.into());
        }
        let merged = row.map(Block::open).transpose().map_err(unreadable)?.map(Arc::new);
        let mut state = self.state_mut();
        let kept = state.blocks.iter().filter(|block| !ids.contains(&block.row.id)).cloned();
        let mut blocks: Vec<Arc<Block>> = kept.chain(merged).collect();
        blocks.sort_by_key(|block| block.order);
        state.blocks = Arc::new(blocks);
        drop(state);
        let count = group.len() as u64;
        for block in group {
            maintainer.retire(block);
        }
        self.counters.merges.add(1);
        Ok(Merged::Blocks(count))
    }

    /// The oldest sealed blocks that follow one another, as many as are merged at once.
    fn next_group(&self, maintainer: &Maintainer) -> Option<Vec<Arc<Block>>> {
        let size = self.options.merge_blocks;
        if size < 2 {
            return None;
        }
        let is_ready = |block: &Arc<Block>| {
            block.row.level == 1 && !maintainer.unmergeable.contains(&block.row.id)
        };
        let blocks = Arc::clone(&self.state().blocks);
        blocks.windows(size).find(|group| group.iter().all(is_ready)).map(<[_]>::to_vec)
    }

    fn build_merged(&self, group: &[Arc<Block>], id: u64) -> Result<Option<BlockRow>, MergeError> {
        let plan = BlockPlan {
            id,
            level: 2,
            order: group.iter().map(|block| block.order).max().unwrap_or_default(),
            page_bytes: self.options.page_bytes,
        };
        let mut builder = BlockBuilder::new(&*self.engine, plan);
        let mut sources: Vec<Source<'_>> =
            group.iter().map(|block| Source::new(&*self.engine, block)).collect();
        let mut column = Column::default();
        while let Some(labels) = next_labels(&mut sources)? {
            column.clear();
            for source in &mut sources {
                source.take(&labels, &mut column)?;
            }
            builder.add(&labels, &column)?;
        }
        let metadata = self.state().metadata.clone();
        Ok(builder.finish(metadata.values())?)
    }
}

/// The first series in the order of blocks that some source has next.
fn next_labels(sources: &mut [Source<'_>]) -> Result<Option<Labels>, MergeError> {
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

type SeriesOfBlock<'a> = Box<dyn Iterator<Item = (u32, Result<Labels, FormatError>)> + 'a>;

/// A block read from its first series to its last.
struct Source<'a> {
    engine: &'a dyn Engine,
    block: &'a Block,
    series: Peekable<SeriesOfBlock<'a>>,
    /// The page read last; the next series is most likely in it too.
    page: Option<(u32, Page)>,
}

impl<'a> Source<'a> {
    fn new(engine: &'a dyn Engine, block: &'a Block) -> Self {
        let series = (0..block.len()).map(|number| (number, block.labels(number)));
        let series: SeriesOfBlock<'a> = Box::new(series);
        Self { engine, block, series: series.peekable(), page: None }
    }

    fn peek(&mut self) -> Result<Option<&Labels>, MergeError> {
        let id = self.block.row.id;
        match self.series.peek() {
            None => Ok(None),
            Some((_, Ok(labels))) => Ok(Some(labels)),
            Some((_, Err(_))) => Err(MergeError::Damaged(id)),
        }
    }

    /// Merges the samples of the next series into `column` if it has these labels.
    fn take(&mut self, labels: &Labels, column: &mut Column) -> Result<(), MergeError> {
        if self.peek()? != Some(labels) {
            return Ok(());
        }
        let Some((number, _)) = self.series.next() else { return Ok(()) };
        let damaged = MergeError::Damaged(self.block.row.id);
        let Ok(chunks) = self.block.chunks(number) else { return Err(damaged) };
        let mut own = Column::default();
        for chunk in chunks {
            let bytes =
                self.page(chunk.page)?.and_then(|page| page.chunk(chunk.offset, chunk.length));
            if bytes.is_none_or(|bytes| codec::decode(bytes, &mut own).is_err()) {
                return Err(damaged);
            }
        }
        columns::merge(column, &own);
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
