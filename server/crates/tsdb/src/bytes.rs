//! Reading and writing the small pieces all formats are made of.
//!
//! A `varint` is LEB128: seven bits a byte, lowest first, the high bit set on all but the last byte. A
//! signed varint maps 0, -1, 1, -2 … to 0, 1, 2, 3 … first (zigzag). Fixed-width numbers are little
//! endian. A text is its length as a varint and its bytes in UTF-8.

use std::ops::RangeInclusive;

use xxhash_rust::xxh3::xxh3_64;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The bytes end too early.
    #[error("the bytes end too early")]
    Truncated,
    /// The first bytes are not those of this format.
    #[error("the bytes are not a {0}")]
    Magic(&'static str),
    /// Written by a version of the program that this one does not know.
    #[error("format version {0} is not known to this version of the program")]
    Version(u8),
    /// The bytes were changed after they were written.
    #[error("the checksum does not match")]
    Checksum,
    /// A field holds what it never can.
    #[error("the {0} cannot be right")]
    Invalid(&'static str),
}

/// The bytes before the payload of an envelope.
pub(crate) const ENVELOPE_BYTES: usize = 4 + 1 + 8 + 4;

/// Starts an envelope in `out`, which must be empty: magic, version, then room for checksum and
/// length, which [`finish_envelope`] fills in.
pub(crate) fn start_envelope(out: &mut Vec<u8>, magic: [u8; 4], version: u8) {
    debug_assert!(out.is_empty(), "an envelope starts at the first byte");
    out.extend_from_slice(&magic);
    out.push(version);
    out.extend_from_slice(&[0; 12]);
}

/// Completes what [`start_envelope`] began, once the payload is written.
pub(crate) fn finish_envelope(out: &mut [u8]) {
    let (header, payload) = out.split_at_mut(ENVELOPE_BYTES);
    header[5..13].copy_from_slice(&xxh3_64(payload).to_le_bytes());
    header[13..].copy_from_slice(&(payload.len() as u32).to_le_bytes());
}

/// Checks magic, version, length and checksum, in this order, and returns the payload.
pub(crate) fn open_envelope<'a>(
    bytes: &'a [u8],
    magic: [u8; 4],
    version: u8,
    what: &'static str,
) -> Result<&'a [u8], FormatError> {
    open_versions(bytes, magic, version..=version, what).map(|(_, payload)| payload)
}

/// As [`open_envelope`], of a format of which several versions can be read; the version comes with the
/// payload.
pub(crate) fn open_versions<'a>(
    bytes: &'a [u8],
    magic: [u8; 4],
    versions: RangeInclusive<u8>,
    what: &'static str,
) -> Result<(u8, &'a [u8]), FormatError> {
    let mut reader = Reader::new(bytes);
    if reader.take(4)? != magic {
        return Err(FormatError::Magic(what));
    }
    let version = reader.u8()?;
    if !versions.contains(&version) {
        return Err(FormatError::Version(version));
    }
    let checksum = reader.u64_fixed()?;
    let length = u32::from_le_bytes(reader.array()?) as usize;
    let payload = reader.rest();
    if payload.len() < length {
        return Err(FormatError::Truncated);
    }
    if payload.len() > length {
        return Err(FormatError::Invalid("length"));
    }
    if xxh3_64(payload) != checksum {
        return Err(FormatError::Checksum);
    }
    Ok((version, payload))
}

pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, zigzag(value));
}

pub(crate) fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u64(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The number of which each byte has seven bits.
#[inline]
fn joined(bytes: u64) -> u64 {
    let pairs = bytes & 0x007f_007f_007f_007f | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4
}

/// A place in bytes that someone else may have damaged: every step is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(FormatError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(FormatError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, FormatError> {
        let (first, rest) = self.rest.split_first().ok_or(FormatError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, FormatError> {
        if let Some(word) = self.rest.first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let ends = !word & 0x8080_8080_8080_8080;
            if ends != 0 {
                let bits = ends.trailing_zeros() + 1;
                self.rest = &self.rest[bits as usize / 8..];
                return Ok(joined(word & (u64::MAX >> (64 - bits))));
            }
        }
        self.long_u64()
    }

    /// A number of more than eight bytes, or of the last few.
    #[cold]
    fn long_u64(&mut self) -> Result<u64, FormatError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(FormatError::Invalid("varint"));
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(FormatError::Invalid("varint"))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, FormatError> {
        self.u64().map(unzigzag)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, FormatError> {
        u32::try_from(self.u64()?).map_err(|_| FormatError::Invalid("32-bit number"))
    }

    pub(crate) fn u64_fixed(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, FormatError> {
        self.u64_fixed().map(f64::from_bits)
    }

    /// A number of things that follow, each at least one byte long, so that a damaged number cannot
    /// ask for more memory than there are bytes.
    pub(crate) fn count(&mut self) -> Result<usize, FormatError> {
        let count = self.u64()?;
        if count > self.rest.len() as u64 {
            return Err(FormatError::Truncated);
        }
        Ok(count as usize)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, FormatError> {
        let length = self.count()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| FormatError::Invalid("text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_envelope_is_refused_when_cut_or_changed_at_any_byte() {
        let mut bytes = Vec::new();
        start_envelope(&mut bytes, *b"TEST", 1);
        bytes.extend_from_slice(b"the payload");
        finish_envelope(&mut bytes);
        let open = |bytes: &[u8]| open_envelope(bytes, *b"TEST", 1, "test").map(<[u8]>::to_vec);
        assert_eq!(open(&bytes), Ok(b"the payload".to_vec()));
        for cut in 0..bytes.len() {
            assert!(open(&bytes[..cut]).is_err(), "cut at {cut}");
            let mut changed = bytes.clone();
            changed[cut] ^= 0x10;
            assert!(open(&changed).is_err(), "changed at {cut}");
        }
        bytes[4] = 9;
        assert_eq!(open(&bytes), Err(FormatError::Version(9)));
        bytes.push(0);
        bytes[4] = 1;
        assert_eq!(open(&bytes), Err(FormatError::Invalid("length")));
    }

    proptest! {
        #[test]
        fn property_numbers_and_texts_round_trip(a: u64, b: i64, c: u64, text in ".{0,40}") {
            let mut out = Vec::new();
            put_u64(&mut out, a);
            put_i64(&mut out, b);
            put_f64(&mut out, f64::from_bits(c));
            put_text(&mut out, &text);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.u64(), Ok(a));
            prop_assert_eq!(reader.i64(), Ok(b));
            prop_assert_eq!(reader.f64().map(f64::to_bits), Ok(c));
            prop_assert_eq!(reader.text(), Ok(text.as_str()));
            prop_assert!(reader.is_empty());
        }
    }
}
