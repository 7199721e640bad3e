//! Entries of hash tables that stand for something kept elsewhere.

/// A number with enough of a hash that a growing table need not hash anything again.
///
/// For `hashbrown::HashTable`: what the number stands for is compared by the caller.
#[derive(Debug, Clone, Copy)]
pub struct Tag {
    hash: u32,
    /// What the entry stands for.
    pub number: u32,
}

impl Tag {
    /// A number under a hash, of which the upper half is kept.
    pub fn new(hash: u64, number: u32) -> Self {
        Self { hash: (hash >> 32) as u32, number }
    }

    /// The hash as a table wants it: different at both ends.
    pub fn spread(self) -> u64 {
        u64::from(self.hash) << 32 | u64::from(self.hash)
    }

    /// Whether the kept part of the hash is the same.
    pub fn agrees_with(self, other: Self) -> bool {
        self.hash == other.hash
    }
}
