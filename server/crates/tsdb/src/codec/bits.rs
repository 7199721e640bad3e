//! Bits, lowest first, and the adaptive Rice code on them.
//!
//! A Rice code with parameter `k` writes a number as `q = n >> k` one-bits, a zero-bit and the `k` low
//! bits of `n`. Here `k` follows the magnitude of the numbers written before in the same context, as
//! LOCO-I does, so it is never stored. A quotient of [`ESCAPE`] or more would be long: then `ESCAPE`
//! one-bits, the length of `n` less one in 6 bits, and `n` itself are written.

use crate::bytes::{FormatError, unzigzag, zigzag};

/// The quotient from which on a number is written with its length.
const ESCAPE: u32 = 20;

/// Collects bits into bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits not yet in `bytes`; above `used` all are zero.
    pending: u64,
    /// How many bits of `pending` are used, at most 7 between calls.
    used: u32,
}

impl BitWriter {
    /// Appends the `count` low bits of `value`, at most 57; the others must be zero.
    #[inline]
    pub(crate) fn put(&mut self, value: u64, count: u32) {
        debug_assert!(count <= 57 && (count == 64 || value >> count == 0));
        self.pending |= value << self.used;
        self.used += count;
        while self.used >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.used -= 8;
        }
    }

    /// Appends all 64 bits.
    pub(crate) fn put_64(&mut self, value: u64) {
        self.put(value & 0xffff_ffff, 32);
        self.put(value >> 32, 32);
    }

    /// The bytes the whole takes, padding included.
    pub(crate) fn len_bytes(&self) -> usize {
        self.bytes.len() + usize::from(self.used > 0)
    }

    /// The memory held, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends what was written to `out`, the last byte padded with zero-bits.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
        if self.used > 0 {
            out.push(self.pending as u8);
        }
    }
}

/// Takes bits out of bytes. Past the end it reads zeros; [`BitReader::check`] tells.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// At least 57 bits from the present place on.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let byte = self.at / 8;
        let word = match self.bytes.get(byte..byte + 8) {
            Some(word) => u64::from_le_bytes(word.try_into().unwrap_or_default()),
            None => self.peek_tail(byte),
        };
        word >> (self.at % 8)
    }

    #[cold]
    fn peek_tail(&self, byte: usize) -> u64 {
        // The last eight bytes without those that are behind us.
        if let Some(&last) = self.bytes.last_chunk::<8>() {
            let behind = byte + 8 - self.bytes.len();
            return u64::from_le_bytes(last).checked_shr(8 * behind as u32).unwrap_or_default();
        }
        let tail = self.bytes.get(byte..).unwrap_or_default();
        let mut word = [0; 8];
        word[..tail.len()].copy_from_slice(tail);
        u64::from_le_bytes(word)
    }

    /// The next `count` bits, at most 57.
    #[inline]
    pub(crate) fn take(&mut self, count: u32) -> u64 {
        let value = self.peek() & ((1 << count) - 1);
        self.at += count as usize;
        value
    }

    pub(crate) fn take_64(&mut self) -> u64 {
        self.take(32) | self.take(32) << 32
    }

    /// Goes on by some bits that were looked at.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.at += count as usize;
    }

    /// How many bytes were begun.
    pub(super) fn used_bytes(&self) -> usize {
        self.at.div_ceil(8)
    }

    /// How many bits are left.
    pub(crate) fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at)
    }

    /// Fails when more bits were taken than there are.
    pub(crate) fn check(&self) -> Result<(), FormatError> {
        if self.at > self.bytes.len() * 8 { Err(FormatError::Truncated) } else { Ok(()) }
    }
}

/// The running magnitude of the numbers in one context, which sets the Rice parameter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rice {
    /// 16 times the mean of the recent numbers.
    mean: u64,
}

impl Rice {
    /// The largest parameter: remainders fit one read, and the mean cannot overflow.
    const MAX_PARAMETER: u32 = 50;

    /// A context whose first parameter is `parameter`.
    pub(crate) fn starting_at(parameter: u8) -> Self {
        Self { mean: 16 << u32::from(parameter).min(Self::MAX_PARAMETER) }
    }

    /// The parameter to start with for numbers of this mean.
    pub(crate) fn parameter_for(mean: u64) -> u8 {
        mean.max(1).ilog2().min(Self::MAX_PARAMETER) as u8
    }

    #[inline]
    fn parameter(self) -> u32 {
        ((self.mean >> 4) | 1).ilog2()
    }

    #[inline]
    fn learn(&mut self, value: u64) {
        self.mean = self.mean - (self.mean >> 4) + value.min(1 << Self::MAX_PARAMETER);
    }

    #[inline]
    pub(crate) fn put(&mut self, writer: &mut BitWriter, value: u64) {
        let parameter = self.parameter();
        let quotient = value >> parameter;
        if quotient < u64::from(ESCAPE) {
            let ones = quotient as u32;
            writer.put((1 << ones) - 1, ones + 1);
            writer.put(value & ((1 << parameter) - 1), parameter);
        } else {
            writer.put((1 << ESCAPE) - 1, ESCAPE);
            let length = 64 - value.leading_zeros();
            writer.put(u64::from(length - 1), 6);
            writer.put(value & 0xffff_ffff, length.min(32));
            writer.put(value >> 32, length.saturating_sub(32));
        }
        self.learn(value);
    }

    #[inline]
    pub(crate) fn take(&mut self, reader: &mut BitReader<'_>) -> u64 {
        let parameter = self.parameter();
        let word = reader.peek();
        let ones = word.trailing_ones();
        let length = ones + 1 + parameter;
        // Nearly always the whole code is in one word.
        let value = if ones < ESCAPE && length <= 57 {
            reader.skip(length);
            u64::from(ones) << parameter | ((word >> (ones + 1)) & ((1 << parameter) - 1))
        } else {
            Self::take_long(reader, ones, parameter)
        };
        self.learn(value);
        value
    }

    #[cold]
    fn take_long(reader: &mut BitReader<'_>, ones: u32, parameter: u32) -> u64 {
        if ones < ESCAPE {
            reader.skip(ones + 1);
            return u64::from(ones) << parameter | reader.take(parameter);
        }
        reader.skip(ESCAPE);
        let length = reader.take(6) as u32 + 1;
        reader.take(length.min(32)) | reader.take(length.saturating_sub(32)) << 32
    }

    /// How many bits [`Self::put`] would write.
    #[inline]
    pub(super) fn measure(&mut self, value: u64) -> u32 {
        let parameter = self.parameter();
        let quotient = value >> parameter;
        self.learn(value);
        if quotient < u64::from(ESCAPE) {
            quotient as u32 + 1 + parameter
        } else {
            ESCAPE + 6 + 64 - value.leading_zeros()
        }
    }

    #[inline]
    pub(crate) fn put_signed(&mut self, writer: &mut BitWriter, value: i64) {
        self.put(writer, zigzag(value));
    }

    #[inline]
    pub(crate) fn take_signed(&mut self, reader: &mut BitReader<'_>) -> i64 {
        unzigzag(self.take(reader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_quotient_is_escaped() {
        let mut writer = BitWriter::default();
        Rice::default().put(&mut writer, u64::MAX);
        assert_eq!(writer.len_bytes(), (20 + 6 + 64_usize).div_ceil(8));
        let mut bytes = Vec::new();
        writer.copy_to(&mut bytes);
        assert_eq!(Rice::default().take(&mut BitReader::new(&bytes)), u64::MAX);
    }

    #[test]
    fn small_numbers_soon_take_few_bits() {
        let mut writer = BitWriter::default();
        let mut rice = Rice::starting_at(30);
        for _ in 0..1_000 {
            rice.put(&mut writer, 0);
        }
        assert!(writer.len_bytes() < 1_000, "{} bytes", writer.len_bytes());
    }

    proptest! {
        #[test]
        fn property_numbers_round_trip(
            parameter: u8,
            numbers in proptest::collection::vec((any::<u64>(), 0_u32..64), 0..200),
        ) {
            let numbers: Vec<u64> = numbers.iter().map(|(n, shift)| n >> shift).collect();
            let mut writer = BitWriter::default();
            let mut rice = Rice::starting_at(parameter);
            for &number in &numbers {
                rice.put(&mut writer, number);
                writer.put_64(number);
            }
            let mut bytes = Vec::new();
            writer.copy_to(&mut bytes);
            prop_assert_eq!(bytes.len(), writer.len_bytes());
            let mut reader = BitReader::new(&bytes);
            let mut rice = Rice::starting_at(parameter);
            for &number in &numbers {
                prop_assert_eq!(rice.take(&mut reader), number);
                prop_assert_eq!(reader.take_64(), number);
            }
            prop_assert_eq!(reader.check(), Ok(()));
            reader.take(9);
            prop_assert_eq!(reader.check(), Err(FormatError::Truncated));
        }
    }
}
