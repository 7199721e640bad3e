//! Taking requests: from a message to a durable frame.
//!
//! The samples of a request are one frame, under the time at which it came, or with other requests that
//! came at the same time. They are visible to queries as soon as it is committed, and rules see them at
//! their next evaluation. The flush does not wait for requests longer than for one commit, and never
//! sees half of one.

use std::sync::{Arc, Mutex};

use model::Timestamp;
use remote::{Message, Protocol, WireError};
use tsdb::{Health, Tsdb};

use super::{
    books::{ReceiveStats, lock},
    commits::Commits,
    exemplars::Exemplars,
    gather::{Gathering, Received},
    known::KnownSeries,
    outgoing::Outgoing,
};

/// What may be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceiveOptions {
    /// Series that remote writers may keep alive in all.
    pub(crate) max_series: usize,
    /// Exemplars in memory; 0 keeps none.
    pub(crate) max_exemplars: usize,
    /// How far behind now a sample may be, in milliseconds.
    pub(crate) out_of_order_window_ms: i64,
    /// How far ahead of now a sample may be, in milliseconds.
    pub(crate) future_window_ms: i64,
    /// How long a series without samples counts, in milliseconds.
    pub(crate) idle_ms: i64,
}

/// Why nothing of a request was acknowledged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// The message is damaged.
    #[error("the message cannot be read: {0}")]
    Wire(#[from] WireError),
    /// The database cannot be written; the same request may come again.
    #[error("the sample database cannot be written at the moment")]
    Unavailable,
}

/// Takes requests.
#[derive(Debug)]
pub(crate) struct Receiver {
    store: Arc<Tsdb>,
    outgoing: Arc<Outgoing>,
    options: ReceiveOptions,
    /// Keeps senders from choosing labels with equal hashes.
    seed: u64,
    known: Mutex<KnownSeries>,
    commits: Commits,
    pub(crate) exemplars: Exemplars,
    pub(crate) stats: ReceiveStats,
}

impl Receiver {
    pub(crate) fn new(store: Arc<Tsdb>, outgoing: Arc<Outgoing>, options: ReceiveOptions) -> Self {
        Self {
            store,
            outgoing,
            options,
            seed: rand::random(),
            known: Mutex::new(KnownSeries::new(options.max_series, options.idle_ms)),
            commits: Commits::default(),
            exemplars: Exemplars::new(options.max_exemplars),
            stats: ReceiveStats::default(),
        }
    }

    /// How many series remote writers keep alive.
    pub(crate) fn series(&self) -> usize {
        lock(&self.known).len()
    }

    /// Writes what a message holds. What can be taken is durable when this returns `Ok`; what cannot is
    /// in the refusals. Blocks.
    ///
    /// # Errors
    /// When the message is damaged, or the database fails. Then the request may come again: a sample
    /// that is written twice is there once.
    pub(crate) fn receive(
        &self,
        protocol: Protocol,
        bytes: &[u8],
        writer: &str,
        now: Timestamp,
    ) -> Result<Received, ReceiveError> {
        if !matches!(self.store.health(), Health::Healthy) {
            // What is taken now would wait in memory, and be lost with it.
            return Err(ReceiveError::Unavailable);
        }
        let message = Message::open(protocol, bytes, self.seed)?;
        let gather = |known: &mut KnownSeries| {
            Gathering::new(&self.store, self.options, known, now).read(&message)
        };
        let mut gathered = gather(&mut lock(&self.known))?;
        let is_durable = gathered.commit(&self.commits, &self.store, now, |unknown| {
            let mut known = lock(&self.known);
            known.forget(|series| unknown.contains(&series));
            gather(&mut known)
        })?;
        if !is_durable {
            return Err(ReceiveError::Unavailable);
        }
        gathered.received.exemplars = self.exemplars.add(gathered.exemplars.drain(..));
        self.exemplars.note_bad(gathered.bad_exemplars);
        if self.outgoing.is_enabled() {
            self.outgoing.offer(gathered.rows(&self.store));
        }
        self.stats.note(writer, &gathered.received, now);
        Ok(gathered.received)
    }
}

#[cfg(test)]
mod tests;
