//! Protocol buffers as bytes: just what these messages need, borrowing from the input.
//!
//! Source of the format: the Protocol Buffers documentation, "Encoding".

/// The type of a field that is a varint.
const VARINT: u64 = 0;
/// The type of a field of eight bytes.
const FIXED64: u64 = 1;
/// The type of a field with a length: text, a message, packed numbers.
const LENGTH: u64 = 2;
/// The type of a field of four bytes; no message here has one, so it is only skipped.
const FIXED32: u64 = 5;

/// The bytes are no protocol buffer message of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The message ends within a field.
    #[error("the message ends within a field")]
    Truncated,
    /// A number has more than ten bytes.
    #[error("a number is longer than ten bytes")]
    LongNumber,
    /// A field has the number 0 or a type that does not exist.
    #[error("a field has an invalid tag")]
    Tag,
    /// A field has another type than it should.
    #[error("field {0} has the wrong type")]
    Type(u32),
    /// A reference leads outside of the table of symbols.
    #[error("symbol {0} is referred to and does not exist")]
    Symbol(u64),
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// Reads the fields of one message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        match self.rest {
            // Nearly all tags and lengths have one byte.
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for (at, &byte) in self.rest.iter().enumerate().take(10) {
            // As everywhere, bits beyond the 64th are ignored.
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::LongNumber })
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64, WireError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// The bytes of the next field when it has this tag, the way that nearly every field goes; `None`
    /// when it is another one or the end. A tag of one byte: `number << 3 | 2`.
    #[inline]
    pub(crate) fn expected(&mut self, tag: u8) -> Result<Option<&'a [u8]>, WireError> {
        match self.rest {
            [first, rest @ ..] if *first == tag => {
                self.rest = rest;
                let length = self.varint()?;
                self.take(length).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The next field and its number; `None` at the end.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<Option<(u32, Field<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| WireError::Tag)?;
        if number == 0 {
            return Err(WireError::Tag);
        }
        let value = match tag & 7 {
            VARINT => Field::Varint(self.varint()?),
            FIXED64 => Field::Fixed64(self.fixed64()?),
            LENGTH => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            FIXED32 => {
                self.take(4)?;
                Field::Fixed32
            }
            _ => return Err(WireError::Tag),
        };
        Ok(Some((number, value)))
    }
}

impl<'a> Field<'a> {
    pub(crate) fn bytes(self, number: u32) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Type(number)),
        }
    }

    pub(crate) fn varint(self, number: u32) -> Result<u64, WireError> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(WireError::Type(number)),
        }
    }

    pub(crate) fn double(self, number: u32) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(WireError::Type(number)),
        }
    }

    /// Adds the doubles of a repeated field, packed or not.
    pub(crate) fn add_doubles(self, number: u32, out: &mut Vec<f64>) -> Result<(), WireError> {
        let Self::Bytes(packed) = self else {
            out.push(self.double(number)?);
            return Ok(());
        };
        let (doubles, rest) = packed.as_chunks();
        if !rest.is_empty() {
            return Err(WireError::Truncated);
        }
        out.extend(doubles.iter().map(|bytes| f64::from_le_bytes(*bytes)));
        Ok(())
    }

    /// Adds the signed numbers of a repeated field, packed or not.
    pub(crate) fn add_signed(self, number: u32, out: &mut Vec<i64>) -> Result<(), WireError> {
        let Self::Bytes(packed) = self else {
            out.push(unzigzag(self.varint(number)?));
            return Ok(());
        };
        let mut reader = Reader::new(packed);
        while !reader.rest.is_empty() {
            out.push(unzigzag(reader.varint()?));
        }
        Ok(())
    }
}

/// A signed number from its `sint` form.
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u64) {
    put_varint(out, u64::from(number) << 3 | wire_type);
}

/// Writes a number; 0 is the default and not written.
pub(crate) fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_present_number(out, number, value);
    }
}

/// Writes a number even when it is 0, for a field whose presence says something.
pub(crate) fn put_present_number(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, VARINT);
    put_varint(out, value);
}

/// Writes a signed number in its `sint` form; 0 is the default and not written.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: u32, value: i64) {
    put_number(out, number, zigzag(value));
}

/// Writes a double; positive zero is the default and not written.
pub(crate) fn put_double(out: &mut Vec<u8>, number: u32, value: f64) {
    if value.to_bits() != 0 {
        put_present_double(out, number, value);
    }
}

/// Writes a double even when it is zero, for a field whose presence says something.
pub(crate) fn put_present_double(out: &mut Vec<u8>, number: u32, value: f64) {
    put_tag(out, number, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Writes bytes with their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, LENGTH);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes doubles packed; none are not written.
pub(crate) fn put_doubles(out: &mut Vec<u8>, number: u32, values: &[f64]) {
    if values.is_empty() {
        return;
    }
    put_tag(out, number, LENGTH);
    put_varint(out, 8 * values.len() as u64);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Writes signed numbers packed; none are not written.
pub(crate) fn put_packed_signed(
    out: &mut Vec<u8>,
    number: u32,
    values: impl Iterator<Item = i64> + Clone,
) {
    let length: usize = values.clone().map(|value| varint_len(zigzag(value))).sum();
    if length == 0 {
        return;
    }
    put_tag(out, number, LENGTH);
    put_varint(out, length as u64);
    for value in values {
        put_varint(out, zigzag(value));
    }
}

/// How many bytes a varint takes.
pub(crate) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// How many bytes [`put_bytes`] writes for a field number below 16.
pub(crate) fn bytes_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn damage_is_an_error() {
        for (name, bytes, expected) in [
            ("number cut", &[0x08, 0x80][..], WireError::Truncated),
            (
                "number too long",
                &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                WireError::LongNumber,
            ),
            ("length beyond the end", &[0x0a, 0x05, 1], WireError::Truncated),
            ("double cut", &[0x09, 1, 2], WireError::Truncated),
            ("field 0", &[0x00, 1], WireError::Tag),
            ("group", &[0x0b], WireError::Tag),
        ] {
            assert_eq!(Reader::new(bytes).field(), Err(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn property_numbers_survive(value: u64, signed: i64, double: f64) {
            let mut out = Vec::new();
            put_present_number(&mut out, 1, value);
            prop_assert_eq!(out.len(), 1 + varint_len(value));
            put_signed(&mut out, 2, signed);
            put_present_double(&mut out, 3, double);
            let mut reader = Reader::new(&out);
            let (_, field) = reader.field().unwrap().unwrap();
            prop_assert_eq!(field, Field::Varint(value));
            if signed != 0 {
                let (_, field) = reader.field().unwrap().unwrap();
                prop_assert_eq!(unzigzag(field.varint(2).unwrap()), signed);
            }
            let (_, field) = reader.field().unwrap().unwrap();
            prop_assert_eq!(field.double(3).unwrap().to_bits(), double.to_bits());
            prop_assert_eq!(reader.field(), Ok(None));
        }
    }
}
