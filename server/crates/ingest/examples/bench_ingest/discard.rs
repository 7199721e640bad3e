//! A reader that takes datagrams as our server does and throws them away: what no server that reads
//! them through sockets can be cheaper than. Runs as a process of its own.

use std::{io::IoSliceMut, net::UdpSocket, os::fd::AsRawFd as _, thread::sleep, time::Duration};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    sys::socket::{
        MsgFlags, MultiHeaders, SockaddrStorage, getsockopt, recvmmsg, setsockopt, sockopt::RcvBuf,
    },
};

/// The argument that makes a reader of this program; the address follows.
pub(crate) const ARGUMENT: &str = "--discard";

const BUFFER_BYTES: usize = 8 << 20;
const BATCH: usize = 64;
const MAX_DATAGRAM: usize = 65_536;
/// Our server rests after a batch that was not full until a flood of so many bytes per millisecond
/// has filled a quarter of the buffer that the kernel granted.
const FLOOD_BYTES_PER_MILLISECOND: u64 = 700_000;
const SHORTEST_REST: Duration = Duration::from_micros(100);
const LONGEST_REST: Duration = Duration::from_millis(2);

/// Reads until somebody ends the process.
pub(crate) fn run(address: &str) -> anyhow::Result<()> {
    let socket = UdpSocket::bind(address).with_context(|| format!("binding {address}"))?;
    setsockopt(&socket, RcvBuf, &BUFFER_BYTES).context("asking for a buffer")?;
    // The kernel reports twice what it grants.
    let granted = getsockopt(&socket, RcvBuf)? as u64 / 2;
    let rest = Duration::from_micros(granted / 4 * 1_000 / FLOOD_BYTES_PER_MILLISECOND);
    let rest = rest.clamp(SHORTEST_REST, LONGEST_REST);
    let mut buffers = vec![vec![0; MAX_DATAGRAM]; BATCH];
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    loop {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let file = socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let taken = match recvmmsg(file, &mut headers, slices.iter_mut(), flags, None) {
            Ok(messages) => messages.count(),
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            Err(error) => return Err(error).context("receiving"),
        };
        if taken < BATCH {
            sleep(rest);
        }
    }
}
