//! An engine in memory for tests, with failures on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{BlockChange, BlockRow, Engine, EngineError, FrameRow, PageRow};

/// The verbs of an engine that a test can make fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// [`Engine::append_frame`]
    AppendFrame,
    /// [`Engine::frames`]
    Frames,
    /// [`Engine::stage_pages`]
    StagePages,
    /// [`Engine::change_blocks`]
    ChangeBlocks,
    /// [`Engine::blocks`]
    Blocks,
    /// [`Engine::pages`]
    Pages,
    /// [`Engine::delete_pages`]
    DeletePages,
    /// [`Engine::blocks_with_pages`]
    BlocksWithPages,
}

/// Whether the verb that fails has done its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultMoment {
    /// It fails without an effect, like a full disk.
    Before,
    /// It takes effect and then reports an error, like a connection that breaks after the commit.
    After,
}

/// A failure to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The verb that fails; any verb when `None`.
    pub verb: Option<Verb>,
    /// Whether the work is done all the same.
    pub moment: FaultMoment,
    /// How many calls pass before the first one fails.
    pub after_calls: u32,
    /// How many calls fail.
    pub times: u32,
}

/// Rows in memory. Dropping the store and opening another one on the same engine is a restart.
#[derive(Debug, Default)]
pub struct MemoryEngine(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    frames: BTreeMap<u64, FrameRow>,
    blocks: BTreeMap<u64, BlockRow>,
    pages: BTreeMap<(u64, u32), Vec<u8>>,
    undeletable: BTreeSet<(u64, u32)>,
    faults: Vec<Fault>,
}

impl MemoryEngine {
    /// An empty engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes calls fail from now on, beside the failures asked for before.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Forgets all failures that have not happened yet.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// The `seq` of all frames, ascending.
    pub fn frame_seqs(&self) -> Vec<u64> {
        self.state().frames.keys().copied().collect()
    }

    /// The ids of all blocks, ascending.
    pub fn block_ids(&self) -> Vec<u64> {
        self.state().blocks.keys().copied().collect()
    }

    /// The keys `(block, page)` of all pages, ascending.
    pub fn page_keys(&self) -> Vec<(u64, u32)> {
        self.state().pages.keys().copied().collect()
    }

    /// The bytes of all rows together.
    pub fn stored_bytes(&self) -> usize {
        let state = self.state();
        state.frames.values().map(|f| f.bytes.len()).sum::<usize>()
            + state.blocks.values().map(|b| b.index.len()).sum::<usize>()
            + state.pages.values().map(Vec::len).sum::<usize>()
    }

    /// Changes the bytes of a frame as a broken disk would; nothing happens when it does not exist.
    pub fn damage_frame(&self, seq: u64, damage: impl FnOnce(&mut Vec<u8>)) {
        if let Some(frame) = self.state().frames.get_mut(&seq) {
            damage(&mut frame.bytes);
        }
    }

    /// Changes the index of a block; nothing happens when it does not exist.
    pub fn damage_block(&self, id: u64, damage: impl FnOnce(&mut Vec<u8>)) {
        if let Some(block) = self.state().blocks.get_mut(&id) {
            damage(&mut block.index);
        }
    }

    /// Changes the bytes of a page; nothing happens when it does not exist.
    pub fn damage_page(&self, block: u64, page: u32, damage: impl FnOnce(&mut Vec<u8>)) {
        if let Some(bytes) = self.state().pages.get_mut(&(block, page)) {
            damage(bytes);
        }
    }

    /// Makes a page one that cannot be deleted.
    pub fn keep_page(&self, block: u64, page: u32) {
        self.state().undeletable.insert((block, page));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<T>(
        &self,
        verb: Verb,
        action: &'static str,
        work: impl FnOnce(&mut State) -> T,
    ) -> Result<T, EngineError> {
        let mut state = self.state();
        match state.next_fault(verb) {
            None => Ok(work(&mut state)),
            Some(FaultMoment::Before) => Err(EngineError::new(action, "injected failure")),
            Some(FaultMoment::After) => {
                work(&mut state);
                Err(EngineError::new(action, "injected failure after the commit"))
            }
        }
    }
}

impl State {
    fn next_fault(&mut self, verb: Verb) -> Option<FaultMoment> {
        let at = self.faults.iter().position(|f| f.verb.is_none_or(|wanted| wanted == verb))?;
        let fault = &mut self.faults[at];
        if fault.after_calls > 0 {
            fault.after_calls -= 1;
            return None;
        }
        let moment = fault.moment;
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            self.faults.remove(at);
        }
        Some(moment)
    }
}

impl Engine for MemoryEngine {
    fn append_frame(&self, frame: &FrameRow) -> Result<(), EngineError> {
        self.run(Verb::AppendFrame, "append a frame", |state| {
            state.frames.insert(frame.seq, frame.clone());
        })
    }

    fn frames(&self, after_seq: u64, visit: &mut dyn FnMut(FrameRow)) -> Result<(), EngineError> {
        let frames = self.run(Verb::Frames, "read the frames", |state| {
            state.frames.range(after_seq.saturating_add(1)..).map(|(_, f)| f.clone()).collect()
        });
        let frames: Vec<FrameRow> = frames?;
        frames.into_iter().for_each(visit);
        Ok(())
    }

    fn stage_pages(&self, pages: &[PageRow]) -> Result<(), EngineError> {
        self.run(Verb::StagePages, "write pages", |state| {
            for page in pages {
                state.pages.insert((page.block, page.page), page.bytes.clone());
            }
        })
    }

    fn change_blocks(&self, change: &BlockChange) -> Result<(), EngineError> {
        self.run(Verb::ChangeBlocks, "change the blocks", |state| {
            for id in &change.remove {
                state.blocks.remove(id);
            }
            if let Some(block) = &change.add {
                state.blocks.insert(block.id, block.clone());
            }
            state.frames.retain(|seq, _| *seq > change.delete_frames_up_to);
        })
    }

    fn blocks(&self) -> Result<Vec<BlockRow>, EngineError> {
        self.run(Verb::Blocks, "read the blocks", |state| state.blocks.values().cloned().collect())
    }

    fn pages(&self, block: u64, numbers: &[u32]) -> Result<Vec<PageRow>, EngineError> {
        self.run(Verb::Pages, "read pages", |state| {
            numbers
                .iter()
                .filter_map(|&page| {
                    let bytes = state.pages.get(&(block, page))?.clone();
                    Some(PageRow { block, page, bytes })
                })
                .collect()
        })
    }

    fn delete_pages(&self, block: u64) -> Result<Vec<u32>, EngineError> {
        self.run(Verb::DeletePages, "delete pages", |state| {
            let State { pages, undeletable, .. } = state;
            pages.retain(|key, _| key.0 != block || undeletable.contains(key));
            pages.keys().filter(|key| key.0 == block).map(|key| key.1).collect()
        })
    }

    fn blocks_with_pages(&self) -> Result<Vec<u64>, EngineError> {
        self.run(Verb::BlocksWithPages, "list the blocks that have pages", |state| {
            let mut ids: Vec<u64> = state.pages.keys().map(|key| key.0).collect();
            ids.dedup();
            ids
        })
    }
}
