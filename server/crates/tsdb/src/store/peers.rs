//! What other nodes wrote to the same database.
//!
//! Each node has frames and blocks of its own and changes nothing of the others. To answer for all of
//! them it reads their blocks and notes, and replays their frames into heads beside its own: one for each
//! epoch, because a seal ends an epoch. When the frames of an epoch are gone their samples are in a block,
//! which appeared in the same moment, and the head goes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use model::{Matcher, Metadata, Timestamp};

use super::{
    State, deletion,
    notes::{Deletion, Notes, Request},
    open::{DamagedBlock, Opened},
};
use crate::{
    block::Block,
    engine::{FrameRow, PeersNews},
    frame::FrameDecoder,
    head::{Head, Series},
    postings::{self, Conditions},
    stats::Stats,
};

/// All other nodes, by number.
#[derive(Debug, Default)]
pub(super) struct Peers(pub(super) BTreeMap<u64, Peer>);

/// Another node.
#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) replay: Replay,
    /// Ascending by order.
    pub(super) blocks: Vec<Arc<Block>>,
    /// Blocks of rollups, in any order.
    pub(super) rollups: Vec<Arc<Block>>,
    pub(super) damaged: Vec<DamagedBlock>,
    pub(super) notes: Arc<Notes>,
    notes_row: Option<u64>,
}

/// The frames of a node that are not in a block yet.
#[derive(Debug, Default)]
pub(super) struct Replay {
    decoder: FrameDecoder,
    /// Ascending by epoch.
    pub(super) heads: Vec<PeerHead>,
    /// Deletions that come between frames to be replayed, ascending.
    deletions: VecDeque<Deletion>,
}

/// What a node wrote in one epoch.
#[derive(Debug)]
pub(super) struct PeerHead {
    epoch: u64,
    last_frame: u64,
    pub(super) head: Head,
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

/// What a frame brought.
#[derive(Debug)]
pub(super) struct Taken {
    /// What it says of metrics.
    metadata: Vec<Metadata>,
    /// The oldest time of its samples.
    pub(super) oldest: Option<Timestamp>,
}

impl Replay {
    /// A replay of all frames from the first on, with the deletions of the node in their places.
    pub(super) fn anew(notes: &Notes) -> Self {
        Self { deletions: notes.deletions.iter().cloned().collect(), ..Self::default() }
    }

    /// Takes over a frame; `None` when it cannot be read.
    pub(super) fn take(&mut self, frame: &FrameRow) -> Option<Taken> {
        while let Some(deletion) = self.deletions.pop_front_if(|next| next.seq < frame.seq) {
            self.delete(&deletion);
        }
        if self.heads.last().is_none_or(|head| head.epoch != frame.epoch) {
            self.heads.push(PeerHead {
                epoch: frame.epoch,
                last_frame: 0,
                head: Head::default(),
                conditions: Conditions::default(),
            });
        }
        let PeerHead { last_frame, head, .. } = self.heads.last_mut()?;
        *last_frame = frame.seq;
        let resolved = self.decoder.decode(&frame.bytes, |labels| head.resolve(labels).slot);
        let flush = resolved.ok()?;
        for (slot, timestamp, value) in flush.samples() {
            head.append(*slot, *timestamp, value);
        }
        head.finish().ok()?;
        let oldest = flush.oldest();
        Some(Taken { metadata: flush.metadata, oldest })
    }

    /// Applies the deletions that no frame came after.
    pub(super) fn finish(&mut self) {
        for deletion in std::mem::take(&mut self.deletions) {
            self.delete(&deletion);
        }
    }

    /// Applies deletions to what was replayed; `false` when frames that came after one of them are among
    /// it, so that it cannot be told apart.
    pub(super) fn delete_all<'a>(&mut self, deletions: impl Iterator<Item = &'a Deletion>) -> bool {
        let newest = self.heads.iter().map(|head| head.last_frame).max().unwrap_or_default();
        for deletion in deletions {
            if newest > deletion.seq {
                return false;
            }
            self.delete(deletion);
        }
        true
    }

    fn delete(&mut self, deletion: &Deletion) {
        for head in &mut self.heads {
            deletion::remove_from(&mut head.head, deletion);
        }
    }
}

impl Peer {
    /// Whether there are samples of it.
    fn has_samples(&self) -> bool {
        !self.replay.heads.is_empty() || !self.blocks.is_empty() || !self.rollups.is_empty()
    }

    /// Adds new rows. `false` when frames have to be replayed anew because something between them was
    /// deleted.
    pub(super) fn add(&mut self, opened: Opened) -> bool {
        let mut is_exact = true;
        if opened.notes_row.is_some() {
            let last = self.notes.last_deletion;
            let new = opened.notes.deletions.iter().filter(|deletion| deletion.id > last);
            is_exact = self.replay.delete_all(new);
            self.notes = Arc::new(opened.notes);
            self.notes_row = opened.notes_row;
        }
        self.blocks.extend(opened.blocks);
        self.blocks.sort_by_key(|block| block.order);
        self.rollups.extend(opened.rollups);
        self.damaged.extend(opened.damaged);
        is_exact
    }
}

impl Peers {
    pub(super) fn heads(&self) -> impl Iterator<Item = &PeerHead> {
        self.0.values().flat_map(|peer| &peer.replay.heads)
    }

    /// Ascending by node and order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.0.values().flat_map(|peer| &peer.blocks)
    }

    pub(super) fn count(&self, stats: &mut Stats) {
        stats.peers = self.0.values().filter(|peer| peer.has_samples()).count() as u64;
        stats.peer_series = self.heads().map(|head| head.head.len() as u64).sum();
        let rollups: usize = self.0.values().map(|peer| peer.rollups.len()).sum();
        stats.peer_blocks = (self.blocks().count() + rollups) as u64;
    }

    /// Drops what is gone: heads whose frames are in a block now, blocks that were replaced or became too
    /// old. Returns those blocks.
    pub(super) fn drop_gone(&mut self, news: &PeersNews) -> Vec<u64> {
        let mut gone = Vec::new();
        let is_there = |id: u64| news.blocks.binary_search(&id).is_ok();
        for (node, peer) in &mut self.0 {
            let oldest = news.oldest_frames.get(node).copied().unwrap_or(u64::MAX);
            peer.replay.heads.retain(|head| head.last_frame >= oldest);
            for blocks in [&mut peer.blocks, &mut peer.rollups] {
                gone.extend(blocks.iter().map(|block| block.row.id).filter(|id| !is_there(*id)));
                blocks.retain(|block| is_there(block.row.id));
            }
            peer.damaged.retain(|block| is_there(block.id));
            if peer.notes_row.is_some_and(|row| !is_there(row)) {
                (peer.notes, peer.notes_row) = (Arc::default(), None);
            }
        }
        let is_known = |peer: &Peer| {
            peer.has_samples() || peer.notes_row.is_some() || !peer.damaged.is_empty()
        };
        self.0.retain(|_, peer| is_known(peer));
        gone
    }

    /// The last request of a node that any other one took over.
    pub(super) fn last_adopted(&self, node: u64) -> u64 {
        let adopted = self.0.values().filter_map(|peer| peer.notes.adopted.get(&node));
        adopted.copied().max().unwrap_or_default()
    }

    /// Whether some node that has samples did not take over a request of `node` yet.
    pub(super) fn lack(&self, node: u64, request: &Request) -> bool {
        let mut with_samples = self.0.values().filter(|peer| peer.has_samples());
        with_samples.any(|peer| !peer.notes.has_adopted(node, request))
    }
}

impl State {
    /// This node's head, then those of the others.
    pub(super) fn heads(&self) -> impl Iterator<Item = &Head> {
        std::iter::once(&self.head).chain(self.peers.heads().map(|peer| &peer.head))
    }

    /// Whether anything has to be left out that is stored.
    pub(super) fn has_deletions(&self) -> bool {
        let peers = self.peers.0.values().map(|peer| &peer.notes);
        let mut all = std::iter::once(&self.notes).chain(peers);
        all.any(|notes| !notes.deletions.is_empty() || !notes.requests.is_empty())
    }

    /// All that nodes ask others to delete, with who asks.
    pub(super) fn requests(&self) -> impl Iterator<Item = (u64, &Request)> {
        let own = self.notes.requests.iter().map(|request| (self.node, request));
        let peers = self.peers.0.iter();
        own.chain(peers.flat_map(|(&node, peer)| {
            peer.notes.requests.iter().map(move |request| (node, request))
        }))
    }

    /// What a node with these notes is asked to delete and did not take over yet.
    pub(super) fn asked_of(&self, node: u64, notes: &Notes) -> Vec<(u64, &Request)> {
        let is_open =
            |(from, request): &(u64, &Request)| *from != node && !notes.has_adopted(*from, request);
        self.requests().filter(is_open).collect()
    }

    /// What readers have to leave out of the blocks of each node, and since when these hold samples: of
    /// this node first, then of the others in their order.
    pub(super) fn notes_for_readers(&self) -> Vec<Arc<Notes>> {
        let peers = self.peers.0.iter().map(|(&node, peer)| (node, &peer.notes));
        let with_asked = |(node, notes): (u64, &Arc<Notes>)| {
            let asked = self.asked_of(node, notes);
            if asked.is_empty() {
                return Arc::clone(notes);
            }
            let mut all = Notes::clone(notes);
            all.deletions.extend(asked.iter().map(|(_, request)| request.of_everything()));
            Arc::new(all)
        };
        std::iter::once((self.node, &self.notes)).chain(peers).map(with_asked).collect()
    }

    /// Takes away from the samples of other nodes in memory what these did not delete yet.
    pub(super) fn delete_from_peers(&mut self) {
        let open: Vec<(u64, Vec<Deletion>)> = self
            .peers
            .0
            .iter()
            .filter(|(_, peer)| !peer.replay.heads.is_empty())
            .map(|(&node, peer)| {
                let asked = self.asked_of(node, &peer.notes);
                (node, asked.iter().map(|(_, request)| request.of_everything()).collect())
            })
            .collect();
        for (node, deletions) in open {
            if let Some(peer) = self.peers.0.get_mut(&node) {
                peer.replay.delete_all(deletions.iter());
            }
        }
    }

    /// Takes over a frame of another node. `None` when it cannot be read.
    pub(super) fn replay_of(&mut self, node: u64, frame: &FrameRow) -> Option<Taken> {
        let mut taken = self.peers.0.entry(node).or_default().replay.take(frame)?;
        self.learn(std::mem::take(&mut taken.metadata));
        Some(taken)
    }

    pub(super) fn learn(&mut self, metadata: Vec<Metadata>) {
        for metadata in metadata {
            self.metadata.insert(metadata.metric.clone(), metadata);
        }
    }
}
