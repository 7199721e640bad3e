//! Prometheus's test language: loading series, evaluating expressions, stating what they give.
//!
//! ```text
//! load 1m
//!   requests_total{path="/a"} 0+10x5
//!
//! eval instant at 5m rate(requests_total[5m])
//!   expect no_warn
//!   {path="/a"} 0.16666666666666666
//! ```
//!
//! A line `name@st -1m …` in a `load` tells since when the samples of the next line count. Instant cases
//! are evaluated once more as a step of a range and with their selectors fixed in time.
//!
//! Source: `promql/promqltest/README.md` in Prometheus. The forms it calls deprecated (`eval_fail`,
//! `eval_warn`, `eval_info`, `eval_ordered`, `expected_fail_message`, `expected_fail_regexp`) work too.

mod classic;
mod command;
mod compare;
mod memory;
mod notation;
mod pinned;
mod run;
mod starts;

#[cfg(test)]
mod tests;

pub use memory::MemoryStorage;
pub use notation::{NotationError, SequenceValue, SeriesLine, parse_labels, parse_series};
pub use run::{Failure, Report, run_script};
