//! Whether the wall clock was set: it is compared with the clock that only ever goes on.

use std::time::Duration;

use model::Timestamp;

/// Less than this is how clocks are kept right, not set.
const TOLERATED_MS: i64 = 1_000;

/// Watches the wall clock from look to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockWatch {
    wall: Timestamp,
    monotonic: Duration,
}

impl ClockWatch {
    /// Begins to watch; `monotonic` counts from any moment.
    pub(super) fn new(wall: Timestamp, monotonic: Duration) -> Self {
        Self { wall, monotonic }
    }

    /// By how many milliseconds the wall clock was set since the look before, forward or back; 0 when it
    /// only went on. A machine that slept was set forward when it wakes.
    pub(super) fn step(&mut self, wall: Timestamp, monotonic: Duration) -> i64 {
        let passed = monotonic.saturating_sub(self.monotonic).as_millis() as i64;
        let step = wall - self.wall - passed;
        (self.wall, self.monotonic) = (wall, monotonic);
        if step.abs() < TOLERATED_MS { 0 } else { step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_the_wall_clock_went_on_more_or_less_than_time() {
        let at = Duration::from_millis;
        let mut watch = ClockWatch::new(1_000_000, at(50));
        for (name, wall, monotonic, expected) in [
            ("time passes", 1_010_000, 10_050, 0),
            ("kept right", 1_020_900, 20_050, 0),
            ("set forward", 4_620_900, 20_050, 3_600_000),
            ("goes on", 4_621_900, 21_050, 0),
            ("set back", 1_022_900, 22_050, -3_600_000),
            ("nothing passes", 1_022_900, 22_050, 0),
        ] {
            assert_eq!(watch.step(wall, at(monotonic)), expected, "{name}");
        }
    }
}
