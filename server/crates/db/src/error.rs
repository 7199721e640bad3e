//! What can go wrong with a database.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The file cannot be opened or created.
    #[error("cannot open the database {path}; check that its folder exists and who owns it")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The file, its folder or the medium may not be written by this user.
    #[error(
        "cannot write to the database {path}; make the file, its folder and the files beside it \
         writable for the user the server runs as"
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// There is no room on the disk.
    #[error("cannot write to the database {path}; make room on its disk")]
    Full {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The file is something else.
    #[error(
        "{path} is not a database of Bellwether, or its beginning is damaged; bring back a backup with \
         `bellwether restore FROM --force`, see what is left with `bellwether check --data FOLDER` and \
         sqlite3's `.recover`, or move it away to start with an empty one"
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The file was a database and is damaged.
    #[error(
        "the database {path} is damaged; see how much with `bellwether check --data FOLDER`, and bring \
         back a backup with `bellwether restore FROM --force`, or what is left with sqlite3's `.recover`"
    )]
    Damaged {
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
    /// The schema is one that this version does not know.
    #[error(
        "the database {place} was written by a newer version of Bellwether; run that version, or bring \
         back a backup that was made before it"
    )]
    Newer {
        /// The file, or the database and its host.
        place: String,
        /// Why.
        #[source]
        source: MigrateError,
    },
    /// The schema cannot be brought up to date.
    #[error("cannot bring the tables of the database {place} up to date")]
    Migrate {
        /// The file, or the database and its host.
        place: String,
        /// Why.
        #[source]
        source: MigrateError,
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

impl DbError {
    /// Tells apart why a file could not be opened, because the remedies differ.
    pub(crate) fn open(path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        match code(&source) {
            Some(READ_ONLY) => Self::ReadOnly { path, source },
            Some(CORRUPT) => Self::Damaged { path, source },
            Some(FULL) => Self::Full { path, source },
            Some(NOT_A_DATABASE) => Self::NotADatabase { path, source },
            _ => Self::Open { path, source },
        }
    }

    /// Whether the contents of a database are damaged where they were to be read.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::NotADatabase { .. } => true,
            Self::Failed { source, .. } => is_corrupt(source),
            _ => false,
        }
    }

    /// A file whose schema could not be brought up to date.
    pub(crate) fn migrate_file(path: &Path, source: MigrateError) -> Self {
        match source {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
                if is_of_the_file(&source) =>
            {
                Self::open(path, source)
            }
            source => Self::migrate(path.display().to_string(), source),
        }
    }

    /// A database whose schema could not be brought up to date.
    pub(crate) fn migrate(place: String, source: MigrateError) -> Self {
        match source {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
                Self::Newer { place, source }
            }
            source => Self::Migrate { place, source },
        }
    }
}

const READ_ONLY: u32 = 8;
const IO: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const NOT_A_DATABASE: u32 = 26;

/// The primary code of an error of SQLite. Source: <https://www.sqlite.org/rescode.html>.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    Some(code.parse::<u32>().ok()? & 0xff)
}

fn is_of_the_file(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(READ_ONLY | CORRUPT | FULL | NOT_A_DATABASE))
}

/// Whether an error says that something could not be read from a disk or written to it.
pub(crate) fn is_of_the_disk(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(IO | FULL))
}

/// Whether an error says that a file is a database whose contents are damaged.
pub(crate) fn is_torn(error: &sqlx::Error) -> bool {
    code(error) == Some(CORRUPT)
}

/// Whether an error says that the contents of a file are damaged.
pub(crate) fn is_corrupt(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(CORRUPT | NOT_A_DATABASE))
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
