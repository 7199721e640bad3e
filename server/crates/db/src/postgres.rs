//! How a PostgreSQL database is opened.

use std::{fmt, str::FromStr as _, time::Duration};

use sqlx::{
    Connection as _, PgConnection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    error::DbError,
    sql::{Pool, Pools},
    watch::AddressError,
};

/// Of each store: a flush must not wait for a page that is written.
const WRITERS: u32 = 2;
const READERS: u32 = 4;
/// A database that is gone is reported soon: who writes keeps what it has and comes again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// The address of a PostgreSQL database. It may hold a password, so only host and database are shown.
#[derive(Clone)]
pub struct Address {
    options: PgConnectOptions,
}

impl Address {
    /// Takes `postgres://user@host:5432/database` apart; a password from elsewhere replaces the one in
    /// it. Connects to nothing.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn try_new(url: &str, password: Option<&str>) -> Result<Self, AddressError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(AddressError::Scheme);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| AddressError::Malformed)?;
        let options = password.iter().fold(options, |options, p| options.password(p));
        Ok(Self { options })
    }

    /// What connections are opened with.
    pub(crate) fn session(&self) -> PgConnectOptions {
        self.options.clone().application_name("bellwether").options([
            // A commit is on disk when it returns, whatever the database's default is.
            ("synchronous_commit", "on"),
            // A process that hangs must not keep a lease from being taken over.
            ("idle_in_transaction_session_timeout", "5s"),
        ])
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.options.get_database().unwrap_or(self.options.get_username());
        match self.options.get_socket() {
            Some(socket) => write!(f, "{database} at {}", socket.display()),
            None => {
                write!(f, "{database} at {}:{}", self.options.get_host(), self.options.get_port())
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Connects, and brings the schema up to date. Several stores may share a database: each notes its
/// migrations in a table of its own, `migrated`.
pub(crate) async fn open(
    address: &Address,
    mut migrations: Migrator,
    migrated: &'static str,
) -> Result<Pools, DbError> {
    let options = address.session();
    // A pool would try again and again, and tell in the end that it waited.
    let mut connection = PgConnection::connect_with(&options)
        .await
        .map_err(|source| DbError::Connect { address: address.to_string(), source })?;
    migrations.dangerous_set_table_name(migrated);
    migrations
        .run(&mut connection)
        .await
        .map_err(|source| DbError::migrate(address.to_string(), source))?;
    // A connection that breaks now breaks nothing.
    drop(connection.close().await);
    let pool = |connections| {
        let pool = PgPoolOptions::new().max_connections(connections);
        Pool::Postgres(pool.acquire_timeout(ACQUIRE_TIMEOUT).connect_lazy_with(options.clone()))
    };
    Ok(Pools { write: pool(WRITERS), read: pool(READERS) })
}
