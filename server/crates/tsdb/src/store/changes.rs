//! Since when which samples have changed, for whoever keeps results.
//!
//! What only adds newer samples leaves results for older times as they are. So it is enough to know,
//! for every moment, the oldest timestamp that was written or removed since: a few numbers, whatever
//! the number of series.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::Timestamp;

use super::Tsdb;

/// Changes whose oldest timestamps are this close, in milliseconds, count as one.
const GRANULARITY_MS: i64 = 5_000;
/// How many changes are remembered. Of what was before them nothing is known.
const MAX_CHANGES: usize = 20_000;

/// A moment in the life of a store, from [`Tsdb::moment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// The changes so far.
#[derive(Debug, Default)]
pub(super) struct Changes {
    last: u64,
    /// Number and oldest timestamp of changes, both ascending: a change that reaches further back
    /// replaces those before it.
    recent: VecDeque<(u64, Timestamp)>,
    /// Nothing is known of this change and those before it.
    forgotten: u64,
}

impl Changes {
    fn add(&mut self, oldest: Timestamp) {
        self.last += 1;
        let mut oldest = oldest;
        while let Some(&(_, before)) = self.recent.back() {
            if before < oldest.saturating_sub(GRANULARITY_MS) {
                break;
            }
            oldest = oldest.min(before);
            self.recent.pop_back();
        }
        self.recent.push_back((self.last, oldest));
        if self.recent.len() > MAX_CHANGES
            && let Some((number, _)) = self.recent.pop_front()
        {
            self.forgotten = number;
        }
    }

    fn since(&self, moment: Moment) -> Option<Timestamp> {
        if moment.0 < self.forgotten {
            return Some(Timestamp::MIN);
        }
        let first = self.recent.partition_point(|(number, _)| *number <= moment.0);
        self.recent.get(first).map(|(_, oldest)| *oldest)
    }
}

impl Tsdb {
    /// The present moment. What is read after it was asked shows all changes before it.
    pub fn moment(&self) -> Moment {
        Moment(self.changes().last)
    }

    /// The oldest timestamp of which something may have changed since a moment: samples that came,
    /// were replaced or went. `None` when nothing did. It may be a few seconds older than it need be.
    pub fn changed_since(&self, moment: Moment) -> Option<Timestamp> {
        self.changes().since(moment)
    }

    /// Tells that samples of this time or later are not what they were. To be called after readers can
    /// see it and before the caller of the store hears of it.
    pub(super) fn note_change(&self, oldest: Timestamp) {
        self.changes().add(oldest);
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) type SharedChanges = Mutex<Changes>;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn property_no_change_is_missed_and_few_are_made_up(
            changes in proptest::collection::vec(0_i64..100_000, 1..60),
        ) {
            let mut known = Changes::default();
            for &oldest in &changes {
                known.add(oldest);
            }
            for moment in 0..=changes.len() {
                let expected = changes[moment..].iter().min().copied();
                let found = known.since(Moment(moment as u64));
                prop_assert_eq!(found.is_some(), expected.is_some());
                if let (Some(found), Some(expected)) = (found, expected) {
                    prop_assert!(found <= expected);
                }
            }
        }
    }

    #[test]
    fn samples_that_only_become_newer_change_nothing_before_them() {
        let mut known = Changes::default();
        for second in 0..100 {
            known.add(second * 10_000);
        }
        assert_eq!(known.since(Moment(40)), Some(400_000));
        known.add(5_000);
        assert_eq!(known.since(Moment(40)), Some(0), "rounded to what came shortly before");
        assert_eq!(known.since(Moment(101)), None);
    }

    #[test]
    fn of_what_is_too_long_ago_everything_may_have_changed() {
        let mut known = Changes::default();
        for second in 0..MAX_CHANGES as i64 + 10 {
            known.add(second * 10_000);
        }
        assert_eq!(known.since(Moment(3)), Some(Timestamp::MIN));
        assert_eq!(known.since(Moment(10)), Some(100_000));
    }
}
