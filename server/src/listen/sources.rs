//! Who sends: senders as small numbers, with what each of them sent.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ingest::{ReasonCounts, SourceId, Tally};
use model::Timestamp;

use super::Transport;

/// The most senders kept apart. Later ones share number 0, so that forged sender addresses cost no
/// memory.
const MAX_SOURCES: usize = 4_096;

/// Where a sender is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// A host of the network.
    Host(IpAddr),
    /// Any process that writes to this socket file; the kernel does not name them.
    File(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(address) => address.fmt(f),
            Self::File(path) => f.write_str(path),
        }
    }
}

/// One sender: the same host over UDP and over TCP counts as two.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sender {
    /// How it sends.
    pub(crate) transport: Transport,
    /// Where it is.
    pub(crate) origin: Origin,
}

/// What is known of a sender.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceBooks {
    /// Who it is; `None` for all those beyond the limit.
    pub(crate) sender: Option<Sender>,
    /// Everything it sent.
    pub(crate) tally: Tally,
    /// When its last datagram was counted.
    pub(crate) last_seen: Timestamp,
}

#[derive(Debug)]
struct Inner {
    ids: HashMap<Sender, SourceId>,
    books: Vec<SourceBooks>,
}

/// All senders since the start.
#[derive(Debug)]
pub(crate) struct Sources(Mutex<Inner>);

impl Sources {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner { ids: HashMap::new(), books: vec![SourceBooks::default()] }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The books are plain counters: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a sender; 0 for all those beyond the limit.
    pub(crate) fn id(&self, sender: &Sender) -> SourceId {
        let mut inner = self.lock();
        if let Some(id) = inner.ids.get(sender) {
            return *id;
        }
        if inner.books.len() >= MAX_SOURCES {
            return SourceId(0);
        }
        let id = SourceId(inner.books.len() as u32);
        inner.books.push(SourceBooks { sender: Some(sender.clone()), ..SourceBooks::default() });
        inner.ids.insert(sender.clone(), id);
        id
    }

    /// Adds what a reader counted since the last flush.
    pub(crate) fn record(&self, tallies: &[(SourceId, Tally)], now: Timestamp) {
        let mut inner = self.lock();
        for (id, tally) in tallies {
            if let Some(books) = inner.books.get_mut(id.0 as usize) {
                books.tally.merge(tally);
                books.last_seen = now;
            }
        }
    }

    /// Notes what was accepted at first and refused at the end of a window.
    pub(crate) fn refuse(&self, refused: &[(SourceId, ReasonCounts)]) {
        let mut inner = self.lock();
        for (id, counts) in refused {
            if let Some(Tally { accepted, rejected, .. }) =
                inner.books.get_mut(id.0 as usize).map(|books| &mut books.tally)
            {
                *accepted = accepted.saturating_sub(counts.total());
                rejected.merge(counts);
            }
        }
    }

    /// The books of everybody who sent something, by number.
    pub(crate) fn books(&self) -> Vec<(SourceId, SourceBooks)> {
        let inner = self.lock();
        (0..)
            .map(SourceId)
            .zip(inner.books.iter().cloned())
            .filter(|(_, books)| books.tally.datagrams > 0)
            .collect()
    }

    /// The sum over all senders.
    pub(crate) fn total(&self) -> Tally {
        let inner = self.lock();
        let mut total = Tally::default();
        inner.books.iter().for_each(|books| total.merge(&books.tally));
        total
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn host(transport: Transport, address: u32) -> Sender {
        Sender { transport, origin: Origin::Host(IpAddr::V4(Ipv4Addr::from(address))) }
    }

    #[test]
    fn a_sender_keeps_its_number_and_its_books() {
        let sources = Sources::new();
        let (a, b) = (host(Transport::Udp, 1), host(Transport::Tcp, 1));
        assert_eq!(
            (sources.id(&a), sources.id(&b), sources.id(&a)),
            (SourceId(1), SourceId(2), SourceId(1))
        );
        let tally = Tally { datagrams: 1, lines: 3, ..Tally::default() };
        sources.record(&[(SourceId(2), tally.clone())], 7);
        sources.record(&[(SourceId(2), tally)], 9);
        let books = sources.books();
        assert_eq!(books.len(), 1);
        assert_eq!(
            (&books[0].1.sender, books[0].1.tally.lines, books[0].1.last_seen),
            (&Some(b), 6, 9)
        );
        assert_eq!(sources.total().lines, 6);
    }

    #[test]
    fn forged_addresses_share_a_number() {
        let sources = Sources::new();
        for i in 0..10_000 {
            sources.id(&host(Transport::Udp, i));
        }
        assert_eq!(sources.id(&host(Transport::Udp, 9_999)), SourceId(0));
        assert_eq!(sources.id(&host(Transport::Udp, 5)), SourceId(6));
    }
}
