//! StatsD over UDP: one socket, one reader thread, one shard.
//!
//! The reader blocks for the first datagram, takes what else has arrived in one call, and after a batch
//! that was not full rests for a moment so that the next one is fuller: that halves the cost of traffic
//! with one metric per datagram.

use std::{
    collections::HashMap,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ingest::{Arrival, Shard, SourceId};
use nix::{
    errno::Errno,
    sys::socket::{
        ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, recvmsg,
        setsockopt, sockopt,
    },
};
use tokio_util::sync::CancellationToken;

use super::Sources;

/// Datagrams taken in one call after the first.
const BATCH: usize = 32;
/// The largest UDP payload, so that no datagram is ever cut.
const MAX_DATAGRAM: usize = 65_536;
/// The rest after a batch that was not full.
const PACE: Duration = Duration::from_micros(250);
/// How often a reader without traffic looks whether it should stop.
const POLL: Duration = Duration::from_millis(200);

/// A bound socket and what its reader counts.
#[derive(Debug)]
pub(crate) struct UdpListener {
    /// The address really bound.
    pub(crate) address: SocketAddr,
    /// The socket buffer the kernel granted, in bytes.
    pub(crate) granted_buffer: usize,
    shard: Mutex<Shard>,
    kernel_drops: AtomicU64,
    read_errors: AtomicU64,
    socket: UdpSocket,
}

impl UdpListener {
    /// Binds the address and asks the kernel for a receive buffer.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub(crate) fn bind(address: SocketAddr, buffer: u64, shard: Shard) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_read_timeout(Some(POLL))?;
        setsockopt(&socket, sockopt::RcvBuf, &usize::try_from(buffer).unwrap_or(usize::MAX))?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        // The kernel reports twice what it grants, to account for its own bookkeeping.
        let granted_buffer = nix::sys::socket::getsockopt(&socket, sockopt::RcvBuf)? / 2;
        Ok(Self {
            address: socket.local_addr()?,
            granted_buffer,
            shard: Mutex::new(shard),
            kernel_drops: AtomicU64::new(0),
            read_errors: AtomicU64::new(0),
            socket,
        })
    }

    /// Datagrams the kernel dropped because the socket buffer was full.
    pub(crate) fn kernel_drops(&self) -> u64 {
        self.kernel_drops.load(Ordering::Relaxed)
    }

    /// Reads that failed.
    pub(crate) fn read_errors(&self) -> u64 {
        self.read_errors.load(Ordering::Relaxed)
    }

    /// The aggregation; the lock is held for the length of one batch by the reader.
    pub(crate) fn shard(&self) -> MutexGuard<'_, Shard> {
        // A shard is whole between two datagrams, and a panic stops the process anyway.
        self.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until `stop` is cancelled. Runs on a thread of its own.
    fn run(&self, sources: &Sources, stop: &CancellationToken) {
        Reader::new(self, sources).run(stop);
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
    listener: &'a UdpListener,
    sources: &'a Sources,
    /// Numbers of addresses seen by this reader.
    known: HashMap<IpAddr, SourceId>,
    buffers: Vec<Vec<u8>>,
    headers: MultiHeaders<SockaddrStorage>,
    received: Vec<Received>,
    started: Instant,
}

impl<'a> Reader<'a> {
    fn new(listener: &'a UdpListener, sources: &'a Sources) -> Self {
        Self {
            listener,
            sources,
            known: HashMap::new(),
            buffers: vec![vec![0; MAX_DATAGRAM]; BATCH + 1],
            headers: MultiHeaders::preallocate(BATCH, None),
            received: Vec::with_capacity(BATCH + 1),
            started: monotonic_now(),
        }
    }

    fn run(&mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            self.received.clear();
            let result = self.receive_first().and_then(|()| self.receive_rest());
            match result {
                Ok(()) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => {
                    self.listener.read_errors.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(address = %self.listener.address, %error, "reading StatsD failed");
                    rest(POLL);
                }
            }
            if self.received.is_empty() {
                continue;
            }
            self.accept();
            if self.received.len() <= BATCH {
                rest(PACE);
            }
        }
    }

    /// Waits for a datagram; also learns how many the kernel dropped so far.
    fn receive_first(&mut self) -> nix::Result<()> {
        let mut control = nix::cmsg_space!(u32);
        let mut slices = [IoSliceMut::new(&mut self.buffers[0])];
        let message = recvmsg::<SockaddrStorage>(
            self.listener.socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::RxqOvfl(drops) = control {
                note_drops(&self.listener.kernel_drops, drops);
            }
        }
        self.received.push(received(&message));
        Ok(())
    }

    /// Takes what else has arrived, without waiting.
    fn receive_rest(&mut self) -> nix::Result<()> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers[1..].iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let messages = recvmmsg(
            self.listener.socket.as_raw_fd(),
            &mut self.headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        self.received.extend(messages.map(|message| received(&message)));
        Ok(())
    }

    fn accept(&mut self) {
        let stamp = self.started.elapsed().as_nanos() as u64;
        let mut shard = self.listener.shard();
        for (received, buffer) in self.received.iter().zip(&self.buffers) {
            let source = received.address.map_or(SourceId(0), |address| {
                *self.known.entry(address).or_insert_with(|| self.sources.id(address))
            });
            let arrival = Arrival { source, stamp, is_truncated: received.is_truncated };
            // Events and service checks are counted by the shard.
            shard.accept(&buffer[..received.length], arrival, &mut |_| {});
        }
    }
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

/// The kernel counts in 32 bits and starts over; ours goes on.
fn note_drops(total: &AtomicU64, counted: u32) {
    let before = total.load(Ordering::Relaxed);
    let new = counted.wrapping_sub(before as u32);
    total.store(before + u64::from(new), Ordering::Relaxed);
}

#[expect(clippy::disallowed_methods, reason = "a reader owns its thread, nothing else waits on it")]
fn rest(pause: Duration) {
    std::thread::sleep(pause);
}

#[expect(clippy::disallowed_methods, reason = "orders writes to a gauge, is never shown as a time")]
fn monotonic_now() -> Instant {
    Instant::now()
}

/// The work of a reader's thread.
pub(crate) fn reader(
    listener: Arc<UdpListener>,
    sources: Arc<Sources>,
) -> impl FnOnce(&CancellationToken) + Send + 'static {
    move |stop| listener.run(&sources, stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_go_on_when_the_kernels_counter_starts_over() {
        let total = AtomicU64::new(0);
        for (counted, expected) in
            [(3, 3), (3, 3), (u32::MAX, u64::from(u32::MAX)), (1, u64::from(u32::MAX) + 2)]
        {
            note_drops(&total, counted);
            assert_eq!(total.load(Ordering::Relaxed), expected);
        }
    }
}
