//! How a SQLite file is opened: one writer, several readers, the write-ahead log, synced commits.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _,
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
    let open = |source| DbError::open(path, source);
    let write = SqlitePoolOptions::new()
        .max_connections(WRITERS)
        .connect_with(options.clone())
        .await
        .map_err(open)?;
    migrations.run(&write).await.map_err(|source| DbError::migrate_file(path, source))?;
    let read = SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_with(options.read_only(true))
        .await
        .map_err(open)?;
    Ok(Pools { write: Pool::Sqlite(write), read: Pool::Sqlite(read) })
}

/// Opens a file as it is now, for reading only: every read of the pools sees the same moment.
pub(crate) async fn open_snapshot(path: &Path) -> Result<Pools, DbError> {
    let snapshot = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute("begin").await?;
                connection.execute("select count(*) from sqlite_schema").await?;
                Ok(())
            })
        })
        .connect_with(read_only(path).await)
        .await
        .map_err(|source| DbError::open(path, source))?;
    Ok(Pools { write: Pool::Sqlite(snapshot.clone()), read: Pool::Sqlite(snapshot) })
}

/// How a file is opened that must not be changed, whether a server runs on it or not.
pub(crate) async fn read_only(path: &Path) -> SqliteConnectOptions {
    let options =
        SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
    // Without a log beside it nobody has the file open. Where a log cannot be made either, such as on a
    // medium that cannot be written, SQLite reads the file only when told that nobody will change it.
    let is_alone = !beside(path, "-wal").exists() && !beside(path, "-shm").exists();
    if is_alone && look(&options).await.is_err() {
        return options.immutable(true);
    }
    options
}

async fn look(options: &SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    connection.execute("select count(*) from sqlite_schema").await?;
    connection.close().await
}

/// A file that SQLite keeps beside a database: `-wal`, `-shm`.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
