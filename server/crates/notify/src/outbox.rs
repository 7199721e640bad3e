//! The outbox: notifications that are decided and not yet delivered.
//!
//! Rows are written in the transaction that made the decision, so a notification is never lost; the
//! [`Worker`] leases rows, sends them and marks them. If the process dies between the other side's
//! acceptance and the mark, the row is sent again under the same id, by which the other side can tell:
//! an `Idempotency-Key` for webhooks, the `Message-ID` for mails.
//!
//! States of a row: pending (due at `next_at`), leased (until the lease runs out, then pending again),
//! sent, dead.

mod backoff;
mod worker;

use std::time::Duration;

use model::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub use backoff::Backoff;
pub use worker::{Counts, Wake, Worker, WorkerOptions};

use crate::{notification::Notification, receivers::BoxFuture};

/// A row to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRow {
    /// Its identity, which is that of the notification.
    pub id: Uuid,
    /// Where it goes, `receiver/kind/position`.
    pub destination: String,
    /// The kind of destination: `email`, `webhook`.
    pub kind: String,
    /// Rows of one destination with the same key are delivered in order of `seq`. It is the group key.
    pub dedup_key: String,
    /// The order; unique for destination and key.
    pub seq: i64,
    /// The [`Notification`] as JSON.
    pub payload: Value,
    /// When it was decided; also when it is due first.
    pub created_at: Timestamp,
}

impl NewRow {
    /// The row of a notification.
    pub fn new(notification: &Notification, seq: i64) -> Self {
        Self {
            id: notification.id,
            destination: notification.destination.to_string(),
            kind: notification.destination.kind.as_str().to_owned(),
            dedup_key: notification.group_key.clone(),
            seq,
            payload: serde_json::to_value(notification)
                .expect("a notification has text keys only and serializes"),
            created_at: notification.at,
        }
    }
}

/// A leased row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its identity.
    pub id: Uuid,
    /// Where it goes.
    pub destination: String,
    /// The kind of destination.
    pub kind: String,
    /// Rows of one destination with the same key are delivered in order of `seq`.
    pub dedup_key: String,
    /// The order.
    pub seq: i64,
    /// The [`Notification`] as JSON.
    pub payload: Value,
    /// How often sending it was tried before.
    pub attempts: u32,
    /// When it was due.
    pub next_at: Timestamp,
    /// When it was decided.
    pub created_at: Timestamp,
}

/// How full the outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxStats {
    /// Rows neither sent nor dead.
    pub waiting: u64,
    /// Dead rows.
    pub dead: u64,
    /// When the oldest waiting row was decided.
    pub oldest_waiting: Option<Timestamp>,
}

/// The store failed; the text says what was attempted and why it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// The result of a store operation.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Where the outbox is kept. What a method did is durable when its future is ready.
pub trait OutboxStore: Send + Sync + std::fmt::Debug {
    /// Leases up to `limit` rows until `now + lease_for`, the longest due first.
    ///
    /// A row may be leased when it is due (`next_at <= now`) and not leased, or its lease has run out,
    /// and when it is the first by `seq` among the rows of its destination and key that are neither
    /// sent nor dead. So at most one row per destination and key is leased at a time.
    fn lease(&self, now: Timestamp, limit: usize, lease_for: Duration)
    -> StoreFuture<'_, Vec<Row>>;

    /// Marks a leased row as sent at `now`.
    fn done(&self, id: Uuid, now: Timestamp, provider_ref: Option<String>) -> StoreFuture<'_, ()>;

    /// Gives a leased row back, due at `next_at`, with one more attempt and the reason.
    fn retry(&self, id: Uuid, next_at: Timestamp, error: String) -> StoreFuture<'_, ()>;

    /// Marks a leased row as dead at `now`: it is kept and shown, and not tried again.
    fn dead(&self, id: Uuid, now: Timestamp, error: String) -> StoreFuture<'_, ()>;

    /// How full it is.
    fn stats(&self) -> StoreFuture<'_, OutboxStats>;
}

/// A fresh version 7 id for something decided at `at`.
pub fn new_id(at: Timestamp) -> Uuid {
    let ms = u64::try_from(at).unwrap_or(0);
    let time = uuid::Timestamp::from_unix_time(ms / 1_000, (ms % 1_000) as u32 * 1_000_000, 0, 0);
    Uuid::new_v7(time)
}

#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod tests;
