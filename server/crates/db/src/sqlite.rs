//! How a SQLite file is opened: one writer, several readers, the write-ahead log, synced commits.

use std::{path::Path, time::Duration};

use sqlx::{
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    error::DbError,
    sql::{Pool, Pools},
};

/// SQLite allows one writer at a time; a pool of one makes the others queue in memory instead of
/// failing with "database is locked".
const WRITERS: u32 = 1;
const READERS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the file, creating it when it is missing, and brings its schema up to date.
pub(crate) async fn open(path: &Path, migrations: &Migrator) -> Result<Pools, DbError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let open = |source| DbError::Open { path: path.to_owned(), source };
    let write = SqlitePoolOptions::new()
        .max_connections(WRITERS)
        .connect_with(options.clone())
        .await
        .map_err(open)?;
    migrations
        .run(&write)
        .await
        .map_err(|source| DbError::Migrate { place: path.display().to_string(), source })?;
    let read = SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_with(options.read_only(true))
        .await
        .map_err(open)?;
    Ok(Pools { write: Pool::Sqlite(write), read: Pool::Sqlite(read) })
}
