//! Label sets and pairs that are borrowed, for those who handle many and keep none as [`Labels`].

use std::cmp::Ordering;

use super::{Iter, Labels, push_text, take_text};

/// A label set that is borrowed: sorted by name, names unique, no empty value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelsRef<'a>(&'a str);

impl<'a> LabelsRef<'a> {
    /// Takes packed labels that are known to be right.
    pub(super) fn new(packed: &'a str) -> Self {
        Self(packed)
    }

    /// Reads the packed form, checking every invariant; `None` when it is damaged.
    pub fn from_packed(packed: &'a str) -> Option<Self> {
        let mut rest = packed;
        let mut last: Option<&str> = None;
        while !rest.is_empty() {
            let (name, after_name) = take_text(rest)?;
            let (value, after_value) = take_text(after_name)?;
            if value.is_empty() || last.is_some_and(|last| last >= name) {
                return None;
            }
            last = Some(name);
            rest = after_value;
        }
        Some(Self(packed))
    }

    /// The packed form.
    pub fn as_packed(self) -> &'a str {
        self.0
    }

    /// Names and values in order of name.
    pub fn iter(self) -> Iter<'a> {
        Iter { rest: self.0 }
    }

    /// Pairs in order of name.
    pub fn pairs(self) -> Pairs<'a> {
        Pairs { rest: self.0 }
    }

    /// The same labels, to be kept.
    pub fn to_labels(self) -> Labels {
        Labels(self.0.into())
    }
}

impl<'a> IntoIterator for LabelsRef<'a> {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The pairs of a set in order of name.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        let all = self.rest;
        let (_, rest) = take_text(all)?;
        let (_, rest) = take_text(rest)?;
        self.rest = rest;
        all.get(..all.len() - rest.len()).map(Pair)
    }
}

/// A name and a value in packed form: a set of one label.
///
/// The packed form of a set is that of its pairs one after the other. Pairs are in order of name, then
/// of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair<'a>(&'a str);

impl<'a> Pair<'a> {
    /// Reads the packed form; `None` when it is not exactly one name and one value that is not empty.
    pub fn from_packed(packed: &'a str) -> Option<Self> {
        let (_, rest) = take_text(packed)?;
        let (value, rest) = take_text(rest)?;
        (rest.is_empty() && !value.is_empty()).then_some(Self(packed))
    }

    /// The packed form.
    pub fn as_packed(self) -> &'a str {
        self.0
    }

    /// Name and value.
    pub fn texts(self) -> (&'a str, &'a str) {
        // A pair is only ever made of a set or checked, so there is always one.
        Iter { rest: self.0 }.next().unwrap_or_default()
    }

    /// The name.
    pub fn name(self) -> &'a str {
        self.texts().0
    }

    /// The value.
    pub fn value(self) -> &'a str {
        self.texts().1
    }

    /// The same pair, to be kept.
    pub fn to_owned(self) -> OwnedPair {
        OwnedPair(self.0.into())
    }
}

impl Ord for Pair<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.texts().cmp(&other.texts())
    }
}

impl PartialOrd for Pair<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A [`Pair`] that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OwnedPair(Box<str>);

impl OwnedPair {
    /// A pair of a name and a value; `None` when the value is empty.
    pub fn new(name: &str, value: &str) -> Option<Self> {
        let mut packed = String::with_capacity(name.len() + value.len() + 4);
        push_text(&mut packed, name);
        push_text(&mut packed, value);
        (!value.is_empty()).then(|| Self(packed.into()))
    }

    /// The pair.
    #[inline]
    pub fn as_pair(&self) -> Pair<'_> {
        Pair(&self.0)
    }
}

/// Puts sets together of pairs that are kept elsewhere.
///
/// One joiner can make any number of sets and allocates nothing but them.
#[derive(Debug, Default)]
pub struct LabelsJoiner {
    packed: String,
}

impl LabelsJoiner {
    /// The set of these pairs, which must be those of a set, in their order.
    pub fn join<'a>(&mut self, pairs: impl Iterator<Item = Pair<'a>>) -> LabelsRef<'_> {
        self.packed.clear();
        for pair in pairs {
            self.packed.push_str(pair.0);
        }
        debug_assert!(LabelsRef::from_packed(&self.packed).is_some(), "pairs of a set, in order");
        LabelsRef(&self.packed)
    }
}

/// Label sets one after the other in one text.
#[derive(Debug, Default)]
pub struct LabelsList {
    packed: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl LabelsList {
    /// Adds a set at the end.
    pub fn push(&mut self, labels: LabelsRef<'_>) {
        self.packed.push_str(labels.0);
        self.ends.push(self.packed.len());
    }

    /// How many sets there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no set.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All sets in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = LabelsRef<'_>> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let set = LabelsRef(&self.packed[start..end]);
            start = end;
            set
        })
    }

    /// Takes out everything and keeps the memory.
    pub fn clear(&mut self) {
        self.packed.clear();
        self.ends.clear();
    }
}

impl<'a> FromIterator<LabelsRef<'a>> for LabelsList {
    fn from_iter<T: IntoIterator<Item = LabelsRef<'a>>>(sets: T) -> Self {
        let mut list = Self::default();
        sets.into_iter().for_each(|set| list.push(set));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_labels() -> impl Strategy<Value = Labels> {
        let value = prop_oneof![4 => "[ab]{0,3}", 1 => "x{30,70}", 1 => "é{0,2}"];
        proptest::collection::btree_map("[abc]{0,2}", value, 0..5).prop_map(Labels::from_pairs)
    }

    proptest! {
        #[test]
        fn property_a_set_is_its_pairs_and_is_ordered_as_they_are(
            a in any_labels(),
            b in any_labels(),
        ) {
            let mut joiner = LabelsJoiner::default();
            let owned: Vec<OwnedPair> = a.as_ref().pairs().map(Pair::to_owned).collect();
            let joined = joiner.join(owned.iter().map(OwnedPair::as_pair)).to_labels();
            prop_assert_eq!(&joined, &a);
            let texts: Vec<_> = owned.iter().map(|pair| pair.as_pair().texts()).collect();
            prop_assert_eq!(texts, a.iter().collect::<Vec<_>>());
            prop_assert_eq!(a.as_ref().pairs().cmp(b.as_ref().pairs()), a.cmp(&b));
            for pair in a.as_ref().pairs() {
                prop_assert_eq!(Pair::from_packed(pair.as_packed()), Some(pair));
                let made = OwnedPair::new(pair.name(), pair.value());
                prop_assert_eq!(made, Some(pair.to_owned()));
            }
            let list: LabelsList = [&a, &b, &a].into_iter().map(Labels::as_ref).collect();
            let back: Vec<Labels> = list.iter().map(LabelsRef::to_labels).collect();
            prop_assert_eq!(back, vec![a.clone(), b, a]);
        }
    }

    #[test]
    fn a_pair_is_one_name_and_one_value() {
        for (packed, is_pair) in
            [("AaAb", true), ("@Ab", true), ("Aa@", false), ("", false), ("AaAbAcAd", false)]
        {
            assert_eq!(Pair::from_packed(packed).is_some(), is_pair, "{packed:?}");
        }
    }
}
