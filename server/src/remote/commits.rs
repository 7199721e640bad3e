//! Requests that come while another one is written, written together.
//!
//! Every commit costs a transaction, a frame and a wait for the disk, whatever it holds. So whoever
//! gets its turn writes all that waits; the others find theirs done. A request without company is
//! written at once, by itself.
//!
//! How many may wait is up to whoever lets requests in: each blocks a thread until it is durable.

use std::sync::{Arc, Mutex};

use model::{Metadata, Timestamp, Value};
use tsdb::{Batch, Committed, SeriesRef, Tsdb};

use super::books::lock;

/// The most samples of several requests that are written together, so that no frame becomes huge.
const MAX_TOGETHER: usize = 100_000;

/// What a request wants written.
#[derive(Debug, Default)]
pub(super) struct Writing {
    pub(super) timestamp: Timestamp,
    pub(super) samples: Vec<(SeriesRef, Timestamp, Value)>,
    pub(super) metadata: Vec<Metadata>,
}

/// Where a request finds what became of it, once it is written.
type Place = Arc<Mutex<Option<(Writing, Committed)>>>;

/// Writes requests, one group after the other.
#[derive(Debug, Default)]
pub(super) struct Commits {
    waiting: Mutex<Vec<(Writing, Place)>>,
    /// Held by whoever writes.
    turn: Mutex<()>,
}

impl Commits {
    /// Writes what a request holds, perhaps with others, and gives it back. Blocks until it is durable
    /// or the engine failed.
    pub(super) fn commit(&self, writing: Writing, store: &Tsdb) -> (Writing, Committed) {
        let place = Place::default();
        lock(&self.waiting).push((writing, Arc::clone(&place)));
        loop {
            let _turn = lock(&self.turn);
            if let Some(done) = lock(&place).take() {
                return done;
            }
            let group = self.next_group();
            if group.is_empty() {
                // Whoever had this one panicked; its sender comes again.
                return Default::default();
            }
            commit_group(group, store);
        }
    }

    /// The oldest that wait, at least one if there is any.
    fn next_group(&self) -> Vec<(Writing, Place)> {
        let mut waiting = lock(&self.waiting);
        let mut samples = 0;
        let fits = |(writing, _): &&(Writing, Place)| {
            samples += writing.samples.len();
            samples <= MAX_TOGETHER
        };
        let count = waiting.iter().take_while(fits).count().max(1).min(waiting.len());
        waiting.drain(..count).collect()
    }
}

fn commit_group(group: Vec<(Writing, Place)>, store: &Tsdb) {
    let batches: Vec<Batch<'_>> = group
        .iter()
        .map(|(writing, _)| Batch {
            timestamp: writing.timestamp,
            samples: &[],
            dated: &writing.samples,
            metadata: &writing.metadata,
        })
        .collect();
    let committed = store.commit_together(&batches);
    for ((writing, place), committed) in group.into_iter().zip(committed) {
        *lock(&place) = Some((writing, committed));
    }
}

#[cfg(test)]
mod tests;
