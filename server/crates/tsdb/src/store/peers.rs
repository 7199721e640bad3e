//! What other nodes wrote to the same database.
//!
//! Each node has frames and blocks of its own and changes nothing of the others. To answer for all of
//! them it reads their blocks, and replays their frames into heads beside its own: one for each epoch,
//! because a seal ends an epoch. When the frames of an epoch are gone their samples are in a block, which
//! appeared in the same moment, and the head goes.

use std::{collections::BTreeMap, sync::Arc};

use model::{Matcher, Timestamp};

use super::{State, Tsdb, open::open_blocks};
use crate::{
    block::Block,
    engine::{EngineError, FrameRow, PeersNews},
    frame::FrameDecoder,
    head::{Head, Series},
    postings::{self, Conditions},
    stats::Stats,
};

/// All other nodes, by number.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<u64, Peer>);

/// Another node.
#[derive(Debug, Default)]
struct Peer {
    decoder: FrameDecoder,
    /// Ascending by epoch.
    heads: Vec<PeerHead>,
    /// Ascending by order.
    blocks: Vec<Arc<Block>>,
}

/// What a node wrote in one epoch.
#[derive(Debug)]
pub(super) struct PeerHead {
    epoch: u64,
    last_frame: u64,
    head: Head,
    /// What is known of matchers is about one head.
    conditions: Conditions,
}

impl PeerHead {
    /// The series that all matchers accept.
    pub(super) fn select(&self, matchers: &[Matcher]) -> impl Iterator<Item = &Series> {
        let found = postings::select(self.head.index(), &self.conditions.of(matchers));
        found.into_iter().filter_map(|slot| self.head.series(slot))
    }
}

impl Peers {
    pub(super) fn heads(&self) -> impl Iterator<Item = &PeerHead> {
        self.0.values().flat_map(|peer| &peer.heads)
    }

    /// Ascending by node and order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.0.values().flat_map(|peer| &peer.blocks)
    }

    pub(super) fn count(&self, stats: &mut Stats) {
        stats.peers = self.0.len() as u64;
        stats.peer_series = self.heads().map(|head| head.head.len() as u64).sum();
        stats.peer_blocks = self.blocks().count() as u64;
    }

    /// Drops what is gone: heads whose frames are in a block now, blocks that were replaced or became too
    /// old. Returns those blocks.
    fn drop_gone(&mut self, news: &PeersNews) -> Vec<u64> {
        let mut gone = Vec::new();
        for (node, peer) in &mut self.0 {
            let oldest = news.oldest_frames.get(node).copied().unwrap_or(u64::MAX);
            peer.heads.retain(|head| head.last_frame >= oldest);
            peer.blocks.retain(|block| {
                let is_there = news.blocks.binary_search(&block.row.id).is_ok();
                if !is_there {
                    gone.push(block.row.id);
                }
                is_there
            });
        }
        self.0.retain(|_, peer| !peer.heads.is_empty() || !peer.blocks.is_empty());
        gone
    }

    fn add_blocks(&mut self, node: u64, blocks: Vec<Arc<Block>>) {
        let all = &mut self.0.entry(node).or_default().blocks;
        all.extend(blocks);
        all.sort_by_key(|block| block.order);
    }
}

impl State {
    /// This node's head, then those of the others.
    pub(super) fn heads(&self) -> impl Iterator<Item = &Head> {
        std::iter::once(&self.head).chain(self.peers.heads().map(|peer| &peer.head))
    }

    /// Takes over a frame of another node and returns the time of its oldest sample. `None` when it
    /// cannot be read as a whole.
    fn replay_of(&mut self, node: u64, frame: &FrameRow) -> Option<Timestamp> {
        let Peer { decoder, heads, .. } = self.peers.0.entry(node).or_default();
        if heads.last().is_none_or(|head| head.epoch != frame.epoch) {
            heads.push(PeerHead {
                epoch: frame.epoch,
                last_frame: 0,
                head: Head::default(),
                conditions: Conditions::default(),
            });
        }
        let PeerHead { last_frame, head, .. } = heads.last_mut()?;
        *last_frame = frame.seq;
        let flush = decoder.decode(&frame.bytes, |labels| head.resolve(labels).slot).ok()?;
        let mut oldest = flush.timestamp;
        for (slot, timestamp, value) in flush.samples() {
            oldest = oldest.min(*timestamp);
            head.append(*slot, *timestamp, value);
        }
        let is_sound = head.finish().is_ok();
        for metadata in flush.metadata {
            self.metadata.insert(metadata.metric.clone(), metadata);
        }
        is_sound.then_some(oldest)
    }
}

impl Tsdb {
    /// Takes over what the other nodes on the same database wrote since the last call, and drops what they
    /// removed. To be called when they say that there is something new, and every few seconds. Returns how
    /// many flushes were taken over. A flush or block that cannot be read is counted and left out.
    ///
    /// # Errors
    /// When the engine fails; the next call goes on.
    pub fn follow(&self) -> Result<u64, EngineError> {
        let mut known = self.following.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut frames = 0;
        loop {
            let mut news = self.count_failure(self.engine.peers(&known))?;
            for (node, frame) in std::mem::take(&mut news.frames) {
                let oldest = self.state_mut().replay_of(node, &frame);
                // Of a frame that is not read as a whole nothing is known.
                self.note_change(oldest.unwrap_or(Timestamp::MIN));
                if oldest.is_none() {
                    self.counters.damaged_frames.add(1);
                }
                known.frames.insert(node, frame.seq);
                frames += 1;
            }
            if !news.has_more {
                self.settle(&mut news);
                known.blocks = news.blocks;
                self.counters.peer_frames.add(frames);
                return Ok(frames);
            }
        }
    }

    /// Changes over from frames to the blocks that replaced them.
    fn settle(&self, news: &mut PeersNews) {
        let mut opened = Vec::new();
        for (node, row) in std::mem::take(&mut news.new_blocks) {
            // Rollups and notes of others are theirs: what they say is about their own samples.
            let row = open_blocks(vec![row]);
            self.counters.damaged_blocks.add(row.damaged.len() as u64);
            opened.push((node, row.blocks));
        }
        let has_new = !opened.is_empty();
        let mut state = self.state_mut();
        for metadata in opened.iter().flat_map(|(_, blocks)| blocks).flat_map(|b| &b.metadata) {
            let name = metadata.metric.clone();
            state.metadata.entry(name).or_insert_with(|| metadata.clone());
        }
        for (node, blocks) in opened {
            state.peers.add_blocks(node, blocks);
        }
        let gone = state.peers.drop_gone(news);
        drop(state);
        if has_new || !gone.is_empty() {
            self.note_change(Timestamp::MIN);
        }
        let mut cache = self.cache();
        for id in gone {
            cache.forget_block(id);
        }
    }
}
