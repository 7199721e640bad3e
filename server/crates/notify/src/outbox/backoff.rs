//! How long to wait before another attempt.

use std::time::Duration;

/// Exponential backoff with full jitter: a random length between zero and `base · 2^attempts`, at most
/// `cap`, so that many rows that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The upper bound after the first failure.
    pub base: Duration,
    /// The greatest upper bound.
    pub cap: Duration,
}

impl Default for Backoff {
    /// From 1 s to 5 min.
    fn default() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_mins(5) }
    }
}

impl Backoff {
    /// The wait after `failures` earlier failures; `random` is in `[0, 1)`. What the other side asked
    /// for (`after`) is waited at least, and the jitter comes on top of it.
    pub fn delay(&self, failures: u32, random: f64, after: Option<Duration>) -> Duration {
        let factor = 2_u32.saturating_pow(failures.min(31));
        let upper = self.base.saturating_mul(factor).min(self.cap);
        let jitter = Duration::from_millis((upper.as_millis() as f64 * random) as u64);
        match after {
            None => jitter,
            Some(after) => after.saturating_add(jitter.min(self.base)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_spread() {
        let backoff = Backoff::default();
        let after = Some(Duration::from_secs(7));
        for (failures, random, after, expected_ms) in [
            (0, 0.5, None, 500),
            (1, 0.5, None, 1_000),
            (4, 0.999, None, 15_984),
            (20, 0.5, None, 150_000),
            (u32::MAX, 0.0, None, 0),
            (0, 0.5, after, 7_500),
            (9, 0.5, after, 8_000),
        ] {
            let delay = backoff.delay(failures, random, after);
            assert_eq!(delay, Duration::from_millis(expected_ms), "{failures} {random}");
        }
    }
}
