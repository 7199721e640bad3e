//! How far a long command has come, on one line of the terminal.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use quantity::Unit;
use tokio::time::Instant;

/// The time between two changes of the line.
const PACE: Duration = Duration::from_millis(200);

/// A line on standard error that is written again and again; nothing where that is no terminal.
#[derive(Debug)]
pub(super) struct ProgressLine {
    title: &'static str,
    started: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl ProgressLine {
    pub(super) fn new(title: &'static str) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { title, started: Instant::now(), shown: None, is_terminal }
    }

    /// Since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says how far it has come: the share of `total`, the time left, and `what` was done. Without a
    /// total there is no share.
    pub(super) fn show(&mut self, done: u64, total: Option<u64>, what: impl FnOnce() -> String) {
        if !self.is_terminal || self.shown.is_some_and(|shown| shown.elapsed() < PACE) {
            return;
        }
        self.shown = Some(Instant::now());
        let share = total.map(|total| share(done, total, self.elapsed())).unwrap_or_default();
        let mut stderr = std::io::stderr();
        // When even stderr is gone there is nobody to tell.
        drop(write!(stderr, "\r\x1b[K{}: {share}{}", self.title, what()));
        drop(stderr.flush());
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown.is_some() {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

/// "42%, 8 s left, ".
fn share(done: u64, total: u64, elapsed: Duration) -> String {
    let ratio = (done as f64 / total.max(1) as f64).min(1.0);
    if ratio <= 0.0 {
        return "0%, ".to_owned();
    }
    let left = elapsed.as_secs_f64() * (1.0 - ratio) / ratio;
    let left = Duration::try_from_secs_f64(left.ceil()).unwrap_or(Duration::MAX);
    format!("{:.0}%, {} left, ", ratio * 100.0, model::duration::Pretty(left))
}

/// A number of bytes in the largest unit that fits.
pub(super) fn bytes(count: u64) -> String {
    Unit::Bytes.format(count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_share() {
        let second = Duration::from_secs(1);
        assert_eq!(share(0, 100, second), "0%, ");
        assert_eq!(share(25, 100, second), "25%, 3s left, ");
        assert_eq!(share(200, 100, second), "100%, 0s left, ");
    }
}
