//! The reader's side: datagrams in, an open window of additions out. One per reader thread, no locks.
//!
//! A line finds its series by a 128-bit hash of its raw bytes (name, type, tag section, and the sender
//! fields that are labels here). Only a spelling not seen before is taken apart, cleaned and mapped;
//! tags therefore cost one hash of their bytes. The hash is seeded at random in each shard, so nobody
//! can aim for a collision, and as with `SeriesId` 128 bits are taken for identity.
//!
//! A datagram is read in two passes: parse and hash every line, then look up and add. The second pass
//! is a short loop whose cache misses overlap.

use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::{
    context::Dialect,
    line::{self, Event, Kind, Line, Metric, Samples, ServiceCheck, parse_number},
    reason::Reason,
    series::SourceId,
    tally::Tally,
    window::Window,
};

mod cache;
mod operation;
mod record;

use cache::{CacheLimits, ContextCache, NO_CELL};

/// A batch of this many samples is looked up together; longer datagrams take several.
const BATCH: usize = 256;
/// Contexts not used for a while are looked for once in this many windows,
const SWEEP_INTERVAL: u32 = 64;
/// and earlier once so many were learned that a look at all of them costs little beside that.
const SWEEP_LEARNED: usize = 1_024;

/// The bounds of a shard.
#[derive(Debug, Clone)]
pub struct ShardOptions {
    /// How lines are read.
    pub dialect: Dialect,
    /// The most contexts (spellings of a series) kept; one takes about 50 bytes and its labels.
    pub max_contexts: usize,
    /// The most contexts one source may have.
    pub max_contexts_per_source: usize,
    /// A context is forgotten after this many windows without a line. The next line costs the slow
    /// path once; nothing else is lost.
    pub idle_windows: u32,
    /// The most samples with a timestamp that a window holds.
    pub max_timed: usize,
    /// The most sources whose books are kept apart; higher numbers count as source 0.
    pub max_sources: u32,
}

impl Default for ShardOptions {
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            max_contexts: 2_000_000,
            max_contexts_per_source: 1_000_000,
            idle_windows: 360,
            max_timed: 65_536,
            max_sources: 4_096,
        }
    }
}

/// How a datagram arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrival {
    /// Who sent it.
    pub source: SourceId,
    /// A number that grows with time on all shards alike, such as monotonic nanoseconds: it decides
    /// which of two writes to a gauge came last.
    pub stamp: u64,
    /// Whether the datagram was cut at the end of the buffer. Its last line is then not used, unless
    /// the line's end is there.
    pub is_truncated: bool,
}

/// What a datagram may hold besides metrics.
#[derive(Debug)]
pub enum Extra<'a> {
    /// An event.
    Event(Event<'a>),
    /// A service check.
    ServiceCheck(ServiceCheck<'a>),
}

/// A sample between the two passes.
#[derive(Debug)]
struct Staged<'a> {
    key: u128,
    /// Its number is there for every single number, however written, and for no member of a set.
    metric: Metric<'a>,
    /// The cell, once it is looked up; [`NO_CELL`] sends the sample the slow way.
    cell: u32,
    /// The line's place in the datagram.
    line: usize,
}

/// A datagram between the two passes.
#[derive(Debug)]
struct Batch<'a> {
    staged: Vec<Staged<'a>>,
    /// Per line the first reason to refuse a part of it.
    verdicts: Vec<Option<Reason>>,
}

impl Batch<'_> {
    fn refuse(&mut self, line: usize, reason: Option<Reason>) {
        self.verdicts[line] = self.verdicts[line].or(reason);
    }
}

impl Staged<'_> {
    /// Whether there is one number for the open window.
    fn is_plain(&self) -> bool {
        self.metric.number.is_some() && !self.metric.has_timestamp()
    }
}

/// The aggregation of one reader thread.
#[derive(Debug)]
pub struct Shard {
    options: ShardOptions,
    seed: u64,
    contexts: ContextCache,
    /// The number of the open window.
    epoch: u32,
    window: Window,
    tallies: Vec<Tally>,
    /// How many more contexts may be learned.
    room: usize,
    /// How many were learned since those not used were looked for.
    learned: usize,
    /// Kept for their memory only; both are empty between datagrams.
    staged: Vec<Staged<'static>>,
    verdicts: Vec<Option<Reason>>,
}

impl Shard {
    /// A shard with an empty window.
    pub fn new(options: ShardOptions) -> Self {
        let limits = CacheLimits {
            max: options.max_contexts,
            max_per_source: options.max_contexts_per_source,
        };
        Self {
            options,
            seed: RandomState::new().hash_one(0),
            contexts: ContextCache::new(limits),
            epoch: 1,
            window: Window::default(),
            tallies: Vec::new(),
            room: usize::MAX,
            learned: 0,
            staged: Vec::with_capacity(BATCH),
            verdicts: Vec::new(),
        }
    }

    /// Changes how lines are read from now on. The open window stays as it is.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.options.dialect = dialect;
        self.contexts.clear();
    }

    /// Says how many contexts may be learned until this is said again; further ones are refused as
    /// series beyond the limit. Without it only the bounds of the options hold.
    ///
    /// A registry that is full would refuse them anyway, but only after a window full of them.
    pub fn set_room(&mut self, room: usize) {
        self.room = room.saturating_sub(self.window.announced.len());
    }

    /// How many contexts are cached.
    pub fn contexts(&self) -> usize {
        self.contexts.len()
    }

    /// Adds what a datagram says to the open window; events and service checks go to `extras`.
    ///
    /// Nothing here fails: what cannot be used is counted in the source's [`Tally`].
    pub fn accept(&mut self, datagram: &[u8], arrival: Arrival, extras: &mut dyn FnMut(Extra<'_>)) {
        let arrival = Arrival { source: self.known_source(arrival.source), ..arrival };
        let mut batch = Batch {
            staged: recycled(std::mem::take(&mut self.staged)),
            verdicts: std::mem::take(&mut self.verdicts),
        };
        let (usable, is_cut) = usable_part(datagram, arrival.is_truncated);
        let mut lines = line::lines(usable);
        loop {
            let line = batch.verdicts.len();
            if let Some(metric) = lines.next_usual() {
                batch.verdicts.push(None);
                self.push(metric, line, &mut batch, arrival);
                continue;
            }
            let Some(text) = lines.next() else { break };
            batch.verdicts.push(None);
            let refused = match line::read(text) {
                Line::Metric(samples) => self.stage_all(samples, line, &mut batch, arrival),
                Line::Event(text) => {
                    let event = Event::parse(text).map(|event| extras(Extra::Event(event)));
                    self.tally(arrival).events += u64::from(event.is_ok());
                    event.err()
                }
                Line::ServiceCheck(text) => {
                    let check = ServiceCheck::parse(text);
                    let check = check.map(|check| extras(Extra::ServiceCheck(check)));
                    self.tally(arrival).service_checks += u64::from(check.is_ok());
                    check.err()
                }
            };
            batch.refuse(line, refused);
        }
        self.record_all(&mut batch, arrival);
        if is_cut {
            batch.verdicts.push(Some(Reason::Truncated));
        }
        let tally = self.tally(arrival);
        tally.datagrams += 1;
        tally.bytes += datagram.len() as u64;
        tally.truncated += u64::from(arrival.is_truncated);
        tally.lines += batch.verdicts.len() as u64;
        for verdict in batch.verdicts.drain(..) {
            match verdict {
                None => tally.accepted += 1,
                Some(reason) => tally.rejected.add(reason, 1),
            }
        }
        self.staged = recycled(batch.staged);
        self.verdicts = batch.verdicts;
    }

    /// Closes the open window, hands it out and opens the next one. Takes no longer when the window
    /// is large, but for a sweep of unused contexts now and then.
    pub fn take_window(&mut self) -> Window {
        // Epoch 0 marks contexts that have no cell.
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        let is_crowded = self.learned >= SWEEP_LEARNED.max(self.contexts.len() / 32);
        if self.epoch.is_multiple_of(SWEEP_INTERVAL) || is_crowded {
            self.learned = 0;
            self.contexts.forget_idle(self.epoch, self.options.idle_windows);
        }
        let next =
            Window { cells: Vec::with_capacity(self.window.cells.len()), ..Window::default() };
        let mut window = std::mem::replace(&mut self.window, next);
        for (source, tally) in self.tallies.iter_mut().enumerate() {
            if tally.datagrams > 0 {
                window.tallies.push((SourceId(source as u32), std::mem::take(tally)));
            }
        }
        window
    }

    fn known_source(&mut self, source: SourceId) -> SourceId {
        let source = if source.0 < self.options.max_sources { source } else { SourceId(0) };
        let needed = source.0 as usize + 1;
        if self.tallies.len() < needed {
            self.tallies.resize(needed, Tally::default());
        }
        source
    }

    fn tally(&mut self, arrival: Arrival) -> &mut Tally {
        &mut self.tallies[arrival.source.0 as usize]
    }

    /// The first pass over a line; the first reason to refuse a part of it.
    #[inline]
    fn stage_all<'a>(
        &mut self,
        samples: Samples<'a>,
        line: usize,
        batch: &mut Batch<'a>,
        arrival: Arrival,
    ) -> Option<Reason> {
        let mut refused = None;
        for sample in samples {
            match sample.and_then(with_number) {
                Ok(metric) => self.push(metric, line, batch, arrival),
                Err(reason) => refused = refused.or(Some(reason)),
            }
        }
        refused
    }

    #[inline]
    fn push<'a>(
        &mut self,
        metric: Metric<'a>,
        line: usize,
        batch: &mut Batch<'a>,
        arrival: Arrival,
    ) {
        let key = self.key(&metric);
        // Field by field: copied as a whole the metric would be read back in other widths than it
        // was written, which stalls.
        let Metric { head, kind, values, number, rate, tags, fields, has_timestamp } = metric;
        let metric = Metric { head, kind, values, number, rate, tags, fields, has_timestamp };
        batch.staged.push(Staged { key, metric, cell: NO_CELL, line });
        if batch.staged.len() == BATCH {
            self.record_all(batch, arrival);
        }
    }

    #[inline]
    fn key(&self, metric: &Metric<'_>) -> u128 {
        let mut key = xxh3_128_with_seed(metric.head, self.seed ^ metric.kind as u64);
        let mut add = |part: &[u8]| {
            key = key.rotate_left(1) ^ xxh3_128_with_seed(part, key as u64);
        };
        if !metric.tags.is_empty() {
            add(metric.tags);
        }
        if self.options.dialect.has_sender_labels() {
            for (label, value) in self.options.dialect.sender_labels(metric) {
                add(label.as_bytes());
                add(value);
            }
        }
        key
    }
}

/// The metric with its number, if it has just one however it is written. A set has members instead.
///
/// # Errors
/// The reason to refuse a value that is neither a number nor packed.
#[inline]
fn with_number(metric: Metric<'_>) -> Result<Metric<'_>, Reason> {
    let number = match metric.number {
        _ if metric.kind == Kind::Set => None,
        Some(number) => Some(number),
        None => match parse_number(metric.values) {
            Ok(number) => Some(number),
            Err(_) if metric.values.contains(&b':') => None,
            Err(reason) => return Err(reason),
        },
    };
    Ok(Metric { number, ..metric })
}

/// What can be used of a datagram, and whether a line was lost at its end.
fn usable_part(datagram: &[u8], is_truncated: bool) -> (&[u8], bool) {
    if !is_truncated {
        return (datagram, false);
    }
    let end = memchr::memrchr(b'\n', datagram).map_or(0, |end| end + 1);
    (&datagram[..end], end < datagram.len())
}

/// The memory of a vector for elements of another lifetime; the standard library reuses it in place.
fn recycled<'b>(staged: Vec<Staged<'_>>) -> Vec<Staged<'b>> {
    staged.into_iter().map_while(|_| None).collect()
}

#[cfg(test)]
mod tests;
