//! The pairs of name and value that series of the head have: each once, by number, with its series.
//!
//! Series share nearly all of their pairs, so a series keeps the numbers of its pairs and no text. A pair
//! goes with its last series, and its number is given to another one.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashTable, hash_table::Entry as Place};
use model::{
    Segments, Tag,
    labels::{OwnedPair, Pair},
};

/// All pairs in use.
#[derive(Debug, Default)]
pub(super) struct PairTable {
    entries: Segments<Entry>,
    /// Numbers without a pair.
    free: Vec<u32>,
    by_text: HashTable<Tag>,
    hasher: RandomState,
    text_bytes: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// Empty when the number is free.
    pair: OwnedPair,
    series: Postings,
    /// The pair that was at the same place in the series that came after one with this pair.
    next: u32,
}

/// Series, ascending. Most pairs that tell series apart have but one.
#[derive(Debug)]
enum Postings {
    One(u32),
    Many(Vec<u32>),
}

impl PairTable {
    /// The number of a pair, when some series has it.
    pub(super) fn find(&self, pair: Pair<'_>) -> Option<u32> {
        let tag = Tag::new(self.hasher.hash_one(pair), 0);
        let is_same = |other: &Tag| other.agrees_with(tag) && self.is(other.number, pair);
        self.by_text.find(tag.spread(), is_same).map(|tag| tag.number)
    }

    /// The number of a pair, and whether it is new and without series.
    pub(super) fn intern(&mut self, pair: Pair<'_>) -> (u32, bool) {
        let Self { entries, free, by_text, hasher, .. } = self;
        let next = free.last().copied().unwrap_or(entries.len() as u32);
        let tag = Tag::new(hasher.hash_one(pair), next);
        let is_same = |other: &Tag| {
            other.agrees_with(tag) && entries[other.number as usize].pair.as_pair() == pair
        };
        match by_text.entry(tag.spread(), is_same, |tag| tag.spread()) {
            Place::Occupied(place) => (place.get().number, false),
            Place::Vacant(place) => {
                place.insert(tag);
                let series = Postings::default();
                let entry = Entry { pair: pair.to_owned(), series, next };
                if free.pop().is_some() {
                    entries[next as usize] = entry;
                } else {
                    entries.push(entry);
                }
                self.text_bytes += pair.as_packed().len();
                (next, true)
            }
        }
    }

    /// The pair that followed last time on one that the series before has at the same place, if it is this
    /// one. Series come in order, and most of their labels stay the same or go in circles.
    #[inline]
    pub(super) fn guess(&self, before: u32, pair: Pair<'_>) -> Option<u32> {
        let next = self.entries.get(before as usize)?.next;
        self.is(next, pair).then_some(next)
    }

    /// Notes what follows on a pair.
    pub(super) fn learn(&mut self, before: u32, next: u32) {
        if let Some(entry) = self.entries.get_mut(before as usize) {
            entry.next = next;
        }
    }

    #[inline]
    fn is(&self, number: u32, pair: Pair<'_>) -> bool {
        self.entries.get(number as usize).is_some_and(|entry| entry.pair.as_pair() == pair)
    }

    /// Whether a number stands for nothing.
    pub(super) fn is_free(&self, number: u32) -> bool {
        self.entries[number as usize].pair == OwnedPair::default()
    }

    /// The pair with a number.
    #[inline]
    pub(super) fn pair(&self, number: u32) -> Pair<'_> {
        self.entries[number as usize].pair.as_pair()
    }

    /// How many numbers were ever given out at the same time.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The series with a pair, ascending.
    pub(super) fn series(&self, number: u32) -> &[u32] {
        self.entries[number as usize].series.as_slice()
    }

    /// Notes that a series has a pair.
    #[inline]
    pub(super) fn add_series(&mut self, number: u32, series: u32) {
        self.entries[number as usize].series.insert(series);
    }

    /// Takes series away from a pair. Returns whether it is gone, because it has no other.
    pub(super) fn remove_series(&mut self, number: u32, gone: &Bits) -> bool {
        let entry = &mut self.entries[number as usize];
        if !entry.series.remove(gone) {
            return false;
        }
        let pair = std::mem::take(entry).pair;
        let text = pair.as_pair();
        let tag = Tag::new(self.hasher.hash_one(text), number);
        if let Ok(place) = self.by_text.find_entry(tag.spread(), |other| other.number == tag.number)
        {
            place.remove();
        }
        self.text_bytes -= text.as_packed().len();
        self.free.push(number);
        true
    }

    /// Gives back the memory of a table that is nearly empty.
    pub(super) fn shrink(&mut self) {
        if self.by_text.len() < self.by_text.capacity() / 4 {
            self.by_text.shrink_to_fit(|tag| tag.spread());
        }
    }

    /// The bytes of all texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.text_bytes
    }
}

impl Default for Postings {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Postings {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(series) => std::slice::from_ref(series),
            Self::Many(series) => series,
        }
    }

    fn insert(&mut self, series: u32) {
        match self {
            Self::One(first) => *self = Self::Many(vec![series.min(*first), series.max(*first)]),
            Self::Many(all) if all.capacity() == 0 => *self = Self::One(series),
            // Numbers are given out rising, so the end is the usual place.
            Self::Many(all) if all.last().is_none_or(|&last| last < series) => all.push(series),
            // A number used again goes between.
            Self::Many(all) => {
                if let Err(at) = all.binary_search(&series) {
                    all.insert(at, series);
                }
            }
        }
    }

    /// Takes out series and returns whether none is left.
    fn remove(&mut self, gone: &Bits) -> bool {
        match self {
            Self::One(series) => gone.has(*series),
            Self::Many(all) => {
                all.retain(|&series| !gone.has(series));
                if all.len() < all.capacity() / 2 {
                    all.shrink_to_fit();
                }
                all.is_empty()
            }
        }
    }
}

/// A set of small numbers.
#[derive(Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn set(&mut self, number: u32, value: bool) {
        let at = number as usize / 64;
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        let bit = 1 << (number % 64);
        if value { self.0[at] |= bit } else { self.0[at] &= !bit }
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// The numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().enumerate().flat_map(|(at, &word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at as u32 * 64 + bit)
        })
    }
}
