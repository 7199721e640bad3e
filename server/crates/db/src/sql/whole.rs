//! A transaction on SQLite of which nothing is left when it fails.
//!
//! SQLite ends a transaction by itself when its commit finds no room. sqlx then counts it as open: what
//! follows becomes a savepoint of a transaction that nobody commits, and is lost though it was said to be
//! done. So a connection is closed unless its transaction was committed, and the pool opens another.

use std::ops::{Deref, DerefMut};

use sqlx::{Executor as _, Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};

/// Statements that happen together or not at all.
#[derive(Debug)]
pub(crate) struct WholeTransaction {
    connection: PoolConnection<Sqlite>,
    is_committed: bool,
}

impl WholeTransaction {
    pub(super) async fn begin(pool: &SqlitePool) -> Result<Self, sqlx::Error> {
        let mut begun = Self { connection: pool.acquire().await?, is_committed: false };
        begun.connection.execute("begin").await?;
        Ok(begun)
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.connection.execute("commit").await?;
        self.is_committed = true;
        Ok(())
    }
}

impl Deref for WholeTransaction {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for WholeTransaction {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Drop for WholeTransaction {
    fn drop(&mut self) {
        if !self.is_committed {
            self.connection.close_on_drop();
        }
    }
}
