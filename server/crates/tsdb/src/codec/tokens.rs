//! Numbers as tokens with a prefix code of their own, and the bits that tokens leave open.
//!
//! A number is split into its leading bits, which make up the token, and the rest, which is written as
//! it is. Where zeros are most of a column, a run of them is one token for each binary digit of its
//! length. How often each token occurs
//! in a column decides how long its code is. What a Rice code takes for granted (that numbers become
//! rarer as they become larger) is measured here instead, at the price of a table of some bytes.

use super::{
    bits::{BitReader, BitWriter, Rice},
    huffman,
};
use crate::bytes::FormatError;

/// The most leading bits, besides the first, that may tell tokens apart.
const MAX_DETAIL: u32 = 2;
/// The tokens of a run of zeros: digits of its length, 1 and 2, lowest first. Without runs only the
/// first of them occurs, for a single zero.
const RUN: usize = 2;
/// Beside the detail: there are runs.
const RUNS: u8 = 4;
/// How many tokens there are at most.
const TOKENS: usize = tokens_of(MAX_DETAIL);
/// What the table of lengths takes, about, in bits for each token.
const LENGTH_BITS: f32 = 2.5;

/// How many tokens there are of this detail: numbers have 64 bits.
const fn tokens_of(detail: u32) -> usize {
    RUN + ((64 - detail as usize) << detail) + (1 << detail) - 1
}

/// How a column is going to be written.
pub(super) struct Plan {
    detail: u32,
    has_runs: bool,
    counts: Box<[u32; TOKENS]>,
    /// About how many bits it takes.
    pub(super) bits: u64,
}

impl Plan {
    /// The best plan for these numbers.
    pub(super) fn of(numbers: &[u64]) -> Self {
        let mut finest = Box::new([0; TOKENS]);
        // Otherwise a code of one bit is close to what a zero tells.
        let has_runs = numbers.iter().filter(|number| **number == 0).count() > numbers.len() / 2;
        for_each(numbers, MAX_DETAIL, has_runs, |token, _, _| finest[token] += 1);
        let bits = cost(&finest, MAX_DETAIL);
        let mut best = Self { detail: MAX_DETAIL, has_runs, bits, counts: finest };
        for detail in 0..MAX_DETAIL {
            let counts = coarser(&best, detail);
            let bits = cost(&counts, detail);
            if bits < best.bits {
                best = Self { detail, has_runs, counts, bits };
                break;
            }
        }
        best
    }

    /// What the reader has to know: detail, and whether there are runs.
    pub(super) fn way(&self) -> u8 {
        self.detail as u8 | if self.has_runs { RUNS } else { 0 }
    }

    /// Writes the numbers the plan was made for.
    pub(super) fn write(&self, numbers: &[u64], writer: &mut BitWriter) {
        let lengths = huffman::lengths(&*self.counts);
        let first = lengths.iter().position(|&length| length > 0).unwrap_or_default();
        let end = lengths.iter().rposition(|&length| length > 0).map_or(first, |last| last + 1);
        writer.put(first as u64, 8);
        writer.put((end - first) as u64, 8);
        let (mut rice, mut last) = (Rice::default(), 0);
        for &length in &lengths[first..end] {
            rice.put_signed(writer, i64::from(length) - last);
            last = i64::from(length);
        }
        let codes = huffman::codes(&lengths);
        for_each(numbers, self.detail, self.has_runs, |token, rest, count| {
            writer.put(u64::from(codes[token]), u32::from(lengths[token]));
            writer.put(rest & 0xffff_ffff, count.min(32));
            writer.put(rest >> 32, count.saturating_sub(32));
        });
    }
}

/// What these counts come to as tokens of this detail.
fn coarser(finest: &Plan, detail: u32) -> Box<[u32; TOKENS]> {
    let mut counts = Box::new([0; TOKENS]);
    counts[..RUN].copy_from_slice(&finest.counts[..RUN]);
    for (token, &count) in finest.counts.iter().enumerate().skip(RUN) {
        if count > 0 {
            counts[split(number_of(token, finest.detail).0, detail).0] += count;
        }
    }
    counts
}

/// About how many bits tokens that occur so often take, with the table.
fn cost(counts: &[u32; TOKENS], detail: u32) -> u64 {
    let total = counts.iter().sum::<u32>() as f32;
    let mut bits = 16.0;
    let (mut gap, mut listed) = (0.0, 0.0);
    for (token, &count) in counts.iter().enumerate() {
        if count == 0 {
            gap += 1.0;
            continue;
        }
        listed += if listed > 0.0 { gap + 1.0 } else { 1.0 };
        gap = 0.0;
        let count = count as f32;
        let rest = if token < RUN { 0 } else { number_of(token, detail).1 };
        bits += count * ((total / count).log2() + rest as f32);
    }
    (bits + listed * LENGTH_BITS) as u64
}

/// Whether numbers written in this way are a token each, so that several columns can be read together.
pub(super) fn is_plain(way: u8) -> bool {
    way & RUNS == 0
}

/// Appends exactly `count` numbers.
pub(super) fn read(
    bits: &mut BitReader<'_>,
    way: u8,
    count: usize,
    out: &mut Vec<u64>,
) -> Result<(), FormatError> {
    let mut table = Table::default();
    table.read(bits, way)?;
    if is_plain(way) {
        let start = out.len();
        out.resize(start + count, 0);
        out[start..].iter_mut().for_each(|number| *number = table.next(bits).1);
    } else {
        read_runs(&table, bits, count, out)?;
    }
    bits.check()
}

/// Fills each of `out` with numbers. The first `common` of all are read side by side.
pub(super) fn read_together<const N: usize>(
    tables: &[Table; N],
    bits: &mut [BitReader<'_>; N],
    common: usize,
    out: &mut [Vec<u64>; N],
) {
    let most_bits = tables.iter().map(|table| table.most_bits).max().unwrap_or_default();
    let mut done = 0;
    if most_bits <= FEW_BITS {
        // Two tokens come out of one look at the bits.
        let mut lanes = out.each_mut().map(|out| out.as_chunks_mut::<2>().0.iter_mut());
        for _ in 0..common / 2 {
            for lane in 0..N {
                let (table, bits) = (&tables[lane], &mut bits[lane]);
                let word = bits.peek();
                let first = table.entry(word);
                let after = word >> first.bits;
                let second = table.entry(after);
                if let Some(pair) = lanes[lane].next() {
                    *pair = [first.number_in(word), second.number_in(after)];
                }
                bits.skip(u32::from(first.bits) + u32::from(second.bits));
            }
        }
        done = common / 2 * 2;
    }
    for ((table, bits), out) in tables.iter().zip(bits).zip(out) {
        out[done..].iter_mut().for_each(|number| *number = table.next(bits).1);
    }
}

fn read_runs(
    table: &Table,
    bits: &mut BitReader<'_>,
    count: usize,
    out: &mut Vec<u64>,
) -> Result<(), FormatError> {
    let end = out.len() + count;
    let (mut run, mut digit) = (0_usize, 0_u32);
    while out.len() + run < end {
        let (token, number) = table.next(bits);
        if usize::from(token) < RUN {
            // A run that is longer than a chunk ends the loop before the digits overflow.
            run += (usize::from(token) + 1) << digit;
            digit += 1;
        } else {
            out.extend(std::iter::repeat_n(0, run));
            out.push(number);
            (run, digit) = (0, 0);
        }
    }
    if out.len() + run > end {
        return Err(FormatError::Invalid("run of zeros"));
    }
    out.resize(end, 0);
    Ok(())
}

/// What a decoder looks up by the next bits.
#[derive(Debug)]
pub(super) struct Table {
    entries: [Entry; TABLE],
    mask: u64,
    /// The most bits that a token takes with its rest.
    most_bits: u8,
}

const TABLE: usize = 1 << huffman::MAX_LENGTH;

impl Default for Table {
    fn default() -> Self {
        Self { entries: [Entry::default(); TABLE], mask: 0, most_bits: 0 }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// The smallest number of the token.
    number: u64,
    /// The bits of a number that the token leaves open, if they are not too many.
    mask: u32,
    length: u8,
    /// How many bits the token takes with its rest.
    bits: u8,
    token: u8,
}

/// The most bits of a token with its rest of which two are read at once.
const FEW_BITS: u8 = 28;

impl Entry {
    /// The number of a token that takes few bits.
    #[inline]
    fn number_in(self, word: u64) -> u64 {
        self.number | ((word >> self.length) & u64::from(self.mask))
    }
}

impl Table {
    /// Reads the table of numbers that are written in this way.
    pub(super) fn read(&mut self, bits: &mut BitReader<'_>, way: u8) -> Result<(), FormatError> {
        let detail = u32::from(way & !RUNS);
        if detail > MAX_DETAIL {
            return Err(FormatError::Invalid("coding of numbers"));
        }
        let first = bits.take(8) as usize;
        let count = bits.take(8) as usize;
        if first + count > tokens_of(detail) {
            return Err(FormatError::Invalid("number of tokens"));
        }
        let mut lengths = [0_u8; TOKENS];
        let (mut rice, mut last) = (Rice::default(), 0_i64);
        for length in &mut lengths[..count] {
            last = last.wrapping_add(rice.take_signed(bits));
            *length = u8::try_from(last).map_err(|_| FormatError::Invalid("length of a code"))?;
        }
        bits.check()?;
        let lengths = &lengths[..count];
        if !huffman::is_complete(lengths) {
            return Err(FormatError::Invalid("code of tokens"));
        }
        let longest = lengths.iter().max().copied().unwrap_or_default();
        let entries = &mut self.entries[..1 << longest];
        self.most_bits = 0;
        for (place, code, length) in huffman::ordered(lengths) {
            let token = first + place;
            let (number, rest) = if token < RUN { (0, 0) } else { number_of(token, detail) };
            let (mask, bits) = (((1_u64 << rest) - 1) as u32, length + rest as u8);
            let entry = Entry { number, mask, length, bits, token: token as u8 };
            self.most_bits = self.most_bits.max(entry.bits);
            entries[usize::from(code)..].iter_mut().step_by(1 << length).for_each(|e| *e = entry);
        }
        if lengths.iter().filter(|length| **length > 0).count() == 1 {
            // A lone token has both codes.
            entries[1] = entries[0];
        }
        self.mask = entries.len() as u64 - 1;
        Ok(())
    }

    #[inline]
    fn entry(&self, word: u64) -> Entry {
        self.entries[(word & self.mask) as usize % TABLE]
    }

    /// The next token and, if it is not part of a run, its number.
    #[inline]
    fn next(&self, bits: &mut BitReader<'_>) -> (u8, u64) {
        let word = bits.peek();
        let entry = self.entry(word);
        if entry.bits <= FEW_BITS {
            bits.skip(u32::from(entry.bits));
            return (entry.token, entry.number_in(word));
        }
        bits.skip(u32::from(entry.length));
        let rest = u32::from(entry.bits - entry.length);
        let low = bits.take(rest.min(32));
        (entry.token, entry.number | low | bits.take(rest.saturating_sub(32)) << 32)
    }
}

/// Calls `token` with each token, the bits it leaves open and how many they are.
#[inline]
fn for_each(numbers: &[u64], detail: u32, has_runs: bool, mut token: impl FnMut(usize, u64, u32)) {
    let mut run = 0_usize;
    let end_run = |run: &mut usize, token: &mut dyn FnMut(usize, u64, u32)| {
        while *run > 0 {
            let digit = 1 - (*run & 1);
            token(digit, 0, 0);
            *run = (*run - 1 - digit) / 2;
        }
    };
    for &number in numbers {
        if number == 0 {
            if has_runs {
                run += 1;
            } else {
                token(0, 0, 0);
            }
            continue;
        }
        if run > 0 {
            end_run(&mut run, &mut token);
        }
        let (name, count) = split(number, detail);
        token(name, number & ((1 << count) - 1), count);
    }
    end_run(&mut run, &mut token);
}

/// The token of a number above 0, and how many bits it leaves open.
#[inline]
fn split(number: u64, detail: u32) -> (usize, u32) {
    let top = number.ilog2();
    let rest = top.saturating_sub(detail);
    // A number of few bits is its own token; each further bit adds as many tokens as detail makes.
    (((rest as usize) << detail) + (number >> rest) as usize + RUN - 1, rest)
}

/// The smallest number that has this token, and how many bits it leaves open.
fn number_of(token: usize, detail: u32) -> (u64, u32) {
    let place = (token + 1 - RUN) as u64;
    let rest = ((place >> detail) as u32).saturating_sub(1);
    ((place - (u64::from(rest) << detail)) << rest, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(numbers: &[u64]) -> (u8, Vec<u8>) {
        let plan = Plan::of(numbers);
        let mut writer = BitWriter::default();
        plan.write(numbers, &mut writer);
        let mut bytes = Vec::new();
        writer.copy_to(&mut bytes);
        (plan.way(), bytes)
    }

    #[test]
    fn a_token_and_its_rest_are_the_number() {
        for detail in 0..=MAX_DETAIL {
            for number in (1..70).chain([u64::MAX, u64::MAX >> 1, 1 << 63, (1 << 63) - 1]) {
                let (token, rest) = split(number, detail);
                let (smallest, open) = number_of(token, detail);
                assert_eq!(open, rest, "{number}");
                assert_eq!(smallest | number & ((1 << rest) - 1), number, "{number}");
                assert!(token < TOKENS, "{number}");
            }
        }
    }

    #[test]
    fn a_table_that_is_no_code_is_refused_even_for_no_number() {
        for (name, way, bytes) in [
            ("tokens beyond those of the detail", 0, &[130, 2, 22][..]),
            ("no token", 2, &[0, 0]),
            ("nothing", 0, &[]),
            ("a detail that does not exist", 3, &[130, 2, 22]),
        ] {
            let mut numbers = Vec::new();
            let result = read(&mut BitReader::new(bytes), way, 0, &mut numbers);
            assert!(result.is_err(), "{name}: {numbers:?}");
        }
    }

    #[test]
    fn zeros_cost_next_to_nothing() {
        let mut numbers = vec![0; 1_000];
        numbers[500] = 7;
        let length = written(&numbers).1.len();
        assert!(length < 15, "{length} bytes");
    }

    proptest! {
        #[test]
        fn property_numbers_round_trip(
            numbers in proptest::collection::vec(
                prop_oneof![Just(0), 0_u64..5, (any::<u64>(), 0_u32..64).prop_map(|(n, s)| n >> s)],
                1..400,
            ),
        ) {
            let (way, bytes) = written(&numbers);
            let mut bits = BitReader::new(&bytes);
            let mut back = Vec::new();
            read(&mut bits, way, numbers.len(), &mut back).unwrap();
            prop_assert_eq!(back, numbers);
            prop_assert_eq!(bits.used_bytes(), bytes.len());
        }

        #[test]
        fn property_any_bytes_give_no_more_numbers_than_asked_for(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            way in 0_u8..9,
            count in 0_usize..200,
        ) {
            let mut numbers = Vec::new();
            let result = read(&mut BitReader::new(&bytes), way, count, &mut numbers);
            prop_assert!(numbers.len() <= count);
            prop_assert!(result.is_err() || numbers.len() == count);
        }
    }
}
