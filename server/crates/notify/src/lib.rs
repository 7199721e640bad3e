//! Who is told about alerts, when, and how it is made sure: the route tree, grouping, silences,
//! inhibition and mute times, the outbox worker and the receivers (mail and webhook).
//!
//! Deliberately absent: evaluating rules, storing anything, starting tasks, drawing pictures. The
//! [`Dispatcher`] is a state machine without a clock; what it decides is stored by the caller through
//! the [`outbox::OutboxStore`] in the same transaction as the state that led to it. The
//! [`outbox::Worker`] is a future the caller runs.
//!
//! Invariants:
//! - What is decided is delivered or visibly dead: a row leaves the outbox only when the other side has
//!   accepted it or will never accept it.
//! - A notification is sent twice only if the process died, or the store failed, between the other
//!   side's acceptance and the mark; both have the same id.
//! - For one destination and group, notifications arrive in the order of the decisions.
//! - A destination that was told that an alert fires is told its end, even if the alert is silenced, its
//!   route or rule is gone, or the process was restarted meanwhile.
//! - Secrets are shown by no `Debug`, no error and no log line.
//!
//! Entry points: [`config::Config::parse`], [`Dispatcher`], [`Flush::row`], [`outbox::Worker`],
//! [`receivers::Registry`].

pub mod alert;
pub mod config;
pub mod dedup;
pub mod dispatch;
pub mod group;
pub mod inhibit;
pub mod matchers;
pub mod mute;
pub mod net;
pub mod notification;
pub mod outbox;
pub mod receivers;
pub mod route;
pub mod secret;
pub mod silence;
pub mod telemetry;
pub mod threshold;

pub use alert::{Alert, AlertStatus};
pub use config::Config;
pub use dispatch::{Dispatcher, Tick};
pub use group::{Flush, Muted, Suppression};
pub use notification::Notification;
pub use threshold::{Comparison, Threshold};
