//! Counting distinct members: exact up to [`MAX_EXACT`], then HyperLogLog.
//!
//! Members are known by a 64-bit hash that is the same in every shard, so counts merge. The estimate
//! is the one of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
//! section 3: good over the whole range, without tables of corrections. With 4096 registers its
//! standard error is 1.6 %.

use xxhash_rust::xxh3::xxh3_64;

/// Up to this many members the count is exact.
pub const MAX_EXACT: usize = 256;

const INDEX_BITS: u32 = 12;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The longest run that a register can see: the bits behind the index, and one.
const MAX_RANK: usize = 64 - INDEX_BITS as usize + 1;

/// The distinct members of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distinct {
    /// The hashes of the members, ascending.
    Exact(Vec<u64>),
    /// HyperLogLog's registers.
    Estimated(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    /// Adds a member.
    pub fn insert(&mut self, member: &[u8]) {
        self.insert_hash(xxh3_64(member));
    }

    fn insert_hash(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                if let Err(at) = hashes.binary_search(&hash) {
                    if hashes.len() < MAX_EXACT {
                        hashes.insert(at, hash);
                        return;
                    }
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    for member in hashes.iter().chain([&hash]) {
                        register(&mut registers, *member);
                    }
                    *self = Self::Estimated(registers);
                }
            }
            Self::Estimated(registers) => register(registers, hash),
        }
    }

    /// Adds all members of another set.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Exact(hashes)) => {
                for hash in hashes {
                    self.insert_hash(*hash);
                }
            }
            (Self::Estimated(mine), Self::Estimated(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(theirs) {
                    *mine = (*mine).max(*theirs);
                }
            }
            (Self::Exact(_), Self::Estimated(theirs)) => {
                let mine = std::mem::replace(self, Self::Estimated(theirs.clone()));
                self.merge(&mine);
            }
        }
    }

    /// How many members there are, a whole number.
    pub fn count(&self) -> f64 {
        match self {
            Self::Exact(hashes) => hashes.len() as f64,
            Self::Estimated(registers) => estimate(registers).round(),
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let index = (hash >> (64 - INDEX_BITS)) as usize;
    let rest = hash << INDEX_BITS;
    let rank = rest.leading_zeros().min(64 - INDEX_BITS) as u8 + 1;
    registers[index] = registers[index].max(rank);
}

fn estimate(registers: &[u8]) -> f64 {
    let mut histogram = [0_u32; MAX_RANK + 1];
    for rank in registers {
        histogram[usize::from(*rank).min(MAX_RANK)] += 1;
    }
    let m = REGISTERS as f64;
    let mut z = m * tau(1.0 - f64::from(histogram[MAX_RANK]) / m);
    for rank in (1..MAX_RANK).rev() {
        z = 0.5 * (z + f64::from(histogram[rank]));
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

/// The share of registers never touched, turned into their part of the estimate.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// The same for registers that are full.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set_of(members: impl IntoIterator<Item = u64>) -> Distinct {
        let mut set = Distinct::default();
        for member in members {
            set.insert(member.to_string().as_bytes());
        }
        set
    }

    #[test]
    fn small_sets_are_exact_and_large_ones_within_five_sigma() {
        for members in [0, 1, 2, 255, 256] {
            assert_eq!(set_of(0..members).count(), members as f64);
        }
        for members in [257, 1_000, 4_096, 20_000, 100_000, 1_000_000] {
            let estimate = set_of(0..members).count();
            let error = (estimate - members as f64).abs() / members as f64;
            assert!(error < 5.0 * 0.016, "{estimate} for {members}");
        }
    }

    proptest! {
        #[test]
        fn property_merging_equals_inserting(
            a in proptest::collection::vec(0_u64..2_000, 0..600),
            b in proptest::collection::vec(0_u64..2_000, 0..600),
        ) {
            let mut merged = set_of(a.iter().copied());
            merged.merge(&set_of(b.iter().copied()));
            prop_assert_eq!(merged, set_of(a.into_iter().chain(b)));
        }
    }
}
