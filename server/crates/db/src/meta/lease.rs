//! The lease on a database that several processes share: who has it is the only one that writes.
//!
//! It runs out unless it is renewed, so that another process takes over from one that died. A process
//! that was only too slow finds out at its next write: with [`Lease`] in hand, each of its transactions
//! first checks, and locks until its end, that the lease has the same token still. A takeover waits for
//! such a transaction, and no later one of the former holder succeeds.
//!
//! Times are those of the database, because the clocks of its clients differ: the one exception to the
//! rule that verbs take the times they write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::{
    Meta, Samples,
    error::{Attempt, DbError},
    sql::{Engine, Transaction, query},
};

/// The one lease there is.
const NAME: &str = "server";

/// No lease is held, and none is needed to write.
const UNFENCED: i64 = 0;

/// The token without which a store may not write; shared by the stores of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fence(Arc<AtomicI64>);

/// The right to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Rises with each change of the holder.
    pub token: i64,
}

/// What asking for the lease led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is ours.
    Granted(Lease),
    /// Somebody else has it: the holder, as it named itself.
    Held(String),
}

/// Why a write was refused.
#[derive(Debug, thiserror::Error)]
#[error("another server took over the database")]
pub(crate) struct TakenOver;

impl Fence {
    fn set(&self, lease: &Lease) {
        self.0.store(lease.token, Ordering::Release);
    }

    /// Whether writes are checked.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) != UNFENCED
    }

    /// Fails when the lease has another holder, and else keeps it so until the transaction ends.
    pub(crate) async fn check(&self, tx: &mut Transaction) -> Result<(), sqlx::Error> {
        let token = self.0.load(Ordering::Acquire);
        if token == UNFENCED {
            return Ok(());
        }
        let lock = match tx.engine() {
            // Its one writer excludes all others.
            Engine::Sqlite => "",
            Engine::Postgres => " for share",
        };
        let sql = format!("select token from lease where name = $1 and token = $2{lock}");
        match query(&sql).bind(NAME).bind(token).fetch_optional(tx).await? {
            Some(_) => Ok(()),
            None => Err(sqlx::Error::AnyDriverError(Box::new(TakenOver))),
        }
    }
}

impl Samples {
    /// Has every write from now on check that the lease is still held.
    pub fn fence(&self, lease: &Lease) {
        self.pools.fence.set(lease);
    }
}

impl Meta {
    /// Has every write from now on check that the lease is still held.
    pub fn fence(&self, lease: &Lease) {
        self.pools.fence.set(lease);
    }

    /// Takes the lease when nobody has it or when it ran out. It then lasts for `lasts`.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn take_lease(&self, holder: &str, lasts: Duration) -> Result<Asked, DbError> {
        const ACTION: &str = "take the lease";
        let now = self.now();
        let taken = query(&format!(
            "insert into lease (name, holder, token, expires_at)
             values ($1, $2, 1, {now} + $3)
             on conflict (name) do update
                set holder = excluded.holder,
                    token = lease.token + 1,
                    expires_at = excluded.expires_at
              where lease.expires_at <= {now}
             returning token",
        ))
        .bind(NAME)
        .bind(holder)
        .bind(lasts.as_millis() as i64)
        .fetch_optional(&self.pools.write)
        .await
        .attempt(ACTION)?;
        if let Some(row) = taken {
            return Ok(Asked::Granted(Lease { token: row.get(0) }));
        }
        let held = query("select holder from lease where name = $1")
            .bind(NAME)
            .fetch_optional(&self.pools.read)
            .await
            .attempt(ACTION)?;
        Ok(Asked::Held(held.map(|row| row.get(0)).unwrap_or_default()))
    }

    /// Has the lease last for `lasts` from now on, also when it ran out and nobody took it. `false` when
    /// somebody else has it.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn renew_lease(&self, lease: &Lease, lasts: Duration) -> Result<bool, DbError> {
        let now = self.now();
        let renewed = query(&format!(
            "update lease
                set expires_at = {now} + $1
              where name = $2
                and token = $3",
        ))
        .bind(lasts.as_millis() as i64)
        .bind(NAME)
        .bind(lease.token)
        .execute(self.pools.write.unfenced())
        .await
        .attempt("renew the lease")?;
        Ok(renewed > 0)
    }

    /// Gives the lease back, so that nobody has to wait until it runs out. Nothing happens when somebody
    /// else has it.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn return_lease(&self, lease: &Lease) -> Result<(), DbError> {
        query("update lease set expires_at = 0 where name = $1 and token = $2")
            .bind(NAME)
            .bind(lease.token)
            .execute(self.pools.write.unfenced())
            .await
            .attempt("return the lease")?;
        Ok(())
    }

    /// The database's time in milliseconds since the Unix epoch, as an expression.
    fn now(&self) -> &'static str {
        match self.pools.write.engine() {
            Engine::Sqlite => "cast(unixepoch('subsec') * 1000 as integer)",
            Engine::Postgres => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        }
    }
}
