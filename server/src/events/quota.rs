//! How much each sender may send.

use std::collections::HashMap;

use ingest::SourceId;
use model::Timestamp;

const MINUTE_MS: f64 = 60_000.0;
/// All senders together may send as much as this many: sender addresses can be forged.
const SENDERS: f64 = 10.0;

/// What is left of an allowance.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn full(capacity: f64, now: Timestamp) -> Self {
        Self { left: capacity, at: now }
    }

    /// Fills up what the time since the last call earned.
    fn refill(&mut self, capacity: f64, now: Timestamp) {
        let elapsed_ms = (now - self.at).max(0) as f64;
        self.left = (self.left + elapsed_ms * capacity / MINUTE_MS).min(capacity);
        self.at = now;
    }
}

/// An allowance per minute for each sender, which may be used up at once. Senders are at most as many
/// as have a number.
#[derive(Debug)]
pub(super) struct Quota {
    per_minute: f64,
    all: Option<Bucket>,
    senders: HashMap<SourceId, Bucket>,
}

impl Quota {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute: f64::from(per_minute), all: None, senders: HashMap::new() }
    }

    /// Uses one up; false when nothing is left.
    pub(super) fn take(&mut self, sender: SourceId, now: Timestamp) -> bool {
        let capacities = [self.per_minute * SENDERS, self.per_minute];
        let all = self.all.get_or_insert_with(|| Bucket::full(capacities[0], now));
        let own = self.senders.entry(sender);
        let own = own.or_insert_with(|| Bucket::full(capacities[1], now));
        let mut buckets = [all, own];
        for (bucket, capacity) in buckets.iter_mut().zip(capacities) {
            bucket.refill(capacity, now);
        }
        let is_allowed = buckets.iter().all(|bucket| bucket.left >= 1.0);
        if is_allowed {
            for bucket in buckets {
                bucket.left -= 1.0;
            }
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(quota: &mut Quota, sender: u32, now: Timestamp, tries: usize) -> usize {
        (0..tries).filter(|_| quota.take(SourceId(sender), now)).count()
    }

    #[test]
    fn a_sender_has_its_minute_at_once_and_then_what_time_brings() {
        let mut quota = Quota::new(60);
        assert_eq!(taken(&mut quota, 1, 0, 100), 60);
        assert_eq!(taken(&mut quota, 1, 500, 100), 0);
        assert_eq!(taken(&mut quota, 1, 2_000, 100), 2);
        assert_eq!(taken(&mut quota, 2, 2_000, 100), 60);
        assert_eq!(taken(&mut quota, 1, 3_600_000, 100), 60);
    }

    #[test]
    fn many_senders_together_have_ten_times_as_much() {
        let mut quota = Quota::new(60);
        let total: usize = (0..100).map(|sender| taken(&mut quota, sender, 0, 60)).sum();
        assert_eq!(total, 600);
    }

    #[test]
    fn a_clock_that_is_set_back_earns_nothing_and_blocks_nothing() {
        let mut quota = Quota::new(60);
        assert_eq!(taken(&mut quota, 1, 100_000, 60), 60);
        assert_eq!(taken(&mut quota, 1, 0, 10), 0);
        assert_eq!(taken(&mut quota, 1, 1_000, 10), 1);
    }
}
