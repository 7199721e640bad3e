//! Requests that wait to be sent on by remote write: a bounded queue for each endpoint that survives
//! restarts.
//!
//! It is a file of its own, so that neither samples nor alerts wait for it, and losing it loses nothing
//! else.

use std::path::Path;

use crate::{
    error::{Attempt, DbError},
    sql::{Pools, Row, query},
    sqlite,
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
        Ok(Self { pools: sqlite::open(path, &MIGRATIONS).await? })
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
            query(
                "insert or replace into request
                        (endpoint, seq, created, protocol, samples, bytes, body)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&request.endpoint)
            .bind(request.seq)
            .bind(request.created)
            .bind(&request.protocol)
            .bind(request.samples)
            .bind(request.body.len() as i64)
            .bind(&request.body)
            .execute(&mut tx)
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
        let row = query(
            "select endpoint, seq, created, protocol, samples, body
               from request
              where endpoint = $1
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
        query("delete from request where endpoint = $1 and seq = $2")
            .bind(endpoint)
            .bind(seq)
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
        let rows = query(
            "select seq, samples, bytes
               from request
              where endpoint = $1
                and seq > $2
              order by seq
              limit $3",
        )
        .bind(endpoint)
        .bind(kept)
        .bind(REQUESTS_PER_WRITE)
        .fetch_all(&mut tx)
        .await
        .attempt(ACTION)?;
        let mut dropped = Backlog::default();
        for row in &rows {
            if dropped.bytes >= bytes {
                break;
            }
            dropped.requests += 1;
            dropped.last_seq = row.get(0);
            dropped.samples += row.get::<u64>(1);
            dropped.bytes += row.get::<u64>(2);
        }
        query("delete from request where endpoint = $1 and seq > $2 and seq <= $3")
            .bind(endpoint)
            .bind(kept)
            .bind(dropped.last_seq)
            .execute(&mut tx)
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
        let rows = query(
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
                    requests: row.get(1),
                    samples: row.get(2),
                    bytes: row.get(3),
                    last_seq: row.get(4),
                };
                (row.get(0), backlog)
            })
            .collect())
    }
}

fn request_of(row: &Row) -> RequestRow {
    RequestRow {
        endpoint: row.get(0),
        seq: row.get(1),
        created: row.get(2),
        protocol: row.get(3),
        samples: row.get(4),
        body: row.get(5),
    }
}
