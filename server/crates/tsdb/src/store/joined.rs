//! What selections of series in head and blocks were put together from, remembered for the next time.
//!
//! The series of a block have their labels in its index, so that finding those that the head has too
//! means reading and comparing all of them. Blocks do not change and the head seldom does: what the same
//! matchers selected before is the same again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use model::{Labels, Matcher};

use super::{
    gathering::{Found, HeadPart},
    overlap::Asked,
};
use crate::block::Block;

/// The most that is remembered, in bytes.
const MAX_BYTES: usize = 32 << 20;

/// Series from the head and from blocks, in the order of their labels.
#[derive(Debug)]
pub(super) struct Joined {
    /// What the head had.
    head: Arc<[Labels]>,
    labels: Arc<[Labels]>,
    /// Beside `labels`.
    places: Box<[Place]>,
    /// Index into the blocks and number within the block, of all series one after the other.
    in_blocks: Box<[(u32, u32)]>,
    /// The memory of the labels.
    label_bytes: usize,
}

/// Where a series is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Among those of the head.
    in_head: Option<u32>,
    /// Where its part of `in_blocks` ends.
    end: u32,
}

impl Joined {
    /// Remembers how `found`, beside `labels`, came of what the head had.
    pub(super) fn of(head: Arc<[Labels]>, labels: &Arc<[Labels]>, found: &[Found]) -> Self {
        let mut in_blocks = Vec::new();
        let mut next = 0;
        let places = found.iter().map(|found| {
            in_blocks.extend_from_slice(&found.blocks);
            // Both are in the order of the labels.
            let in_head = found.head.is_some().then_some(next);
            next += u32::from(in_head.is_some());
            Place { in_head, end: in_blocks.len() as u32 }
        });
        let places = places.collect();
        // Each has its text and two counts of those who share it; what the head had shares them.
        let text = |labels: &Labels| labels.as_packed().len() + 2 * size_of::<usize>();
        let lists = (head.len() + labels.len()) * size_of::<Labels>();
        let label_bytes = lists + labels.iter().map(text).sum::<usize>();
        let (labels, in_blocks) = (Arc::clone(labels), in_blocks.into());
        Self { head, labels, places, in_blocks, label_bytes }
    }

    /// The same again with what the head has now of the same series.
    pub(super) fn with(&self, parts: Vec<Found>) -> (Arc<[Labels]>, Vec<Found>) {
        let mut parts: Vec<Option<HeadPart>> = parts.into_iter().map(|found| found.head).collect();
        let mut start = 0;
        let found = self.places.iter().map(|place| {
            let end = place.end as usize;
            let blocks = self.in_blocks[start..end].to_vec();
            start = end;
            let head = place.in_head.and_then(|at| parts.get_mut(at as usize)?.take());
            Found { blocks, head, ..Found::default() }
        });
        (Arc::clone(&self.labels), found.collect())
    }

    fn is_of(&self, head: &Arc<[Labels]>) -> bool {
        Arc::ptr_eq(&self.head, head) || *self.head == **head
    }

    fn bytes(&self) -> usize {
        let places = size_of_val(&*self.places) + size_of_val(&*self.in_blocks);
        size_of::<Self>() + self.label_bytes + places
    }
}

/// What was asked for lately.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    matchers: Box<[Matcher]>,
    /// The memory of a block that is gone is not used again while this is here.
    blocks: Vec<Weak<Block>>,
    joined: Arc<Joined>,
}

impl Entry {
    fn is_of(&self, matchers: &[Matcher], blocks: &[Asked]) -> bool {
        let is_block = |(known, asked): (&Weak<Block>, &Asked)| {
            std::ptr::eq(known.as_ptr(), Arc::as_ptr(&asked.block))
        };
        *self.matchers == *matchers
            && self.blocks.len() == blocks.len()
            && self.blocks.iter().zip(blocks).all(is_block)
    }

    fn is_gone(&self) -> bool {
        self.blocks.iter().any(|block| block.strong_count() == 0)
    }
}

impl Memory {
    /// How the series of these matchers were put together, if head and blocks have the same ones still.
    pub(super) fn get(
        &self,
        matchers: &[Matcher],
        head: &Arc<[Labels]>,
        blocks: &[Asked],
    ) -> Option<Arc<Joined>> {
        let mut entries = self.lock();
        let at = entries.iter().position(|entry| entry.is_of(matchers, blocks))?;
        // The one used last is the last one.
        entries[at..].rotate_left(1);
        let joined = Arc::clone(&entries.last()?.joined);
        drop(entries);
        joined.is_of(head).then_some(joined)
    }

    /// Remembers how series were put together. What was used longest ago makes room.
    pub(super) fn keep(&self, matchers: &[Matcher], blocks: &[Asked], joined: Joined) {
        if joined.bytes() > MAX_BYTES / 2 {
            return;
        }
        let mut entries = self.lock();
        entries.retain(|entry| !entry.is_of(matchers, blocks) && !entry.is_gone());
        let blocks = blocks.iter().map(|asked| Arc::downgrade(&asked.block)).collect();
        entries.push(Entry { matchers: matchers.into(), blocks, joined: Arc::new(joined) });
        let mut bytes: usize = entries.iter().map(|entry| entry.joined.bytes()).sum();
        while bytes > MAX_BYTES {
            bytes -= entries.remove(0).joined.bytes();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use model::{Column, Matcher, Storage as _, Timestamp, Value, storage::Select};

    use super::*;
    use crate::{Batch, Options, Tsdb, engine::MemoryEngine};

    fn commit(store: &Tsdb, at: Timestamp, names: &str) {
        let sample = |name: char| {
            let pairs = [("__name__", "x".to_owned()), ("n", name.to_string())];
            (store.resolve(&Labels::from_pairs(pairs)), Value::Float(at as f64))
        };
        let samples: Vec<_> = names.chars().map(sample).collect();
        let batch = Batch { timestamp: at, samples: &samples, ..Batch::default() };
        assert_eq!(store.commit(&batch).appended as usize, names.len());
    }

    /// Each series with its times.
    fn read(store: &Tsdb, max_series: usize) -> Result<String, model::StorageError> {
        let matchers = [Matcher::equal("__name__", "x")];
        let request = Select { matchers: &matchers, start: 0, end: 1_000, max_series };
        let selection = store.select(&request)?;
        let mut all = String::new();
        for (number, labels) in selection.labels().iter().enumerate() {
            let mut column = Column::default();
            selection.read(number, &mut column)?;
            let name = labels.get("n").unwrap_or_default();
            write!(all, "{name}{:?} ", column.float_times).unwrap();
        }
        Ok(all)
    }

    #[test]
    fn what_is_remembered_is_what_is_found() {
        let engine = Arc::new(MemoryEngine::default());
        let (store, _) = Tsdb::open(engine, Options::default()).unwrap();
        let entries = || store.joined.lock().len();
        let check = |expected: &str| {
            for _ in 0..3 {
                assert_eq!(read(&store, 9).unwrap(), expected);
            }
        };
        commit(&store, 10, "bd");
        check("b[10] d[10] ");
        assert_eq!(entries(), 0, "there is no block");
        store.seal().unwrap();
        commit(&store, 20, "cd");
        check("b[10] c[20] d[10, 20] ");
        assert_eq!(entries(), 1);
        commit(&store, 30, "d");
        check("b[10] c[20] d[10, 20, 30] ");
        assert!(read(&store, 2).is_err(), "the limit holds for what is remembered too");
        commit(&store, 40, "ae");
        check("a[40] b[10] c[20] d[10, 20, 30] e[40] ");
        assert_eq!(entries(), 1, "the new one is in the place of the old one");
        store.delete(&[Matcher::equal("n", "d")], 10, 25).unwrap();
        check("a[40] b[10] c[20] d[30] e[40] ");
        store.seal().unwrap();
        check("a[40] b[10] c[20] d[30] e[40] ");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let series = Labels::from_pairs([("__name__", "x")]);
        let labels: Arc<[Labels]> = std::iter::repeat_n(series, 15_000).collect();
        let memory = Memory::default();
        for number in 0..40 {
            let found: Vec<Found> = labels.iter().map(|_| Found::default()).collect();
            let joined = Joined::of(Arc::clone(&labels), &labels, &found);
            memory.keep(&[Matcher::equal("n", number.to_string())], &[], joined);
        }
        let bytes: usize = memory.lock().iter().map(|entry| entry.joined.bytes()).sum();
        assert!(bytes <= MAX_BYTES && bytes > MAX_BYTES / 2, "{bytes}");
        assert!(memory.get(&[Matcher::equal("n", "0")], &labels, &[]).is_none());
        assert!(memory.get(&[Matcher::equal("n", "39")], &labels, &[]).is_some());
    }
}
