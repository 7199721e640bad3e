//! Monitors: what is watched, when it is probed, and the ledger that turns checks into uptime.
//!
//! ```text
//! config/monitors/*.yml ─▶ file ─▶ Monitor ─▶ schedule ─▶ probe ─▶ CheckResult ─▶ Board ─▶ Ledger
//!                                             /heartbeat/<token> ─────────────────▶┘         │
//!                                              rows to store, samples at each flush, views ◀─┘
//! ```
//!
//! Deliberately absent: SQL, HTTP routes and alert evaluation. The board is a plain struct without a
//! clock or a lock; the caller owns it, commits what it returns and feeds the generated rules
//! ([`rule::monitor_rules`]) to the one alert engine.
//!
//! Invariants:
//! - A monitor's timeline is a gapless run of half-open intervals with exact milliseconds;
//!   neighbors differ in state.
//! - Nobody having looked is `UNKNOWN`, never up and never down.
//! - There is one way to compute a percentage: [`percent`].
//!
//! Entry points: [`file::load`], [`board::Board`], [`schedule::run`], [`rule::monitor_rules`].

pub(crate) mod board;
pub(crate) mod file;
pub(crate) mod ledger;
pub(crate) mod monitor;
pub(crate) mod percent;
pub(crate) mod probe;
pub(crate) mod rule;
pub(crate) mod schedule;
