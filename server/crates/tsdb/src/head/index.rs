//! From labels to the series of the head.

use std::{borrow::Cow, collections::BTreeMap, ops::Bound};

use model::Labels;

use crate::postings::Index;

/// Label names, their values, and the series that have each.
#[derive(Debug, Default)]
pub(crate) struct HeadIndex {
    names: BTreeMap<Box<str>, BTreeMap<Box<str>, Vec<u32>>>,
    /// All series, ascending.
    all: Vec<u32>,
}

impl HeadIndex {
    /// Adds a series that is not in the index.
    pub(crate) fn insert(&mut self, series: u32, labels: &Labels) {
        insert_sorted(&mut self.all, series);
        for (name, value) in labels {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), BTreeMap::new());
            }
            let Some(values) = self.names.get_mut(name) else { continue };
            match values.get_mut(value) {
                Some(postings) => insert_sorted(postings, series),
                None => {
                    values.insert(value.into(), vec![series]);
                }
            }
        }
    }

    /// Takes out series; each comes with its labels, ascending.
    pub(crate) fn remove(&mut self, removed: &[(u32, Labels)]) {
        let is_removed =
            |series: &u32| removed.binary_search_by_key(series, |(series, _)| *series).is_ok();
        self.all.retain(|series| !is_removed(series));
        let pairs: std::collections::BTreeSet<(&str, &str)> =
            removed.iter().flat_map(|(_, labels)| labels.iter()).collect();
        for (name, value) in pairs {
            let Some(values) = self.names.get_mut(name) else { continue };
            if let Some(postings) = values.get_mut(value) {
                postings.retain(|series| !is_removed(series));
                if postings.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.names.remove(name);
            }
        }
    }

    /// All label names, ascending.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    /// All values of a label, ascending.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.names.get(name).into_iter().flat_map(|values| values.keys().map(|value| &**value))
    }
}

impl Index for HeadIndex {
    fn all(&self) -> Vec<u32> {
        self.all.clone()
    }

    fn postings(&self, name: &str, value: &str) -> Cow<'_, [u32]> {
        let postings = self.names.get(name).and_then(|values| values.get(value));
        Cow::Borrowed(postings.map_or(&[], Vec::as_slice))
    }

    fn visit_values(
        &self,
        name: &str,
        prefix: &str,
        wants: &mut dyn FnMut(&str) -> bool,
        visit: &mut dyn FnMut(&[u32]),
    ) {
        let Some(values) = self.names.get(name) else { return };
        let from = (Bound::Included(prefix), Bound::Unbounded);
        for (value, postings) in values.range::<str, _>(from) {
            if !value.starts_with(prefix) {
                break;
            }
            if wants(value) {
                visit(postings);
            }
        }
    }
}

/// Numbers are given out rising, so the end is the usual place; a number used again goes between.
fn insert_sorted(list: &mut Vec<u32>, entry: u32) {
    if list.last().is_none_or(|&last| last < entry) {
        list.push(entry);
    } else if let Err(at) = list.binary_search(&entry) {
        list.insert(at, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postings::select;
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
            Just("a|b"),
            Just("a|"),
            Just("ab?"),
            Just("b*"),
            Just("[ab]+"),
            Just("ab|a|a"),
        ];
        (prop_oneof![Just("x"), Just("y"), Just("z")], op, pattern)
            .prop_map(|(name, op, value)| Matcher::try_new(name, op, value).unwrap())
    }

    proptest! {
        #[test]
        fn property_selecting_agrees_with_matching_one_by_one(
            series in proptest::collection::vec(
                proptest::collection::btree_map("[xy]", "[ab]{0,2}", 0..3), 0..30),
            removed in proptest::collection::btree_set(0_u32..30, 0..10),
            matchers in proptest::collection::vec(any_matcher(), 0..4),
        ) {
            let mut index = HeadIndex::default();
            let all: Vec<Labels> = series.into_iter().map(Labels::from_pairs).collect();
            for (number, labels) in all.iter().enumerate() {
                index.insert(number as u32, labels);
            }
            let gone: Vec<(u32, Labels)> = removed
                .iter()
                .filter_map(|&number| Some((number, all.get(number as usize)?.clone())))
                .collect();
            index.remove(&gone);
            let expected: Vec<u32> = (0..all.len() as u32)
                .filter(|number| !removed.contains(number))
                .filter(|&number| matchers.iter().all(|m| m.matches_labels(&all[number as usize])))
                .collect();
            prop_assert_eq!(select(&index, &matchers), expected);
        }
    }
}
