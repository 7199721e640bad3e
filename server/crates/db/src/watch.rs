//! Database servers that others run, of which only the connections are counted.
//!
//! PostgreSQL, and MySQL or MariaDB. One connection is held for each and made anew when it breaks. A
//! role without rights is enough; PostgreSQL tells it the states of its own connections only, and the
//! role `pg_monitor` those of all.
//!
//! An address may hold a password, so neither it nor anything with it is in an error or in `Debug`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use sqlx::{
    Connection as _, Executor as _, MySqlConnection, PgConnection, Row as _,
    mysql::{MySqlConnectOptions, MySqlRow},
    postgres::{PgConnectOptions, PgRow},
};

use crate::error::{Attempt, DbError};

/// How many servers may connect, and what state they are in. The state is unknown of connections that
/// the role may not look at.
const POSTGRES_COUNTS: &str = "\
select
    coalesce(state, 'unknown') as state,
    count(*)::text as connections,
    count(*) filter (where wait_event_type = 'Lock')::text as waiting,
    current_setting('max_connections') as max
from pg_stat_activity
where backend_type = 'client backend' or (backend_type is null and datid is not null)
group by 1";

const MYSQL_COUNTS: &str = "\
show global status
where variable_name in ('Threads_connected', 'Threads_running', 'Connection_errors_max_connections')";

const MYSQL_MAX: &str = "show global variables where variable_name = 'max_connections'";

/// The kind of a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// PostgreSQL.
    PostgreSql,
    /// MySQL or MariaDB.
    MySql,
}

impl System {
    /// The word used in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PostgreSql => "postgresql",
            Self::MySql => "mysql",
        }
    }
}

/// The connections of a server at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Client connections, the one that asks among them.
    pub used: u64,
    /// The most that the server takes.
    pub max: u64,
    /// Connections that wait for a lock of another; `None` where the server does not tell.
    pub waiting: Option<u64>,
    /// Connections refused since the server's start because there were too many; `None` where it does
    /// not tell.
    pub refused_total: Option<u64>,
    /// Connections by what they do.
    pub by_state: BTreeMap<String, u64>,
}

/// Why an address is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It begins with something else.
    #[error("expected postgres://user@host:5432/database or mysql://user@host:3306/")]
    Scheme,
    /// The rest cannot be read.
    #[error("cannot be read; write characters such as @ and / in names as %40 and %2F")]
    Malformed,
}

enum Options {
    Postgres(PgConnectOptions),
    MySql(MySqlConnectOptions),
}

enum Open {
    Postgres(PgConnection),
    MySql(MySqlConnection),
}

/// A server whose connections are counted.
pub struct Watched {
    options: Options,
    /// `None` before the first time and after a failure.
    open: Option<Open>,
    address: String,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Watched {
    /// Takes an address apart; a password from elsewhere replaces the one in it. Connects to nothing.
    ///
    /// # Errors
    /// When it is no address of a server of these kinds.
    pub fn try_new(url: &str, password: Option<&str>) -> Result<Self, AddressError> {
        let (scheme, _) = url.split_once("://").ok_or(AddressError::Scheme)?;
        let (options, address) = match scheme {
            "postgres" | "postgresql" => {
                let options =
                    PgConnectOptions::from_str(url).map_err(|_| AddressError::Malformed)?;
                let options = password.iter().fold(options, |options, p| options.password(p));
                let address = match options.get_socket() {
                    Some(socket) => socket.display().to_string(),
                    None => format!("{}:{}", options.get_host(), options.get_port()),
                };
                (Options::Postgres(options.application_name("bellwether")), address)
            }
            "mysql" | "mariadb" => {
                let options =
                    MySqlConnectOptions::from_str(url).map_err(|_| AddressError::Malformed)?;
                let options = password.iter().fold(options, |options, p| options.password(p));
                let address = match options.get_socket() {
                    Some(socket) => socket.display().to_string(),
                    None => format!("{}:{}", options.get_host(), options.get_port()),
                };
                (Options::MySql(options), address)
            }
            _ => return Err(AddressError::Scheme),
        };
        Ok(Self { options, open: None, address })
    }

    /// Its kind.
    pub fn system(&self) -> System {
        match self.options {
            Options::Postgres(_) => System::PostgreSql,
            Options::MySql(_) => System::MySql,
        }
    }

    /// Host and port, or the path of the socket; no name and no secret.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Counts the connections. A future that is dropped before its end costs the connection, nothing
    /// else.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses or answers something else.
    pub async fn counts(&mut self) -> Result<ConnectionCounts, DbError> {
        // Taken out, so that a connection is only kept when all went well.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await.attempt("connect to a database server")?,
        };
        let counts = match &mut open {
            Open::Postgres(connection) => postgres_counts(connection).await,
            Open::MySql(connection) => mysql_counts(connection).await,
        };
        let counts = counts.attempt("count the connections of a database server")?;
        self.open = Some(open);
        Ok(counts)
    }

    async fn connect(&self) -> Result<Open, sqlx::Error> {
        match &self.options {
            Options::Postgres(options) => {
                PgConnection::connect_with(options).await.map(Open::Postgres)
            }
            Options::MySql(options) => {
                MySqlConnection::connect_with(options).await.map(Open::MySql)
            }
        }
    }
}

async fn postgres_counts(connection: &mut PgConnection) -> Result<ConnectionCounts, sqlx::Error> {
    let rows: Vec<PgRow> = connection.fetch_all(sqlx::raw_sql(POSTGRES_COUNTS)).await?;
    let mut counts = ConnectionCounts { waiting: Some(0), ..ConnectionCounts::default() };
    for row in rows {
        let text = |column: &str| row.try_get::<String, _>(column);
        let connections = number(&text("connections")?)?;
        counts.used += connections;
        counts.max = number(&text("max")?)?;
        counts.waiting = counts.waiting.zip(Some(number(&text("waiting")?)?)).map(|(a, b)| a + b);
        counts.by_state.insert(text("state")?.replace(' ', "_"), connections);
    }
    Ok(counts)
}

async fn mysql_counts(connection: &mut MySqlConnection) -> Result<ConnectionCounts, sqlx::Error> {
    let mut numbers = BTreeMap::new();
    for query in [MYSQL_COUNTS, MYSQL_MAX] {
        let rows: Vec<MySqlRow> = connection.fetch_all(sqlx::raw_sql(query)).await?;
        for row in rows {
            let name: String = row.try_get_unchecked(0)?;
            let value: String = row.try_get_unchecked(1)?;
            numbers.insert(name.to_ascii_lowercase(), number(&value)?);
        }
    }
    let of = |name: &str| numbers.get(name).copied();
    let used = of("threads_connected").ok_or(sqlx::Error::RowNotFound)?;
    let active = of("threads_running").unwrap_or_default().min(used);
    Ok(ConnectionCounts {
        used,
        max: of("max_connections").ok_or(sqlx::Error::RowNotFound)?,
        waiting: None,
        refused_total: of("connection_errors_max_connections"),
        by_state: [("active".to_owned(), active), ("idle".to_owned(), used - active)].into(),
    })
}

fn number(text: &str) -> Result<u64, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_names_and_secrets() {
        for (url, system, address) in [
            ("postgres://u:secret@db.example/app", System::PostgreSql, "db.example:5432"),
            ("postgresql://u@127.0.0.1:6432/", System::PostgreSql, "127.0.0.1:6432"),
            ("mysql://u:secret@db.example:3307/app", System::MySql, "db.example:3307"),
            ("mariadb://u@h/", System::MySql, "h:3306"),
            ("mysql://u:secret@h/?socket=/run/m.sock", System::MySql, "/run/m.sock"),
            ("postgres://u@h/?host=/run/postgresql", System::PostgreSql, "/run/postgresql"),
        ] {
            let watched = Watched::try_new(url, Some("other secret")).unwrap();
            assert_eq!((watched.system(), watched.address()), (system, address), "{url}");
            assert!(!format!("{watched:?}").contains("secret"), "{watched:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for (url, expected) in [
            ("db.example", AddressError::Scheme),
            ("redis://u:secret@h", AddressError::Scheme),
            ("postgres://u:secret@h:port/", AddressError::Malformed),
            ("mysql://[::1/", AddressError::Malformed),
        ] {
            let error = Watched::try_new(url, None).unwrap_err();
            assert_eq!(error, expected, "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
