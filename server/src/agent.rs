//! The host collector: this machine's utilization, saturation and errors, sent as StatsD.
//!
//! It reads Linux's `/proc`, asks each filesystem for its size and, where it is told to, database
//! servers for their connections. It sends what it found over UDP to a StatsD listener, this program's
//! own or another's. It is a StatsD client like any other: nothing reaches the store by another way.
//!
//! Deliberately absent: arguments of processes (they may hold secrets), containers, and network
//! filesystems (asking one whose server is gone blocks for ever).
//!
//! Invariants: every line has the tag `host`; a source that is missing costs only its own metrics and
//! is logged once; counters are sent as differences, so the first collection has none; names of
//! processes make a bounded number of series.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    panic::resume_unwind,
    time::Duration,
};

use db::Watched;
use tokio::{
    net::UdpSocket,
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

mod collector;
mod cpu;
mod databases;
mod disk;
mod filesystem;
mod line;
mod memory;
mod network;
mod processes;
mod source;
mod system;

use collector::{Collector, Options};
use databases::Databases;
use source::Roots;

/// What the agent does.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The StatsD listener.
    pub(crate) target: SocketAddr,
    /// Time between two collections. At least a second is sensible.
    pub(crate) interval: Duration,
    /// The value of the tag `host`; `None` takes the machine's name.
    pub(crate) host: Option<String>,
    /// How many commands make the top of the processes; 0 leaves them out.
    pub(crate) top_processes: usize,
    /// Database servers whose connections are counted.
    pub(crate) databases: Vec<Watched>,
}

/// Collects and sends until stopped. UDP does not tell whether anybody listens; where the system says
/// that nobody does, that is logged once until it changes.
///
/// # Errors
/// When no socket can be opened.
pub(crate) async fn run(agent: Agent, stop: CancellationToken) -> io::Result<()> {
    let socket = open(agent.target).await?;
    let options = Options { host: agent.host, top_processes: agent.top_processes };
    let mut collector = Collector::new(Roots::default(), options);
    let mut databases = Databases::new(agent.databases);
    let mut ticks = interval(agent.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let start = Instant::now();
    let mut is_heard = true;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let readings = databases.ask(agent.interval).await;
        // A small file for each process: too long for a thread that serves others.
        let collected = spawn_blocking(move || {
            let began = start.elapsed();
            let lines = collector.collect(began, &readings);
            collector.note_cost(start.elapsed().saturating_sub(began));
            (collector, lines)
        });
        let lines = match collected.await {
            Ok((back, lines)) => {
                collector = back;
                lines
            }
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => return Ok(()),
        };
        let sent = send(&socket, &lines).await;
        match (&sent, is_heard) {
            (Err(error), true) => {
                tracing::warn!(target = %agent.target, %error, "cannot send host metrics");
            }
            (Ok(()), false) => {
                tracing::info!(target = %agent.target, "host metrics are sent again");
            }
            _ => {}
        }
        is_heard = sent.is_ok();
    }
}

async fn open(target: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(target).await?;
    Ok(socket)
}

/// Sends all datagrams, whatever happens to some; returns the first error.
async fn send(socket: &UdpSocket, lines: &[line::Line]) -> io::Result<()> {
    let mut result = Ok(());
    for datagram in line::datagrams(lines) {
        let sent = socket.send(datagram.as_bytes()).await.map(drop);
        result = result.and(sent);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_arrive_as_datagrams_and_stop_ends_it() {
        let listener = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let agent = Agent {
            target,
            interval: Duration::from_mins(1),
            host: Some("box".to_owned()),
            top_processes: 5,
            databases: Vec::new(),
        };
        let stop = CancellationToken::new();
        let receive = async {
            let mut datagram = vec![0; 65_536];
            let length = listener.recv(&mut datagram).await.unwrap();
            stop.cancel();
            String::from_utf8(datagram[..length].to_vec()).unwrap()
        };
        let (result, text) = tokio::join!(run(agent, stop.clone()), receive);
        result.unwrap();
        assert!(text.len() <= line::DATAGRAM_BYTES);
        for line in text.lines() {
            assert!(line.starts_with("host.") && line.contains("|#host:box"), "{line}");
        }
    }
}
