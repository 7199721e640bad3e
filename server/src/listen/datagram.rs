//! Datagrams, over UDP or through a socket file: a thread and an aggregation for each socket.
//!
//! The reader blocks for the first datagram, takes what else has arrived in one call, and after a batch
//! that was not full rests for a moment so that the next one is fuller: that halves the cost of traffic
//! with one metric per datagram. It does not rest on a socket file, where the kernel keeps few datagrams
//! and makes the senders wait.

use std::{
    collections::HashMap,
    io::IoSliceMut,
    net::IpAddr,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use ingest::SourceId;
use nix::{
    errno::Errno,
    sys::socket::{
        ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, recvmsg,
    },
};
use tokio_util::sync::CancellationToken;

use super::{Listener, Loss, Transport, file::SocketFile};

/// Datagrams taken in one call after the first.
const BATCH: usize = 64;
/// The largest UDP payload, so that none is ever cut; larger ones of a socket file are.
const MAX_DATAGRAM: usize = 65_536;
/// The bounds of the rest after a batch that was not full. A wake-up costs as much as reading three
/// datagrams of full size, so the longest one that is safe is the cheapest.
const SHORTEST_REST: Duration = Duration::from_micros(100);
const LONGEST_REST: Duration = Duration::from_millis(2);
/// What a flood from this machine fills of a socket buffer, the kernel's overhead included.
const FLOOD_BYTES_PER_MILLISECOND: u64 = 700_000;
/// How often a reader without traffic looks whether it should stop.
pub(super) const POLL: Duration = Duration::from_millis(200);
/// Batches still taken at the end, which is more than a socket buffer of the default size holds.
const MAX_LAST_BATCHES: usize = 4_096;

/// A bound socket, with the worker it belongs to.
#[derive(Debug)]
pub(crate) struct DatagramSocket {
    pub(super) socket: OwnedFd,
    pub(super) worker: usize,
    /// Removed when the reader ends.
    pub(super) file: Option<SocketFile>,
}

impl DatagramSocket {
    /// Reads until `stop` is cancelled, then what the kernel still holds. Blocks its thread.
    pub(crate) fn run(self, listener: &Arc<Listener>, stop: &CancellationToken) {
        Reader::new(&self, listener).run(stop);
        drop(self.file);
    }
}

/// One datagram as it came.
#[derive(Debug, Clone, Copy)]
struct Received {
    length: usize,
    address: Option<IpAddr>,
    is_truncated: bool,
}

struct Reader<'a> {
    listener: &'a Listener,
    socket: &'a OwnedFd,
    worker: usize,
    /// How long to rest after a batch that was not full; not at all on a socket file.
    rest: Option<Duration>,
    senders: Senders,
    buffers: Vec<Vec<u8>>,
    headers: MultiHeaders<SockaddrStorage>,
    received: Vec<Received>,
}

impl<'a> Reader<'a> {
    fn new(socket: &'a DatagramSocket, listener: &'a Listener) -> Self {
        Self {
            listener,
            socket: &socket.socket,
            worker: socket.worker,
            rest: (listener.endpoint.transport() == Transport::Udp)
                .then(|| rest_within(listener.granted_buffer.unwrap_or(0))),
            senders: Senders::default(),
            buffers: vec![vec![0; MAX_DATAGRAM]; BATCH + 1],
            headers: MultiHeaders::preallocate(BATCH, None),
            received: Vec::with_capacity(BATCH + 1),
        }
    }

    fn run(&mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            self.received.clear();
            let result = self.receive_first().and_then(|()| self.receive_rest());
            match result {
                Ok(()) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => {
                    self.listener.lose(Loss::ReadError);
                    tracing::warn!(listener = %self.listener.endpoint, %error, "reading StatsD failed");
                    rest(POLL);
                }
            }
            if self.received.is_empty() {
                continue;
            }
            self.accept();
            if let Some(pause) = self.rest.filter(|_| self.received.len() <= BATCH) {
                rest(pause);
            }
        }
        for _ in 0..MAX_LAST_BATCHES {
            self.received.clear();
            // An empty socket ends it like any other error: there is nobody left to read again.
            if self.receive_rest().is_err() || self.received.is_empty() {
                break;
            }
            self.accept();
        }
    }

    /// Waits for a datagram; also learns how many the kernel dropped so far.
    fn receive_first(&mut self) -> nix::Result<()> {
        let mut control = nix::cmsg_space!(u32);
        let mut slices = [IoSliceMut::new(&mut self.buffers[0])];
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::RxqOvfl(drops) = control {
                self.listener.note_drops(self.worker, drops);
            }
        }
        self.received.push(received(&message));
        Ok(())
    }

    /// Takes what else has arrived, without waiting.
    fn receive_rest(&mut self) -> nix::Result<()> {
        let first = self.received.len();
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self.buffers[first..][..BATCH]
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let messages = recvmmsg(
            self.socket.as_raw_fd(),
            &mut self.headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        self.received.extend(messages.map(|message| received(&message)));
        Ok(())
    }

    fn accept(&mut self) {
        let mut batch = self.listener.batch(self.worker);
        for (received, buffer) in self.received.iter().zip(&self.buffers) {
            if let Some(source) = self.senders.source_of(received.address, self.listener) {
                batch.accept(&buffer[..received.length], source, received.is_truncated);
            }
        }
    }
}

/// What a reader knows of who sends to it.
#[derive(Debug, Default)]
struct Senders {
    /// Numbers of allowed senders that have one. Bounded, because senders beyond the limit have none.
    known: HashMap<IpAddr, SourceId>,
    /// Who sent the datagram before: most come several in a row.
    last: Option<(IpAddr, SourceId)>,
}

impl Senders {
    /// The number of a sender; nothing where the listener does not allow it.
    fn source_of(&mut self, address: Option<IpAddr>, listener: &Listener) -> Option<SourceId> {
        if let Some((last, source)) = self.last
            && Some(last) == address
        {
            return Some(source);
        }
        let known = address.and_then(|address| self.known.get(&address).copied());
        let source = match known {
            Some(source) => source,
            None => listener.admit(address)?,
        };
        if let Some(address) = address.filter(|_| source != SourceId(0)) {
            if known.is_none() {
                self.known.insert(address, source);
            }
            self.last = Some((address, source));
        }
        Some(source)
    }
}

/// The time in which a flood fills a quarter of a socket buffer.
fn rest_within(buffer_bytes: usize) -> Duration {
    let microseconds = buffer_bytes as u64 / 4 * 1_000 / FLOOD_BYTES_PER_MILLISECOND;
    Duration::from_micros(microseconds).clamp(SHORTEST_REST, LONGEST_REST)
}

fn received(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Received {
    Received {
        length: message.bytes,
        address: message.address.as_ref().and_then(ip_of),
        is_truncated: message.flags.contains(MsgFlags::MSG_TRUNC),
    }
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().to_canonical()))
}

#[expect(clippy::disallowed_methods, reason = "a reader owns its thread, nothing else waits on it")]
fn rest(pause: Duration) {
    std::thread::sleep(pause);
}
