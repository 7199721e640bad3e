//! What is sent: lines rendered beforehand, with the totals that the server has to arrive at.

use std::{
    io::IoSlice,
    net::{SocketAddr, UdpSocket},
    ops::Range,
    os::fd::AsRawFd as _,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};

/// The payload of a packed datagram.
const DATAGRAM_BYTES: usize = 1_400;
/// Datagrams sent in one call.
const BATCH: usize = 32;
/// The time between two calls while the rate is kept.
const STEP: Duration = Duration::from_micros(500);
/// How far behind its rate a sender may be before it gives up that part: a burst to make up for it
/// would measure the sender's bad luck.
const MAX_LAG: Duration = Duration::from_millis(10);

/// Names, tags and packing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Distinct series: counters, timers and gauges 60:25:15.
    pub(crate) names: u32,
    pub(crate) has_tags: bool,
    /// One line per datagram.
    pub(crate) is_single: bool,
    /// Only counts of 1: what is stored adds up to the lines that were read, whichever were dropped.
    pub(crate) is_count: bool,
}

/// What was sent, or is in a datagram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// The sum of all counts.
    pub(crate) counts: u64,
    /// How many values timers got.
    pub(crate) timings: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.counts += other.counts;
        self.timings += other.timings;
    }
}

#[derive(Debug, Default)]
struct Datagram {
    bytes: Vec<u8>,
    totals: Totals,
}

/// Datagrams to be sent again and again.
#[derive(Debug)]
pub(crate) struct Pool {
    datagrams: Vec<Datagram>,
    next: usize,
}

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Lines per second; `None` sends as fast as it can.
    pub(crate) rate: Option<u64>,
    pub(crate) duration: Duration,
}

impl Pool {
    /// Each name once.
    pub(crate) fn every_name(shape: Shape) -> Self {
        Self::names(shape, 0..shape.names)
    }

    /// Each of some names once.
    pub(crate) fn names(shape: Shape, names: Range<u32>) -> Self {
        let mut random = Random(u64::from(names.start) + 1);
        Self::render(shape, names.map(|name| (name, random.below(400) + 1)))
    }

    /// Names in random order, each about `passes` times.
    pub(crate) fn shuffled(shape: Shape, passes: u32) -> Self {
        let mut random = Random(2);
        let lines = 0..u64::from(shape.names) * u64::from(passes);
        let draw = |_| (random.below(u64::from(shape.names)) as u32, random.below(400) + 1);
        Self::render(shape, lines.map(draw))
    }

    fn render(shape: Shape, lines: impl Iterator<Item = (u32, u64)>) -> Self {
        let mut datagrams: Vec<Datagram> = Vec::new();
        for (name, value) in lines {
            let value = if shape.is_count { 1 } else { value };
            let (line, kind) = render_line(shape, name, value);
            let has_room = |last: &Datagram| {
                !shape.is_single && last.bytes.len() + line.len() < DATAGRAM_BYTES
            };
            if !datagrams.last().is_some_and(has_room) {
                datagrams.push(Datagram::default());
            }
            let Some(Datagram { bytes, totals }) = datagrams.last_mut() else { continue };
            if !bytes.is_empty() {
                bytes.push(b'\n');
            }
            bytes.extend_from_slice(line.as_bytes());
            totals.lines += 1;
            totals.counts += if kind == "c" { value } else { 0 };
            totals.timings += u64::from(kind == "ms");
        }
        for Datagram { bytes, totals } in &mut datagrams {
            totals.datagrams = 1;
            totals.bytes = bytes.len() as u64;
        }
        Self { datagrams, next: 0 }
    }

    /// Sends everything once, at a rate that loses nothing.
    pub(crate) fn send_once(&mut self, socket: &UdpSocket) -> anyhow::Result<Totals> {
        let lines: u64 = self.datagrams.iter().map(|datagram| datagram.totals.lines).sum();
        let mut sent = Totals::default();
        for batch in 0..self.datagrams.len().div_ceil(BATCH) {
            let left = self.datagrams.len() - batch * BATCH;
            self.send_batch(socket, left.min(BATCH), &mut sent)?;
            // A name that is met for the first time takes longer than ever after.
            sleep(STEP * 4);
        }
        anyhow::ensure!(sent.lines == lines, "not everything was sent");
        Ok(sent)
    }

    /// Sends at a pace, from the beginning again after the last datagram.
    pub(crate) fn send(&mut self, socket: &UdpSocket, pace: Pace) -> anyhow::Result<Totals> {
        let lines: u64 = self.datagrams.iter().map(|datagram| datagram.totals.lines).sum();
        let lines_per_datagram = lines as f64 / self.datagrams.len() as f64;
        let rate = pace.rate.map(|rate| rate as f64 / lines_per_datagram);
        let mut sent = Totals::default();
        let started = Instant::now();
        // Datagrams that were due and not sent because the sender was held up.
        let mut given_up = 0.0;
        while started.elapsed() < pace.duration {
            let Some(rate) = rate else {
                self.send_batch(socket, BATCH, &mut sent)?;
                continue;
            };
            let owed = started.elapsed().as_secs_f64() * rate - given_up - sent.datagrams as f64;
            given_up += (owed - MAX_LAG.as_secs_f64() * rate).max(0.0);
            if owed < 1.0 {
                sleep(STEP);
                continue;
            }
            self.send_batch(socket, (owed as usize).min(BATCH), &mut sent)?;
        }
        Ok(sent)
    }

    fn send_batch(
        &mut self,
        socket: &UdpSocket,
        count: usize,
        sent: &mut Totals,
    ) -> anyhow::Result<()> {
        let end = (self.next + count).min(self.datagrams.len());
        let batch = &self.datagrams[self.next..end];
        let slices: Vec<[IoSlice<'_>; 1]> =
            batch.iter().map(|datagram| [IoSlice::new(&datagram.bytes)]).collect();
        // The socket is connected.
        let addresses: Vec<Option<SockaddrIn>> = vec![None; slices.len()];
        let mut headers = MultiHeaders::preallocate(slices.len(), None);
        let file = socket.as_raw_fd();
        let taken = sendmmsg(file, &mut headers, &slices, addresses, [], MsgFlags::empty())
            .context("sending the load")?
            .count();
        batch[..taken].iter().for_each(|datagram| sent.add(&datagram.totals));
        self.next = (self.next + taken) % self.datagrams.len();
        Ok(())
    }
}

/// A socket with an address that nobody else sends from, so that the server keeps books of its own
/// for us.
pub(crate) fn connect(server: SocketAddr, own_address: &str) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind((own_address, 0)).context("binding the sender")?;
    socket.connect(server).context("connecting the sender")?;
    Ok(socket)
}

/// The line and its type letters. A name says its type, so that a query can tell them apart.
fn render_line(shape: Shape, name: u32, value: u64) -> (String, &'static str) {
    let kind = match name % 20 {
        _ if shape.is_count => "c",
        0..12 => "c",
        12..17 => "ms",
        _ => "g",
    };
    let service = name % 16;
    let tags = if shape.has_tags {
        format!("|#env:prod,region:eu-west-1,pod:api-{:04}", name % 50)
    } else {
        String::new()
    };
    (format!("lg.svc{service}.endpoint.{kind}{name}:{value}|{kind}{tags}"), kind)
}

/// A small generator (splitmix64): the same lines in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
