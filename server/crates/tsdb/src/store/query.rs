//! Reading: which series match, and their samples from blocks and head put together.

mod latest;

use std::{collections::BTreeSet, sync::Arc};

use hashbrown::HashMap;
use model::{
    Column, Labels, Metadata, Sample, Storage, StorageError, Timestamp,
    rollup::{RollupColumn, Zone, window_at},
    storage::{Select, Selection},
};

use super::{
    Tsdb,
    deletion::{self, Mask},
    gathering::{Found, Gathering, HeadPart},
    notes::Notes,
    overlap::{Asked, all_overlapping, overlapping, overlapping_rollups, widened},
    rollup,
    view::LeftOut,
};
use crate::{
    block::{Block, ChunkRef},
    bytes::FormatError,
    cache::{Cached, Page},
    codec, columns,
    head::{Series, samples::Samples},
    postings,
};

/// The series of one query; everything it needs stays as it was when it was made.
#[derive(Debug)]
struct TsdbSelection<'a> {
    store: &'a Tsdb,
    labels: Vec<Labels>,
    /// Beside `labels`.
    found: Vec<Found>,
    blocks: Vec<Asked>,
    rollups: Vec<Asked>,
    zones: Vec<Zone>,
    /// Up to when samples of a node may be gone, by owner.
    raw_since: Vec<Timestamp>,
    /// What was deleted of a series, by block and number within the block.
    masks: HashMap<(u64, u32), Vec<Mask>, foldhash::fast::FixedState>,
    start: Timestamp,
    end: Timestamp,
    left_out: Option<&'a LeftOut>,
}

impl Storage for Tsdb {
    fn select(&self, request: &Select<'_>) -> Result<Box<dyn Selection + '_>, StorageError> {
        self.selection(request, None)
    }

    fn series(&self, request: &Select<'_>) -> Result<Vec<Labels>, StorageError> {
        Ok(self.find(request)?.labels)
    }

    fn label_names(&self, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        let mut names = BTreeSet::new();
        if request.matchers.is_empty() && !self.state().has_deletions() {
            let (head, blocks) = {
                let state = self.state();
                let heads = state.heads().flat_map(|head| head.index().names());
                let head: Vec<String> = heads.map(str::to_owned).collect();
                (head, all_overlapping(&state, request))
            };
            names.extend(head);
            for Asked { block, .. } in &blocks {
                names.extend(block.names().map(str::to_owned));
            }
        } else {
            for labels in self.series(request)? {
                for (name, _) in &labels {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    fn label_values(&self, name: &str, request: &Select<'_>) -> Result<Vec<String>, StorageError> {
        let mut values = BTreeSet::new();
        if request.matchers.is_empty() && !self.state().has_deletions() {
            let (head, blocks) = {
                let state = self.state();
                let heads = state.heads().flat_map(|head| head.index().values(name));
                let head: Vec<String> = heads.map(str::to_owned).collect();
                (head, all_overlapping(&state, request))
            };
            values.extend(head);
            for Asked { block, .. } in &blocks {
                values.extend(block.values(name).map(str::to_owned));
            }
        } else {
            for labels in self.series(request)? {
                if let Some(value) = labels.get(name)
                    && !values.contains(value)
                {
                    values.insert(value.to_owned());
                }
            }
        }
        Ok(values.into_iter().collect())
    }

    fn metadata(&self) -> Vec<Metadata> {
        self.state().metadata.values().cloned().collect()
    }
}

impl Tsdb {
    /// A snapshot whose reads note what they leave out.
    pub(super) fn selection<'a>(
        &'a self,
        request: &Select<'_>,
        left_out: Option<&'a LeftOut>,
    ) -> Result<Box<dyn Selection + 'a>, StorageError> {
        if let Some(left_out) = left_out {
            self.note_damaged(request, left_out);
        }
        Ok(Box::new(TsdbSelection { left_out, ..self.find(request)? }))
    }

    /// Finds all series that match and may have samples in the range.
    fn find(&self, request: &Select<'_>) -> Result<TsdbSelection<'_>, StorageError> {
        let mut all = Gathering::new(request.max_series);
        // Only this part needs the lock: what it finds is shared and does not change any more.
        let conditions = self.conditions.of(request.matchers);
        let (blocks, rollups, zones, notes) = {
            let state = self.state();
            let zones = rollup::zones(&state, request.start);
            let times = widened(request, &zones);
            for slot in postings::select(state.head.index(), &conditions) {
                let Some(series) = state.head.series(slot) else { continue };
                if let Some(part) = head_part(series, 0, times) {
                    all.add(series.labels.clone(), part)?;
                }
            }
            for (owner, peer) in (1..).zip(state.peers.0.values()) {
                let heads = peer.replay.heads.iter();
                for series in heads.flat_map(|head| head.select(request.matchers)) {
                    if let Some(part) = head_part(series, owner, times) {
                        all.entry(series.labels.clone())?.peers.push(part);
                    }
                }
            }
            let rollups = overlapping_rollups(&state, request, &zones);
            (overlapping(&state, times), rollups, zones, state.notes_for_readers())
        };
        let mut masks: HashMap<(u64, u32), Vec<Mask>, _> = HashMap::default();
        for (at, Asked { block, owner }) in blocks.iter().enumerate() {
            let notes = &notes[*owner as usize];
            each_series(block, &conditions, notes, &mut masks, &mut |labels, number| {
                all.entry(labels)?.blocks.push((at as u32, number));
                Ok(())
            })?;
        }
        for (at, Asked { block, owner }) in rollups.iter().enumerate() {
            let notes = &notes[*owner as usize];
            each_series(block, &conditions, notes, &mut masks, &mut |labels, number| {
                all.entry(labels)?.rollups.push((at as u32, number));
                Ok(())
            })?;
        }
        let raw_since = notes.iter().map(|notes| notes.raw_since).collect();
        all.series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (labels, found) = all.series.into_iter().unzip();
        let (start, end) = (request.start, request.end);
        Ok(TsdbSelection {
            store: self,
            labels,
            found,
            blocks,
            rollups,
            zones,
            raw_since,
            masks,
            start,
            end,
            left_out: None,
        })
    }

    /// A page, from memory or from the engine. `None` when it cannot be read, which is counted.
    fn page(&self, block: u64, page: u32) -> Result<Option<Arc<Page>>, StorageError> {
        let key = (block, page);
        match self.cache().get(key) {
            Cached::Page(page) => return Ok(Some(page)),
            Cached::Damaged => return Ok(None),
            Cached::Unknown => {}
        }
        let rows = self.count_failure(self.engine.pages(block, &[page]));
        let row = rows.map_err(|error| StorageError::Engine(Box::new(error)))?.pop();
        let opened = row.and_then(|row| Page::open(row.bytes).ok()).map(Arc::new);
        if self.cache().insert(key, opened.clone()) && opened.is_none() {
            self.counters.damaged_pages.add(1);
        }
        Ok(opened)
    }
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
        out.clear();
        let found = &self.found[index];
        let mut after = Timestamp::MIN;
        for zone in &self.zones {
            let start = after.max(self.start.saturating_sub(zone.window_ms));
            let until = zone.until.min(self.end.saturating_add(zone.window_ms));
            let mut windows = RollupColumn::default();
            let of_owner = |a: &(u32, u32), b: &(u32, u32)| {
                self.rollups[a.0 as usize].owner == self.rollups[b.0 as usize].owner
            };
            for own in found.rollups.chunk_by(of_owner) {
                let mut column = RollupColumn::default();
                for &(at, number) in own {
                    let block = &self.rollups[at as usize].block;
                    if block.window_ms == zone.window_ms {
                        self.read_windows(block, number, (start, until), &mut column)?;
                    }
                }
                columns::tidy_windows(&mut column);
                windows.combine(column);
            }
            windows.combine(self.roll_up_samples(found, zone.window_ms, (start, until))?);
            out.floats.append(&mut windows.floats);
            out.histograms.append(&mut windows.histograms);
            after = zone.until;
        }
        Ok(())
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
    fn raw_start(&self) -> Timestamp {
        self.zones.last().map_or(self.start, |zone| self.start.max(zone.until.saturating_add(1)))
    }

    /// Appends the windows of a block that end within the range: its start is exclusive.
    fn read_windows(
        &self,
        block: &Block,
        number: u32,
        (after, until): (Timestamp, Timestamp),
        out: &mut RollupColumn,
    ) -> Result<(), StorageError> {
        let mut own = RollupColumn::default();
        let mut chunks = block.chunks(number).map_err(damaged)?;
        chunks.retain(|chunk| chunk.overlaps(after.saturating_add(1), until));
        self.each_chunk(block, &chunks, &mut |bytes| codec::rollups::decode(bytes, &mut own))?;
        for mask in self.masks_of(block, number) {
            mask.apply_to_windows(&mut own);
        }
        let is_wanted = |end: Timestamp| end > after && end <= until;
        out.floats.extend(own.floats.into_iter().filter(|window| is_wanted(window.end)));
        out.histograms.extend(own.histograms.into_iter().filter(|window| is_wanted(window.end)));
        Ok(())
    }

    /// The windows of samples that nodes still have in a zone: those that end within the range, whose start
    /// is exclusive.
    fn roll_up_samples(
        &self,
        found: &Found,
        window_ms: i64,
        (after, until): (Timestamp, Timestamp),
    ) -> Result<RollupColumn, StorageError> {
        let mut windows = RollupColumn::default();
        // The first window may begin before the range.
        let first = model::rollup::window_end(after, window_ms).saturating_sub(window_ms);
        let until = until.div_euclid(window_ms).saturating_mul(window_ms);
        let start_of = |owner: u32| first.max(self.raw_since[owner as usize]).saturating_add(1);
        let mut column = Column::default();
        for &(at, number) in &found.blocks {
            let Asked { block, owner } = &self.blocks[at as usize];
            let start = start_of(*owner);
            if start <= until {
                let mut chunks = block.chunks(number).map_err(damaged)?;
                chunks.retain(|chunk| chunk.overlaps(start, until));
                let mut own = Column::default();
                self.decode_chunks(block, &chunks, &mut own)?;
                for mask in self.masks_of(block, number) {
                    mask.apply(&mut own);
                }
                columns::clip(&mut own, start, until);
                columns::merge(&mut column, &own);
            }
        }
        for head in found.peers.iter().chain(&found.head) {
            let start = start_of(head.owner);
            for samples in head.samples.iter().flatten() {
                let Some((oldest, newest)) = samples.time_range() else { continue };
                if oldest <= until && newest >= start {
                    let mut own = Column::default();
                    samples.read(&mut own).map_err(damaged)?;
                    columns::clip(&mut own, start, until);
                    columns::merge(&mut column, &own);
                }
            }
        }
        windows.add(&column, first, window_ms);
        windows.floats.retain(|window| window.end > after);
        windows.histograms.retain(|window| window.end > after);
        Ok(windows)
    }

    fn masks_of(&self, block: &Block, number: u32) -> &[Mask] {
        if self.masks.is_empty() {
            return &[];
        }
        self.masks.get(&(block.row.id, number)).map_or(&[], Vec::as_slice)
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

    fn decode_chunks(
        &self,
        block: &Block,
        chunks: &[ChunkRef],
        out: &mut Column,
    ) -> Result<(), StorageError> {
        self.each_chunk(block, chunks, &mut |bytes| codec::decode(bytes, out))
    }

    fn each_chunk(
        &self,
        block: &Block,
        chunks: &[ChunkRef],
        decode: &mut dyn FnMut(&[u8]) -> Result<(), FormatError>,
    ) -> Result<(), StorageError> {
        let mut last: Option<(u32, Arc<Page>)> = None;
        for chunk in chunks {
            if last.as_ref().is_none_or(|(page, _)| *page != chunk.page) {
                let page = self.store.page(block.row.id, chunk.page)?;
                last = page.map(|page| (chunk.page, page));
            }
            // What a damaged page held is counted and missing; the rest is served.
            let Some((_, page)) = &last else {
                if let Some(left_out) = self.left_out {
                    left_out.note_page(block.row.id, chunk.page);
                }
                continue;
            };
            let Some(bytes) = page.chunk(chunk.offset, chunk.length) else { continue };
            decode(bytes).map_err(damaged)?;
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

/// What a head has of a series, when some of it may be within the times, both inclusive.
fn head_part(
    series: &Series,
    owner: u32,
    (start, end): (Timestamp, Timestamp),
) -> Option<HeadPart> {
    let overlaps = |samples: &Arc<Samples>| {
        samples.time_range().is_some_and(|(first, last)| first <= end && last >= start)
    };
    let sealing = series.sealing.as_ref().filter(|samples| overlaps(samples));
    let samples = Some(&series.samples).filter(|samples| overlaps(samples));
    let is_wanted = sealing.is_some() || samples.is_some();
    is_wanted.then(|| HeadPart {
        owner,
        last: series.last(),
        samples: [sealing.cloned(), samples.cloned()],
    })
}

/// Finds the series of a block that match, and what of them was deleted.
fn each_series(
    block: &Block,
    conditions: &[postings::Condition<'_>],
    notes: &Notes,
    masks: &mut HashMap<(u64, u32), Vec<Mask>, foldhash::fast::FixedState>,
    visit: &mut dyn FnMut(Labels, u32) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let deletions = notes.pending(block);
    for number in postings::select(block, conditions) {
        let labels = block.labels(number).map_err(damaged)?;
        if !deletions.is_empty() {
            match deletion::masks(&deletions, block, &labels) {
                None => continue,
                Some(own) if own.is_empty() => {}
                Some(own) => {
                    masks.insert((block.row.id, number), own);
                }
            }
        }
        visit(labels, number)?;
    }
    Ok(())
}

fn damaged(error: FormatError) -> StorageError {
    StorageError::Engine(Box::new(error))
}
