//! The way of a flush to the engine, and what waits while the engine fails.

use std::{collections::VecDeque, hash::BuildHasher as _};

use hashbrown::HashMap;
use model::{Metadata, Timestamp};

use crate::{
    engine::{Engine, FrameRow},
    frame::{Flush, FrameEncoder},
    head::Head,
    stats::{Counters, Health},
};

/// While the engine fails, a new chain of frames starts after this many, so that the oldest chain can
/// be dropped without breaking the ones after it.
const WAITING_CHAIN_FRAMES: usize = 60;

/// Writes frames in order.
#[derive(Debug, Default)]
pub(super) struct Writer {
    encoder: FrameEncoder,
    /// The `seq` of the last frame.
    seq: u64,
    /// The time of the first flush since the head was cut.
    since: Option<Timestamp>,
    /// The metadata written in this epoch: hashes of the metric's name and of all that is known of it.
    /// The texts themselves would take as much memory as the index.
    metadata: HashMap<u64, u64, foldhash::quality::RandomState>,
    waiting: VecDeque<FrameRow>,
    waiting_bytes: usize,
    /// What the engine said last, while frames wait.
    error: String,
}

/// Flushes that the engine would not take.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    /// The time of the oldest; `None` when there is none.
    since: Option<Timestamp>,
    error: String,
    /// The time of the first flush since the head was cut.
    pub(super) unsealed_since: Option<Timestamp>,
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

impl Waiting {
    pub(super) fn health(&self, dropped_samples: u64) -> Health {
        match self.since {
            None => Health::Healthy,
            Some(since) => Health::Failing {
                since,
                error: self.error.clone(),
                waiting_frames: self.frames,
                dropped_samples,
            },
        }
    }
}

impl Writer {
    /// A writer that goes on after the frame `seq`, in an epoch of its own. `since` is the time of the
    /// oldest flush that is not sealed.
    pub(super) fn new(seq: u64, since: Option<Timestamp>) -> Self {
        let mut writer = Self { seq, since, ..Self::default() };
        writer.start_epoch();
        writer
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn since(&self) -> Option<Timestamp> {
        self.since
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What waits, for those who must not wait for this writer.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting {
            since: self.waiting.front().map(|frame| frame.timestamp),
            error: if self.waiting.is_empty() { String::new() } else { self.error.clone() },
            unsealed_since: self.since,
            frames: self.waiting.len() as u64,
            bytes: self.waiting_bytes as u64,
        }
    }

    /// The part of `metadata` that this epoch does not have yet.
    pub(super) fn new_metadata(&mut self, metadata: &[Metadata]) -> Vec<Metadata> {
        let mut new = Vec::new();
        for metadata in metadata {
            let Metadata { metric, kind, unit, help, original } = metadata;
            let hasher = self.metadata.hasher();
            let name = hasher.hash_one(metric);
            let content = hasher.hash_one((metric, kind.as_str(), unit, help, original));
            if self.metadata.insert(name, content) != Some(content) {
                new.push(metadata.clone());
            }
        }
        new
    }

    /// Makes a flush the next frame.
    pub(super) fn encode(&mut self, flush: &mut Flush, head: &Head) -> FrameRow {
        let bytes = self.encoder.encode(flush, head);
        self.seq += 1;
        self.since.get_or_insert(flush.timestamp);
        FrameRow { seq: self.seq, epoch: self.encoder.epoch(), timestamp: flush.timestamp, bytes }
    }

    /// Writes a frame, after those that wait. Returns whether it is durable; if not, it waits.
    pub(super) fn persist(
        &mut self,
        frame: FrameRow,
        engine: &dyn Engine,
        counters: &Counters,
    ) -> bool {
        self.waiting_bytes += frame.bytes.len();
        self.waiting.push_back(frame);
        self.drain(engine, counters)
    }

    /// Writes what waits, oldest first, until the engine fails. Returns whether nothing waits.
    pub(super) fn drain(&mut self, engine: &dyn Engine, counters: &Counters) -> bool {
        while let Some(frame) = self.waiting.front() {
            if let Err(error) = engine.append_frame(frame) {
                counters.engine_failures.add(1);
                self.error = model::text::causes(&error);
                return false;
            }
            counters.frames.add(1);
            counters.frame_bytes.add(frame.bytes.len() as u64);
            self.waiting_bytes -= frame.bytes.len();
            self.waiting.pop_front();
        }
        true
    }

    /// Drops the oldest chains of frames while more than `bound` bytes wait, and returns the times of
    /// the first and last flush dropped, inclusive. The newest chain is kept.
    pub(super) fn enforce_bound(
        &mut self,
        bound: usize,
        counters: &Counters,
    ) -> Option<(Timestamp, Timestamp)> {
        self.split_chain(bound);
        let mut dropped: Option<(Timestamp, Timestamp)> = None;
        while self.waiting_bytes > bound {
            let first = self.waiting.front()?.epoch;
            if first == self.waiting.back()?.epoch {
                break;
            }
            while let Some(frame) = self.waiting.pop_front_if(|frame| frame.epoch == first) {
                self.waiting_bytes -= frame.bytes.len();
                counters.dropped_frames.add(1);
                let time = frame.timestamp;
                dropped = Some(match dropped {
                    None => (time, time),
                    Some((start, end)) => (start.min(time), end.max(time)),
                });
            }
        }
        dropped
    }

    /// Starts a new chain when the one that waits has become long.
    fn split_chain(&mut self, bound: usize) {
        let epoch = self.encoder.epoch();
        let chain = self.waiting.iter().rev().take_while(|frame| frame.epoch == epoch);
        let (frames, bytes) =
            chain.fold((0, 0), |(frames, bytes), frame| (frames + 1, bytes + frame.bytes.len()));
        if frames >= WAITING_CHAIN_FRAMES || bytes > bound / 4 {
            self.start_epoch();
        }
    }

    /// The frames so far are going to be replaced by a block: those to come build on nothing.
    pub(super) fn cut(&mut self) {
        self.since = None;
        self.start_epoch();
    }

    /// The next frame builds on nothing. Its number is the epoch's, which is therefore never used again,
    /// not even after a restart that finds no frame: other nodes may still have those of before.
    pub(super) fn start_epoch(&mut self) {
        self.encoder.start_epoch(self.seq + 1);
        self.metadata.clear();
    }
}
