//! New series of a frame: the texts of their pairs, each once in an epoch, and the numbers of the pairs.

use model::labels::{LabelsRef, Pair};

use super::texts::{shared_prefix, sort_by_text};
use crate::{
    bytes::{FormatError, Reader, put_i64, put_text, put_u64},
    head::Head,
};

/// What a new series takes with its share of new pairs.
const USUAL_NEW_BYTES: usize = 16;

/// Writes new series. Neighbors share most of their pairs, so each series is written as distances from
/// the pairs of the one before.
#[derive(Debug, Default)]
pub(super) struct NewSeries {
    /// By the pair's number in the head: its number in the epoch plus one, or 0.
    numbers: Vec<u32>,
    /// How many pairs have a number.
    pairs: u32,
}

impl NewSeries {
    /// Forgets all numbers.
    pub(super) fn clear(&mut self) {
        self.numbers.fill(0);
        self.pairs = 0;
    }

    /// Writes the series in these slots, which no frame of the epoch had.
    pub(super) fn put(&mut self, slots: &[u32], head: &Head, out: &mut Vec<u8>) {
        let pairs_of = |slot: u32| head.series(slot).map_or(&[][..], |series| &series.pairs);
        self.put_pairs(slots.iter().flat_map(|&slot| pairs_of(slot)), head, out);
        out.reserve(slots.len() * USUAL_NEW_BYTES);
        put_u64(out, slots.len() as u64);
        let mut before: &[u32] = &[];
        for &slot in slots {
            let pairs = pairs_of(slot);
            put_u64(out, pairs.len() as u64);
            for (at, &pair) in pairs.iter().enumerate() {
                let distance = match before.get(at) {
                    Some(&same) if same == pair => 0,
                    Some(&other) => self.number(pair) - self.number(other),
                    None => self.number(pair),
                };
                put_i64(out, distance);
            }
            before = pairs;
        }
    }

    /// Writes the texts of pairs that no frame of the epoch had, in the order of their texts, which makes
    /// neighbors share long prefixes.
    fn put_pairs<'a>(
        &mut self,
        pairs: impl Iterator<Item = &'a u32>,
        head: &Head,
        out: &mut Vec<u8>,
    ) {
        self.numbers.resize(head.index().pair_numbers().max(self.numbers.len()), 0);
        let mut new: Vec<(&str, u32)> = Vec::new();
        for &pair in pairs {
            let number = &mut self.numbers[pair as usize];
            if *number == 0 {
                // Any number but 0 marks the pair as seen; the right one follows.
                *number = u32::MAX;
                new.push((head.index().pair(pair).as_packed(), pair));
            }
        }
        sort_by_text(&mut new);
        put_u64(out, new.len() as u64);
        let mut before = "";
        for (text, pair) in new {
            self.pairs += 1;
            self.numbers[pair as usize] = self.pairs;
            let shared = shared_prefix(before, text);
            put_u64(out, shared as u64);
            put_text(out, &text[shared..]);
            before = text;
        }
    }

    fn number(&self, pair: u32) -> i64 {
        i64::from(self.numbers[pair as usize]) - 1
    }
}

/// Reads new series.
#[derive(Debug, Default)]
pub(super) struct KnownPairs {
    /// The texts of all pairs of the epoch.
    texts: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl KnownPairs {
    /// Forgets all pairs.
    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.ends.clear();
    }

    /// Reads the pairs and the series of a frame.
    pub(super) fn take(
        &mut self,
        reader: &mut Reader<'_>,
        mut visit: impl FnMut(LabelsRef<'_>),
    ) -> Result<(), FormatError> {
        self.take_pairs(reader)?;
        let (mut before, mut pairs) = (Vec::new(), Vec::new());
        let mut packed = String::new();
        for _ in 0..reader.count()? {
            pairs.clear();
            packed.clear();
            for at in 0..reader.count()? {
                let from = before.get(at).copied().unwrap_or_default();
                let pair = reader.i64()?.wrapping_add(from);
                packed.push_str(self.text(pair).ok_or(FormatError::Invalid("number of a label"))?);
                pairs.push(pair);
            }
            visit(LabelsRef::from_packed(&packed).ok_or(FormatError::Invalid("labels"))?);
            std::mem::swap(&mut before, &mut pairs);
        }
        Ok(())
    }

    fn take_pairs(&mut self, reader: &mut Reader<'_>) -> Result<(), FormatError> {
        let mut start = self.texts.len();
        let mut before = start..start;
        for _ in 0..reader.count()? {
            let shared = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
            let end = before
                .start
                .checked_add(shared)
                .filter(|&end| end <= before.end && self.texts.is_char_boundary(end));
            let end = end.ok_or(FormatError::Invalid("shared part of a label"))?;
            self.texts.extend_from_within(before.start..end);
            self.texts.push_str(reader.text()?);
            Pair::from_packed(&self.texts[start..]).ok_or(FormatError::Invalid("label"))?;
            before = start..self.texts.len();
            start = self.texts.len();
            self.ends.push(start);
        }
        Ok(())
    }

    fn text(&self, pair: i64) -> Option<&str> {
        let at = usize::try_from(pair).ok()?;
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.texts.get(start..end)
    }
}
