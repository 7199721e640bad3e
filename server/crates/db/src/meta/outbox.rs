//! The outbox: notifications that are to be sent, and what became of them.
//!
//! A row goes `pending → leased → sent`, back to `pending` for a retry, or to `dead`. A lease that ran
//! out counts as pending: its worker died. Rows with the same destination and key go strictly in order
//! of `seq`.

use crate::{
    Lease, Meta,
    error::{Attempt, DbError, found},
    sql::{Engine, Query, Row, Transaction, query},
};

/// What an aggregation group last sent to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLogRow {
    /// The group.
    pub group_key: String,
    /// The receiver.
    pub receiver: String,
    /// When.
    pub at: i64,
    /// The dispatcher's own record, as JSON.
    pub body: String,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its identity, which the other side may use to recognize a repetition.
    pub id: String,
    /// Where to, as named by the configuration.
    pub destination: String,
    /// `email`, `webhook`, …
    pub kind: String,
    /// Rows that share it belong together.
    pub dedup_key: String,
    /// Order within the key.
    pub seq: i64,
    /// `firing` or `resolved`.
    pub status: String,
    /// What to send, as JSON.
    pub payload: String,
    /// When it was decided.
    pub created_at: i64,
    /// When to try it (next).
    pub next_at: i64,
    /// The episodes it tells of.
    pub episodes: Vec<String>,
}

/// A notification that a worker may now send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedRow {
    /// Its identity.
    pub id: String,
    /// Where to.
    pub destination: String,
    /// `email`, `webhook`, …
    pub kind: String,
    /// Rows that share it belong together.
    pub dedup_key: String,
    /// Order within the key.
    pub seq: i64,
    /// What to send.
    pub payload: String,
    /// How often it was tried before.
    pub attempts: u32,
    /// When it was decided.
    pub created_at: i64,
}

/// How far a notification got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its identity.
    pub id: String,
    /// Where to.
    pub destination: String,
    /// `email`, `webhook`, …
    pub kind: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// `pending`, `leased`, `sent` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was decided.
    pub created_at: i64,
    /// When the other side accepted it.
    pub sent_at: Option<i64>,
    /// The last error; empty when there was none.
    pub last_error: String,
}

/// How many notifications are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// When the oldest one that waits was decided.
    pub oldest_pending: Option<i64>,
    /// Waiting or being sent.
    pub pending: u64,
    /// Accepted by the other side.
    pub sent: u64,
    /// Given up.
    pub dead: u64,
}

impl Meta {
    /// All group logs.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn group_logs(&self) -> Result<Vec<GroupLogRow>, DbError> {
        let rows = query("select group_key, receiver, at, body from group_log")
            .fetch_all(&self.pools.read)
            .await
            .attempt("read group logs")?;
        Ok(rows
            .iter()
            .map(|row| GroupLogRow {
                group_key: row.get(0),
                receiver: row.get(1),
                at: row.get(2),
                body: row.get(3),
            })
            .collect())
    }

    /// Takes up to `limit` notifications that are due at `now`, oldest first, until `lease_until`.
    /// Of the rows with one destination and key only the first that is not done is taken.
    ///
    /// # Errors
    /// When the lease was taken over or the commit failed; then nothing is leased.
    pub async fn lease_outbox(
        &self,
        lease: &Lease,
        now: i64,
        lease_until: i64,
        limit: u32,
    ) -> Result<Vec<LeasedRow>, DbError> {
        const ACTION: &str = "lease notifications";
        let mut tx = self.pools.write.begin_with(lease, ACTION).await?;
        // One process asks at a time, but an old one may not have heard yet that it is not the one.
        let lock = match self.pools.write.engine() {
            Engine::Sqlite => "",
            Engine::Postgres => "for update of o skip locked",
        };
        let rows = query(&format!(
            "update outbox
                set state = 'leased',
                    lease_until = $1
              where id in (
                    select o.id
                      from outbox o
                     where ((o.state = 'pending' and o.next_at <= $2)
                            or (o.state = 'leased' and o.lease_until <= $3))
                       and not exists (
                           select 1
                             from outbox earlier
                            where earlier.destination = o.destination
                              and earlier.dedup_key = o.dedup_key
                              and earlier.seq < o.seq
                              and earlier.state in ('pending', 'leased'))
                     order by o.created_at, o.id
                     limit $4
                     {lock})
             returning id, destination, kind, dedup_key, seq, payload, attempts, created_at",
        ))
        .bind(lease_until)
        .bind(now)
        .bind(now)
        .bind(limit)
        .fetch_all(&mut tx)
        .await
        .attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)?;
        let mut leased: Vec<LeasedRow> = rows.iter().map(leased_of).collect();
        leased.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(leased)
    }

    /// Takes back what the holder before had leased, so that nobody waits until that runs out; returns how
    /// many. To be called once with a lease that was just taken. What the other side had accepted and the
    /// former holder could not note is sent again, under the same id.
    ///
    /// # Errors
    /// When the lease was taken over or the commit failed; then nothing changed.
    pub async fn take_over_outbox(&self, lease: &Lease) -> Result<u64, DbError> {
        let take_back = query(
            "update outbox
                set state = 'pending',
                    lease_until = null
              where state = 'leased'",
        );
        self.write_with(lease, "take back notifications", take_back).await
    }

    /// The other side accepted it.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when there is no such notification; or when the lease was taken over.
    pub async fn outbox_sent(
        &self,
        lease: &Lease,
        id: &str,
        at: i64,
        provider_ref: &str,
    ) -> Result<(), DbError> {
        let sent = query(
            "update outbox
                set state = 'sent',
                    attempts = attempts + 1,
                    lease_until = null,
                    sent_at = $1,
                    provider_ref = $2,
                    last_error = ''
              where id = $3",
        );
        let sent = sent.bind(at).bind(provider_ref).bind(id);
        let done = self.write_with(lease, "mark a notification as sent", sent).await?;
        found(done, "notification", id)
    }

    /// It failed and is tried again at `next_at`.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when there is no such notification; or when the lease was taken over.
    pub async fn outbox_retry(
        &self,
        lease: &Lease,
        id: &str,
        next_at: i64,
        error: &str,
    ) -> Result<(), DbError> {
        let retry = query(
            "update outbox
                set state = 'pending',
                    attempts = attempts + 1,
                    lease_until = null,
                    next_at = $1,
                    last_error = $2
              where id = $3",
        );
        let retry = retry.bind(next_at).bind(error).bind(id);
        let done = self.write_with(lease, "put a notification back", retry).await?;
        found(done, "notification", id)
    }

    /// It is given up: a dead letter.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when there is no such notification; or when the lease was taken over.
    pub async fn outbox_dead(&self, lease: &Lease, id: &str, error: &str) -> Result<(), DbError> {
        let dead = query(
            "update outbox
                set state = 'dead',
                    attempts = attempts + 1,
                    lease_until = null,
                    last_error = $1
              where id = $2",
        );
        let done = self.write_with(lease, "bury a notification", dead.bind(error).bind(id)).await?;
        found(done, "notification", id)
    }

    /// Runs one statement if the lease is held; returns how many rows it changed.
    async fn write_with(
        &self,
        lease: &Lease,
        action: &'static str,
        statement: Query<'_>,
    ) -> Result<u64, DbError> {
        let mut tx = self.pools.write.begin_with(lease, action).await?;
        let done = statement.execute(&mut tx).await.attempt(action)?;
        tx.commit().await.attempt(action)?;
        Ok(done)
    }

    /// The notifications about an episode, oldest first.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn deliveries(&self, episode: &str) -> Result<Vec<DeliveryRow>, DbError> {
        let rows = query(
            "select o.id, o.destination, o.kind, o.status, o.state, o.attempts, o.created_at,
                    o.sent_at, o.last_error
               from outbox_episode e
               join outbox o on o.id = e.outbox
              where e.episode = $1
              order by o.created_at, o.id",
        )
        .bind(episode)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read an alert's notifications")?;
        Ok(rows.iter().map(delivery_of).collect())
    }

    /// The newest dead letters, at most `limit`.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeliveryRow>, DbError> {
        let rows = query(
            "select id, destination, kind, status, state, attempts, created_at, sent_at, last_error
               from outbox
              where state = 'dead'
              order by created_at desc
              limit $1",
        )
        .bind(limit)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read dead letters")?;
        Ok(rows.iter().map(delivery_of).collect())
    }

    /// How many notifications are in which state.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn outbox_counts(&self) -> Result<OutboxCounts, DbError> {
        let row = query(
            "select count(*) filter (where state in ('pending', 'leased')),
                    count(*) filter (where state = 'sent'),
                    count(*) filter (where state = 'dead'),
                    min(created_at) filter (where state in ('pending', 'leased'))
               from outbox",
        )
        .fetch_one(&self.pools.read)
        .await
        .attempt("count notifications")?;
        let count = |i: usize| row.get::<i64>(i) as u64;
        Ok(OutboxCounts {
            oldest_pending: row.get(3),
            pending: count(0),
            sent: count(1),
            dead: count(2),
        })
    }

    /// Forgets notifications that were sent or buried and decided before `before`.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn forget_notifications(&self, before: i64) -> Result<u64, DbError> {
        let done = query("delete from outbox where state in ('sent', 'dead') and created_at < $1")
            .bind(before)
            .execute(&self.pools.write)
            .await
            .attempt("forget old notifications")?;
        Ok(done)
    }
}

pub(super) async fn insert_group_log(
    tx: &mut Transaction,
    log: &GroupLogRow,
) -> Result<(), sqlx::Error> {
    // Not `on conflict`: on PostgreSQL the key is indexed by its hash.
    query("delete from group_log where group_key = $1 and receiver = $2")
        .bind(&log.group_key)
        .bind(&log.receiver)
        .execute(&mut *tx)
        .await?;
    query("insert into group_log (group_key, receiver, at, body) values ($1, $2, $3, $4)")
        .bind(&log.group_key)
        .bind(&log.receiver)
        .bind(log.at)
        .bind(&log.body)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn insert_outbox(
    tx: &mut Transaction,
    row: &OutboxRow,
) -> Result<(), sqlx::Error> {
    query(
        "insert into outbox (id, destination, kind, dedup_key, seq, status, payload, state,
                             created_at, next_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9)",
    )
    .bind(&row.id)
    .bind(&row.destination)
    .bind(&row.kind)
    .bind(&row.dedup_key)
    .bind(row.seq)
    .bind(&row.status)
    .bind(&row.payload)
    .bind(row.created_at)
    .bind(row.next_at)
    .execute(&mut *tx)
    .await?;
    for episode in &row.episodes {
        query(
            "insert into outbox_episode (outbox, episode) values ($1, $2) on conflict do nothing",
        )
        .bind(&row.id)
        .bind(episode)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

fn leased_of(row: &Row) -> LeasedRow {
    LeasedRow {
        id: row.get(0),
        destination: row.get(1),
        kind: row.get(2),
        dedup_key: row.get(3),
        seq: row.get(4),
        payload: row.get(5),
        attempts: row.get(6),
        created_at: row.get(7),
    }
}

fn delivery_of(row: &Row) -> DeliveryRow {
    DeliveryRow {
        id: row.get(0),
        destination: row.get(1),
        kind: row.get(2),
        status: row.get(3),
        state: row.get(4),
        attempts: row.get(5),
        created_at: row.get(6),
        sent_at: row.get(7),
        last_error: row.get(8),
    }
}
