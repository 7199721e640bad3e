//! Counts what passed and what failed, over steps and over the tests inside them.

use crate::progress;
use anyhow::{Context as _, Result};
use std::fmt::{self, Display};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// What happened so far. Displayed as `N passed, N failed`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    /// One line for each step that failed, in order.
    pub(crate) failures: Vec<String>,
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Tally {
    /// Runs a step that counts as one.
    pub(crate) fn check<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        match progress::step(name, work) {
            Ok(value) => {
                self.passed += 1;
                Some(value)
            }
            Err(error) => {
                progress::note(format!("{error:#}"));
                self.fail(format!("{name}: {error:#}"));
                None
            }
        }
    }

    /// Runs a test program of cargo's and counts each of its tests. One that fails without having
    /// reported a failed test, because it does not compile or dies, counts as one.
    pub(crate) fn suite(&mut self, name: &str, command: &mut Command) {
        let mut counted = Counts::default();
        let result = progress::step(name, || stream(command, |line| counted.add_line(line)));
        self.passed += counted.passed;
        self.failed += counted.failed;
        match result {
            Ok(()) if counted.failed == 0 => {}
            Err(error) if counted.failed == 0 => self.fail(format!("{name}: {error:#}")),
            _ => self.failures.push(format!("{name}: {} failed", counted.failed)),
        }
    }

    /// Counts steps as failed that could not run.
    pub(crate) fn skip(&mut self, names: &[&str], reason: &str) {
        for name in names {
            self.fail(format!("{name}: not run, {reason}"));
        }
    }

    fn fail(&mut self, line: String) {
        self.failed += 1;
        self.failures.push(line);
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Adds the numbers of a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …`;
    /// any other line is without effect.
    fn add_line(&mut self, line: &str) {
        let Some((_, parts)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in parts.split("; ") {
            match part.split_once(' ').map(|(number, word)| (number.parse::<u64>(), word)) {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                _ => {}
            }
        }
    }
}

/// Runs a program, showing each line of its stdout at once and handing it to `each`.
fn stream(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut stdout = BufReader::new(child.stdout.take().context("stdout is piped")?);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).context("reading test output")? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        each(text.trim_end());
        line.clear();
    }
    let status = child.wait().context("waiting for cargo")?;
    anyhow::ensure!(status.success(), "{} failed ({status})", crate::command::shown(command));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn only_result_lines_are_counted() {
        let cases = [
            ("passed", "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured", (12, 0)),
            ("failed", "test result: FAILED. 3 passed; 2 failed; 0 ignored", (3, 2)),
            ("one test", "test store::reads ... ok", (0, 0)),
            ("prose", "all 12 passed; 3 failed", (0, 0)),
            ("no numbers", "test result: ok. many passed; none failed", (0, 0)),
        ];
        for (name, line, (passed, failed)) in cases {
            let mut counts = Counts::default();
            counts.add_line(line);
            assert_eq!(counts, Counts { passed, failed }, "{name}");
        }
    }

    #[test]
    fn a_suite_adds_up_all_its_programs() {
        let mut tally = Tally::default();
        let lines = "echo 'test result: ok. 2 passed; 0 failed'; echo 'test result: FAILED. 1 passed; 3 failed'; exit 101";
        tally.suite("unit", &mut shell(lines));
        assert_eq!(tally.to_string(), "3 passed, 3 failed");
        assert_eq!(tally.failures, ["unit: 3 failed"]);
    }

    #[test]
    fn a_suite_that_dies_without_a_failed_test_is_one_failure() {
        let mut tally = Tally::default();
        tally.suite("unit", &mut shell("echo 'test result: ok. 2 passed; 0 failed'; exit 134"));
        assert_eq!(tally.to_string(), "2 passed, 1 failed");
    }

    #[test]
    fn a_check_and_a_skipped_step_count_as_one_each() {
        let mut tally = Tally::default();
        assert_eq!(tally.check("fine", || Ok(7)), Some(7));
        assert_eq!(tally.check::<()>("broken", || anyhow::bail!("no compiler")), None);
        tally.skip(&["later"], "broken comes first");
        assert_eq!(tally.to_string(), "1 passed, 2 failed");
        assert_eq!(tally.failures, ["broken: no compiler", "later: not run, broken comes first"]);
    }
}
