//! Everything but samples: people, alerts, the outbox, the uptime ledger, events and service checks.

pub mod alerts;
pub mod checks;
pub mod events;
pub mod monitors;
pub mod outbox;
pub mod people;

use std::path::Path;

use crate::{
    error::{Attempt, DbError},
    postgres::{self, Address},
    sql::{Pools, query},
    sqlite,
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../../migrations/sqlite/meta");

/// The store of everything but samples. The verbs are in the modules, by noun.
#[derive(Debug, Clone)]
pub struct Meta {
    pub(crate) pools: Pools,
}

impl Meta {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When it cannot be opened, written or migrated.
    pub async fn open(path: &Path) -> Result<Self, DbError> {
        Ok(Self { pools: sqlite::open(path, &MIGRATIONS).await? })
    }

    /// Connects to a PostgreSQL database, which may hold the other stores too.
    ///
    /// # Errors
    /// When it cannot be reached or migrated.
    pub async fn connect(address: &Address) -> Result<Self, DbError> {
        let migrations = sqlx::migrate!("../../../migrations/postgres/meta");
        Ok(Self { pools: postgres::open(address, migrations, "migration_meta").await? })
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
        let row = query("select value from setting where name = $1")
            .bind(name)
            .fetch_optional(&self.pools.read)
            .await
            .attempt("read a setting")?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Sets a small fact.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), DbError> {
        query(
            "insert into setting (name, value)
             values ($1, $2)
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
