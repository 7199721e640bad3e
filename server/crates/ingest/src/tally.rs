//! Books: what arrived from whom, what became of it, and who hits the limits.

use crate::{
    reason::{Reason, ReasonCounts},
    series::SourceId,
};

/// What arrived from one source since the last window. `lines = accepted + rejected.total()`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Datagrams, empty ones included.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Lines that are not empty.
    pub lines: u64,
    /// Lines of which every part was taken.
    pub accepted: u64,
    /// Lines of which something was refused, by the first reason. Their other parts were taken.
    pub rejected: ReasonCounts,
    /// Single values taken, timestamped ones included.
    pub samples: u64,
    /// Events handed out.
    pub events: u64,
    /// Service checks handed out.
    pub service_checks: u64,
    /// Lines whose sample rate means nothing for their type, and was not used.
    pub rates_ignored: u64,
    /// Datagrams that were cut at the end of the buffer.
    pub truncated: u64,
}

impl Tally {
    /// Adds all numbers of another.
    pub fn merge(&mut self, other: &Self) {
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.accepted += other.accepted;
        self.rejected.merge(&other.rejected);
        self.samples += other.samples;
        self.events += other.events;
        self.service_checks += other.service_checks;
        self.rates_ignored += other.rates_ignored;
        self.truncated += other.truncated;
    }
}

/// A name that was refused, with who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offender {
    /// The metric's name, shortened to 200 bytes.
    pub name: Box<str>,
    /// Who sent it.
    pub source: SourceId,
    /// Why, the last time.
    pub reason: Reason,
    /// How many lines were refused: at most [`Self::overcount`] too many.
    pub lines: u64,
    /// What the place in the list had counted before this name took it.
    pub overcount: u64,
}

/// The names refused most often, in a list of fixed length.
///
/// A new name takes the place of the one refused least and inherits its count (the "space saving"
/// algorithm of Metwally, Agrawal and El Abbadi, 2005), so a frequent name is never missing.
#[derive(Debug, Clone, Default)]
pub struct Offenders {
    list: Vec<Offender>,
}

impl Offenders {
    /// The length of the list.
    pub const CAPACITY: usize = 32;
    const MAX_NAME_BYTES: usize = 200;

    /// Counts refused lines.
    pub fn record(&mut self, name: &str, source: SourceId, reason: Reason, lines: u64) {
        let name = shortened(name, Self::MAX_NAME_BYTES);
        self.add(name, source, reason, lines, 0);
    }

    fn add(&mut self, name: &str, source: SourceId, reason: Reason, lines: u64, overcount: u64) {
        let known = self.list.iter_mut().find(|o| o.source == source && *o.name == *name);
        if let Some(offender) = known {
            offender.lines += lines;
            offender.overcount += overcount;
            offender.reason = reason;
            return;
        }
        let mut new = Offender { name: name.into(), source, reason, lines, overcount };
        if self.list.len() < Self::CAPACITY {
            self.list.push(new);
        } else if let Some(least) = self.list.iter_mut().min_by_key(|o| o.lines) {
            new.lines += least.lines;
            new.overcount += least.lines;
            *least = new;
        }
    }

    /// Adds another list.
    pub fn merge(&mut self, other: &Self) {
        for offender in &other.list {
            let Offender { name, source, reason, lines, overcount } = offender;
            self.add(name, *source, *reason, *lines, *overcount);
        }
    }

    /// The list, most lines first.
    pub fn sorted(&self) -> Vec<Offender> {
        let mut list = self.list.clone();
        list.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.name.cmp(&b.name)));
        list
    }

    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

fn shortened(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_offender_stays_in_a_full_list() {
        let mut offenders = Offenders::default();
        for round in 0..1_000 {
            offenders.record("often", SourceId(1), Reason::SeriesLimit, 1);
            offenders.record(&format!("rare{round}"), SourceId(1), Reason::SeriesLimit, 1);
        }
        let list = offenders.sorted();
        assert_eq!(list.len(), Offenders::CAPACITY);
        assert_eq!((&*list[0].name, list[0].lines, list[0].overcount), ("often", 1_000, 0));
        assert!(list.iter().skip(1).all(|o| o.lines - o.overcount <= 1));
    }

    #[test]
    fn sources_are_told_apart_and_long_names_cut_at_a_character() {
        let mut offenders = Offenders::default();
        let long = "ü".repeat(150);
        offenders.record(&long, SourceId(1), Reason::SeriesLimit, 2);
        offenders.record(&long, SourceId(2), Reason::TypeConflict, 3);
        let mut merged = Offenders::default();
        merged.merge(&offenders);
        merged.merge(&offenders);
        let list = merged.sorted();
        assert_eq!(list.len(), 2);
        assert_eq!((list[0].source, list[0].lines, list[0].name.len()), (SourceId(2), 6, 200));
    }
}
