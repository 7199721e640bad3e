//! Copies of SQLite files as they were at one moment, while others write to them.
//!
//! The moment is the same for all files: their writers are locked out, one after the other, until every
//! copy has begun to read, which takes about a millisecond; then they go on and the copies are made from
//! what was there. A copy holds what the tables held, row by row; its pages are laid out anew. Left out are pages of blocks
//! that are gone or not there yet, which nobody would read: the file may be damaged where they are.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::error::{Attempt, DbError};

/// How long a writer may take to let go of a file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Tables that become large, and the column by whose values they are copied in parts, so that progress
/// shows.
const IN_PARTS: [(&str, &str); 2] = [("page", "block"), ("request", "endpoint")];

const ACTION: &str = "copy a database";

/// What is copied where. The target must not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPlan {
    /// The file in use.
    pub source: PathBuf,
    /// The copy to be.
    pub target: PathBuf,
}

/// A copy that has begun to read and has yet to be written.
#[derive(Debug)]
pub struct FileCopy {
    plan: CopyPlan,
    connection: SqliteConnection,
    total_bytes: u64,
}

/// Begins to read all files at one moment.
///
/// # Errors
/// When a file cannot be read or a target cannot be made, or when a writer does not pause for 30 s.
pub async fn begin(plans: Vec<CopyPlan>) -> Result<Vec<FileCopy>, DbError> {
    let mut copies = Vec::with_capacity(plans.len());
    for plan in plans {
        copies.push(FileCopy::open(plan).await?);
    }
    let mut locks = Vec::with_capacity(copies.len());
    for copy in &copies {
        locks.push(lock(&copy.plan.source).await?);
    }
    for copy in &mut copies {
        copy.start().await.attempt(ACTION)?;
    }
    for mut lock in locks {
        lock.execute("rollback").await.attempt(ACTION)?;
        lock.close().await.attempt(ACTION)?;
    }
    Ok(copies)
}

/// Locks the writers of a file out until the connection rolls back or is dropped.
async fn lock(path: &Path) -> Result<SqliteConnection, DbError> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .connect()
        .await
        .map_err(|source| DbError::open(path, source))?;
    connection.execute("begin immediate").await.map_err(|source| DbError::open(path, source))?;
    Ok(connection)
}

impl FileCopy {
    async fn open(plan: CopyPlan) -> Result<Self, DbError> {
        let mut connection = SqliteConnectOptions::new()
            .filename(&plan.target)
            .create_if_missing(true)
            // Half a copy is of no use, so none of this needs to survive a crash.
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(false)
            .busy_timeout(BUSY_TIMEOUT)
            .connect()
            .await
            .map_err(|source| DbError::open(&plan.target, source))?;
        sqlx::query("attach database $1 as source")
            .bind(plan.source.to_string_lossy().into_owned())
            .execute(&mut connection)
            .await
            .map_err(|source| DbError::open(&plan.source, source))?;
        Ok(Self { plan, connection, total_bytes: 0 })
    }

    /// From here on the copy sees the file as it is now.
    async fn start(&mut self) -> Result<(), sqlx::Error> {
        for setting in ["page_size", "auto_vacuum"] {
            let value = number(&mut self.connection, &format!("pragma source.{setting}")).await?;
            let statement = AssertSqlSafe(format!("pragma main.{setting} = {value}"));
            self.connection.execute(statement).await?;
        }
        self.connection.execute("begin").await?;
        // The first statement that reads a file decides what the transaction sees of it.
        number(&mut self.connection, "select count(*) from source.sqlite_schema").await?;
        self.total_bytes = size(&mut self.connection, "source").await?;
        Ok(())
    }

    /// How large the file is that is copied, in bytes; the copy is about as large.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Where the copy goes.
    pub fn target(&self) -> &Path {
        &self.plan.target
    }

    /// Makes the copy and syncs it to disk. `progress` is told how many bytes it has so far.
    ///
    /// # Errors
    /// When the file cannot be read or the copy cannot be written; then the copy is of no use.
    pub async fn run(mut self, progress: &mut (dyn FnMut(u64) + Send)) -> Result<(), DbError> {
        self.copy(progress).await.attempt(ACTION)?;
        self.connection.close().await.attempt(ACTION)?;
        let target = self.plan.target.clone();
        let synced = std::fs::File::open(&target).and_then(|file| file.sync_all());
        synced.map_err(sqlx::Error::Io).attempt("sync a copy to disk")
    }

    async fn copy(&mut self, progress: &mut (dyn FnMut(u64) + Send)) -> Result<(), sqlx::Error> {
        let (tables, others) = self.schema().await?;
        for (table, sql) in &tables {
            self.connection.execute(AssertSqlSafe(sql.clone())).await?;
            match IN_PARTS.iter().find(|(name, _)| name == table) {
                None => {
                    let all = format!("insert into main.{table} select * from source.{table}");
                    self.connection.execute(AssertSqlSafe(all)).await?;
                }
                Some((_, column)) => self.copy_in_parts(table, column, progress).await?,
            }
            progress(size(&mut self.connection, "main").await?);
        }
        for (_, sql) in others {
            self.connection.execute(AssertSqlSafe(sql)).await?;
        }
        for setting in ["application_id", "user_version"] {
            let value = number(&mut self.connection, &format!("pragma source.{setting}")).await?;
            let statement = AssertSqlSafe(format!("pragma main.{setting} = {value}"));
            self.connection.execute(statement).await?;
        }
        self.connection.execute("commit").await?;
        progress(size(&mut self.connection, "main").await?);
        Ok(())
    }

    async fn copy_in_parts(
        &mut self,
        table: &str,
        column: &str,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), sqlx::Error> {
        // What is not needed is not read.
        let needed =
            if table == "page" { "where block in (select id from source.block)" } else { "" };
        // Through text and quotes, because the parts are numbers in one table and names in another.
        let parts =
            format!("select distinct quote({column}) from source.{table} {needed} order by 1");
        let parts = self.connection.fetch_all(AssertSqlSafe(parts)).await?;
        for part in parts {
            let value: String = part.get(0);
            let copy = format!(
                "insert into main.{table} select * from source.{table} where {column} = {value}"
            );
            self.connection.execute(AssertSqlSafe(copy)).await?;
            progress(size(&mut self.connection, "main").await?);
        }
        Ok(())
    }

    /// Name and statement of the tables, and then of all else. Names are our own: letters and `_`.
    async fn schema(&mut self) -> Result<(Tables, Tables), sqlx::Error> {
        let rows = self
            .connection
            .fetch_all(
                "select name, sql, type = 'table'
                   from source.sqlite_schema
                  where sql is not null
                    and name not like 'sqlite\\_%' escape '\\'
                  order by rowid",
            )
            .await?;
        let (mut tables, mut others) = (Vec::new(), Vec::new());
        for row in rows {
            let list = if row.get::<bool, _>(2) { &mut tables } else { &mut others };
            list.push((row.get(0), row.get(1)));
        }
        Ok((tables, others))
    }
}

type Tables = Vec<(String, String)>;

async fn size(connection: &mut SqliteConnection, schema: &str) -> Result<u64, sqlx::Error> {
    let pages = number(connection, &format!("pragma {schema}.page_count")).await?;
    let bytes = number(connection, &format!("pragma {schema}.page_size")).await?;
    Ok(pages.unsigned_abs() * bytes.unsigned_abs())
}

async fn number(connection: &mut SqliteConnection, sql: &str) -> Result<i64, sqlx::Error> {
    connection.fetch_one(AssertSqlSafe(sql.to_owned())).await?.try_get_unchecked(0)
}
