//! When a group is evaluated.

use std::time::Duration;

use model::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

/// The times of a group's evaluations.
///
/// Without an interval every flush is one. With an interval time is cut into slots that begin at
/// `offset + k * interval`, where the offset is a hash of the group: the load is spread, and the
/// slots stay where they are over restarts. The first flush in a slot is the evaluation of that
/// slot; slots without one are counted as missed and not caught up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    interval_ms: Option<i64>,
    offset_ms: i64,
    last_slot: Option<i64>,
    missed: u64,
}

impl Schedule {
    /// The schedule of the group with this file and name. An interval of zero is none.
    pub fn new(file: &str, name: &str, interval: Option<Duration>) -> Self {
        let interval_ms = interval
            .map(|interval| i64::try_from(interval.as_millis()).unwrap_or(i64::MAX))
            .filter(|interval_ms| *interval_ms > 0);
        let hash = xxh3_64(format!("{file}\0{name}").as_bytes());
        let offset_ms = interval_ms.map_or(0, |interval_ms| (hash % interval_ms as u64) as i64);
        Self { interval_ms, offset_ms, last_slot: None, missed: 0 }
    }

    /// Whether the flush at `now` is an evaluation. Ask once per flush.
    ///
    /// The slot in which the process starts is left to the process before it. When time jumps back
    /// the schedule starts over.
    pub fn is_due(&mut self, now: Timestamp) -> bool {
        let Some(interval_ms) = self.interval_ms else {
            return true;
        };
        let slot = now.saturating_sub(self.offset_ms).div_euclid(interval_ms);
        let last = self.last_slot.replace(slot);
        match last {
            Some(last) if slot > last => {
                self.missed += (slot - last - 1) as u64;
                true
            }
            _ => false,
        }
    }

    /// How many slots had no flush.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_without_an_interval_runs_at_every_flush() {
        let mut schedule = Schedule::new("a.yml", "g", None);
        assert!([0, 10, 10, 5].into_iter().all(|now| schedule.is_due(now)));
        assert_eq!(schedule.missed(), 0);
    }

    #[test]
    fn a_slot_is_evaluated_once_at_its_first_flush() {
        let mut schedule = Schedule::new("a.yml", "g", Some(Duration::from_mins(1)));
        let start = 60_000 * 1000 + schedule.offset_ms;
        let due: Vec<i64> =
            (0..20).map(|i| i * 10_000).filter(|ms| schedule.is_due(start + ms + 7)).collect();
        assert_eq!(due, [60_000, 120_000, 180_000]);
    }

    #[test]
    fn missed_slots_are_counted_and_not_caught_up() {
        let mut schedule = Schedule::new("a.yml", "g", Some(Duration::from_mins(1)));
        let start = schedule.offset_ms;
        let due: Vec<bool> =
            [0, 250_000, 290_000, 300_000].iter().map(|ms| schedule.is_due(start + ms)).collect();
        assert_eq!(due, [false, true, false, true]);
        assert_eq!(schedule.missed(), 3);
    }

    #[test]
    fn a_clock_that_jumps_back_starts_the_slots_over() {
        let mut schedule = Schedule::new("a.yml", "g", Some(Duration::from_mins(1)));
        let start = schedule.offset_ms + 3_600_000;
        let due: Vec<bool> =
            [0, -600_000, -540_000].iter().map(|ms| schedule.is_due(start + ms)).collect();
        assert_eq!(due, [false, false, true]);
    }

    #[test]
    fn groups_are_spread_over_the_interval_and_stay_in_place() {
        let offset =
            |name: &str| Schedule::new("a.yml", name, Some(Duration::from_mins(1))).offset_ms;
        assert_eq!(offset("a"), offset("a"));
        assert_ne!(offset("a"), offset("b"));
        assert!((0..60_000).contains(&offset("a")));
    }
}
