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
//! Source: `promql/promqltest/README.md` in Prometheus. The forms it calls deprecated (`eval_fail`,
//! `eval_warn`, `eval_info`, `eval_ordered`, `expected_fail_message`, `expected_fail_regexp`) work too.

mod classic;
mod command;
mod compare;
mod memory;
mod notation;
mod run;

#[cfg(test)]
mod tests;

pub use memory::MemoryStorage;
pub use notation::{NotationError, SequenceValue, SeriesLine, parse_labels, parse_series};
pub use run::{Failure, Report, run_script};
