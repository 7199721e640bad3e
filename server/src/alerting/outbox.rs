//! The adapter between the outbox worker and the database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use db::{
    DbError, Lease, Meta,
    meta::outbox::{GroupLogRow, LeasedRow, OutboxRow},
};
use model::Timestamp;
use notify::{
    Flush,
    outbox::{NewRow, OutboxStats, OutboxStore, Row, StoreError, StoreFuture},
};
use uuid::Uuid;

use crate::cluster::{Held, Leases, Role};

/// The outbox in the database. While another process sends what is in it, it looks empty.
#[derive(Debug)]
pub(crate) struct SqlOutbox {
    meta: Meta,
    leases: Arc<Leases>,
    /// The token of the lease under which it was last asked; 0 before.
    token: AtomicI64,
}

impl SqlOutbox {
    pub(crate) fn new(meta: Meta, leases: Arc<Leases>) -> Self {
        Self { meta, leases, token: AtomicI64::new(0) }
    }

    /// The lease to note with what became of an attempt. The attempt was made; whether that may still be
    /// noted is for the database to say.
    fn lease(&self) -> Result<Lease, StoreError> {
        let lost = || StoreError("another process sends notifications now".to_owned());
        self.leases.last(Role::Outbox).ok_or_else(lost)
    }

    /// Notes that the lease was lost when that is what an error says.
    fn noted(&self, lease: &Lease, error: DbError) -> StoreError {
        if matches!(error, DbError::TakenOver { .. }) {
            self.leases.lost(lease);
        }
        failed(error)
    }

    async fn take_due(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(Held { lease, .. }) = self.leases.held(Role::Outbox) else {
            return Ok(Vec::new());
        };
        if self.token.load(Ordering::Relaxed) != lease.token {
            // What whoever had it before was sending is sent again, under the same id.
            let taken = self.meta.take_over_outbox(&lease).await;
            let notifications = taken.map_err(|error| self.noted(&lease, error))?;
            self.token.store(lease.token, Ordering::Relaxed);
            if notifications > 0 {
                tracing::info!(notifications, "notifications of the process before go on");
            }
        }
        let leased = self.meta.lease_outbox(&lease, now, until, limit).await;
        let leased = leased.map_err(|error| self.noted(&lease, error))?;
        leased.into_iter().map(|row| row_of(row, now)).collect()
    }
}

fn row_of(row: LeasedRow, now: Timestamp) -> Result<Row, StoreError> {
    Ok(Row {
        id: row.id.parse().map_err(failed)?,
        destination: row.destination,
        kind: row.kind,
        dedup_key: row.dedup_key,
        seq: row.seq,
        payload: serde_json::from_str(&row.payload).map_err(failed)?,
        attempts: row.attempts,
        next_at: now,
        created_at: row.created_at,
    })
}

fn failed(error: impl Into<anyhow::Error>) -> StoreError {
    StoreError(format!("{:#}", error.into()))
}

/// What a flush writes: the group's log, and a row when somebody is told something.
pub(crate) fn rows_of(flush: &Flush, external_url: &str) -> (GroupLogRow, Option<OutboxRow>) {
    let log = GroupLogRow {
        group_key: flush.group_key().to_owned(),
        receiver: flush.destination().to_string(),
        at: flush.log.at,
        body: serde_json::to_string(&flush.log).expect("a group log has text keys only"),
    };
    let row = flush.row(external_url).map(|row| outbox_row(row, flush));
    (log, row)
}

fn outbox_row(row: NewRow, flush: &Flush) -> OutboxRow {
    let is_firing = flush.alerts.iter().any(|alert| alert.status == notify::AlertStatus::Firing);
    OutboxRow {
        id: row.id.to_string(),
        destination: row.destination,
        kind: row.kind,
        dedup_key: row.dedup_key,
        seq: row.seq,
        status: if is_firing { "firing" } else { "resolved" }.to_owned(),
        payload: row.payload.to_string(),
        created_at: row.created_at,
        next_at: row.created_at,
        episodes: flush.alerts.iter().map(|alert| alert.episode.to_string()).collect(),
    }
}

impl OutboxStore for SqlOutbox {
    fn lease(
        &self,
        now: Timestamp,
        limit: usize,
        lease_for: Duration,
    ) -> StoreFuture<'_, Vec<Row>> {
        Box::pin(async move {
            let until = now + lease_for.as_millis() as i64;
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            self.take_due(now, until, limit).await
        })
    }

    fn done(&self, id: Uuid, now: Timestamp, provider_ref: Option<String>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let lease = self.lease()?;
            let reference = provider_ref.unwrap_or_default();
            let marked = self.meta.outbox_sent(&lease, &id.to_string(), now, &reference).await;
            marked.map_err(|error| self.noted(&lease, error))
        })
    }

    fn retry(&self, id: Uuid, next_at: Timestamp, error: String) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let lease = self.lease()?;
            let marked = self.meta.outbox_retry(&lease, &id.to_string(), next_at, &error).await;
            marked.map_err(|error| self.noted(&lease, error))
        })
    }

    fn dead(&self, id: Uuid, _now: Timestamp, error: String) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let lease = self.lease()?;
            let marked = self.meta.outbox_dead(&lease, &id.to_string(), &error).await;
            marked.map_err(|error| self.noted(&lease, error))
        })
    }

    fn stats(&self) -> StoreFuture<'_, OutboxStats> {
        Box::pin(async move {
            let counts = self.meta.outbox_counts().await.map_err(failed)?;
            Ok(OutboxStats {
                waiting: counts.pending,
                dead: counts.dead,
                oldest_waiting: counts.oldest_pending,
            })
        })
    }
}

/// Logs a database error once, where it is handled.
pub(crate) fn log_failure(what: &str, error: &DbError) {
    tracing::error!(error = %model::text::causes(error), "{what}");
}
