//! A peer as a child process.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{Kind, Peer, netdata, npm_statsd};
use crate::{
    discard,
    load::Totals,
    process::{
        Process,
        procfs::{self, BoundUdp},
    },
    rows::until_multiple,
};

/// How long a peer may take to read what the kernel holds for it.
const READ_BOUND: Duration = Duration::from_secs(20);

/// A peer that listens.
#[derive(Debug)]
pub(super) struct Running {
    kind: Kind,
    pub(super) process: Process,
    pub(super) address: SocketAddrV4,
    interval: Duration,
}

impl Running {
    pub(super) fn start(peer: &Peer, interval: Duration) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("making a folder")?;
        // It is free again when the peer binds it: neither of the two takes 0 for any.
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_udp_port()?);
        let mut command = match peer.kind {
            Kind::Netdata => netdata::command(&peer.program, folder.path(), address, interval)?,
            Kind::Statsd => npm_statsd::command(&peer.program, folder.path(), address, interval)?,
            Kind::Discard => {
                let mut command = Command::new(&peer.program);
                command.arg(discard::ARGUMENT).arg(address.to_string());
                command
            }
        };
        let mut process = Process::start(&mut command, folder)?;
        process.wait_until_ready(|_| bound_udp(address).ok())?;
        Ok(Self { kind: peer.kind, process, address, interval })
    }

    pub(super) fn socket(&self) -> anyhow::Result<BoundUdp> {
        bound_udp(self.address).with_context(|| format!("it printed:\n{}", self.process.log()))
    }

    /// Waits until a flush after this moment begins (Netdata) or is done (npm).
    pub(super) fn wait_for_flush(&self) -> anyhow::Result<()> {
        match self.kind {
            // It flushes at the multiples of its interval, like we do.
            Kind::Netdata | Kind::Discard => sleep(until_multiple(self.interval)),
            Kind::Statsd => npm_statsd::wait_for_flush(self.process.folder(), self.interval)?,
        }
        Ok(())
    }

    /// Until then it has not done all its work, and what is sent is neither read nor dropped.
    pub(super) fn wait_until_all_is_read(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READ_BOUND;
        while self.socket()?.waiting > 0 {
            if Instant::now() > deadline {
                bail!("it does not read what was sent:\n{}", self.process.log());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Compares what was sent since the start with what the peer says, if it says something:
    /// Netdata would only do so with parts switched on that cost time.
    pub(super) fn check_books(&self, sent: &Totals, dropped: u64) -> anyhow::Result<()> {
        match self.kind {
            Kind::Netdata | Kind::Discard => Ok(()),
            Kind::Statsd => {
                npm_statsd::check_books(self.process.folder(), self.interval, sent, dropped)
            }
        }
    }
}

fn free_udp_port() -> anyhow::Result<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(socket.local_addr()?.port())
}

pub(super) fn bound_udp(address: SocketAddrV4) -> anyhow::Result<BoundUdp> {
    let text = fs::read_to_string("/proc/net/udp").context("reading /proc/net/udp")?;
    procfs::bound_udp(&text, address).with_context(|| format!("nobody listens on {address}"))
}
