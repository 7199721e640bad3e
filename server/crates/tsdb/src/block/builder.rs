//! Writing a block, series by series.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use model::{Column, Labels, Metadata, Timestamp, rollup::RollupColumn};

use super::{
    ChunkRef, INDEX_MAGIC, INDEX_VERSION, PAGE_MAGIC, PAGE_VERSION, planned::PlannedSeries,
    series_order, summary::Summary,
};
use crate::{
    bytes::{finish_envelope, put_text, put_u64, start_envelope},
    codec,
    engine::{BlockRow, Engine, EngineError, PageRow},
};

/// How many bytes of pages are handed to the engine at once, so that other writers get their turn.
const STAGE_BYTES: usize = 4 << 20;

/// What is settled of a block before its first series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockPlan {
    /// The key of the row to be.
    pub(crate) id: u64,
    pub(crate) level: u32,
    /// Of two blocks with a sample of the same series and time, the one with the higher order counts.
    pub(crate) order: u64,
    /// The length of the windows of a block of rollups; 0 for a block of samples.
    pub(crate) window_ms: i64,
    /// Deletions up to this id have been carried out.
    pub(crate) cleaned: u64,
    /// Frames up to this one are replaced by the block; 0 when it replaces none.
    pub(crate) frames: u64,
    /// Pages are closed when they have this many bytes.
    pub(crate) page_bytes: usize,
}

/// Why a block could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The index would not fit its length field.
    #[error("the index of the block has {0} bytes, more than 4 GiB")]
    TooLarge(usize),
}

/// Builds a block. Pages are staged with the engine as they fill up; the block exists only once its
/// row is added.
#[derive(Debug)]
pub(crate) struct BlockBuilder<'a> {
    engine: &'a dyn Engine,
    plan: BlockPlan,
    page: Vec<u8>,
    page_number: u32,
    staged: Vec<PageRow>,
    staged_bytes: usize,
    page_bytes: u64,
    /// Text to its number in order of appearance.
    symbols: HashMap<Box<str>, u32, foldhash::fast::FixedState>,
    symbol_bytes: usize,
    series: PlannedSeries,
    samples: u64,
    min_time: Timestamp,
    max_time: Timestamp,
    last: Option<Labels>,
}

/// What is known of a chunk before it is encoded.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: Timestamp,
    last: Timestamp,
    /// How many samples or windows the chunk has.
    count: usize,
    /// How many samples they stand for.
    samples: u64,
    summary: Option<Summary>,
}

impl Stretch {
    /// A stretch of samples, of which there is at least one.
    fn of(times: &[Timestamp], summary: Option<Summary>) -> Self {
        let (first, last) = (times[0], times[times.len() - 1]);
        Self { first, last, count: times.len(), samples: times.len() as u64, summary }
    }
}

impl<'a> BlockBuilder<'a> {
    pub(crate) fn new(engine: &'a dyn Engine, plan: BlockPlan) -> Self {
        let mut page = Vec::new();
        start_envelope(&mut page, PAGE_MAGIC, PAGE_VERSION);
        Self {
            engine,
            plan,
            page,
            page_number: 0,
            staged: Vec::new(),
            staged_bytes: 0,
            page_bytes: 0,
            symbols: HashMap::default(),
            symbol_bytes: 0,
            series: PlannedSeries::default(),
            samples: 0,
            min_time: Timestamp::MAX,
            max_time: Timestamp::MIN,
            last: None,
        }
    }

    /// Adds a series with its samples. Series come in order of metric and labels, each once; one
    /// without samples is left out.
    pub(crate) fn add(&mut self, labels: &Labels, column: &Column) -> Result<(), EngineError> {
        if column.is_empty() {
            return Ok(());
        }
        let mut chunks = Vec::new();
        let size = codec::BLOCK_CHUNK_SAMPLES;
        for (times, values) in column.float_times.chunks(size).zip(column.floats.chunks(size)) {
            let stretch = Stretch::of(times, Some(Summary::of(values)));
            chunks.push(self.chunk(stretch, |out| {
                codec::encode_floats(times, values, codec::Purpose::Storing, out);
            })?);
        }
        let histograms = column.histogram_times.chunks(size).zip(column.histograms.chunks(size));
        for (times, values) in histograms {
            let stretch = Stretch::of(times, None);
            chunks.push(self.chunk(stretch, |out| codec::encode_histograms(times, values, out))?);
        }
        self.add_series(labels, &chunks);
        Ok(())
    }

    /// Adds a series with its windows; the same conditions as for [`Self::add`].
    pub(crate) fn add_rollups(
        &mut self,
        labels: &Labels,
        column: &RollupColumn,
    ) -> Result<(), EngineError> {
        if column.is_empty() {
            return Ok(());
        }
        let mut chunks = Vec::new();
        let size = codec::BLOCK_CHUNK_SAMPLES;
        for windows in column.floats.chunks(size) {
            let samples = windows.iter().map(|window| window.count).sum();
            let (first, last) = (windows[0].end, windows[windows.len() - 1].end);
            let count = windows.len();
            let stretch = Stretch { first, last, count, samples, summary: None };
            chunks.push(self.chunk(stretch, |out| codec::rollups::encode_floats(windows, out))?);
        }
        for windows in column.histograms.chunks(size) {
            let samples = windows.iter().map(|window| window.count).sum();
            let (first, last) = (windows[0].end, windows[windows.len() - 1].end);
            let count = windows.len();
            let stretch = Stretch { first, last, count, samples, summary: None };
            chunks
                .push(self.chunk(stretch, |out| codec::rollups::encode_histograms(windows, out))?);
        }
        self.add_series(labels, &chunks);
        Ok(())
    }

    fn add_series(&mut self, labels: &Labels, chunks: &[ChunkRef]) {
        debug_assert!(self.last.as_ref().is_none_or(|last| series_order(last, labels).is_lt()));
        self.last = Some(labels.clone());
        let labels: Vec<(u32, u32)> =
            labels.iter().map(|(n, v)| (self.symbol(n), self.symbol(v))).collect();
        self.series.push(&labels, chunks);
    }

    /// Stages what is left and returns the row to be added; `None` when there is no sample at all.
    /// `metadata` is what the block will remember of its metrics.
    pub(crate) fn finish<'m>(
        mut self,
        metadata: impl Iterator<Item = &'m Metadata>,
    ) -> Result<Option<BlockRow>, BuildError> {
        if self.series.len() == 0 {
            return Ok(None);
        }
        self.close_page()?;
        self.stage()?;
        let index = self.index(metadata);
        if u32::try_from(index.len()).is_err() {
            return Err(BuildError::TooLarge(index.len()));
        }
        Ok(Some(BlockRow {
            id: self.plan.id,
            level: self.plan.level,
            min_time: self.min_time,
            max_time: self.max_time,
            series: self.series.len(),
            samples: self.samples,
            page_bytes: self.page_bytes,
            index,
        }))
    }

    fn chunk(
        &mut self,
        stretch: Stretch,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<ChunkRef, EngineError> {
        if self.page.len() >= self.plan.page_bytes {
            self.close_page()?;
        }
        let start = self.page.len();
        encode(&mut self.page);
        let Stretch { first: min_time, last: max_time, count, samples, summary } = stretch;
        self.min_time = self.min_time.min(min_time);
        self.max_time = self.max_time.max(max_time);
        self.samples += samples;
        Ok(ChunkRef {
            page: self.page_number,
            offset: (start - crate::bytes::ENVELOPE_BYTES) as u32,
            length: (self.page.len() - start) as u32,
            count: count as u32,
            min_time,
            max_time,
            summary,
        })
    }

    fn close_page(&mut self) -> Result<(), EngineError> {
        if self.page.len() <= crate::bytes::ENVELOPE_BYTES {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(self.page.len());
        start_envelope(&mut bytes, PAGE_MAGIC, PAGE_VERSION);
        std::mem::swap(&mut bytes, &mut self.page);
        finish_envelope(&mut bytes);
        self.page_bytes += bytes.len() as u64;
        self.staged_bytes += bytes.len();
        self.staged.push(PageRow { block: self.plan.id, page: self.page_number, bytes });
        self.page_number += 1;
        if self.staged_bytes >= STAGE_BYTES { self.stage() } else { Ok(()) }
    }

    fn stage(&mut self) -> Result<(), EngineError> {
        self.engine.stage_pages(&self.staged)?;
        self.staged.clear();
        self.staged_bytes = 0;
        Ok(())
    }

    fn symbol(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.symbols.get(text) {
            return number;
        }
        let number = self.symbols.len() as u32;
        self.symbol_bytes += text.len() + 2;
        self.symbols.insert(text.into(), number);
        number
    }

    fn index<'m>(&self, metadata: impl Iterator<Item = &'m Metadata>) -> Vec<u8> {
        // Postings take about as much as labels do. What is reserved and not used costs nothing.
        let mut out = Vec::with_capacity(2 * self.series.bytes() + self.symbol_bytes);
        start_envelope(&mut out, INDEX_MAGIC, INDEX_VERSION);
        put_u64(&mut out, self.plan.order);
        put_u64(&mut out, self.plan.window_ms.unsigned_abs());
        put_u64(&mut out, self.plan.cleaned);
        put_u64(&mut out, self.plan.frames);
        let ranks = self.put_symbols(&mut out);
        let rank = |symbol: u32| u64::from(ranks[symbol as usize]);
        put_u64(&mut out, self.series.len());
        self.series.each(|labels, chunks| {
            put_u64(&mut out, labels.len() as u64);
            for &(name, value) in labels {
                put_u64(&mut out, rank(name));
                put_u64(&mut out, rank(value));
            }
            put_u64(&mut out, chunks.len() as u64);
            let mut before = None;
            for chunk in chunks {
                chunk.put(before, self.min_time, &mut out);
                before = Some(chunk);
            }
        });
        self.put_postings(&ranks, &mut out);
        let metadata: Vec<&Metadata> = metadata
            .filter(|metadata| self.symbols.contains_key(metadata.metric.as_str()))
            .collect();
        put_u64(&mut out, metadata.len() as u64);
        for metadata in metadata {
            crate::metadata::put(metadata, &mut out);
        }
        finish_envelope(&mut out);
        out
    }

    /// Writes all texts in order and returns the rank of each by its number.
    fn put_symbols(&self, out: &mut Vec<u8>) -> Vec<u32> {
        let mut sorted: Vec<(&str, u32)> = self.symbols.iter().map(|(t, &n)| (&**t, n)).collect();
        sorted.sort_unstable();
        let mut ranks = vec![0; sorted.len()];
        put_u64(out, sorted.len() as u64);
        for (rank, (text, number)) in sorted.into_iter().enumerate() {
            ranks[number as usize] = rank as u32;
            put_text(out, text);
        }
        ranks
    }

    fn put_postings(&self, ranks: &[u32], out: &mut Vec<u8>) {
        let pair = |&(name, value): &(u32, u32)| (ranks[name as usize], ranks[value as usize]);
        // How many series each has, then where its list ends so far in the one list of all.
        let mut ends: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        self.series.each(|labels, _| {
            labels.iter().for_each(|label| *ends.entry(pair(label)).or_default() += 1);
        });
        let mut all = 0;
        for end in ends.values_mut() {
            all += std::mem::replace(end, all);
        }
        let mut postings = vec![0; all as usize];
        let mut number = 0_u32;
        self.series.each(|labels, _| {
            for label in labels {
                if let Some(end) = ends.get_mut(&pair(label)) {
                    postings[*end as usize] = number;
                    *end += 1;
                }
            }
            number += 1;
        });
        put_u64(out, ends.len() as u64);
        let mut start = 0;
        for ((name, value), end) in ends {
            put_u64(out, u64::from(name));
            put_u64(out, u64::from(value));
            let list = &postings[start..end as usize];
            put_u64(out, list.len() as u64);
            let mut next = 0;
            for &number in list {
                put_u64(out, u64::from(number - next));
                next = number + 1;
            }
            start = end as usize;
        }
    }
}
