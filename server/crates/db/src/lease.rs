//! Leases: what only one of several processes may do, and the token that each of its writes shows.
//!
//! A lease runs out unless it is renewed, so that another process takes over from one that died. One that
//! was only too slow finds out at its next write: the write first checks that the token is still the
//! newest, and keeps it so until its transaction ends. A takeover waits for such a transaction, and no
//! later one of the former holder succeeds.
//!
//! Times are the database's, because the clocks of its clients differ: the one exception to the rule that
//! verbs take the times they write.

use std::{sync::Arc, time::Duration};

use crate::{
    Meta,
    error::{Attempt, DbError},
    sql::{Engine, Pool, Transaction, query},
};

/// The right to do something, as long as nobody took it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What may be done.
    pub name: Arc<str>,
    /// Rises each time the lease is taken.
    pub token: i64,
}

/// When a lease that somebody holds is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// When it ran out.
    WhenExpired,
    /// At once: whoever holds it is known to be dead, and refused if it is not.
    AtOnce,
}

/// A lease that was just taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The lease.
    pub lease: Lease,
    /// When whoever held it before renewed it last, by the database's clock; `None` for the first.
    pub renewed_at: Option<i64>,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// What it allows.
    pub name: String,
    /// The holder, as it named itself.
    pub holder: String,
    /// Rises each time the lease is taken.
    pub token: i64,
    /// How long it lasts unless it is renewed; `None` when it ran out.
    pub lasts: Option<Duration>,
    /// For how long it has not been renewed.
    pub silent: Duration,
}

impl Pool {
    /// Begins a transaction that fails when the lease was taken over, and else keeps it from being taken
    /// over until it ends.
    pub(crate) async fn begin_with(
        &self,
        lease: &Lease,
        action: &'static str,
    ) -> Result<Transaction, DbError> {
        let mut tx = self.begin().await.attempt(action)?;
        let check = match self.engine() {
            // A write, because one writer excludes all others.
            Engine::Sqlite => {
                "update lease set token = token where name = $1 and token = $2 returning token"
            }
            Engine::Postgres => "select token from lease where name = $1 and token = $2 for share",
        };
        let check = query(check).bind(&*lease.name).bind(lease.token);
        match check.fetch_optional(&mut tx).await.attempt(action)? {
            Some(_) => Ok(tx),
            None => Err(DbError::TakenOver { action, lease: lease.name.to_string() }),
        }
    }
}

impl Meta {
    /// Takes those of the leases that are free, for as long as `lasts`, and returns them. All are taken in
    /// one transaction, so that of two processes that ask for the same ones, one gets all of them.
    ///
    /// # Errors
    /// When the commit may have failed; a lease that was taken all the same runs out.
    pub async fn take_leases(
        &self,
        names: &[&str],
        holder: &str,
        lasts: Duration,
        takeover: Takeover,
    ) -> Result<Vec<Taken>, DbError> {
        const ACTION: &str = "take a lease";
        let now = self.now();
        let is_free = match takeover {
            Takeover::WhenExpired => format!("lease.expires_at <= {now}"),
            Takeover::AtOnce => "true".to_owned(),
        };
        // In one order everywhere, so that nobody waits for somebody who waits.
        let mut names = names.to_vec();
        names.sort_unstable();
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        let mut taken = Vec::new();
        for name in names {
            let before = query("select renewed_at from lease where name = $1")
                .bind(name)
                .fetch_optional(&mut tx)
                .await
                .attempt(ACTION)?;
            let row = query(&format!(
                "insert into lease (name, holder, token, renewed_at, expires_at)
                 values ($1, $2, 1, {now}, {now} + $3)
                 on conflict (name) do update
                    set holder = excluded.holder,
                        token = lease.token + 1,
                        renewed_at = excluded.renewed_at,
                        expires_at = excluded.expires_at
                  where {is_free}
                 returning token",
            ))
            .bind(name)
            .bind(holder)
            .bind(lasts.as_millis() as i64)
            .fetch_optional(&mut tx)
            .await
            .attempt(ACTION)?;
            if let Some(row) = row {
                let lease = Lease { name: name.into(), token: row.get(0) };
                taken.push(Taken { lease, renewed_at: before.map(|row| row.get(0)) });
            }
        }
        tx.commit().await.attempt(ACTION)?;
        Ok(taken)
    }

    /// Has leases last for `lasts` from now on, also those that ran out and nobody took. Returns for each
    /// whether it is still held.
    ///
    /// # Errors
    /// When the commit may have failed.
    pub async fn renew_leases(
        &self,
        leases: &[Lease],
        lasts: Duration,
    ) -> Result<Vec<bool>, DbError> {
        const ACTION: &str = "renew a lease";
        let now = self.now();
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        let mut sorted: Vec<(usize, &Lease)> = leases.iter().enumerate().collect();
        sorted.sort_unstable_by_key(|(_, lease)| &lease.name);
        let mut held = vec![false; leases.len()];
        for (at, lease) in sorted {
            let renewed = query(&format!(
                "update lease
                    set renewed_at = {now},
                        expires_at = {now} + $1
                  where name = $2
                    and token = $3",
            ))
            .bind(lasts.as_millis() as i64)
            .bind(&*lease.name)
            .bind(lease.token)
            .execute(&mut tx)
            .await
            .attempt(ACTION)?;
            held[at] = renewed > 0;
        }
        tx.commit().await.attempt(ACTION)?;
        Ok(held)
    }

    /// Gives leases back, so that nobody has to wait until they run out. Nothing happens to those that
    /// somebody else has.
    ///
    /// # Errors
    /// When the commit may have failed; they run out then.
    pub async fn return_leases(&self, leases: &[Lease]) -> Result<(), DbError> {
        const ACTION: &str = "return a lease";
        let now = self.now();
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        let mut sorted: Vec<&Lease> = leases.iter().collect();
        sorted.sort_unstable_by_key(|lease| &lease.name);
        for lease in sorted {
            query(&format!(
                "update lease
                    set renewed_at = {now},
                        expires_at = {now}
                  where name = $1
                    and token = $2",
            ))
            .bind(&*lease.name)
            .bind(lease.token)
            .execute(&mut tx)
            .await
            .attempt(ACTION)?;
        }
        tx.commit().await.attempt(ACTION)
    }

    /// Who holds which lease, by name.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn leases(&self) -> Result<Vec<LeaseRow>, DbError> {
        let now = self.now();
        let rows = query(&format!(
            "select name, holder, token, expires_at - {now}, {now} - renewed_at
               from lease
              order by name",
        ))
        .fetch_all(&self.pools.read)
        .await
        .attempt("read the leases")?;
        let length = |ms: i64| Duration::from_millis(ms.max(0).unsigned_abs());
        Ok(rows
            .iter()
            .map(|row| LeaseRow {
                name: row.get(0),
                holder: row.get(1),
                token: row.get(2),
                lasts: Some(row.get::<i64>(3)).filter(|ms| *ms > 0).map(length),
                silent: length(row.get(4)),
            })
            .collect())
    }

    /// The database's time in milliseconds since the Unix epoch, as an expression.
    fn now(&self) -> &'static str {
        match self.pools.write.engine() {
            Engine::Sqlite => "cast(unixepoch('subsec') * 1000 as integer)",
            Engine::Postgres => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        }
    }
}
