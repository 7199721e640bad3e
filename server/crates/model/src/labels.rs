//! Label sets: what names a series.
//!
//! A set is one shared string, cheap to clone and a single allocation: for each label, in order of
//! name, `length(name) name length(value) value`. A length is written in base 32, lowest digit first,
//! as ASCII characters from `@`; a digit that is followed by another one is raised by 32. All bytes of
//! a length are below 0x80, so the whole stays valid UTF-8 and slices need no check but the boundary.

mod borrowed;
mod json;
mod raw;

pub use borrowed::{LabelsJoiner, LabelsList, LabelsRef, OwnedPair, Pair, Pairs};
pub use raw::RawLabelsPacker;

use std::{cmp::Ordering, fmt, ops::Range, sync::Arc};

use xxhash_rust::xxh3::xxh3_128;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// The identity of a series: XXH3-128 of the packed labels, the same on every node and version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u128);

impl fmt::Debug for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A label set: sorted by name, names unique, no empty value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl Labels {
    /// The set without labels.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Builds a set from pairs in any order. The last of several equal names wins; pairs with an empty
    /// value are left out.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let mut sorted: Vec<(&str, &str)> =
            pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
        sorted.sort_by_key(|(name, _)| *name);
        let mut unique: Vec<(&str, &str)> = Vec::with_capacity(sorted.len());
        for pair in sorted {
            match unique.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => unique.push(pair),
            }
        }
        unique.retain(|(_, value)| !value.is_empty());
        Self::from_sorted(unique)
    }

    /// Packs pairs that are sorted by name, unique and without empty values.
    fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut packed = String::with_capacity(USUAL_BYTES);
        for (name, value) in pairs {
            push_text(&mut packed, name);
            push_text(&mut packed, value);
        }
        Self(packed.into())
    }

    /// Reads the packed form back, checking every invariant; `None` when it is damaged.
    pub fn from_packed(packed: &str) -> Option<Self> {
        LabelsRef::from_packed(packed).map(LabelsRef::to_labels)
    }

    /// The packed form (see the module's documentation), for storage.
    pub fn as_packed(&self) -> &str {
        &self.0
    }

    /// The set, borrowed.
    pub fn as_ref(&self) -> LabelsRef<'_> {
        LabelsRef::new(&self.0)
    }

    /// The identity of the series with these labels.
    pub fn id(&self) -> SeriesId {
        SeriesId(xxh3_128(self.0.as_bytes()))
    }

    /// The fingerprint of Prometheus and Alertmanager: FNV-1a over `name 0xff value 0xff`.
    ///
    /// Source: `prometheus/common/model/signature.go`.
    pub fn fingerprint(&self) -> u64 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut add = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for (name, value) in self {
            add(name.as_bytes());
            add(&[0xff]);
            add(value.as_bytes());
            add(&[0xff]);
        }
        hash
    }

    /// Pairs in order of name.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.0 }
    }

    /// The value of a label; `None` when it is not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The value of a label, empty when it is not set: PromQL's view.
    pub fn value_or_empty(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The metric's name, when it has one.
    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    /// How many labels the set has.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same labels without those for which `drop` holds.
    #[must_use]
    pub fn without(&self, mut drop: impl FnMut(&str) -> bool) -> Self {
        if !self.iter().any(|(name, _)| drop(name)) {
            return self.clone();
        }
        Self::from_sorted(self.iter().filter(|(name, _)| !drop(name)))
    }

    /// Appends the packed form of the labels for which `keep` holds to `packed`: a key for grouping
    /// that costs no allocation, and the input of [`Self::from_packed`].
    pub fn project_into(&self, packed: &mut String, mut keep: impl FnMut(&str) -> bool) {
        for (name, value) in self.iter().filter(|(name, _)| keep(name)) {
            push_text(packed, name);
            push_text(packed, value);
        }
    }

    /// The same labels without the metric's name.
    #[must_use]
    pub fn without_metric_name(&self) -> Self {
        self.without(|name| name == METRIC_NAME)
    }

    /// A builder that starts from these labels.
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder { pairs: self.iter().map(|(n, v)| (n.into(), v.into())).collect() }
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Ord for Labels {
    /// Order of Prometheus: pair by pair, name before value, the shorter set first.
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.0.as_bytes(), other.0.as_bytes());
        let same = common_prefix(ours, theirs);
        if same == ours.len() || same == theirs.len() {
            return ours.len().cmp(&theirs.len());
        }
        // Names and values before the one in which they differ are the same.
        let mut start = 0;
        let mut rest = self.0.as_ref();
        while let Some((_, after)) = take_text(rest) {
            let end = self.0.len() - after.len();
            if end > same {
                break;
            }
            (start, rest) = (end, after);
        }
        text_at(&self.0, start).cmp(text_at(&other.0, start))
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Labels {
    /// PromQL's notation: `name{a="b"}`, with names outside the classic alphabet in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        let mut first = true;
        let mut separator = |f: &mut fmt::Formatter<'_>| {
            f.write_str(if std::mem::take(&mut first) { "" } else { ", " })
        };
        let classic_name = name.filter(|name| is_metric_name(name));
        if let Some(name) = classic_name {
            f.write_str(name)?;
            if self.len() == 1 {
                return Ok(());
            }
        }
        f.write_str("{")?;
        if let (Some(name), None) = (name, classic_name) {
            separator(f)?;
            write!(f, "{}", Quoted(name))?;
        }
        for (label, value) in self.iter().filter(|(label, _)| *label != METRIC_NAME) {
            separator(f)?;
            if is_label_name(label) {
                write!(f, "{label}={}", Quoted(value))?;
            } else {
                write!(f, "{}={}", Quoted(label), Quoted(value))?;
            }
        }
        f.write_str("}")
    }
}

/// A text in double quotes with Go's escapes, as PromQL writes strings.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\x{:02x}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Whether a name is in the classic alphabet of metric names, `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

/// Whether a name is in the classic alphabet of label names, `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':')
}

/// The pairs of a set in order of name.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        // A set is only ever made by the packing code or checked by `from_packed`, so `None` here is
        // the end and nothing else.
        let (name, rest) = take_text(self.rest)?;
        let (value, rest) = take_text(rest)?;
        self.rest = rest;
        Some((name, value))
    }
}

/// Changes a set label by label.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(Box<str>, Box<str>)>,
}

impl LabelsBuilder {
    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        if value.is_empty() {
            return self.remove(name);
        }
        match self.pairs.binary_search_by(|(n, _)| (**n).cmp(name)) {
            Ok(i) => self.pairs[i].1 = value.into(),
            Err(i) => self.pairs.insert(i, (name.into(), value.into())),
        }
        self
    }

    /// Removes a label when it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        if let Ok(i) = self.pairs.binary_search_by(|(n, _)| (**n).cmp(name)) {
            self.pairs.remove(i);
        }
        self
    }

    /// The value of a label; `None` when it is not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        let i = self.pairs.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        Some(&self.pairs[i].1)
    }

    /// The finished set.
    pub fn build(&self) -> Labels {
        Labels::from_sorted(self.pairs.iter().map(|(n, v)| (&**n, &**v)))
    }
}

/// Packs labels that come in order, which takes no sorting and no second look.
#[derive(Debug, Default)]
pub struct LabelsPacker {
    packed: String,
    last_name: Range<usize>,
}

impl LabelsPacker {
    /// A packer with room for so many bytes of names and values.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { packed: String::with_capacity(bytes), last_name: 0..0 }
    }

    /// Adds a label; one with an empty value is left out. Returns `false`, and adds nothing, when the
    /// name is empty or not greater than the one added before.
    #[must_use]
    pub fn push(&mut self, name: &str, value: &str) -> bool {
        if name <= &self.packed[self.last_name.clone()] {
            return false;
        }
        if !value.is_empty() {
            push_text(&mut self.packed, name);
            self.last_name = self.packed.len() - name.len()..self.packed.len();
            push_text(&mut self.packed, value);
        }
        true
    }

    /// The finished set.
    pub fn finish(&self) -> Labels {
        Labels(self.packed.as_str().into())
    }
}

/// What the labels of most series fit.
const USUAL_BYTES: usize = 256;

const LENGTH_BASE: u8 = b'@';

fn push_text(packed: &mut String, text: &str) {
    match u8::try_from(text.len()) {
        Ok(short @ ..32) => packed.push(char::from(LENGTH_BASE + short)),
        _ => packed.extend(length_digits(text.len()).map(char::from)),
    }
    packed.push_str(text);
}

/// The text that begins at a place of a packed set.
fn text_at(packed: &str, start: usize) -> &str {
    packed.get(start..).and_then(take_text).map_or("", |(text, _)| text)
}

/// How many bytes two texts have in common at their beginning. Eight at a time: sorting many series
/// compares mostly what they share.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count() * 8;
    words + a[words..].iter().zip(&b[words..]).take_while(|(a, b)| a == b).count()
}

fn push_length(packed: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short @ ..32) => packed.push(LENGTH_BASE + short),
        _ => packed.extend(length_digits(length)),
    }
}

/// A length as ASCII characters, lowest digit first.
fn length_digits(length: usize) -> impl Iterator<Item = u8> {
    let mut rest = Some(length);
    std::iter::from_fn(move || {
        let length = rest?;
        let digit = LENGTH_BASE + (length % 32) as u8;
        rest = (length >= 32).then_some(length / 32);
        Some(if rest.is_some() { digit + 32 } else { digit })
    })
}

#[inline]
fn take_text(packed: &str) -> Option<(&str, &str)> {
    match packed.as_bytes().first()?.checked_sub(LENGTH_BASE)? {
        short @ ..32 => packed.get(1..)?.split_at_checked(usize::from(short)),
        _ => take_long_text(packed),
    }
}

fn take_long_text(packed: &str) -> Option<(&str, &str)> {
    let bytes = packed.as_bytes();
    let (mut length, mut scale, mut at) = (0_usize, 1_usize, 0);
    loop {
        let digit = bytes.get(at)?.checked_sub(LENGTH_BASE)?;
        at += 1;
        length = length.checked_add(usize::from(digit % 32).checked_mul(scale)?)?;
        if digit < 32 {
            break;
        }
        if digit >= 64 {
            return None;
        }
        scale = scale.checked_mul(32)?;
    }
    let end = at.checked_add(length)?;
    Some((packed.get(at..end)?, packed.get(end..)?))
}

#[cfg(test)]
mod tests;
