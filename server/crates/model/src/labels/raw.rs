//! Packing labels that came over a wire: bytes in order, most likely fit to be labels.

use std::ops::Range;

use super::{LabelsRef, push_length};

/// Packs labels that come in order as bytes. Whether they are UTF-8 is asked once, of all of them: a
/// length is ASCII, so no character can begin in one text and end in the next.
///
/// One packer can make any number of sets, one after the other, in the same memory.
#[derive(Debug, Default)]
pub struct RawLabelsPacker {
    packed: Vec<u8>,
    last_name: Range<usize>,
}

impl RawLabelsPacker {
    /// Starts another set.
    pub fn clear(&mut self) {
        self.packed.clear();
        self.last_name = 0..0;
    }

    /// Adds a label. Returns `false`, and adds nothing, when the name or value is empty or the name is
    /// not greater than the one added before.
    #[must_use]
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> bool {
        if value.is_empty() || name <= &self.packed[self.last_name.clone()] {
            return false;
        }
        push_length(&mut self.packed, name.len());
        let start = self.packed.len();
        self.packed.extend_from_slice(name);
        self.last_name = start..self.packed.len();
        push_length(&mut self.packed, value.len());
        self.packed.extend_from_slice(value);
        true
    }

    /// The finished set; `None` when something is no UTF-8.
    pub fn finish(&self) -> Option<LabelsRef<'_>> {
        std::str::from_utf8(&self.packed).ok().map(LabelsRef::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;
    use proptest::prelude::*;

    #[test]
    fn labels_come_in_order_and_are_never_empty() {
        let mut packer = RawLabelsPacker::default();
        for (name, value, is_taken) in [
            (&b""[..], &b"x"[..], false),
            (b"b", b"1", true),
            (b"b", b"2", false),
            (b"a", b"2", false),
            (b"c", b"", false),
            (b"d", b"3", true),
        ] {
            assert_eq!(packer.push(name, value), is_taken, "{name:?}");
        }
        let finish = |packer: &RawLabelsPacker| packer.finish().map(LabelsRef::to_labels);
        assert_eq!(finish(&packer), Some(Labels::from_pairs([("b", "1"), ("d", "3")])));
        packer.clear();
        assert_eq!(finish(&packer), Some(Labels::empty()));
    }

    proptest! {
        #[test]
        fn property_labels_are_utf8_when_each_of_their_texts_is(
            pairs in proptest::collection::btree_map(any_text(), any_text(), 0..4),
        ) {
            let mut packer = RawLabelsPacker::default();
            for (name, value) in &pairs {
                prop_assert!(packer.push(name, value));
            }
            let texts: Option<Vec<(&str, &str)>> = pairs
                .iter()
                .map(|(name, value)| {
                    Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
                })
                .collect();
            prop_assert_eq!(
                packer.finish().map(LabelsRef::to_labels),
                texts.map(Labels::from_pairs)
            );
        }
    }

    /// Parts of characters, and lengths beyond one digit.
    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            6 => Just(b'a'),
            2 => Just(0xc3),
            2 => Just(0xa9),
            1 => Just(0x80),
            1 => Just(b'@'),
        ];
        prop_oneof![
            4 => proptest::collection::vec(byte, 1..4),
            1 => (1_usize..2_000).prop_map(|length| vec![b'x'; length]),
        ]
    }
}
