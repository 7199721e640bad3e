//! The rollups of a series: those in blocks, and those made while reading of samples that other nodes
//! still have.

use model::{Column, StorageError, Timestamp, rollup::RollupColumn};

use super::{
    gathering::Found,
    overlap::Asked,
    selection::{TsdbSelection, damaged},
};
use crate::{block::Block, codec, columns};

impl TsdbSelection<'_> {
    /// Decodes the rollups of a series into `out`, as [`model::storage::Selection::read_rollups`] says.
    pub(super) fn read_all_windows(
        &self,
        index: usize,
        out: &mut RollupColumn,
    ) -> Result<(), StorageError> {
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
}
