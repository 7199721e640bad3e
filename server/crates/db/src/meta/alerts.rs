//! Alert instances, their transitions, and what was decided about notifying: one commit per
//! evaluation.

use super::outbox::{GroupLogRow, OutboxRow, insert_group_log, insert_outbox};
use crate::{
    Lease, Meta,
    error::{Attempt, DbError},
    sql::{Row, Transaction, query},
};

/// An episode of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRow {
    /// Its identity.
    pub episode: String,
    /// The alert's name.
    pub name: String,
    /// `pending`, `firing`, `recovering` or `resolved`.
    pub state: String,
    /// When its condition began to hold.
    pub active_at: i64,
    /// When it was over.
    pub resolved_at: Option<i64>,
    /// The rules engine's own record, as JSON.
    pub body: String,
}

/// A change of an instance's state.
#[derive(Debug, Clone, PartialEq)]
pub struct TransitionRow {
    /// The instance.
    pub episode: String,
    /// When.
    pub at: i64,
    /// The state after it.
    pub state: String,
    /// The value then; NaN is kept as null.
    pub value: f64,
    /// Why.
    pub reason: String,
}

/// Everything that one evaluation decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertCommit {
    /// New or changed instances.
    pub instances: Vec<InstanceRow>,
    /// Instances that never fired and are gone.
    pub dropped: Vec<String>,
    /// Appended to the history.
    pub transitions: Vec<TransitionRow>,
    /// What the aggregation groups last sent.
    pub group_logs: Vec<GroupLogRow>,
    /// Notifications to send.
    pub outbox: Vec<OutboxRow>,
}

impl AlertCommit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Meta {
    /// Commits what an evaluation decided: all of it or nothing.
    ///
    /// # Errors
    /// When the lease was taken over or the commit failed; then nothing changed.
    pub async fn commit_alerts(&self, lease: &Lease, commit: &AlertCommit) -> Result<(), DbError> {
        const ACTION: &str = "commit alert states";
        let mut tx = self.pools.write.begin_with(lease, ACTION).await?;
        for instance in &commit.instances {
            upsert_instance(&mut tx, instance).await.attempt(ACTION)?;
        }
        for transition in &commit.transitions {
            insert_transition(&mut tx, transition).await.attempt(ACTION)?;
        }
        for episode in &commit.dropped {
            query("delete from alert_instance where episode = $1")
                .bind(episode)
                .execute(&mut tx)
                .await
                .attempt(ACTION)?;
        }
        for log in &commit.group_logs {
            insert_group_log(&mut tx, log).await.attempt(ACTION)?;
        }
        for row in &commit.outbox {
            insert_outbox(&mut tx, row).await.attempt(ACTION)?;
        }
        tx.commit().await.attempt(ACTION)
    }

    /// Instances that are not over, and those that were over at or after `resolved_since`.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn live_instances(&self, resolved_since: i64) -> Result<Vec<InstanceRow>, DbError> {
        let rows = query(
            "select episode, name, state, active_at, resolved_at, body
               from alert_instance
              where state <> 'resolved'
                 or resolved_at >= $1
              order by active_at, episode",
        )
        .bind(resolved_since)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read live alerts")?;
        Ok(rows.iter().map(instance_of).collect())
    }

    /// The newest instances that are over, at most `limit`.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn resolved_instances(&self, limit: u32) -> Result<Vec<InstanceRow>, DbError> {
        let rows = query(
            "select episode, name, state, active_at, resolved_at, body
               from alert_instance
              where state = 'resolved'
              order by active_at desc
              limit $1",
        )
        .bind(limit)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read resolved alerts")?;
        Ok(rows.iter().map(instance_of).collect())
    }

    /// One instance.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn instance(&self, episode: &str) -> Result<Option<InstanceRow>, DbError> {
        let row = query(
            "select episode, name, state, active_at, resolved_at, body
               from alert_instance
              where episode = $1",
        )
        .bind(episode)
        .fetch_optional(&self.pools.read)
        .await
        .attempt("read an alert")?;
        Ok(row.as_ref().map(instance_of))
    }

    /// The history of an instance, oldest first.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn transitions(&self, episode: &str) -> Result<Vec<TransitionRow>, DbError> {
        let rows = query(
            "select episode, at, state, value, reason
               from alert_transition
              where episode = $1
              order by at, id",
        )
        .bind(episode)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read an alert's history")?;
        Ok(rows
            .iter()
            .map(|row| TransitionRow {
                episode: row.get(0),
                at: row.get(1),
                state: row.get(2),
                value: row.get::<Option<f64>>(3).unwrap_or(f64::NAN),
                reason: row.get(4),
            })
            .collect())
    }

    /// Forgets instances that were over before `before`, with their history.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn forget_instances(&self, before: i64) -> Result<u64, DbError> {
        let done =
            query("delete from alert_instance where state = 'resolved' and resolved_at < $1")
                .bind(before)
                .execute(&self.pools.write)
                .await
                .attempt("forget old alerts")?;
        Ok(done)
    }
}

async fn upsert_instance(tx: &mut Transaction, instance: &InstanceRow) -> Result<(), sqlx::Error> {
    query(
        "insert into alert_instance (episode, name, state, active_at, resolved_at, body)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (episode) do update
            set state = excluded.state,
                active_at = excluded.active_at,
                resolved_at = excluded.resolved_at,
                body = excluded.body",
    )
    .bind(&instance.episode)
    .bind(&instance.name)
    .bind(&instance.state)
    .bind(instance.active_at)
    .bind(instance.resolved_at)
    .bind(&instance.body)
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_transition(
    tx: &mut Transaction,
    transition: &TransitionRow,
) -> Result<(), sqlx::Error> {
    query(
        "insert into alert_transition (episode, at, state, value, reason)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(&transition.episode)
    .bind(transition.at)
    .bind(&transition.state)
    .bind(Some(transition.value).filter(|value| !value.is_nan()))
    .bind(&transition.reason)
    .execute(tx)
    .await?;
    Ok(())
}

fn instance_of(row: &Row) -> InstanceRow {
    InstanceRow {
        episode: row.get(0),
        name: row.get(1),
        state: row.get(2),
        active_at: row.get(3),
        resolved_at: row.get(4),
        body: row.get(5),
    }
}
