//! What can go wrong with a database.

use std::path::PathBuf;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The file cannot be opened or created.
    #[error("cannot open the database {path}; check that the folder exists and is writable")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The server cannot be reached, or lets nobody in.
    #[error(
        "cannot connect to the database {address}; check that the server runs and that user and \
         password are right"
    )]
    Connect {
        /// The database and its host, without names and secrets.
        address: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The schema cannot be brought up to date.
    #[error("cannot migrate the database {place}; was it written by a newer version?")]
    Migrate {
        /// The file, or the database and its host.
        place: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// There is already one with this name.
    #[error("{what} `{name}` exists already")]
    Conflict {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// There is none with this name.
    #[error("{what} `{name}` does not exist")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A database keeps the names of all nodes that ever wrote to it.
    #[error("the database has known 65,535 nodes; give nodes names that stay, see store.node")]
    TooManyNodes,
    /// What was handed to another process is not taken.
    #[error("too many {what} wait for the server that takes them")]
    TooManyWait {
        /// What waits.
        what: &'static str,
    },
    /// Another process has the lease that the write needs; nothing was written.
    #[error("could not {action}: the lease `{lease}` was taken over")]
    TakenOver {
        /// What was attempted.
        action: &'static str,
        /// The lease.
        lease: String,
    },
    /// The database refused, is full or is gone.
    #[error("could not {action}")]
    Failed {
        /// What was attempted.
        action: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}

/// Names the attempted action in an error of the driver.
pub(crate) trait Attempt<T> {
    /// Turns a driver's error into [`DbError::Failed`] with the action.
    fn attempt(self, action: &'static str) -> Result<T, DbError>;
}

impl<T> Attempt<T> for Result<T, sqlx::Error> {
    fn attempt(self, action: &'static str) -> Result<T, DbError> {
        self.map_err(|source| DbError::Failed { action, source })
    }
}

/// [`DbError::NotFound`] when a change touched no row.
pub(crate) fn found(rows: u64, what: &'static str, name: &str) -> Result<(), DbError> {
    if rows == 0 {
        return Err(DbError::NotFound { what, name: name.to_owned() });
    }
    Ok(())
}

/// [`DbError::Conflict`] when a unique constraint refused, else [`DbError::Failed`].
pub(crate) fn conflict(
    source: sqlx::Error,
    action: &'static str,
    what: &'static str,
    name: &str,
) -> DbError {
    match &source {
        sqlx::Error::Database(e) if e.is_unique_violation() => {
            DbError::Conflict { what, name: name.to_owned() }
        }
        _ => DbError::Failed { action, source },
    }
}
