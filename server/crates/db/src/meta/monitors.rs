//! The uptime ledger: intervals and the state of each monitor.

use crate::{
    Lease, Meta,
    error::{Attempt, DbError},
    sql::{Row, query},
};

/// Half-open `[start, end)`; the open interval of a monitor has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntervalRow {
    /// The monitor's name.
    pub monitor: String,
    /// Inclusive.
    pub start_at: i64,
    /// Exclusive.
    pub end_at: Option<i64>,
    /// `up`, `degraded`, `down`, `unknown`, `maintenance` or `paused`.
    pub state: String,
    /// Why; may be empty.
    pub reason: String,
}

/// A monitor's counters between two checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorStateRow {
    /// The monitor's name.
    pub monitor: String,
    /// The ledger's own record, as JSON.
    pub body: String,
}

/// The most heartbeats that wait.
const MAX_BEATS: i64 = 10_000;

/// A heartbeat that waits for the process that keeps the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatRow {
    /// Its place in the order of arrival; given by the database.
    pub id: i64,
    /// When it came.
    pub at: i64,
    /// Which monitor it is for.
    pub token: String,
    /// Whether the job worked.
    pub is_up: bool,
    /// What the job said.
    pub message: String,
}

/// What one or more check results changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerCommit {
    /// Intervals to delete, by monitor and start: a retro-dated change cut them to nothing.
    pub removed: Vec<(String, i64)>,
    /// New or changed intervals.
    pub intervals: Vec<IntervalRow>,
    /// New or changed states.
    pub states: Vec<MonitorStateRow>,
    /// Heartbeats that waited and are taken in with this.
    pub beats: Vec<i64>,
}

impl Meta {
    /// Commits changes of the ledger: all of them or none.
    ///
    /// # Errors
    /// When the lease was taken over or the commit failed; then nothing changed.
    pub async fn commit_ledger(&self, lease: &Lease, commit: &LedgerCommit) -> Result<(), DbError> {
        const ACTION: &str = "commit the uptime ledger";
        let mut tx = self.pools.write.begin_with(lease, ACTION).await?;
        for (monitor, start_at) in &commit.removed {
            query("delete from monitor_interval where monitor = $1 and start_at = $2")
                .bind(monitor)
                .bind(*start_at)
                .execute(&mut tx)
                .await
                .attempt(ACTION)?;
        }
        for interval in &commit.intervals {
            query(
                "insert into monitor_interval (monitor, start_at, end_at, state, reason)
                 values ($1, $2, $3, $4, $5)
                 on conflict (monitor, start_at) do update
                    set end_at = excluded.end_at,
                        state = excluded.state,
                        reason = excluded.reason",
            )
            .bind(&interval.monitor)
            .bind(interval.start_at)
            .bind(interval.end_at)
            .bind(&interval.state)
            .bind(&interval.reason)
            .execute(&mut tx)
            .await
            .attempt(ACTION)?;
        }
        for state in &commit.states {
            query(
                "insert into monitor_state (monitor, body)
                 values ($1, $2)
                 on conflict (monitor) do update set body = excluded.body",
            )
            .bind(&state.monitor)
            .bind(&state.body)
            .execute(&mut tx)
            .await
            .attempt(ACTION)?;
        }
        for id in &commit.beats {
            query("delete from heartbeat where id = $1")
                .bind(*id)
                .execute(&mut tx)
                .await
                .attempt(ACTION)?;
        }
        tx.commit().await.attempt(ACTION)
    }

    /// Leaves a heartbeat to the process that keeps the ledger.
    ///
    /// # Errors
    /// When 10,000 wait because there is no such process, or the commit failed.
    pub async fn add_beat(&self, beat: &BeatRow) -> Result<(), DbError> {
        let added = query(
            "insert into heartbeat (at, token, is_up, message)
             select $1, $2, $3, $4
              where (select count(*) from heartbeat) < $5",
        )
        .bind(beat.at)
        .bind(&beat.token)
        .bind(beat.is_up)
        .bind(&beat.message)
        .bind(MAX_BEATS)
        .execute(&self.pools.write)
        .await
        .attempt("hand over a heartbeat")?;
        if added == 0 { Err(DbError::TooManyWait { what: "heartbeats" }) } else { Ok(()) }
    }

    /// Heartbeats that wait, oldest first, at most 1,000; [`LedgerCommit::beats`] removes them.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn waiting_beats(&self) -> Result<Vec<BeatRow>, DbError> {
        let rows = query(
            "select id, at, token, is_up, message
               from heartbeat
              order by id
              limit 1000",
        )
        .fetch_all(&self.pools.read)
        .await
        .attempt("read heartbeats that wait")?;
        Ok(rows
            .iter()
            .map(|row| BeatRow {
                id: row.get(0),
                at: row.get(1),
                token: row.get(2),
                is_up: row.get(3),
                message: row.get(4),
            })
            .collect())
    }

    /// Intervals that end after `since` or are open, by monitor and time.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn intervals(&self, since: i64) -> Result<Vec<IntervalRow>, DbError> {
        let rows = query(
            "select monitor, start_at, end_at, state, reason
               from monitor_interval
              where end_at is null
                 or end_at > $1
              order by monitor, start_at",
        )
        .bind(since)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read the uptime ledger")?;
        Ok(rows.iter().map(interval_of).collect())
    }

    /// Forgets intervals that ended before `before`.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn forget_intervals(&self, before: i64) -> Result<u64, DbError> {
        let done = query("delete from monitor_interval where end_at < $1")
            .bind(before)
            .execute(&self.pools.write)
            .await
            .attempt("forget old uptime")?;
        Ok(done)
    }

    /// The states of all monitors.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn monitor_states(&self) -> Result<Vec<MonitorStateRow>, DbError> {
        let rows = query("select monitor, body from monitor_state order by monitor")
            .fetch_all(&self.pools.read)
            .await
            .attempt("read monitor states")?;
        Ok(rows
            .iter()
            .map(|row| MonitorStateRow { monitor: row.get(0), body: row.get(1) })
            .collect())
    }
}

fn interval_of(row: &Row) -> IntervalRow {
    IntervalRow {
        monitor: row.get(0),
        start_at: row.get(1),
        end_at: row.get(2),
        state: row.get(3),
        reason: row.get(4),
    }
}
