//! A listener as the rest of the server sees it, whatever its transport: an address, open windows, and
//! counts of what did not get in.

use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ingest::{Arrival, Dialect, Mapping, Shard, ShardOptions, SourceId};
use ipnet::IpNet;

use crate::events::{Intake, ListenerLabels};

use super::{
    AllowList, Endpoint, Framing, Loss, Losses, Sources,
    sources::{Origin, Sender},
};

/// How a listener is set up.
#[derive(Debug, Clone)]
pub(crate) struct ListenerOptions {
    /// Where it listens.
    pub(crate) endpoint: Endpoint,
    /// How its lines are read.
    pub(crate) dialect: Dialect,
    /// Sockets that share the address, each with a thread; UDP only.
    pub(crate) workers: NonZeroUsize,
    /// The most series in all; a reader remembers twice as many spellings.
    pub(crate) max_series: usize,
    /// The most series that one address may make.
    pub(crate) max_series_per_source: usize,
    /// The socket buffer asked of the kernel, in bytes; UDP only.
    pub(crate) receive_buffer: u64,
    /// Networks whose hosts may send; empty for all.
    pub(crate) allow: Vec<IpNet>,
    /// What holds for connections.
    pub(crate) stream: StreamOptions,
    /// Who may open the socket file, as permission bits.
    pub(crate) socket_mode: u32,
}

/// How connections are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamOptions {
    /// What separates payloads.
    pub(crate) framing: Framing,
    /// Connections open at the same time.
    pub(crate) max_connections: usize,
    /// How long a connection may be silent.
    pub(crate) idle_timeout: Duration,
}

/// Puts arrivals at all listeners in one order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamps(Instant);

impl Stamps {
    #[expect(
        clippy::disallowed_methods,
        reason = "orders writes to a gauge, is never shown as a time"
    )]
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    fn now(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// What all listeners have in common.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    /// Who sends.
    pub(crate) sources: Arc<Sources>,
    pub(crate) stamps: Stamps,
    /// Takes events and service checks.
    pub(crate) intake: Arc<Intake>,
}

/// One reader's part of a listener.
#[derive(Debug)]
struct Worker {
    shard: Mutex<Shard>,
    kernel_drops: AtomicU64,
}

/// A bound listener.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The address really bound.
    pub(crate) endpoint: Endpoint,
    /// The socket buffer the kernel granted, in bytes; UDP only.
    pub(crate) granted_buffer: Option<usize>,
    /// Whether names arrive in the store without a prefix.
    pub(crate) keeps_names: bool,
    /// How lines are read; each reader's aggregation has it too.
    dialect: Mutex<Dialect>,
    workers: Vec<Worker>,
    losses: Losses,
    connections: AtomicUsize,
    accepted: AtomicU64,
    allow: AllowList,
    common: Common,
    /// Of events and service checks.
    event_labels: ListenerLabels,
    /// The sender of everything that comes without an address.
    nameless: SourceId,
}

impl Listener {
    /// The books of a socket that was bound to `endpoint`.
    pub(super) fn new(
        options: &ListenerOptions,
        endpoint: Endpoint,
        granted_buffer: Option<usize>,
        common: &Common,
    ) -> Self {
        let worker = || Worker {
            shard: Mutex::new(Shard::new(ShardOptions {
                dialect: options.dialect.clone(),
                // A series may have several spellings.
                max_contexts: options.max_series.saturating_mul(2),
                max_contexts_per_source: options.max_series_per_source.saturating_mul(2),
                ..ShardOptions::default()
            })),
            kernel_drops: AtomicU64::new(0),
        };
        let transport = endpoint.transport();
        let nameless = if transport.is_file() {
            let origin = Origin::File(endpoint.address().into());
            common.sources.id(&Sender { transport, origin })
        } else {
            SourceId(0)
        };
        Self {
            granted_buffer,
            keeps_names: options.dialect.prefix.is_empty(),
            dialect: Mutex::new(options.dialect.clone()),
            workers: (0..options.workers.get()).map(|_| worker()).collect(),
            losses: Losses::default(),
            connections: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            allow: AllowList::new(options.allow.clone(), endpoint.ip()),
            common: common.clone(),
            event_labels: ListenerLabels::from(&options.dialect),
            nameless,
            endpoint,
        }
    }

    /// Has lines mapped by other rules from now on; no line is lost or read twice. Says whether the
    /// rules are others than before: the same cost nothing.
    pub(crate) fn set_mapping(&self, mapping: Arc<Mapping>) -> bool {
        // Nothing is left half done under the lock.
        let mut dialect = self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        if *dialect.mapping == *mapping {
            return false;
        }
        dialect.mapping = mapping;
        for mut shard in self.shards() {
            shard.set_dialect(dialect.clone());
        }
        true
    }

    /// The aggregations of all readers, each locked when it is its turn.
    pub(crate) fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        (0..self.workers.len()).map(|worker| self.shard(worker))
    }

    /// How many readers there are.
    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// What did not get in, by reason.
    pub(crate) fn lost(&self, loss: Loss) -> u64 {
        self.losses.get(loss)
    }

    /// Datagrams the kernel dropped because the socket buffer was full.
    pub(crate) fn kernel_drops(&self) -> u64 {
        self.workers.iter().map(|worker| worker.kernel_drops.load(Ordering::Relaxed)).sum()
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections that were taken since the start.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// One reader's aggregation; readers hold the lock for the length of one batch.
    fn shard(&self, worker: usize) -> MutexGuard<'_, Shard> {
        // A shard is whole between two payloads, and a panic stops the process anyway.
        self.workers[worker].shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a reader's aggregation for payloads that arrived together.
    pub(super) fn batch(&self, worker: usize) -> Batch<'_> {
        Batch { shard: self.shard(worker), listener: self, stamp: self.common.stamps.now() }
    }

    /// The number of a sender; `None`, and counted, when it may not send.
    pub(super) fn admit(&self, address: Option<IpAddr>) -> Option<SourceId> {
        let Some(address) = address else { return Some(self.nameless) };
        if self.allow.is_allowed(address) {
            let transport = self.endpoint.transport();
            return Some(
                self.common.sources.id(&Sender { transport, origin: Origin::Host(address) }),
            );
        }
        if self.losses.add(Loss::NotAllowed) == 0 {
            tracing::warn!(
                listener = %self.endpoint, sender = %address,
                "a sender outside statsd.allow is refused; more are only counted"
            );
        }
        None
    }

    /// Counts a loss; returns how many there were before.
    pub(super) fn lose(&self, loss: Loss) -> u64 {
        self.losses.add(loss)
    }

    pub(super) fn note_connections(&self, open: usize) {
        self.connections.store(open, Ordering::Relaxed);
    }

    pub(super) fn note_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes over the kernel's count for a socket. It counts in 32 bits and starts over; ours goes on.
    pub(super) fn note_drops(&self, worker: usize, counted: u32) {
        let total = &self.workers[worker].kernel_drops;
        let before = total.load(Ordering::Relaxed);
        total.store(before + u64::from(counted.wrapping_sub(before as u32)), Ordering::Relaxed);
    }
}

/// A reader's aggregation while it takes what arrived together.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    shard: MutexGuard<'a, Shard>,
    listener: &'a Listener,
    stamp: u64,
}

impl Batch<'_> {
    /// Takes one payload; of one that was cut the last line is not used.
    pub(super) fn accept(&mut self, payload: &[u8], source: SourceId, is_truncated: bool) {
        if is_truncated {
            self.listener.lose(Loss::Truncated);
        }
        let arrival = Arrival { source, stamp: self.stamp, is_truncated };
        let Listener { common, event_labels, .. } = self.listener;
        self.shard.accept(payload, arrival, &mut |extra| {
            common.intake.accept(&extra, source, event_labels);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::tests::{listener, options};

    #[test]
    fn drops_go_on_when_the_kernels_counter_starts_over() {
        let listener = listener(&options("udp://127.0.0.1:0"));
        for (counted, expected) in
            [(3, 3), (3, 3), (u32::MAX, u64::from(u32::MAX)), (1, u64::from(u32::MAX) + 2)]
        {
            listener.note_drops(0, counted);
            assert_eq!(listener.kernel_drops(), expected);
        }
    }

    #[test]
    fn a_sender_outside_the_allow_list_is_counted() {
        let allow = vec![AllowList::parse("10.0.0.0/8").unwrap()];
        let listener = listener(&ListenerOptions { allow, ..options("udp://127.0.0.1:0") });
        assert_eq!(listener.admit(Some("10.0.0.1".parse().unwrap())), Some(SourceId(1)));
        assert_eq!(listener.admit(Some("192.0.2.1".parse().unwrap())), None);
        assert_eq!(listener.lost(Loss::NotAllowed), 1);
    }
}
