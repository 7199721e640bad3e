//! Labels in order, each as what it does not share with the one before.

/// So few texts are compared with each other.
const FEW: usize = 16;

/// The bytes of a text that a key holds.
const KEY_BYTES: usize = 7;

/// Sorts by text, then by number.
///
/// The labels of a metric share most of their bytes, and there are a million of them after a start, so
/// they are not compared with each other: what all of a group share is skipped, the next bytes are a
/// number to sort by, and those that are equal in it are a group of their own.
pub(super) fn sort_by_text(all: &mut [(&str, u32)]) {
    let mut keys = Vec::new();
    // Where a group is, and how many bytes it is known to share.
    let mut groups = vec![(0..all.len(), 0)];
    while let Some((range, known)) = groups.pop() {
        let group = &mut all[range.clone()];
        if group.len() <= FEW {
            group.sort_unstable();
            continue;
        }
        let first = group[0].0.as_bytes();
        let shared = group.iter().fold(first.len(), |shared, (text, _)| {
            known + shared_bytes(&first[known..shared], &text.as_bytes()[known..])
        });
        keys.clear();
        keys.extend(group.iter().map(|row| (key(&row.0.as_bytes()[shared..]), *row)));
        keys.sort_unstable_by_key(|(key, _)| *key);
        let mut start = range.start;
        for equal in keys.chunk_by(|a, b| a.0 == b.0) {
            let end = start + equal.len();
            let sorted = &mut all[start..end];
            for (place, (_, row)) in sorted.iter_mut().zip(equal) {
                *place = *row;
            }
            if has_more(equal[0].0) {
                groups.push((start..end, shared + KEY_BYTES));
            } else {
                sorted.sort_unstable_by_key(|row| row.1);
            }
            start = end;
        }
    }
}

/// The first bytes as a number that is in order as they are, and how many there are up to one more.
fn key(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(KEY_BYTES);
    bytes[..length].copy_from_slice(&text[..length]);
    bytes[KEY_BYTES] = text.len().min(KEY_BYTES + 1) as u8;
    u64::from_be_bytes(bytes)
}

/// Whether the text goes on after what its key holds.
fn has_more(key: u64) -> bool {
    key & 0xff > KEY_BYTES as u64
}

/// How many bytes two texts share at the start, cut at a character.
pub(super) fn shared_prefix(a: &str, b: &str) -> usize {
    let mut shared = shared_bytes(a.as_bytes(), b.as_bytes());
    while !b.is_char_boundary(shared) {
        shared -= 1;
    }
    shared
}

fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    const WORD: usize = 8;
    let words = a.chunks_exact(WORD).zip(b.chunks_exact(WORD)).take_while(|(a, b)| a == b);
    let words = words.count() * WORD;
    let rest = a[words..].iter().zip(&b[words..]).take_while(|(a, b)| a == b);
    words + rest.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_texts_are_sorted_as_by_comparing(
            texts in proptest::collection::vec("(a{0,9}|aaaaaaaé|aaaaaaaè){0,2}[\0ab]{0,3}", 0..200),
        ) {
            let mut rows: Vec<(&str, u32)> = texts.iter().map(String::as_str).zip(0..).collect();
            rows.reverse();
            let mut expected = rows.clone();
            expected.sort_unstable();
            sort_by_text(&mut rows);
            prop_assert_eq!(rows, expected);
        }

        #[test]
        fn property_a_shared_prefix_is_the_longest(
            a in "(aaaaaaaa){0,3}[éèa]{0,9}", b in "(aaaaaaaa){0,3}[éèa]{0,9}",
        ) {
            let shared = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
            let expected: usize = shared.map(|(a, _)| a.len_utf8()).sum();
            prop_assert_eq!(shared_prefix(&a, &b), expected);
        }
    }
}
