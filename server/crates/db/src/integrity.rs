//! Whether a SQLite file is sound, apart from what its rows mean.

use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _, SqliteConnection};

use crate::{
    error::{self, Attempt, DbError},
    sqlite,
};

/// The most faults that are told; a file that is torn has as many as pages.
const MAX_FAULTS: usize = 100;

/// Reads every page of a file and tells what is wrong with it, in SQLite's words; nothing when it is
/// sound. A server may run on the file; it is not changed.
///
/// # Errors
/// When the file cannot be opened or is no database.
pub async fn check(path: &Path) -> Result<Vec<String>, DbError> {
    let mut connection = sqlite::read_only(path)
        .await
        .foreign_keys(true)
        .connect()
        .await
        .map_err(|source| DbError::open(path, source))?;
    let faults = match faults(&mut connection).await {
        Ok(faults) => faults,
        Err(error) if error::is_torn(&error) => vec![error.to_string()],
        Err(error) => return Err(DbError::open(path, error)),
    };
    connection.close().await.attempt("close a database")?;
    Ok(faults)
}

async fn faults(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut faults = Vec::new();
    for row in connection.fetch_all("pragma integrity_check(100)").await? {
        let text: String = row.try_get(0)?;
        if text != "ok" {
            faults.extend(text.lines().map(str::to_owned));
        }
    }
    for row in connection.fetch_all("pragma foreign_key_check").await? {
        let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
        faults.push(format!("a row of {table} refers to a row of {parent} that does not exist"));
    }
    faults.truncate(MAX_FAULTS);
    Ok(faults)
}
