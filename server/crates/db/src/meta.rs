//! Everything but samples: people, alerts, the outbox, the uptime ledger, events and service checks.

pub mod alerts;
pub mod checks;
pub mod events;
pub mod monitors;
pub mod outbox;
pub mod people;

use std::path::Path;

use crate::{error::Attempt, error::DbError, sqlite::Pools};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../../migrations/sqlite/meta");

/// The store of everything but samples, on SQLite. The verbs are in the modules, by noun.
#[derive(Debug, Clone)]
pub struct Meta {
    pools: Pools,
}

impl Meta {
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

    /// A small fact by name.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, DbError> {
        sqlx::query_scalar("select value from setting where name = ?")
            .bind(name)
            .fetch_optional(&self.pools.read)
            .await
            .attempt("read a setting")
    }

    /// Sets a small fact.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), DbError> {
        sqlx::query(
            "insert into setting (name, value)
             values (?, ?)
             on conflict (name) do update set value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&self.pools.write)
        .await
        .attempt("write a setting")?;
        Ok(())
    }
}
