//! Bits one after the other, and the numbers that Prometheus packs into them.

/// Bits, highest first.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    byte: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest, byte: 0, left: 0 }
    }

    pub(super) fn take(&mut self, mut count: u32) -> Option<u64> {
        let mut value = 0_u64;
        while count > 0 {
            if self.left == 0 {
                (self.byte, self.rest) = self.rest.split_first().map(|(&b, rest)| (b, rest))?;
                self.left = 8;
            }
            let part = count.min(self.left);
            let shift = self.left - part;
            let mask = ((1_u16 << part) - 1) as u8;
            value = value << part | u64::from(self.byte >> shift & mask);
            self.left -= part;
            count -= part;
        }
        Some(value)
    }

    /// A number of any sign, small ones in few bits. Source: `tsdb/chunkenc/varbit.go` in Prometheus.
    pub(super) fn varbit_int(&mut self) -> Option<i64> {
        let width = self.width()?;
        let value = self.take(width)? as i64;
        // The highest value of a width is positive, unlike in two's complement.
        let is_negative = (1..64).contains(&width) && value > 1 << (width - 1);
        Some(if is_negative { value - (1 << width) } else { value })
    }

    /// A number without a sign, small ones in few bits.
    pub(super) fn varbit_uint(&mut self) -> Option<u64> {
        let width = self.width()?;
        self.take(width)
    }

    pub(super) fn float(&mut self) -> Option<f64> {
        self.take(64).map(f64::from_bits)
    }

    /// As many ones as tell the width of what follows.
    fn width(&mut self) -> Option<u32> {
        const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];
        let mut ones = 0;
        while ones < WIDTHS.len() - 1 && self.take(1)? == 1 {
            ones += 1;
        }
        Some(WIDTHS[ones])
    }
}

/// Writes bits one after the other, highest first, behind whole bytes.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written yet.
    free: u32,
}

impl BitWriter {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// Writes the lowest bits of a value.
    pub(super) fn put(&mut self, value: u64, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let part = count.min(self.free);
            count -= part;
            self.free -= part;
            let mask = (1_u16 << part) - 1;
            let bits = (value >> count) as u16 & mask;
            if let Some(last) = self.bytes.last_mut() {
                *last |= (bits << self.free) as u8;
            }
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_highest_first_and_across_bytes() {
        let mut bits = Bits::new(&[0b1010_0110, 0b1111_0000]);
        assert_eq!(
            (bits.take(1), bits.take(3), bits.take(8)),
            (Some(1), Some(2), Some(0b0110_1111))
        );
        assert_eq!((bits.take(4), bits.take(1)), (Some(0), None));
        assert_eq!(Bits::new(&[0xff; 8]).take(64), Some(u64::MAX));
    }

    #[test]
    fn numbers_take_the_bits_that_they_need() {
        // 0, then 10 and three bits, then 110 and six.
        let mut bits = Bits::new(&[0b0100_1111, 0b0100_0010]);
        assert_eq!((bits.varbit_int(), bits.varbit_int()), (Some(0), Some(3)));
        assert_eq!(bits.varbit_int(), Some(-31), "one more than the half is negative");
    }
}
