//! Requests that wait to be sent on by remote write: a bounded queue for each endpoint that survives
//! restarts.
//!
//! It is a file of its own, so that neither samples nor alerts wait for it, and losing it loses nothing
//! else.

use std::path::Path;

use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    error::{Attempt, DbError},
    sqlite::Pools,
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../../migrations/sqlite/outgoing");

/// Requests deleted in one transaction.
const REQUESTS_PER_WRITE: i64 = 500;

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Where it goes, by name.
    pub endpoint: String,
    /// Its place in the order of its endpoint.
    pub seq: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created: i64,
    /// Which protocol the body is in.
    pub protocol: String,
    /// How many samples it holds.
    pub samples: u64,
    /// The body as it goes over the wire.
    pub body: Vec<u8>,
}

/// What waits for one endpoint, or what was dropped of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many requests.
    pub requests: u64,
    /// How many samples these hold.
    pub samples: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// The place of the last one; 0 when there is none.
    pub last_seq: u64,
}

/// The queue of outgoing requests, on SQLite.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pools: Pools,
}

impl Outgoing {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When it cannot be opened, written or migrated.
    pub async fn open(path: &Path) -> Result<Self, DbError> {
        Ok(Self { pools: Pools::open(path, &MIGRATIONS).await? })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// Adds requests, all or none. A request with the same place is replaced, so that this can be
    /// repeated.
    ///
    /// # Errors
    /// When they may not be on disk.
    pub async fn push(&self, requests: &[RequestRow]) -> Result<(), DbError> {
        const ACTION: &str = "queue outgoing requests";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        for request in requests {
            sqlx::query(
                "insert or replace into request
                        (endpoint, seq, created, protocol, samples, bytes, body)
                 values (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&request.endpoint)
            .bind(request.seq as i64)
            .bind(request.created)
            .bind(&request.protocol)
            .bind(request.samples as i64)
            .bind(request.body.len() as i64)
            .bind(&request.body)
            .execute(&mut *tx)
            .await
            .attempt(ACTION)?;
        }
        tx.commit().await.attempt(ACTION)
    }

    /// The oldest request of an endpoint; `None` when none waits.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn first(&self, endpoint: &str) -> Result<Option<RequestRow>, DbError> {
        let row = sqlx::query(
            "select endpoint, seq, created, protocol, samples, body
               from request
              where endpoint = ?
              order by seq
              limit 1",
        )
        .bind(endpoint)
        .fetch_optional(&self.pools.read)
        .await
        .attempt("read an outgoing request")?;
        Ok(row.as_ref().map(request_of))
    }

    /// Removes one request; removing what is not there succeeds.
    ///
    /// # Errors
    /// When it may still be there.
    pub async fn remove(&self, endpoint: &str, seq: u64) -> Result<(), DbError> {
        sqlx::query("delete from request where endpoint = ? and seq = ?")
            .bind(endpoint)
            .bind(seq as i64)
            .execute(&self.pools.write)
            .await
            .attempt("remove an outgoing request")?;
        Ok(())
    }

    /// Removes the oldest requests of an endpoint after the place `kept` until at least `bytes` are
    /// gone, and returns what was removed.
    ///
    /// # Errors
    /// When nothing may have been removed.
    pub async fn drop_oldest(
        &self,
        endpoint: &str,
        kept: u64,
        bytes: u64,
    ) -> Result<Backlog, DbError> {
        const ACTION: &str = "drop outgoing requests";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        let rows = sqlx::query(
            "select seq, samples, bytes
               from request
              where endpoint = ?
                and seq > ?
              order by seq
              limit ?",
        )
        .bind(endpoint)
        .bind(kept as i64)
        .bind(REQUESTS_PER_WRITE)
        .fetch_all(&mut *tx)
        .await
        .attempt(ACTION)?;
        let mut dropped = Backlog::default();
        for row in &rows {
            if dropped.bytes >= bytes {
                break;
            }
            dropped.requests += 1;
            dropped.last_seq = row.get::<i64, _>(0) as u64;
            dropped.samples += row.get::<i64, _>(1) as u64;
            dropped.bytes += row.get::<i64, _>(2) as u64;
        }
        sqlx::query("delete from request where endpoint = ? and seq > ? and seq <= ?")
            .bind(endpoint)
            .bind(kept as i64)
            .bind(dropped.last_seq as i64)
            .execute(&mut *tx)
            .await
            .attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)?;
        Ok(dropped)
    }

    /// What waits, by endpoint, ascending by name.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn backlogs(&self) -> Result<Vec<(String, Backlog)>, DbError> {
        let rows = sqlx::query(
            "select endpoint, count(*), sum(samples), sum(bytes), max(seq)
               from request
              group by endpoint
              order by endpoint",
        )
        .fetch_all(&self.pools.read)
        .await
        .attempt("count outgoing requests")?;
        Ok(rows
            .iter()
            .map(|row| {
                let backlog = Backlog {
                    requests: row.get::<i64, _>(1) as u64,
                    samples: row.get::<i64, _>(2) as u64,
                    bytes: row.get::<i64, _>(3) as u64,
                    last_seq: row.get::<i64, _>(4) as u64,
                };
                (row.get(0), backlog)
            })
            .collect())
    }
}

fn request_of(row: &SqliteRow) -> RequestRow {
    RequestRow {
        endpoint: row.get(0),
        seq: row.get::<i64, _>(1) as u64,
        created: row.get(2),
        protocol: row.get(3),
        samples: row.get::<i64, _>(4) as u64,
        body: row.get(5),
    }
}
