//! From labels to the series of the head.
//!
//! A value is kept once, as a place in the labels of the first series that had it. Values have numbers
//! in the order in which they came and are found by their hash; nothing is kept sorted, because sorting
//! would cost every new series what only few readers need. What a condition selected among the values
//! stays known, and only the values that came since are looked at again.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use model::{Labels, Tag};
use std::{hash::BuildHasher, ops::Range, sync::Arc};

use crate::postings::{Condition, Index, List, Matches, merged};

/// Label names, their values, and the series that have each.
#[derive(Debug, Default)]
pub(crate) struct HeadIndex {
    names: Names,
    hasher: RandomState,
    all: Bits,
    /// How many series were ever added.
    added: u64,
    /// How many times series were taken out, after which values have other numbers.
    removals: u64,
}

/// The values of all labels, by name.
#[derive(Debug, Default)]
struct Names {
    all: Vec<Name>,
    numbers: HashMap<Box<str>, usize, RandomState>,
}

#[derive(Debug)]
struct Name {
    text: Box<str>,
    values: Values,
    /// The number of the name that followed in the series added last. Neighbors have the same names,
    /// and a guess spares hashing each.
    next: usize,
}

/// The values of one label.
#[derive(Debug, Default)]
struct Values {
    entries: Vec<Entry>,
    by_text: HashTable<Tag>,
    /// The value added last; neighbors often share it.
    latest: u32,
}

#[derive(Debug)]
struct Entry {
    /// Labels with this value, which is in their packed form from `start` on.
    labels: Labels,
    start: u32,
    length: u32,
    postings: Postings,
}

/// Series, ascending. Most values of a label that tells series apart have but one.
#[derive(Debug)]
enum Postings {
    One(u32),
    Many(Vec<u32>),
}

impl HeadIndex {
    /// Adds a series that is not in the index.
    pub(crate) fn insert(&mut self, series: u32, labels: &Labels) {
        self.added += 1;
        self.all.set(series, true);
        let mut before = None;
        for (name, value) in labels {
            let number = self.names.number_after(before, name);
            self.names.all[number].values.insert(series, labels, value, &self.hasher);
            before = Some(number);
        }
    }

    /// Takes out series; each comes with its labels.
    pub(crate) fn remove(&mut self, removed: &[(u32, Labels)]) {
        if removed.is_empty() {
            return;
        }
        self.removals += 1;
        let mut gone = Bits::default();
        let mut names: HashMap<&str, Vec<u32>, RandomState> = HashMap::default();
        for (series, labels) in removed {
            gone.set(*series, true);
            self.all.set(*series, false);
            for (name, value) in labels {
                let values = self.names.get(name);
                if let Some(value) = values.and_then(|values| values.find(value, &self.hasher)) {
                    names.entry(name).or_default().push(value);
                }
            }
        }
        for (name, mut touched) in names {
            touched.sort_unstable();
            touched.dedup();
            self.names.remove_values(name, &touched, &gone, &self.hasher);
        }
    }

    /// How many times series were taken out. Until the next time a number stands for the same series.
    pub(crate) fn removals(&self) -> u64 {
        self.removals
    }

    /// All label names, in any order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.all.iter().map(|name| &*name.text)
    }

    /// All values of a label, in any order.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.names.get(name).into_iter().flat_map(|values| values.entries.iter().map(Entry::text))
    }

    /// Visits values of a label by their numbers, each with how many series have it. Returns whether
    /// there may be more.
    pub(crate) fn each_value(
        &self,
        name: &str,
        numbers: Range<usize>,
        visit: &mut dyn FnMut(&str, u64),
    ) -> bool {
        let Some(values) = self.names.get(name) else { return false };
        for entry in values.entries.iter().take(numbers.end).skip(numbers.start) {
            visit(entry.text(), entry.postings.as_slice().len() as u64);
        }
        values.entries.len() > numbers.end
    }

    /// How many values a label has.
    #[cfg(test)]
    fn value_count(&self, name: &str) -> usize {
        self.names.get(name).map_or(0, |values| values.entries.len())
    }
}

impl Index for HeadIndex {
    fn all(&self) -> Vec<u32> {
        self.all.iter().collect()
    }

    fn postings(&self, name: &str, value: &str) -> List<'_> {
        let values = self.names.get(name);
        let found = values.and_then(|values| {
            let value = values.find(value, &self.hasher)?;
            Some(values.entries[value as usize].postings.as_slice())
        });
        List::Borrowed(found.unwrap_or_default())
    }

    fn with_values(&self, condition: &Condition<'_>, wanted: bool) -> List<'_> {
        let Some(values) = self.names.get(&condition.matcher.name) else {
            return List::Borrowed(&[]);
        };
        let known = condition.known_matches().filter(|known| known.removals == self.removals);
        if let Some(known) = known.as_ref().filter(|known| known.added == self.added) {
            return List::Shared(Arc::clone(&known.postings));
        }
        let seen = known.as_ref().map_or(0, |known| known.seen);
        let mut chosen = known.as_ref().map_or_else(Vec::new, |known| known.values.to_vec());
        for (number, entry) in values.entries.iter().enumerate().skip(seen) {
            if condition.is_match(entry.text()) == wanted {
                chosen.push(number as u32);
            }
        }
        let lists =
            || chosen.iter().map(|&value| values.entries[value as usize].postings.as_slice());
        // Between two removals lists only grow, so the same length means the same series.
        let length = lists().map(<[u32]>::len).sum::<usize>();
        let unchanged = known.filter(|known| known.postings.len() == length);
        let postings = match unchanged {
            Some(known) => Arc::clone(&known.postings),
            None => merged(lists(), length).into(),
        };
        condition.remember(Matches {
            removals: self.removals,
            added: self.added,
            seen: values.entries.len(),
            values: chosen.into(),
            postings: Arc::clone(&postings),
        });
        List::Shared(postings)
    }
}

impl Names {
    fn get(&self, name: &str) -> Option<&Values> {
        Some(&self.all[*self.numbers.get(name)?].values)
    }

    /// The number of a name that follows the name `before` in a series; it gets one if it has none.
    fn number_after(&mut self, before: Option<usize>, name: &str) -> usize {
        let guess = before.map_or(0, |before| self.all[before].next);
        if self.all.get(guess).is_some_and(|known| &*known.text == name) {
            return guess;
        }
        let known = self.numbers.get(name).copied();
        let number = known.unwrap_or_else(|| {
            self.numbers.insert(name.into(), self.all.len());
            self.all.push(Name { text: name.into(), values: Values::default(), next: 0 });
            self.all.len() - 1
        });
        if let Some(before) = before {
            self.all[before].next = number;
        }
        number
    }

    /// Takes series out of some values of a name, and forgets a name without any.
    fn remove_values(&mut self, name: &str, touched: &[u32], gone: &Bits, hasher: &RandomState) {
        let Some(&number) = self.numbers.get(name) else { return };
        let values = &mut self.all[number].values;
        values.remove(touched, gone, hasher);
        if values.entries.is_empty() {
            self.numbers.remove(name);
            self.all.swap_remove(number);
            if let Some(moved) = self.all.get(number) {
                self.numbers.insert(moved.text.clone(), number);
            }
        }
    }
}

impl Values {
    fn insert(&mut self, series: u32, labels: &Labels, value: &str, hasher: &RandomState) {
        let is_latest =
            self.entries.get(self.latest as usize).is_some_and(|entry| entry.text() == value);
        if !is_latest {
            let tag = Tag::new(hasher.hash_one(value), self.entries.len() as u32);
            let entries = &self.entries;
            let is_same = |other: &Tag| {
                other.agrees_with(tag) && entries[other.number as usize].text() == value
            };
            match self.by_text.entry(tag.spread(), is_same, |tag| tag.spread()) {
                hashbrown::hash_table::Entry::Occupied(entry) => self.latest = entry.get().number,
                hashbrown::hash_table::Entry::Vacant(entry) => {
                    entry.insert(tag);
                    self.latest = tag.number;
                    self.entries.push(Entry::new(series, labels, value));
                    return;
                }
            }
        }
        self.entries[self.latest as usize].postings.insert(series);
    }

    fn find(&self, value: &str, hasher: &RandomState) -> Option<u32> {
        let tag = Tag::new(hasher.hash_one(value), 0);
        let is_same = |other: &Tag| {
            other.agrees_with(tag) && self.entries[other.number as usize].text() == value
        };
        self.by_text.find(tag.spread(), is_same).map(|tag| tag.number)
    }

    /// Takes series out of some values, and forgets values without any.
    fn remove(&mut self, touched: &[u32], gone: &Bits, hasher: &RandomState) {
        let mut is_any_empty = false;
        for &value in touched {
            is_any_empty |= self.entries[value as usize].postings.remove(gone);
        }
        if !is_any_empty {
            return;
        }
        self.entries.retain(|entry| !entry.postings.as_slice().is_empty());
        self.entries.shrink_to_fit();
        self.latest = 0;
        self.by_text = HashTable::with_capacity(self.entries.len());
        for (number, entry) in self.entries.iter().enumerate() {
            let tag = Tag::new(hasher.hash_one(entry.text()), number as u32);
            self.by_text.insert_unique(tag.spread(), tag, |tag| tag.spread());
        }
    }
}

impl Entry {
    fn new(series: u32, labels: &Labels, value: &str) -> Self {
        let start = value.as_ptr().addr() - labels.as_packed().as_ptr().addr();
        Self {
            labels: labels.clone(),
            start: start as u32,
            length: value.len() as u32,
            postings: Postings::One(series),
        }
    }

    fn text(&self) -> &str {
        let start = self.start as usize;
        &self.labels.as_packed()[start..start + self.length as usize]
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
        if let Self::One(series) = self {
            if !gone.has(*series) {
                return false;
            }
            *self = Self::Many(Vec::new());
        }
        let Self::Many(all) = self else { return false };
        all.retain(|&series| !gone.has(series));
        if all.len() < all.capacity() / 2 {
            all.shrink_to_fit();
        }
        all.is_empty()
    }
}

/// A set of small numbers.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn set(&mut self, number: u32, value: bool) {
        let at = number as usize / 64;
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        let bit = 1 << (number % 64);
        if value { self.0[at] |= bit } else { self.0[at] &= !bit }
    }

    fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// The numbers, ascending.
    fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().enumerate().flat_map(|(at, &word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at as u32 * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postings::{Conditions, select};
    use model::{MatchOp, Matcher};
    use proptest::prelude::*;

    fn any_matcher() -> impl Strategy<Value = Matcher> {
        let op = prop_oneof![
            Just(MatchOp::Equal),
            Just(MatchOp::NotEqual),
            Just(MatchOp::Regex),
            Just(MatchOp::NotRegex),
        ];
        let pattern = prop_oneof![
            Just(""),
            Just("a"),
            Just("ab"),
            Just("b"),
            Just(".*"),
            Just(".+"),
            Just("a.*"),
            Just(".*b"),
            Just(".*a.*"),
            Just("a|b"),
            Just("a|"),
            Just("ab?"),
            Just("b*"),
            Just("[ab]+"),
            Just("ab|a|a"),
            Just("(?i)A(a|b)"),
            Just("a$|^b"),
            Just("a\\b.*"),
        ];
        (prop_oneof![Just("x"), Just("y"), Just("z")], op, pattern)
            .prop_map(|(name, op, value)| Matcher::try_new(name, op, value).unwrap())
    }

    /// What happens to an index between two looks at it.
    #[derive(Debug, Clone)]
    enum Step {
        Add(std::collections::BTreeMap<String, String>),
        /// Every series whose number leaves this rest, taken by 4.
        Remove(u32),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => proptest::collection::btree_map("[xy]", "[ab]{0,3}", 0..3).prop_map(Step::Add),
            1 => (0_u32..4).prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn property_selecting_agrees_with_matching_one_by_one(
            steps in proptest::collection::vec(any_step(), 0..60),
            matchers in proptest::collection::vec(any_matcher(), 0..4),
        ) {
            let mut index = HeadIndex::default();
            let mut model: Vec<Option<Labels>> = Vec::new();
            let conditions = Conditions::default();
            for step in steps {
                match step {
                    Step::Add(pairs) => {
                        let labels = Labels::from_pairs(pairs);
                        // The first number that is free, as the head gives them out.
                        let free = model.iter().position(Option::is_none);
                        let number = free.unwrap_or_else(|| {
                            model.push(None);
                            model.len() - 1
                        });
                        index.insert(number as u32, &labels);
                        model[number] = Some(labels);
                    }
                    Step::Remove(rest) => {
                        let mut gone = Vec::new();
                        for (number, slot) in model.iter_mut().enumerate() {
                            if number as u32 % 4 == rest && let Some(labels) = slot.take() {
                                gone.push((number as u32, labels));
                            }
                        }
                        index.remove(&gone);
                    }
                }
                let expected: Vec<u32> = (0_u32..)
                    .zip(&model)
                    .filter(|(_, labels)| labels.as_ref().is_some_and(|labels| {
                        matchers.iter().all(|matcher| matcher.matches_labels(labels))
                    }))
                    .map(|(number, _)| number)
                    .collect();
                prop_assert_eq!(select(&index, &conditions.of(&matchers)), expected);
            }
            for name in ["x", "y"] {
                let mut values: Vec<&str> = index.values(name).collect();
                values.sort_unstable();
                let in_use = model.iter().flatten().filter_map(|labels| labels.get(name));
                let expected: std::collections::BTreeSet<&str> = in_use.collect();
                prop_assert_eq!(values, expected.into_iter().collect::<Vec<_>>());
                prop_assert_eq!(index.value_count(name), index.values(name).count());
            }
        }
    }
}
