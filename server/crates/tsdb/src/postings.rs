//! Sorted lists of series and how matchers select from them, for the head and for blocks alike.
//!
//! A posting is the number of a series within its head or block. Matching follows Prometheus: a
//! matcher that accepts the empty value also accepts series without the label, so it takes away those
//! whose value it refuses; any other adds up the series of the values it accepts.

use std::borrow::Cow;

use model::{MatchOp, Matcher};

/// An index that can be matched against.
pub(crate) trait Index {
    /// All series, ascending.
    fn all(&self) -> Vec<u32>;

    /// The series with this label, ascending; empty when there is none.
    fn postings(&self, name: &str, value: &str) -> Cow<'_, [u32]>;

    /// Visits the values of a label that start with `prefix`, ascending, and the series that have each.
    /// The visitor says whether it wants the series of a value before they are handed over.
    fn visit_values(
        &self,
        name: &str,
        prefix: &str,
        wants: &mut dyn FnMut(&str) -> bool,
        visit: &mut dyn FnMut(&[u32]),
    );
}

/// The series that all matchers accept, ascending.
pub(crate) fn select(index: &impl Index, matchers: &[Matcher]) -> Vec<u32> {
    let (subtract, intersect): (Vec<&Matcher>, Vec<&Matcher>) =
        matchers.iter().partition(|matcher| matcher.matches(""));
    let mut selected: Option<Vec<u32>> = None;
    for matcher in intersect {
        let accepted = accepted(index, matcher);
        selected = Some(match selected {
            None => accepted.into_owned(),
            Some(selected) => intersection(&selected, &accepted),
        });
        if selected.as_ref().is_some_and(Vec::is_empty) {
            return Vec::new();
        }
    }
    let mut selected = selected.unwrap_or_else(|| index.all());
    for matcher in subtract {
        selected = difference(&selected, &refused(index, matcher));
    }
    selected
}

/// The series with a value that a matcher accepts, for one that does not accept the empty value.
fn accepted<'a>(index: &'a impl Index, matcher: &Matcher) -> Cow<'a, [u32]> {
    match matcher.op {
        MatchOp::Equal => return index.postings(&matcher.name, &matcher.value),
        MatchOp::Regex => {
            if let Some(literals) = literals_of(&matcher.value) {
                let lists: Vec<_> =
                    literals.iter().map(|value| index.postings(&matcher.name, value)).collect();
                return Cow::Owned(union(lists.iter().map(|list| &**list)));
            }
        }
        MatchOp::NotEqual | MatchOp::NotRegex => {}
    }
    let prefix = if matcher.op == MatchOp::Regex { prefix_of(&matcher.value) } else { "" };
    Cow::Owned(union_of_values(index, &matcher.name, prefix, &mut |value| matcher.matches(value)))
}

/// The series with a value that a matcher refuses, for one that accepts the empty value.
fn refused(index: &impl Index, matcher: &Matcher) -> Vec<u32> {
    match matcher.op {
        MatchOp::NotEqual => return index.postings(&matcher.name, &matcher.value).into_owned(),
        MatchOp::NotRegex => {
            if let Some(literals) = literals_of(&matcher.value) {
                let lists: Vec<_> =
                    literals.iter().map(|value| index.postings(&matcher.name, value)).collect();
                return union(lists.iter().map(|list| &**list));
            }
        }
        MatchOp::Regex if matcher.value == ".*" => return Vec::new(),
        MatchOp::Equal | MatchOp::Regex => {}
    }
    let prefix = if matcher.op == MatchOp::NotRegex { prefix_of(&matcher.value) } else { "" };
    union_of_values(index, &matcher.name, prefix, &mut |value| !matcher.matches(value))
}

fn union_of_values(
    index: &impl Index,
    name: &str,
    prefix: &str,
    wants: &mut dyn FnMut(&str) -> bool,
) -> Vec<u32> {
    let mut all = Vec::new();
    index.visit_values(name, prefix, wants, &mut |postings| all.extend_from_slice(postings));
    all.sort_unstable();
    all
}

/// The alternatives of a pattern that consists of nothing else, such as `get|put|post`.
fn literals_of(pattern: &str) -> Option<Vec<&str>> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '/' | ' ' | '|');
    let literals: Vec<&str> = pattern.split('|').collect();
    // An empty alternative accepts series without the label, which have no postings to add up.
    let is_literal = pattern.chars().all(is_plain) && literals.iter().all(|l| !l.is_empty());
    is_literal.then_some(literals)
}

/// The text every match of a pattern starts with.
fn prefix_of(pattern: &str) -> &str {
    if pattern.contains('|') {
        return "";
    }
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '/' | ' ');
    let length = pattern.find(|c| !is_plain(c)).unwrap_or(pattern.len());
    let (prefix, rest) = pattern.split_at(length);
    // `ab*`, `ab?` and `ab{0}` need not start with `ab`.
    if rest.starts_with(['*', '?', '{']) {
        let last = prefix.chars().next_back().map_or(0, char::len_utf8);
        return &prefix[..length - last];
    }
    prefix
}

fn union<'a>(lists: impl Iterator<Item = &'a [u32]>) -> Vec<u32> {
    let mut all: Vec<u32> = lists.flatten().copied().collect();
    all.sort_unstable();
    // `a|a` names the same value twice.
    all.dedup();
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

    #[test]
    fn shortcuts_of_patterns_keep_to_what_is_certain() {
        for (pattern, literals, prefix) in [
            ("get|put", Some(vec!["get", "put"]), ""),
            ("get", Some(vec!["get"]), "get"),
            ("api-.*", None, "api-"),
            ("ab*", None, "a"),
            ("é?", None, ""),
            ("ab{0}", None, "a"),
            ("ab+", None, "ab"),
            ("a|b.*", None, ""),
            ("a|", None, ""),
            ("(?i)a", None, ""),
            ("5..", None, "5"),
            ("", None, ""),
        ] {
            assert_eq!(literals_of(pattern), literals, "{pattern}");
            assert_eq!(prefix_of(pattern), prefix, "{pattern}");
        }
    }

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
            prop_assert_eq!(rest, &a - &b);
            let all: BTreeSet<u32> = union([&*left, &*right].into_iter()).into_iter().collect();
            prop_assert_eq!(all, &a | &b);
        }
    }
}
