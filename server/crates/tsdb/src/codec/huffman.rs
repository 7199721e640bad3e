//! Prefix codes of limited length (Huffman), lowest bit first.

/// The longest code: the table of a decoder has an entry for each value of so many bits.
pub(super) const MAX_LENGTH: u32 = 9;

/// The length of each symbol's code by how often the symbol occurs; 0 for those that do not occur.
/// At most `2^MAX_LENGTH` symbols may occur.
pub(super) fn lengths(counts: &[u32]) -> Vec<u8> {
    let mut lengths = vec![0; counts.len()];
    let mut used: Vec<(u32, usize)> =
        counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(s, &c)| (c, s)).collect();
    used.sort_unstable();
    let mut left = per_length(&used);
    // The rarest symbols get the longest codes.
    let mut length = MAX_LENGTH as usize;
    for (_, symbol) in used {
        while left[length] == 0 {
            length -= 1;
        }
        left[length] -= 1;
        lengths[symbol] = length as u8;
    }
    lengths
}

/// How many codes there are of each length. `used` has counts, ascending.
fn per_length(used: &[(u32, usize)]) -> [u32; MAX_LENGTH as usize + 1] {
    let mut per_length = [0; MAX_LENGTH as usize + 1];
    if used.len() < 2 {
        per_length[1] = used.len() as u32;
        return per_length;
    }
    let mut kraft = 0_u32;
    for depth in depths(used) {
        let length = depth.min(MAX_LENGTH);
        per_length[length as usize] += 1;
        kraft += 1 << (MAX_LENGTH - length);
    }
    // Codes that were cut short take more room than there is: others become longer until it fits.
    while kraft > 1 << MAX_LENGTH {
        let shorter = (1..MAX_LENGTH as usize).rev().find(|&length| per_length[length] > 0);
        let shorter = shorter.expect("2^MAX_LENGTH codes of the full length would fit");
        per_length[shorter] -= 1;
        per_length[shorter + 1] += 2;
        per_length[MAX_LENGTH as usize] -= 1;
        kraft -= 1;
    }
    per_length
}

/// How deep each leaf lies in Huffman's tree. Inner nodes come into being in order of their weight, so
/// two queues do.
fn depths(used: &[(u32, usize)]) -> impl Iterator<Item = u32> {
    let leaves = used.len();
    let nodes = 2 * leaves - 1;
    let mut weights: Vec<u64> = used.iter().map(|&(count, _)| u64::from(count)).collect();
    let mut parents = vec![0; nodes];
    let (mut leaf, mut inner) = (0, leaves);
    for node in leaves..nodes {
        let mut weight = 0;
        for _ in 0..2 {
            let is_leaf = leaf < leaves && (inner >= node || weights[leaf] <= weights[inner]);
            let next = if is_leaf { &mut leaf } else { &mut inner };
            weight += weights[*next];
            parents[*next] = node;
            *next += 1;
        }
        weights.push(weight);
    }
    let mut depths = vec![0_u32; nodes];
    for node in (0..nodes - 1).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    depths.into_iter().take(leaves)
}

/// The code of each symbol, its first bit lowest.
pub(super) fn codes(lengths: &[u8]) -> Vec<u16> {
    let mut codes = vec![0; lengths.len()];
    for (symbol, code, _) in ordered(lengths) {
        codes[symbol] = code;
    }
    codes
}

/// Symbols with their codes and lengths, in order of the symbols. Lengths are at most [`MAX_LENGTH`].
pub(super) fn ordered(lengths: &[u8]) -> impl Iterator<Item = (usize, u16, u8)> + '_ {
    let mut counts = [0_u32; MAX_LENGTH as usize + 1];
    for &length in lengths {
        counts[usize::from(length)] += 1;
    }
    // Where the codes of each length begin, counted in codes of the full length: shorter ones first.
    let mut next = [0_u32; MAX_LENGTH as usize + 1];
    for length in 1..MAX_LENGTH as usize {
        next[length + 1] = next[length] + (counts[length] << (MAX_LENGTH as usize - length));
    }
    let used = lengths.iter().enumerate().filter(|(_, length)| **length > 0);
    used.map(move |(symbol, &length)| {
        let place = &mut next[usize::from(length)];
        let code = (*place >> (MAX_LENGTH - u32::from(length))) as u16;
        *place += 1 << (MAX_LENGTH - u32::from(length));
        (symbol, code.reverse_bits() >> (16 - length), length)
    })
}

/// Whether codes of these lengths leave no sequence of bits without a meaning, and none with two. A
/// lone symbol has a code of one bit, which leaves the other bit unused.
pub(super) fn is_complete(lengths: &[u8]) -> bool {
    let mut used = lengths.iter().filter(|length| **length > 0);
    let kraft: u64 =
        used.clone().map(|&length| 1_u64 << MAX_LENGTH.saturating_sub(u32::from(length))).sum();
    let is_short = used.clone().all(|&length| u32::from(length) <= MAX_LENGTH);
    is_short && (kraft == 1 << MAX_LENGTH || (used.next() == Some(&1) && used.next().is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frequent_symbols_have_short_codes() {
        assert_eq!(lengths(&[8, 4, 0, 2, 1, 1]), [1, 2, 0, 3, 4, 4]);
        assert_eq!(lengths(&[0, 7]), [0, 1]);
        assert_eq!(lengths(&[]), [0_u8; 0]);
        assert_eq!(codes(&[1, 2, 0, 3, 3]), [0b0, 0b01, 0, 0b011, 0b111]);
    }

    proptest! {
        #[test]
        fn property_codes_are_complete_and_none_begins_with_another(
            counts in proptest::collection::vec(prop_oneof![Just(0), 1_u32..10, 1_u32..100_000], 2..300),
        ) {
            let lengths = lengths(&counts);
            let used = counts.iter().filter(|count| **count > 0).count();
            prop_assert_eq!(lengths.iter().filter(|length| **length > 0).count(), used);
            prop_assert!(used == 0 || is_complete(&lengths));
            let mut all: Vec<_> = ordered(&lengths).collect();
            all.sort_by_key(|(.., length)| *length);
            for (at, &(_, code, length)) in all.iter().enumerate() {
                for &(_, later, _) in &all[at + 1..] {
                    prop_assert_ne!(later & ((1 << length) - 1), code);
                }
            }
        }
    }
}
