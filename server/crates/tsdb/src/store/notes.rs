//! What the store has to remember besides samples: how far samples have given way to rollups, which
//! deletions are not carried out everywhere yet, and what was imported after it had been rolled up.
//!
//! The notes are one row among the blocks, of level 0 and without pages, so that they change in one
//! transaction with the blocks they speak of. `docs/formats/notes.md` has the byte layout.

use std::collections::BTreeMap;

use model::{Labels, MatchOp, Matcher, Timestamp};

use crate::{
    block::Block,
    bytes::{
        FormatError, Reader, finish_envelope, open_envelope, put_i64, put_text, put_u64,
        start_envelope,
    },
    engine::BlockRow,
};

/// The level of the row that holds the notes.
pub(crate) const LEVEL: u32 = 0;

/// What the store remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Up to this time, inclusive, samples may be gone, and rollups are asked instead.
    pub(crate) raw_since: Timestamp,
    /// The id of the last deletion, whether it is still listed or not.
    pub(crate) last_deletion: u64,
    /// Ascending by id, and by [`Deletion::seq`].
    pub(crate) deletions: Vec<Deletion>,
    /// What other nodes are asked to delete and have not all taken over, ascending by id.
    pub(crate) requests: Vec<Request>,
    /// The last request of each node that became a deletion of this one.
    pub(crate) adopted: BTreeMap<u64, u64>,
    /// Times, both inclusive, of samples that were imported after they should have been rolled up.
    pub(crate) stale: Vec<(Timestamp, Timestamp)>,
}

/// A deletion that concerns what other nodes wrote as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// That of the deletion on the node which asks.
    pub(crate) id: u64,
    pub(crate) matchers: Vec<Matcher>,
    /// The oldest time deleted, inclusive.
    pub(crate) start: Timestamp,
    /// The newest time deleted, inclusive.
    pub(crate) end: Timestamp,
}

/// Samples that were deleted: of every series that all matchers accept, within the range, as far as
/// they had been written by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) id: u64,
    pub(crate) matchers: Vec<Matcher>,
    /// The oldest time deleted, inclusive.
    pub(crate) start: Timestamp,
    /// The newest time deleted, inclusive.
    pub(crate) end: Timestamp,
    /// It concerns blocks with a lower order,
    pub(crate) order_below: u64,
    /// and frames up to this one.
    pub(crate) seq: u64,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            raw_since: Timestamp::MIN,
            last_deletion: 0,
            deletions: Vec::new(),
            requests: Vec::new(),
            adopted: BTreeMap::new(),
            stale: Vec::new(),
        }
    }
}

impl Notes {
    pub(crate) const MAGIC: [u8; 4] = *b"BWN\0";
    pub(crate) const VERSION: u8 = 2;

    /// The row that keeps the notes.
    pub(crate) fn to_row(&self, id: u64) -> BlockRow {
        let mut index = Vec::new();
        start_envelope(&mut index, Self::MAGIC, Self::VERSION);
        put_i64(&mut index, self.raw_since);
        put_u64(&mut index, self.last_deletion);
        put_u64(&mut index, self.deletions.len() as u64);
        for deletion in &self.deletions {
            deletion.put(&mut index);
        }
        put_u64(&mut index, self.requests.len() as u64);
        for request in &self.requests {
            put_u64(&mut index, request.id);
            put_i64(&mut index, request.start);
            put_i64(&mut index, request.end);
            put_matchers(&mut index, &request.matchers);
        }
        put_u64(&mut index, self.adopted.len() as u64);
        for (&node, &id) in &self.adopted {
            put_u64(&mut index, node);
            put_u64(&mut index, id);
        }
        put_u64(&mut index, self.stale.len() as u64);
        for &(start, end) in &self.stale {
            put_i64(&mut index, start);
            put_i64(&mut index, end);
        }
        finish_envelope(&mut index);
        let level = LEVEL;
        BlockRow {
            id,
            level,
            min_time: 0,
            max_time: 0,
            series: 0,
            samples: 0,
            page_bytes: 0,
            index,
        }
    }

    /// Reads the notes from the index of their row.
    pub(crate) fn open(index: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(open_envelope(index, Self::MAGIC, Self::VERSION, "note")?);
        let mut notes =
            Self { raw_since: reader.i64()?, last_deletion: reader.u64()?, ..Self::default() };
        for _ in 0..reader.count()? {
            notes.deletions.push(Deletion::take(&mut reader)?);
        }
        notes.take_rest(&mut reader)?;
        if !reader.is_empty() {
            return Err(FormatError::Invalid("end of the notes"));
        }
        Ok(notes)
    }

    fn take_rest(&mut self, reader: &mut Reader<'_>) -> Result<(), FormatError> {
        for _ in 0..reader.count()? {
            let id = reader.u64()?;
            let (start, end) = (reader.i64()?, reader.i64()?);
            self.requests.push(Request { id, start, end, matchers: take_matchers(reader)? });
        }
        for _ in 0..reader.count()? {
            let node = reader.u64()?;
            self.adopted.insert(node, reader.u64()?);
        }
        for _ in 0..reader.count()? {
            self.stale.push((reader.i64()?, reader.i64()?));
        }
        Ok(())
    }

    /// Whether a request of a node became a deletion of this one.
    pub(crate) fn has_adopted(&self, node: u64, request: &Request) -> bool {
        self.adopted.get(&node).is_some_and(|&last| request.id <= last)
    }

    /// The deletions that concern a block and are not carried out in it.
    pub(crate) fn pending(&self, block: &Block) -> Vec<&Deletion> {
        self.deletions.iter().filter(|deletion| deletion.concerns(block)).collect()
    }
}

impl Deletion {
    /// Whether the series is meant.
    pub(crate) fn is_about(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches_labels(labels))
    }

    pub(super) fn concerns(&self, block: &Block) -> bool {
        // A window is deleted as a whole when any part of it is.
        let start = self.start.saturating_sub(block.window_ms.saturating_sub(1).max(0));
        let end = self.end.saturating_add(block.window_ms);
        block.order < self.order_below && block.cleaned < self.id && block.overlaps(start, end)
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.id);
        put_i64(out, self.start);
        put_i64(out, self.end);
        put_u64(out, self.order_below);
        put_u64(out, self.seq);
        put_matchers(out, &self.matchers);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let id = reader.u64()?;
        let (start, end) = (reader.i64()?, reader.i64()?);
        let (order_below, seq) = (reader.u64()?, reader.u64()?);
        let matchers = take_matchers(reader)?;
        Ok(Self { id, matchers, start, end, order_below, seq })
    }
}

impl Request {
    /// The same as a deletion of everything that a node has.
    pub(crate) fn of_everything(&self) -> Deletion {
        Deletion {
            id: u64::MAX,
            matchers: self.matchers.clone(),
            start: self.start,
            end: self.end,
            order_below: u64::MAX,
            seq: u64::MAX,
        }
    }
}

fn put_matchers(out: &mut Vec<u8>, matchers: &[Matcher]) {
    put_u64(out, matchers.len() as u64);
    for matcher in matchers {
        put_text(out, &matcher.name);
        out.push(match matcher.op {
            MatchOp::Equal => 0,
            MatchOp::NotEqual => 1,
            MatchOp::Regex => 2,
            MatchOp::NotRegex => 3,
        });
        put_text(out, &matcher.value);
    }
}

fn take_matchers(reader: &mut Reader<'_>) -> Result<Vec<Matcher>, FormatError> {
    let mut matchers = Vec::new();
    for _ in 0..reader.count()? {
        let name = reader.text()?;
        let op = match reader.u8()? {
            0 => MatchOp::Equal,
            1 => MatchOp::NotEqual,
            2 => MatchOp::Regex,
            3 => MatchOp::NotRegex,
            _ => return Err(FormatError::Invalid("operator of a matcher")),
        };
        let matcher = Matcher::try_new(name, op, reader.text()?);
        matchers.push(matcher.map_err(|_| FormatError::Invalid("pattern of a matcher"))?);
    }
    Ok(matchers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Notes {
        let matchers = vec![
            Matcher::equal("__name__", "up"),
            Matcher::try_new("job", MatchOp::NotRegex, "a|b.*").unwrap(),
        ];
        let request = Request { id: 2, matchers: matchers.clone(), start: 0, end: 70 };
        let deletion = Deletion { id: 3, matchers, start: -5, end: 900, order_below: 7, seq: 40 };
        Notes {
            raw_since: 3_600_000,
            last_deletion: 3,
            deletions: vec![deletion],
            requests: vec![request],
            adopted: BTreeMap::from([(4, 9)]),
            stale: vec![(-8, 20)],
        }
    }

    #[test]
    fn notes_round_trip() {
        for notes in [Notes::default(), notes()] {
            assert_eq!(Notes::open(&notes.to_row(1).index), Ok(notes));
        }
    }

    #[test]
    fn notes_cut_at_any_byte_are_refused() {
        let index = notes().to_row(1).index;
        for cut in 0..index.len() {
            assert!(Notes::open(&index[..cut]).is_err(), "cut at {cut}");
        }
    }
}
