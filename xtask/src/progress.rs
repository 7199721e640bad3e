//! What a person sees while a command works: a line when a step starts and one when it ends.

use anyhow::Result;
use std::fmt::{self, Display};
use std::time::Duration;

/// Measures how long steps take, for the reader only: nothing ever depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "progress lines show real elapsed time")]
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(self) -> Seconds {
        Seconds(self.0.elapsed())
    }
}

/// A length of time as people read it: `0.4 s`, `42 s`, `3 min 07 s`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.as_secs();
        match whole {
            0..10 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            10..60 => write!(f, "{whole} s"),
            _ => write!(f, "{} min {:02} s", whole / 60, whole % 60),
        }
    }
}

/// A failure whose every word is on the screen already; nothing may follow the last line.
#[derive(Debug)]
pub(crate) struct AlreadyReported;

impl Display for AlreadyReported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed, as reported above")
    }
}

impl std::error::Error for AlreadyReported {}

/// Runs `work` between a `==> name` line and one with the outcome and the time taken.
///
/// # Errors
/// Those of `work`, unchanged.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let stopwatch = Stopwatch::start();
    eprintln!("==> {name}");
    let result = work();
    let outcome = if result.is_ok() { "done" } else { "failed" };
    eprintln!("    {name}: {outcome}, {}", stopwatch.elapsed());
    result
}

/// One line below a step.
pub(crate) fn note(text: impl Display) {
    eprintln!("    {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_read_like_a_person_says_them() {
        let cases = [
            ("tenths below ten", Duration::from_millis(440), "0.4 s"),
            ("whole above ten", Duration::from_millis(42_900), "42 s"),
            ("a full minute", Duration::from_mins(1), "1 min 00 s"),
            ("minutes pad the seconds", Duration::from_secs(187), "3 min 07 s"),
        ];
        for (name, given, expected) in cases {
            assert_eq!(Seconds(given).to_string(), expected, "{name}");
        }
    }
}
