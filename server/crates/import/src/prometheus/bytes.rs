//! Numbers as Prometheus writes them: big endian, or varints of Go.

use std::io::{self, Read};

use crc::{CRC_32_ISCSI, Crc};

/// The most bytes that a number takes.
const MAX_UVARINT_BYTES: usize = 10;

/// The rest of some bytes; every step is checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn uvarint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn varint(&mut self) -> Option<i64> {
        let value = self.uvarint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.uvarint()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

pub(super) fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The checksum of everything in a block, as Castagnoli's polynomial gives it.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    CRC32C.checksum(bytes)
}

/// What stands before a checksum that matches.
pub(super) fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    (crc32c(body).to_be_bytes() == *checksum).then_some(body)
}

/// A number at a reader's place and how many bytes it took; nothing when it is too long.
pub(super) fn read_uvarint(reader: &mut impl Read) -> io::Result<Option<(u64, u64)>> {
    let mut bytes = [0; MAX_UVARINT_BYTES];
    for count in 0..MAX_UVARINT_BYTES {
        reader.read_exact(&mut bytes[count..=count])?;
        if bytes[count] < 0x80 {
            let value = Bytes::new(&bytes[..=count]).uvarint();
            return Ok(value.map(|value| (value, count as u64 + 1)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
    }

    #[test]
    fn numbers_are_those_of_go() {
        assert_eq!(Bytes::new(&[0xac, 0x02]).uvarint(), Some(300));
        assert_eq!(Bytes::new(&[0x03]).varint(), Some(-2));
        assert_eq!(Bytes::new(&[0x80]).uvarint(), None);
        assert_eq!(Bytes::new(&[0x80; 11]).uvarint(), None);
    }
}
