//! Prometheus's notation: `{count:4, sum:7.5, (1,2]:3, (2,4]:1}`.

use std::fmt;

use super::{Bucket, NativeHistogram};
use crate::number::Shortest;

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{},{}{}:{}",
            if self.lower_inclusive { '[' } else { '(' },
            Shortest::General(self.lower),
            Shortest::General(self.upper),
            if self.upper_inclusive { ']' } else { ')' },
            Shortest::General(self.count),
        )
    }
}

impl fmt::Display for NativeHistogram {
    /// Only populated buckets, ascending.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{count:{}, sum:{}",
            Shortest::General(self.count),
            Shortest::General(self.sum)
        )?;
        let mut negative: Vec<Bucket> = self.negative_buckets().collect();
        negative.reverse();
        let zero = (self.zero_count != 0.0).then(|| self.zero_bucket());
        for bucket in negative.into_iter().chain(zero).chain(self.positive_buckets()) {
            if bucket.count != 0.0 {
                write!(f, ", {bucket}")?;
            }
        }
        f.write_str("}")
    }
}
