//! Keeping up with other nodes: their frames, blocks and rollups, and what they ask to be deleted.
//!
//! A deletion concerns what all nodes wrote, but each node changes only what is its own. So the node that
//! is asked notes a request, every node that reads the request leaves out what it means at once, and the
//! node whose samples they are makes it a deletion of its own as soon as it runs: see [`super::deletion`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
};

use model::Timestamp;

use super::{
    Tsdb,
    deletion::MAX_DELETIONS,
    maintain::{MaintainError, Maintainer},
    notes::{Deletion, Notes, Request},
    open::{Opened, open_blocks},
    peers::Replay,
};
use crate::engine::{BlockRow, EngineError, PeersKnown, PeersNews};

/// What this node knows of the others.
#[derive(Debug, Default)]
pub(super) struct Following {
    known: PeersKnown,
    /// Nodes whose frames are to be replayed from the first on.
    anew: BTreeSet<u64>,
}

/// Deletions that nodes ask of others, see [`Tsdb::deletion_requests`].
#[derive(Debug, Clone, Default)]
pub struct DeletionRequests {
    all: Vec<(u64, Request)>,
    adopted: BTreeMap<u64, BTreeMap<u64, u64>>,
}

impl DeletionRequests {
    /// Whether the node with this number has yet to take over one of them.
    pub fn concern(&self, node: u64) -> bool {
        let none = BTreeMap::new();
        let adopted = self.adopted.get(&node).unwrap_or(&none);
        let is_open = |(from, request): &(u64, Request)| {
            *from != node && adopted.get(from).is_none_or(|&last| last < request.id)
        };
        self.all.iter().any(is_open)
    }
}

impl Tsdb {
    /// Takes over what the other nodes on the same database wrote since the last call, and drops what they
    /// removed. To be called when they say that there is something new, and every few seconds. Returns how
    /// many flushes were taken over. A flush or block that cannot be read is counted and left out.
    ///
    /// What they ask to be deleted becomes a deletion of this node, unless maintenance is at work, which
    /// does it then.
    ///
    /// # Errors
    /// When the engine fails; the next call goes on.
    pub fn follow(&self) -> Result<u64, EngineError> {
        let mut following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let mut frames = self.follow_round(&mut following)?;
        while !following.anew.is_empty() {
            frames += self.follow_round(&mut following)?;
        }
        drop(following);
        self.counters.peer_frames.add(frames);
        if let Ok(mut maintainer) = self.maintainer.try_lock() {
            // What fails here is counted, and tried again by the next maintenance.
            let _adopted: Result<(), MaintainError> = self.adopt(&mut maintainer);
        }
        Ok(frames)
    }

    /// All deletions that nodes ask of others, for who takes care of nodes that are gone.
    pub fn deletion_requests(&self) -> DeletionRequests {
        let state = self.state();
        let all = state.requests().map(|(node, request)| (node, request.clone())).collect();
        let peers = state.peers.0.iter().map(|(&node, peer)| (node, peer.notes.adopted.clone()));
        let own = (state.node, state.notes.adopted.clone());
        DeletionRequests { all, adopted: peers.chain([own]).collect() }
    }

    /// Makes requests deletions of this node and carries them out in all its blocks.
    ///
    /// # Errors
    /// When the engine fails; what was taken over stays so.
    pub fn carry_out(&self, requests: &DeletionRequests) -> Result<(), MaintainError> {
        let mut maintainer = self.maintainer();
        self.reconcile(&mut maintainer)?;
        self.adopt_all(&mut maintainer, requests.all.clone())?;
        drop(maintainer);
        self.clean_deletions().map(|_| ())
    }

    /// Reads what is new, and the frames of some nodes from the first on.
    fn follow_round(&self, following: &mut Following) -> Result<u64, EngineError> {
        let Following { known, anew } = following;
        let mut replays: BTreeMap<u64, Replay> = BTreeMap::new();
        for node in &*anew {
            known.frames.remove(node);
            let peer = self.state().peers.0.get(node).map(|peer| Replay::anew(&peer.notes));
            replays.insert(*node, peer.unwrap_or_default());
        }
        let mut frames = 0;
        loop {
            let mut news = self.count_failure(self.engine.peers(known))?;
            for (node, frame) in std::mem::take(&mut news.frames) {
                known.frames.insert(node, frame.seq);
                if let Some(replay) = replays.get_mut(&node) {
                    // What it says of metrics, and whether it can be read, was noted the first time.
                    drop(replay.take(&frame));
                    continue;
                }
                frames += 1;
                let taken = self.state_mut().replay_of(node, &frame);
                if taken.is_none() {
                    self.counters.damaged_frames.add(1);
                }
                let oldest = taken.map_or(Some(Timestamp::MIN), |taken| taken.oldest);
                if let Some(oldest) = oldest {
                    self.note_change(oldest);
                }
            }
            if !news.has_more {
                *anew = self.settle(&mut news, replays, frames > 0);
                known.blocks = news.blocks;
                return Ok(frames);
            }
        }
    }

    /// Changes over from frames to the blocks that replaced them, and to frames that were replayed anew.
    /// Returns the nodes of which that has to be done.
    fn settle(
        &self,
        news: &mut PeersNews,
        replays: BTreeMap<u64, Replay>,
        has_frames: bool,
    ) -> BTreeSet<u64> {
        let mut rows: BTreeMap<u64, Vec<BlockRow>> = BTreeMap::new();
        for (node, row) in std::mem::take(&mut news.new_blocks) {
            rows.entry(node).or_default().push(row);
        }
        let opened: Vec<(u64, Opened)> =
            rows.into_iter().map(|(node, rows)| (node, open_blocks(rows))).collect();
        // What frames brought was noted with them, and a block may hold more than frames did.
        let mut oldest: Option<Timestamp> = if replays.is_empty() {
            opened.iter().filter_map(|(_, opened)| opened.oldest_change()).min()
        } else {
            Some(Timestamp::MIN)
        };
        let mut state = self.state_mut();
        let has_changed = has_frames || !replays.is_empty() || !opened.is_empty();
        for (node, mut replay) in replays {
            replay.finish();
            if let Some(peer) = state.peers.0.get_mut(&node) {
                peer.replay = replay;
            }
        }
        let mut anew = BTreeSet::new();
        for (node, opened) in opened {
            self.counters.damaged_blocks.add(opened.damaged.len() as u64);
            for metadata in opened.blocks.iter().flat_map(|block| &block.metadata) {
                let name = metadata.metric.clone();
                state.metadata.entry(name).or_insert_with(|| metadata.clone());
            }
            if !state.peers.0.entry(node).or_default().add(opened) {
                anew.insert(node);
            }
        }
        let gone = state.peers.drop_gone(news);
        if has_changed {
            state.delete_from_peers();
        }
        drop(state);
        if !gone.is_empty() {
            oldest = Some(Timestamp::MIN);
        }
        if let Some(oldest) = oldest {
            self.note_change(oldest);
        }
        let mut cache = self.cache();
        for id in gone {
            cache.forget_block(id);
        }
        anew
    }

    /// Makes what other nodes ask deletions of this node.
    pub(super) fn adopt(&self, maintainer: &mut Maintainer) -> Result<(), MaintainError> {
        let asked: Vec<(u64, Request)> = {
            let state = self.state();
            let asked = state.asked_of(state.node, &state.notes);
            asked.into_iter().map(|(node, request)| (node, request.clone())).collect()
        };
        if asked.is_empty() {
            return Ok(());
        }
        self.reconcile(maintainer)?;
        self.adopt_all(maintainer, asked)
    }

    fn adopt_all(
        &self,
        maintainer: &mut Maintainer,
        asked: Vec<(u64, Request)>,
    ) -> Result<(), MaintainError> {
        let (own, mut notes) = {
            let state = self.state();
            (state.node, Notes::clone(&state.notes))
        };
        let mut deletions = Vec::new();
        {
            let mut writer = self.writer();
            for (node, request) in asked {
                let has_room = notes.deletions.len() < MAX_DELETIONS;
                if node == own || notes.has_adopted(node, &request) || !has_room {
                    continue;
                }
                notes.last_deletion += 1;
                notes.adopted.insert(node, request.id);
                let deletion = Deletion {
                    id: notes.last_deletion,
                    order_below: maintainer.next_order(),
                    seq: writer.seq(),
                    ..request.of_everything()
                };
                notes.deletions.push(deletion.clone());
                deletions.push(deletion);
            }
            if deletions.is_empty() {
                return Ok(());
            }
            writer.start_epoch();
            self.write_notes(maintainer, notes, Vec::new())?;
        }
        for deletion in &deletions {
            self.delete_from_head(deletion);
        }
        self.counters.deletions.add(deletions.len() as u64);
        Ok(())
    }

    /// Forgets requests that every node took over that has samples.
    pub(super) fn retire_requests(&self, maintainer: &mut Maintainer) -> Result<(), MaintainError> {
        let mut notes = Notes::clone(&self.state().notes);
        let before = notes.requests.len();
        {
            let state = self.state();
            notes.requests.retain(|request| state.peers.lack(state.node, request));
        }
        if notes.requests.len() < before {
            self.write_notes(maintainer, notes, Vec::new())?;
        }
        Ok(())
    }
}
