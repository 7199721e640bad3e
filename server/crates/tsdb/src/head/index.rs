//! From labels to the series of the head.
//!
//! Every pair of name and value is kept once and has a number ([`PairTable`]); a series is known by the
//! numbers of its pairs. The values of a name are kept in the order in which they came; nothing is kept
//! sorted, because sorting would cost every new series what only few readers need. What a condition
//! selected among the values stays known, and only the values that came since are looked at again.

use std::{ops::Range, sync::Arc};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use model::labels::{LabelsJoiner, LabelsRef, OwnedPair, Pair};

use super::pairs::{Bits, PairTable};
use crate::postings::{Condition, Index, List, Matches, merged};

/// Label names, their values, and the series that have each.
#[derive(Debug, Default)]
pub(crate) struct HeadIndex {
    pairs: PairTable,
    names: Names,
    /// The pairs of the series looked up last. Neighbors share most of them, and a guess spares hashing
    /// each.
    recent: Vec<u32>,
    all: Bits,
    /// How many series were ever added.
    added: u64,
    /// How many times series were taken out, after which pairs may have other numbers.
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
    /// Its pairs in the order in which they came.
    pairs: Vec<u32>,
}

impl HeadIndex {
    /// The numbers of the pairs of a series, in `numbers`. Returns `false` when some of them are not
    /// known, so that there is no such series.
    pub(super) fn find(&self, labels: LabelsRef<'_>, numbers: &mut Vec<u32>) -> bool {
        numbers.clear();
        labels.pairs().enumerate().all(|(at, pair)| {
            let number = self.guess(at, pair).or_else(|| self.pairs.find(pair));
            number.map(|number| numbers.push(number)).is_some()
        })
    }

    /// The number of a pair if it is the one that is expected at its place.
    #[inline]
    fn guess(&self, at: usize, pair: Pair<'_>) -> Option<u32> {
        self.pairs.guess(*self.recent.get(at)?, pair)
    }

    /// Adds the numbers of the pairs of a series to `numbers`; pairs that are not known get one. They must
    /// be given to a series then, by [`Self::insert`].
    pub(super) fn intern(&mut self, labels: LabelsRef<'_>, numbers: &mut Vec<u32>) {
        let start = numbers.len();
        for (at, pair) in labels.pairs().enumerate() {
            let number = self.guess(at, pair).unwrap_or_else(|| {
                let number = self.intern_pair(pair);
                if let Some(&before) = self.recent.get(at) {
                    self.pairs.learn(before, number);
                }
                number
            });
            numbers.push(number);
        }
        self.recent.clear();
        self.recent.extend_from_slice(&numbers[start..]);
    }

    fn intern_pair(&mut self, pair: Pair<'_>) -> u32 {
        let (number, is_new) = self.pairs.intern(pair);
        if is_new {
            self.names.get_mut(pair.name()).pairs.push(number);
        }
        number
    }

    /// Adds a series that is not in the index.
    pub(super) fn insert(&mut self, series: u32, pairs: &[u32]) {
        self.added += 1;
        self.all.set(series, true);
        for &pair in pairs {
            self.pairs.add_series(pair, series);
        }
    }

    /// Takes out series; each comes with its pairs. Pairs without series go.
    pub(super) fn remove(&mut self, removed: &[(u32, Box<[u32]>)]) {
        if removed.is_empty() {
            return;
        }
        self.removals += 1;
        let mut gone = Bits::default();
        let mut touched: Vec<u32> = Vec::new();
        for (series, pairs) in removed {
            gone.set(*series, true);
            self.all.set(*series, false);
            touched.extend_from_slice(pairs);
        }
        touched.sort_unstable();
        touched.dedup();
        let mut names: Vec<usize> = Vec::new();
        for pair in touched {
            let name = self.names.number(self.pairs.pair(pair).name());
            if self.pairs.remove_series(pair, &gone) {
                names.extend(name);
            }
        }
        names.sort_unstable();
        names.dedup();
        // From the last one, because the place of one that goes is taken by the last.
        for name in names.into_iter().rev() {
            self.names.tidy(name, &self.pairs);
        }
        self.pairs.shrink();
    }

    /// The pair with a number, which some series has.
    #[inline]
    pub(crate) fn pair(&self, number: u32) -> Pair<'_> {
        self.pairs.pair(number)
    }

    /// How many numbers pairs may have.
    pub(crate) fn pair_numbers(&self) -> usize {
        self.pairs.len()
    }

    /// Whether a number stands for no pair.
    pub(crate) fn is_free_pair(&self, number: u32) -> bool {
        self.pairs.is_free(number)
    }

    /// The labels with these pairs.
    pub(crate) fn labels<'j>(&self, pairs: &[u32], joiner: &'j mut LabelsJoiner) -> LabelsRef<'j> {
        joiner.join(pairs.iter().map(|&pair| self.pairs.pair(pair)))
    }

    /// The bytes of the texts of all pairs.
    pub(super) fn text_bytes(&self) -> usize {
        self.pairs.text_bytes()
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
        self.names.pairs_of(name).iter().map(|&pair| self.pairs.pair(pair).value())
    }

    /// Visits values of a label by their places, each with how many series have it. Returns whether
    /// there may be more.
    pub(crate) fn each_value(
        &self,
        name: &str,
        places: Range<usize>,
        visit: &mut dyn FnMut(&str, u64),
    ) -> bool {
        let pairs = self.names.pairs_of(name);
        for &pair in pairs.iter().take(places.end).skip(places.start) {
            visit(self.pairs.pair(pair).value(), self.pairs.series(pair).len() as u64);
        }
        pairs.len() > places.end
    }
}

impl Index for HeadIndex {
    fn all(&self) -> Vec<u32> {
        self.all.iter().collect()
    }

    fn postings(&self, name: &str, value: &str) -> List<'_> {
        let pair = OwnedPair::new(name, value);
        let number = pair.and_then(|pair| self.pairs.find(pair.as_pair()));
        List::Borrowed(number.map_or(&[], |number| self.pairs.series(number)))
    }

    fn with_values(&self, condition: &Condition<'_>, wanted: bool) -> List<'_> {
        let pairs = self.names.pairs_of(&condition.matcher.name);
        if pairs.is_empty() {
            return List::Borrowed(&[]);
        }
        let known = condition.known_matches().filter(|known| known.removals == self.removals);
        if let Some(known) = known.as_ref().filter(|known| known.added == self.added) {
            return List::Shared(Arc::clone(&known.postings));
        }
        let seen = known.as_ref().map_or(0, |known| known.seen);
        let mut chosen = known.as_ref().map_or_else(Vec::new, |known| known.pairs.to_vec());
        let is_chosen = |pair: &u32| condition.is_match(self.pairs.pair(*pair).value()) == wanted;
        chosen.extend(pairs[seen..].iter().copied().filter(is_chosen));
        let lists = || chosen.iter().map(|&pair| self.pairs.series(pair));
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
            seen: pairs.len(),
            pairs: chosen.into(),
            postings: Arc::clone(&postings),
        });
        List::Shared(postings)
    }
}

impl Names {
    fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The pairs with a name, in the order in which they came.
    fn pairs_of(&self, name: &str) -> &[u32] {
        self.number(name).map_or(&[], |number| &self.all[number].pairs)
    }

    /// A name, which is made if it is not known.
    fn get_mut(&mut self, name: &str) -> &mut Name {
        let number = self.number(name).unwrap_or_else(|| {
            self.numbers.insert(name.into(), self.all.len());
            self.all.push(Name { text: name.into(), pairs: Vec::new() });
            self.all.len() - 1
        });
        &mut self.all[number]
    }

    /// Takes out the pairs of a name that are gone, and the name when none is left.
    fn tidy(&mut self, number: usize, pairs: &PairTable) {
        let name = &mut self.all[number];
        name.pairs.retain(|&pair| !pairs.is_free(pair));
        name.pairs.shrink_to_fit();
        if name.pairs.is_empty() {
            let gone = self.all.swap_remove(number);
            self.numbers.remove(&gone.text);
            if let Some(moved) = self.all.get(number) {
                self.numbers.insert(moved.text.clone(), number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postings::{Conditions, select};
    use model::{Labels, MatchOp, Matcher};
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
            let mut model: Vec<Option<(Labels, Box<[u32]>)>> = Vec::new();
            let mut joiner = LabelsJoiner::default();
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
                        let mut pairs = Vec::new();
                        let is_known = index.find(labels.as_ref(), &mut pairs);
                        let found = pairs.clone();
                        pairs.clear();
                        index.intern(labels.as_ref(), &mut pairs);
                        prop_assert!(!is_known || found == pairs);
                        index.insert(number as u32, &pairs);
                        model[number] = Some((labels, pairs.into_boxed_slice()));
                    }
                    Step::Remove(rest) => {
                        let mut gone = Vec::new();
                        for (number, slot) in model.iter_mut().enumerate() {
                            if number as u32 % 4 == rest && let Some((_, pairs)) = slot.take() {
                                gone.push((number as u32, pairs));
                            }
                        }
                        index.remove(&gone);
                    }
                }
                let expected: Vec<u32> = (0_u32..)
                    .zip(&model)
                    .filter(|(_, series)| series.as_ref().is_some_and(|(labels, _)| {
                        matchers.iter().all(|matcher| matcher.matches_labels(labels))
                    }))
                    .map(|(number, _)| number)
                    .collect();
                prop_assert_eq!(select(&index, &conditions.of(&matchers)), expected);
            }
            for (labels, pairs) in model.iter().flatten() {
                prop_assert_eq!(index.labels(pairs, &mut joiner), labels.as_ref());
            }
            for name in ["x", "y"] {
                let mut values: Vec<&str> = index.values(name).collect();
                values.sort_unstable();
                let in_use = model.iter().flatten().filter_map(|(labels, _)| labels.get(name));
                let expected: std::collections::BTreeSet<&str> = in_use.collect();
                prop_assert_eq!(values, expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
