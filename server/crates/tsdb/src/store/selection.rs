//! The series of one query and their samples, put together from blocks and heads.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{
    Column, Labels, Sample, StorageError, Timestamp,
    rollup::{RollupColumn, Zone, window_at},
    storage::Selection,
};

use super::{Tsdb, deletion::Mask, gathering::Found, overlap::Asked, view::LeftOut};
use crate::{
    block::{Block, ChunkRef},
    bytes::FormatError,
    cache::Page,
    codec, columns,
    head::samples::Samples,
};

/// The series of one query; everything it needs stays as it was when it was made.
#[derive(Debug)]
pub(super) struct TsdbSelection<'a> {
    pub(super) store: &'a Tsdb,
    pub(super) labels: Arc<[Labels]>,
    /// Beside `labels`.
    pub(super) found: Vec<Found>,
    pub(super) blocks: Vec<Asked>,
    pub(super) rollups: Vec<Asked>,
    pub(super) zones: Vec<Zone>,
    /// Up to when samples of a node may be gone, by owner.
    pub(super) raw_since: Vec<Timestamp>,
    /// What was deleted of a series, by block and number within the block.
    pub(super) masks: HashMap<(u64, u32), Vec<Mask>, foldhash::fast::FixedState>,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) left_out: Option<&'a LeftOut>,
}

impl Selection for TsdbSelection<'_> {
    fn labels(&self) -> &[Labels] {
        &self.labels
    }

    fn read(&self, index: usize, out: &mut Column) -> Result<(), StorageError> {
        out.clear();
        let found = &self.found[index];
        for &(block, number) in &found.blocks {
            self.read_block(&self.blocks[block as usize].block, number, out)?;
        }
        for head in found.peers.iter().chain(&found.head) {
            for samples in head.samples.iter().flatten() {
                self.read_head(samples, out)?;
            }
        }
        columns::clip(out, self.raw_start(), self.end);
        if !self.zones.is_empty() {
            let mut windows = RollupColumn::default();
            self.read_rollups(index, &mut windows)?;
            let mut own = Column::default();
            windows.put_samples(&mut own);
            columns::clip(&mut own, Timestamp::MIN, self.end);
            columns::merge(&mut own, out);
            *out = own;
        }
        Ok(())
    }

    fn zones(&self) -> &[Zone] {
        &self.zones
    }

    fn read_rollups(&self, index: usize, out: &mut RollupColumn) -> Result<(), StorageError> {
        self.read_all_windows(index, out)
    }

    fn latest(&self, index: usize) -> Result<Option<Sample>, StorageError> {
        let found = &self.found[index];
        if let Some(sample) = self.latest_of_head(found) {
            return Ok(Some(sample));
        }
        if let Some(sample) = self.latest_of_summary(found)? {
            return Ok(Some(sample));
        }
        let mut column = Column::default();
        self.read(index, &mut column)?;
        let width = window_at(&self.zones, self.end);
        let oldest = self.start.min(self.end.saturating_sub(width).saturating_add(1));
        Ok(column.last().filter(|sample| sample.timestamp >= oldest))
    }
}

impl TsdbSelection<'_> {
    /// The oldest time of which samples are asked, and not rollups.
    pub(super) fn raw_start(&self) -> Timestamp {
        self.zones.last().map_or(self.start, |zone| self.start.max(zone.until.saturating_add(1)))
    }

    pub(super) fn masks_of(&self, block: &Block, number: u32) -> &[Mask] {
        if self.masks.is_empty() {
            return &[];
        }
        self.masks.get(&(block.row.id, number)).map_or(&[], Vec::as_slice)
    }

    /// The newest sample ever seen, when it is in the range and no block has a newer one.
    fn latest_of_head(&self, found: &Found) -> Option<Sample> {
        let last = match &*found.peers {
            [] => found.head.as_ref()?.last.as_ref()?,
            _ => newest_of(found)?,
        };
        let is_newest = found
            .blocks
            .iter()
            .all(|&(at, _)| self.blocks[at as usize].block.row.max_time < last.timestamp);
        let is_wanted = (self.start..=self.end).contains(&last.timestamp);
        (is_newest && is_wanted).then(|| last.clone())
    }

    /// The last value of the newest chunk, when the range ends after it and nothing else comes close.
    fn latest_of_summary(&self, found: &Found) -> Result<Option<Sample>, StorageError> {
        if found.head.is_some() || !found.peers.is_empty() || !self.masks.is_empty() {
            return Ok(None);
        }
        let mut newest: Option<ChunkRef> = None;
        let mut is_alone = false;
        for &(block, number) in &found.blocks {
            for chunk in self.blocks[block as usize].block.chunks(number).map_err(damaged)? {
                match &newest {
                    Some(other) if other.max_time > chunk.max_time => {}
                    Some(other) if other.max_time == chunk.max_time => is_alone = false,
                    _ => (newest, is_alone) = (Some(chunk), true),
                }
            }
        }
        Ok(newest.filter(|_| is_alone).and_then(|chunk| {
            let timestamp = chunk.max_time;
            let is_wanted = (self.raw_start()..=self.end).contains(&timestamp);
            let value = model::Value::Float(chunk.summary.filter(|_| is_wanted)?.last);
            Some(Sample { timestamp, value })
        }))
    }

    fn read_block(&self, block: &Block, number: u32, out: &mut Column) -> Result<(), StorageError> {
        let mut chunks = block.chunks(number).map_err(damaged)?;
        chunks.retain(|chunk| chunk.overlaps(self.raw_start(), self.end));
        let masks = self.masks_of(block, number);
        let first = chunks.iter().map(|chunk| chunk.min_time).min();
        let follows = first.is_some_and(|first| columns::last_time(out).is_none_or(|l| l < first));
        if follows && masks.is_empty() {
            return self.decode_chunks(block, &chunks, out);
        }
        let mut own = Column::default();
        self.decode_chunks(block, &chunks, &mut own)?;
        for mask in masks {
            mask.apply(&mut own);
        }
        columns::merge(out, &own);
        Ok(())
    }

    pub(super) fn decode_chunks(
        &self,
        block: &Block,
        chunks: &[ChunkRef],
        out: &mut Column,
    ) -> Result<(), StorageError> {
        let mut pages = Vec::with_capacity(chunks.len());
        self.each_page(block, chunks, &mut |chunk, page| pages.push((*chunk, Arc::clone(page))))?;
        let mut together = codec::Together::default();
        for (chunk, page) in &pages {
            if let Some(bytes) = page.chunk(chunk.offset, chunk.length) {
                together.decode(bytes, out).map_err(damaged)?;
            }
        }
        together.finish(out).map_err(damaged)
    }

    pub(super) fn each_chunk(
        &self,
        block: &Block,
        chunks: &[ChunkRef],
        decode: &mut dyn FnMut(&[u8]) -> Result<(), FormatError>,
    ) -> Result<(), StorageError> {
        let mut result = Ok(());
        self.each_page(block, chunks, &mut |chunk, page| {
            if let Some(bytes) = page.chunk(chunk.offset, chunk.length)
                && result.is_ok()
            {
                result = decode(bytes);
            }
        })?;
        result.map_err(damaged)
    }

    /// Visits chunks with the pages they are in.
    fn each_page(
        &self,
        block: &Block,
        chunks: &[ChunkRef],
        visit: &mut dyn FnMut(&ChunkRef, &Arc<Page>),
    ) -> Result<(), StorageError> {
        let mut last: Option<(u32, Arc<Page>)> = None;
        for chunk in chunks {
            if last.as_ref().is_none_or(|(page, _)| *page != chunk.page) {
                let page = self.store.page(block.row.id, chunk.page)?;
                last = page.map(|page| (chunk.page, page));
            }
            match (&last, self.left_out) {
                (Some((_, page)), _) => visit(chunk, page),
                // What a damaged page held is counted and missing; the rest is served.
                (None, Some(left_out)) => left_out.note_page(block.row.id, chunk.page),
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn read_head(&self, samples: &Samples, out: &mut Column) -> Result<(), StorageError> {
        let Some((first, last)) = samples.time_range() else { return Ok(()) };
        if first > self.end || last < self.start {
            return Ok(());
        }
        if columns::last_time(out).is_none_or(|last| last < first) {
            return samples.read_around(self.start, self.end, out).map_err(damaged);
        }
        let mut own = Column::default();
        samples.read_around(self.start, self.end, &mut own).map_err(damaged)?;
        columns::merge(out, &own);
        Ok(())
    }
}

/// The newest sample of several heads; `None` when two have one of that time.
fn newest_of(found: &Found) -> Option<&Sample> {
    let heads = found.peers.iter().chain(&found.head);
    let lasts = || heads.clone().filter_map(|head| head.last.as_ref());
    let newest = lasts().max_by_key(|last| last.timestamp)?;
    let is_alone = lasts().filter(|last| last.timestamp == newest.timestamp).count() == 1;
    is_alone.then_some(newest)
}

pub(super) fn damaged(error: FormatError) -> StorageError {
    StorageError::Engine(Box::new(error))
}
