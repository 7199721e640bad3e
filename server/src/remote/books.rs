//! What the receiving side counts.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use model::Timestamp;
use remote::Protocol;

use super::{gather::Received, refusal::Reason};

/// Senders that are told apart in the books; more count together.
const MAX_WRITERS: usize = 1_000;

/// What is known of one sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WriterBooks {
    pub(crate) requests: u64,
    pub(crate) samples: u64,
    pub(crate) refused: u64,
    pub(crate) last_seen: Timestamp,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct ReceiveStats {
    pub(crate) samples: AtomicU64,
    pub(crate) histograms: AtomicU64,
    pub(crate) replaced: AtomicU64,
    pub(crate) created_times: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
    /// By protocol, or none when the headers do not tell, and status code.
    requests: Mutex<BTreeMap<(Option<Protocol>, u16), u64>>,
    writers: Mutex<BTreeMap<String, WriterBooks>>,
}

impl ReceiveStats {
    /// Samples refused for a reason.
    pub(crate) fn refused(&self, reason: Reason) -> u64 {
        self.refused[reason as usize].load(Ordering::Relaxed)
    }

    /// Notes an answer.
    pub(crate) fn answered(&self, protocol: Option<Protocol>, code: u16) {
        *lock(&self.requests).entry((protocol, code)).or_default() += 1;
    }

    /// Answers by protocol and status code.
    pub(crate) fn requests(&self) -> BTreeMap<(Option<Protocol>, u16), u64> {
        lock(&self.requests).clone()
    }

    /// Who sends, by the name of the token.
    pub(crate) fn writers(&self) -> BTreeMap<String, WriterBooks> {
        lock(&self.writers).clone()
    }

    pub(super) fn note(&self, writer: &str, received: &Received, now: Timestamp) {
        self.samples.fetch_add(received.samples, Ordering::Relaxed);
        self.histograms.fetch_add(received.histograms, Ordering::Relaxed);
        self.replaced.fetch_add(received.replaced, Ordering::Relaxed);
        self.created_times.fetch_add(received.created_times, Ordering::Relaxed);
        for (reason, count) in Reason::ALL.iter().zip(&self.refused) {
            count.fetch_add(received.refusals.count(*reason), Ordering::Relaxed);
        }
        let mut writers = lock(&self.writers);
        let is_room = writers.len() < MAX_WRITERS || writers.contains_key(writer);
        let books = writers.entry(if is_room { writer } else { "others" }.to_owned()).or_default();
        books.requests += 1;
        books.samples += received.samples + received.histograms;
        books.refused += received.refusals.total();
        books.last_seen = now;
    }
}

// What these locks protect changes in one go, so it is never half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
