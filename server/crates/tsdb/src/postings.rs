//! Sorted lists of series and how matchers select from them, for the head and for blocks alike.
//!
//! A posting is the number of a series within its head or block. Matching follows Prometheus: a
//! matcher that accepts the empty value also accepts series without the label, so it takes away those
//! whose value it refuses; any other adds up the series of the values it accepts.

use std::{ops::Deref, sync::Arc};

use model::{MatchOp, Matcher};

mod condition;
mod order;
mod pattern;

pub(crate) use condition::{Condition, Conditions, Matches};
pub(crate) use order::{Order, Orders};

/// An index that can be matched against.
pub(crate) trait Index {
    /// All series, ascending.
    fn all(&self) -> Vec<u32>;

    /// The series with this label, ascending; empty when there is none.
    fn postings(&self, name: &str, value: &str) -> List<'_>;

    /// The series with a value of the condition's label for which [`Condition::is_match`] is as
    /// `wanted`, ascending.
    fn with_values(&self, condition: &Condition<'_>, wanted: bool) -> List<'_>;
}

/// Series, ascending.
#[derive(Debug)]
pub(crate) enum List<'a> {
    Borrowed(&'a [u32]),
    Owned(Vec<u32>),
    Shared(Arc<[u32]>),
}

impl Deref for List<'_> {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            Self::Borrowed(list) => list,
            Self::Owned(list) => list,
            Self::Shared(list) => list,
        }
    }
}

impl List<'_> {
    fn into_vec(self) -> Vec<u32> {
        match self {
            Self::Owned(list) => list,
            other => other.to_vec(),
        }
    }
}

/// The series that all conditions accept, ascending.
pub(crate) fn select(index: &impl Index, conditions: &[Condition<'_>]) -> Vec<u32> {
    let (subtract, mut intersect): (Vec<&Condition<'_>>, Vec<&Condition<'_>>) =
        conditions.iter().partition(|condition| condition.matcher.matches(""));
    // What costs least and leaves least comes first: nothing may be left for the others.
    intersect.sort_by_key(|condition| condition.matcher.op != MatchOp::Equal);
    let mut selected: Option<List<'_>> = None;
    for condition in intersect {
        let accepted = accepted(index, condition);
        selected = Some(match selected {
            None => accepted,
            Some(selected) => List::Owned(intersection(&selected, &accepted)),
        });
        if selected.as_ref().is_some_and(|selected| selected.is_empty()) {
            return Vec::new();
        }
    }
    let mut selected = selected.map_or_else(|| index.all(), List::into_vec);
    for condition in subtract {
        if selected.is_empty() {
            break;
        }
        selected = difference(&selected, &refused(index, condition));
    }
    selected
}

/// The series with a value that a matcher accepts, for one that does not accept the empty value.
fn accepted<'a>(index: &'a impl Index, condition: &Condition<'_>) -> List<'a> {
    let Matcher { name, op, value, .. } = condition.matcher;
    match op {
        MatchOp::Equal => index.postings(name, value),
        MatchOp::Regex => match condition.literals() {
            Some(literals) => with_literals(index, name, literals),
            None => index.with_values(condition, true),
        },
        MatchOp::NotRegex if value == ".*" => List::Borrowed(&[]),
        MatchOp::NotEqual | MatchOp::NotRegex => index.with_values(condition, false),
    }
}

/// The series with a value that a matcher refuses, for one that accepts the empty value.
fn refused<'a>(index: &'a impl Index, condition: &Condition<'_>) -> List<'a> {
    let Matcher { name, op, value, .. } = condition.matcher;
    match op {
        MatchOp::NotEqual => index.postings(name, value),
        MatchOp::NotRegex => match condition.literals() {
            Some(literals) => with_literals(index, name, literals),
            None => index.with_values(condition, true),
        },
        MatchOp::Regex if value == ".*" => List::Borrowed(&[]),
        MatchOp::Equal | MatchOp::Regex => index.with_values(condition, false),
    }
}

/// The series with one of the values, which are different from each other.
fn with_literals<'a>(index: &'a impl Index, name: &str, literals: &[Box<str>]) -> List<'a> {
    if let [value] = literals {
        return index.postings(name, value);
    }
    let lists: Vec<List<'_>> = literals.iter().map(|value| index.postings(name, value)).collect();
    let length = lists.iter().map(|list| list.len()).sum();
    List::Owned(merged(lists.iter().map(|list| &**list), length))
}

/// Lists without common entries as one, of `length` entries.
#[expect(clippy::stable_sort_primitive, reason = "only the stable sort finds sorted runs")]
pub(crate) fn merged<'a>(lists: impl Iterator<Item = &'a [u32]>, length: usize) -> Vec<u32> {
    let mut all: Vec<u32> = Vec::with_capacity(length);
    for list in lists {
        all.extend_from_slice(list);
    }
    // Series with neighboring values often came one after the other: runs that need no sorting.
    all.sort();
    all
}

/// What is in both lists. The shorter list leads, and the longer one is searched by galloping steps.
fn intersection(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (short, mut long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut out = Vec::with_capacity(short.len());
    for &wanted in short {
        long = skip_below(long, wanted);
        match long.first() {
            Some(&found) if found == wanted => out.push(wanted),
            Some(_) => {}
            None => break,
        }
    }
    out
}

/// What is in `from` and not in `take`.
fn difference(from: &[u32], mut take: &[u32]) -> Vec<u32> {
    from.iter()
        .copied()
        .filter(|&wanted| {
            take = skip_below(take, wanted);
            take.first() != Some(&wanted)
        })
        .collect()
}

/// The rest of a list from the first entry that is not below `bound`.
fn skip_below(list: &[u32], bound: u32) -> &[u32] {
    let mut step = 1;
    while list.get(step).is_some_and(|&entry| entry < bound) {
        step *= 2;
    }
    let window = &list[step / 2..list.len().min(step + 1)];
    &list[step / 2 + window.partition_point(|&entry| entry < bound)..]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_set_operations_agree_with_sets(
            a in proptest::collection::btree_set(0_u32..60, 0..40),
            b in proptest::collection::btree_set(0_u32..60, 0..40),
        ) {
            let (left, right): (Vec<u32>, Vec<u32>) =
                (a.iter().copied().collect(), b.iter().copied().collect());
            let both: BTreeSet<u32> = intersection(&left, &right).into_iter().collect();
            prop_assert_eq!(both, &a & &b);
            let rest: BTreeSet<u32> = difference(&left, &right).into_iter().collect();
            prop_assert_eq!(&rest, &(&a - &b));
            let all = merged([&*left, &*rest.iter().copied().collect::<Vec<_>>()].into_iter(), 0);
            prop_assert!(all.is_sorted());
            prop_assert_eq!(all.len(), left.len() + rest.len());
        }
    }
}
