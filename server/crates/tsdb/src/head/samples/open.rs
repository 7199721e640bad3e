//! The open chunk: how a sample is put at its end, and how it is read and closed.

use std::sync::Arc;

use model::{Column, NativeHistogram, Timestamp};

use super::{IS_HISTOGRAM, IS_IRREGULAR, OPEN_BYTES, OPEN_CAPACITIES, Samples, unpacked};
use crate::{
    bytes::{FormatError, Reader, put_u64, unzigzag, zigzag},
    codec::{self, decimal, histograms},
};

impl Samples {
    /// The first time of the open chunk.
    pub(super) fn open_time(&self) -> Timestamp {
        if self.has(IS_IRREGULAR)
            && let Some(more) = &self.more
        {
            return more.open_time;
        }
        self.regular_open_time()
    }

    pub(super) fn regular_open_time(&self) -> Timestamp {
        let steps = i64::from(self.open_count.saturating_sub(1));
        self.last_time.wrapping_sub(i64::from(self.step) * steps)
    }

    /// Adds the time of a sample that follows.
    pub(super) fn push_time(&mut self, timestamp: Timestamp) {
        if self.open_count == 0 {
            return;
        }
        let distance = timestamp.wrapping_sub(self.last_time);
        if self.open_count == 1
            && let Ok(step) = u32::try_from(distance)
        {
            self.step = step;
            return;
        }
        let off = distance.wrapping_sub(i64::from(self.step));
        if off == 0 && !self.has(IS_IRREGULAR) {
            return;
        }
        let open_time = self.open_time();
        let more = self.more.get_or_insert_default();
        if self.flags & IS_IRREGULAR == 0 {
            self.flags |= IS_IRREGULAR;
            more.open_time = open_time;
            more.irregular.resize(usize::from(self.open_count) - 1, 0);
        }
        put_u64(&mut more.irregular, zigzag(off));
    }

    pub(super) fn read_times(&self, out: &mut Vec<Timestamp>) -> Result<(), FormatError> {
        let irregular = self.more.as_ref().map_or(&[][..], |more| &more.irregular);
        let mut irregular = Reader::new(irregular);
        let mut time = self.open_time();
        out.push(time);
        for _ in 1..self.open_count {
            let off = if irregular.is_empty() { 0 } else { irregular.i64()? };
            time = time.wrapping_add(i64::from(self.step)).wrapping_add(off);
            out.push(time);
        }
        Ok(())
    }

    pub(super) fn push_histogram(&mut self, value: &Arc<NativeHistogram>) {
        let is_first = self.open_count == 0;
        let more = self.more.get_or_insert_default();
        let last = more.last_histogram.as_deref().filter(|_| !is_first);
        more.histograms.get_or_insert_default().push(last, value);
        self.flags |= IS_HISTOGRAM;
    }

    #[inline]
    pub(super) fn push_float(&mut self, value: f64) {
        let before = if self.open_count == 0 { 0.0 } else { self.last_value };
        if !self.push_decimal(before, value) {
            match decimal::exponent_of(value, self.exponent) {
                Some(exponent) if self.rescale(exponent) => {
                    self.push_decimal(before, value);
                }
                _ => self.push_raw(value),
            }
        }
    }

    /// Adds a value that is a decimal at the present exponent; else returns `false`.
    #[inline]
    pub(super) fn push_decimal(&mut self, before: f64, value: f64) -> bool {
        let Some(integer) = decimal::to_integer(value, self.exponent) else { return false };
        let before = decimal::to_integer(before, self.exponent).unwrap_or_default();
        let mut token = zigzag(integer - before) + 1;
        self.make_room((70 - token.leading_zeros() as usize) / 7);
        let mut at = usize::from(self.open_length);
        while token >= 0x80 {
            self.open[at] = token as u8 | 0x80;
            token >>= 7;
            at += 1;
        }
        self.open[at] = token as u8;
        self.open_length = at as u8 + 1;
        true
    }

    pub(super) fn push_raw(&mut self, value: f64) {
        self.make_room(9);
        let at = usize::from(self.open_length);
        self.open[at] = 0;
        self.open[at + 1..at + 9].copy_from_slice(&value.to_bits().to_le_bytes());
        self.open_length += 9;
    }

    #[inline]
    pub(super) fn make_room(&mut self, more: usize) {
        let needed = usize::from(self.open_length) + more;
        if needed > self.open.len() {
            self.grow(needed);
        }
    }

    pub(super) fn grow(&mut self, needed: usize) {
        let capacity = OPEN_CAPACITIES.into_iter().find(|&capacity| capacity >= needed);
        let capacity = capacity.expect("a chunk takes no sample once it has OPEN_BYTES");
        let mut tokens = Vec::with_capacity(capacity);
        tokens.extend_from_slice(self.tokens());
        tokens.resize(capacity, 0);
        self.open = tokens.into();
    }

    pub(super) fn tokens(&self) -> &[u8] {
        &self.open[..usize::from(self.open_length)]
    }

    /// Writes the open chunk again with more decimals. Returns whether they fit, and changes nothing if
    /// they do not.
    pub(super) fn rescale(&mut self, exponent: u8) -> bool {
        let mut values = Vec::new();
        self.read_floats(&mut values).expect("the open chunk was written by this very code");
        let mut other = Self { exponent, ..Self::default() };
        let mut before = 0.0;
        for value in values {
            if !other.push_decimal(before, value) {
                other.push_raw(value);
            }
            before = value;
            if usize::from(other.open_length) >= OPEN_BYTES {
                return false;
            }
        }
        self.exponent = exponent;
        (self.open, self.open_length) = (other.open, other.open_length);
        true
    }

    pub(super) fn read_floats(&self, out: &mut Vec<f64>) -> Result<(), FormatError> {
        read_tokens(self.tokens(), self.exponent, out)
    }

    pub(super) fn read_open(&self, out: &mut Column) -> Result<(), FormatError> {
        if self.open_count == 0 {
            return Ok(());
        }
        if let Some(open) = self.open_histograms() {
            self.read_times(&mut out.histogram_times)?;
            let mut bytes = Vec::with_capacity(open.bits.len_bytes());
            open.bits.copy_to(&mut bytes);
            let count = usize::from(self.open_count);
            return histograms::decode_shared(&bytes, count, &mut out.histograms);
        }
        self.read_times(&mut out.float_times)?;
        self.read_floats(&mut out.floats)
    }

    /// Writes the open chunk as a closed one.
    pub(super) fn close(&mut self) {
        let mut column = Column::default();
        self.read_open(&mut column).expect("the open chunk was written by this very code");
        let mut chunk = Vec::new();
        if !column.floats.is_empty() {
            codec::encode_floats(
                &column.float_times,
                &column.floats,
                codec::Purpose::Reading,
                &mut chunk,
            );
        } else if !column.histograms.is_empty() {
            codec::encode_histograms(&column.histogram_times, &column.histograms, &mut chunk);
        }
        self.push_closed(chunk.into());
    }

    /// Closes a full open chunk without writing it again, when it is a plain one. Takes a fraction of the
    /// time, and twice the memory until the seal. Returns by how much the memory grew.
    #[inline]
    pub(crate) fn close_as_it_is(&mut self) -> isize {
        let is_plain = self.flags & (IS_HISTOGRAM | IS_IRREGULAR) == 0;
        if !is_plain || !self.is_open_full() {
            return 0;
        }
        let before = self.bytes();
        let chunk = unpacked::chunk(self);
        self.push_closed(chunk);
        self.bytes().wrapping_sub(before).cast_signed()
    }

    fn push_closed(&mut self, chunk: Box<[u8]>) {
        let open_time = self.open_time();
        let more = self.more.get_or_insert_default();
        if more.closed.is_empty() {
            more.min_time = open_time;
        }
        more.closed_bytes += chunk.len() + size_of::<Box<[u8]>>();
        more.closed.reserve_exact(1);
        more.closed.push(chunk);
        more.irregular = Vec::new();
        more.histograms = None;
        self.open_length = 0;
        self.open_count = 0;
        self.step = 0;
        self.exponent = 0;
        self.flags &= !(IS_HISTOGRAM | IS_IRREGULAR);
    }
}

/// Appends the values of an open chunk.
pub(super) fn read_tokens(
    tokens: &[u8],
    exponent: u8,
    out: &mut Vec<f64>,
) -> Result<(), FormatError> {
    let mut reader = Reader::new(tokens);
    let mut integer = 0_i64;
    while !reader.is_empty() {
        out.push(match reader.u64()? {
            0 => {
                let value = reader.f64()?;
                integer = decimal::to_integer(value, exponent).unwrap_or_default();
                value
            }
            token => {
                integer = integer.wrapping_add(unzigzag(token - 1));
                decimal::to_value(integer, exponent)
            }
        });
    }
    Ok(())
}
