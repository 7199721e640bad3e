//! The adapter between the outbox worker and the database.

use std::time::Duration;

use db::{
    DbError, Meta,
    meta::outbox::{GroupLogRow, OutboxRow},
};
use model::Timestamp;
use notify::{
    Flush,
    outbox::{NewRow, OutboxStats, OutboxStore, Row, StoreError, StoreFuture},
};
use uuid::Uuid;

/// The outbox in the database.
#[derive(Debug, Clone)]
pub(crate) struct SqlOutbox(pub(crate) Meta);

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
            let leased = self.0.lease_outbox(now, until, limit).await.map_err(failed)?;
            leased
                .into_iter()
                .map(|row| {
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
                })
                .collect()
        })
    }

    fn done(&self, id: Uuid, now: Timestamp, provider_ref: Option<String>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let reference = provider_ref.unwrap_or_default();
            self.0.outbox_sent(&id.to_string(), now, &reference).await.map_err(failed)
        })
    }

    fn retry(&self, id: Uuid, next_at: Timestamp, error: String) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.0.outbox_retry(&id.to_string(), next_at, &error).await.map_err(failed)
        })
    }

    fn dead(&self, id: Uuid, _now: Timestamp, error: String) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.0.outbox_dead(&id.to_string(), &error).await.map_err(failed) })
    }

    fn stats(&self) -> StoreFuture<'_, OutboxStats> {
        Box::pin(async move {
            let counts = self.0.outbox_counts().await.map_err(failed)?;
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
