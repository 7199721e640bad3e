//! One way to say a statement to both engines.
//!
//! Nearly all statements are the same on SQLite and PostgreSQL: parameters are written `$1`, `$2` …,
//! which both take, and what a row is replaced by is said with `on conflict`. So verbs build a [`Query`],
//! run it on a [`Pool`] or in a [`Transaction`], and read [`Row`]s, and only what truly differs asks for
//! the [`Engine`].

use sqlx::{
    Arguments as _, AssertSqlSafe, Executor, PgPool, Postgres, Row as _, Sqlite, SqlitePool,
    pool::PoolConnection,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

mod whole;

use crate::error::is_of_the_disk;
use whole::WholeTransaction;

/// Which database is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Connections to a database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The connections of one store: those that write, and those that read.
#[derive(Debug, Clone)]
pub(crate) struct Pools {
    pub(crate) write: Pool,
    pub(crate) read: Pool,
}

/// Statements that happen together or not at all; they do not without [`Transaction::commit`].
#[derive(Debug)]
pub(crate) enum Transaction {
    Sqlite(WholeTransaction),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Where a statement runs.
#[derive(Debug)]
pub(crate) enum Target<'t> {
    Pool(&'t Pool),
    Transaction(&'t mut Transaction),
}

/// A row of an answer.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A parameter of a statement.
#[derive(Debug)]
pub(crate) enum Value<'q> {
    Integer(Option<i64>),
    Real(Option<f64>),
    Boolean(bool),
    Text(&'q str),
    OwnText(String),
    Bytes(&'q [u8]),
}

/// A statement with its parameters.
#[derive(Debug)]
pub(crate) struct Query<'q> {
    sql: String,
    values: Vec<Value<'q>>,
}

/// A statement; parameters are written `$1`, `$2` … and bound in that order.
pub(crate) fn query<'q>(sql: &str) -> Query<'q> {
    Query { sql: sql.to_owned(), values: Vec::new() }
}

impl<'q> Query<'q> {
    /// Binds the next parameter.
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds text of our own to the statement, never of anybody else.
    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a parameter where the statement ends so far.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.values.push(value.into());
        self.sql.push('$');
        self.sql.push_str(&self.values.len().to_string());
        self
    }

    /// Adds parameters with commas between them.
    pub(crate) fn push_list<V: Into<Value<'q>>>(
        &mut self,
        values: impl IntoIterator<Item = V>,
    ) -> &mut Self {
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.push_bind(value);
        }
        self
    }

    /// Runs the statement and returns how many rows it changed.
    pub(crate) async fn execute(self, on: impl Into<Target<'_>>) -> Result<u64, sqlx::Error> {
        match on.into() {
            Target::Pool(Pool::Sqlite(pool)) => {
                let mut connection = pool.acquire().await?;
                let done = self.execute_sqlite(&mut *connection).await;
                close_after_failure(&mut connection, &done);
                done
            }
            Target::Pool(Pool::Postgres(pool)) => self.execute_postgres(pool).await,
            Target::Transaction(Transaction::Sqlite(tx)) => self.execute_sqlite(&mut **tx).await,
            Target::Transaction(Transaction::Postgres(tx)) => {
                self.execute_postgres(&mut **tx).await
            }
        }
    }

    /// Runs the statement and returns all rows of the answer.
    pub(crate) async fn fetch_all(
        self,
        on: impl Into<Target<'_>>,
    ) -> Result<Vec<Row>, sqlx::Error> {
        match on.into() {
            Target::Pool(Pool::Sqlite(pool)) => {
                let mut connection = pool.acquire().await?;
                let done = self.fetch_sqlite(&mut *connection).await;
                close_after_failure(&mut connection, &done);
                done
            }
            Target::Pool(Pool::Postgres(pool)) => self.fetch_postgres(pool).await,
            Target::Transaction(Transaction::Sqlite(tx)) => self.fetch_sqlite(&mut **tx).await,
            Target::Transaction(Transaction::Postgres(tx)) => self.fetch_postgres(&mut **tx).await,
        }
    }

    /// The first row of the answer.
    pub(crate) async fn fetch_optional(
        self,
        on: impl Into<Target<'_>>,
    ) -> Result<Option<Row>, sqlx::Error> {
        Ok(self.fetch_all(on).await?.into_iter().next())
    }

    /// The first row of an answer that has one.
    pub(crate) async fn fetch_one(self, on: impl Into<Target<'_>>) -> Result<Row, sqlx::Error> {
        self.fetch_optional(on).await?.ok_or(sqlx::Error::RowNotFound)
    }

    async fn execute_sqlite<'e>(
        self,
        on: impl Executor<'e, Database = Sqlite>,
    ) -> Result<u64, sqlx::Error> {
        let arguments = self.sqlite_arguments()?;
        let done = sqlx::query_with(AssertSqlSafe(self.sql), arguments).execute(on).await?;
        Ok(done.rows_affected())
    }

    async fn execute_postgres<'e>(
        self,
        on: impl Executor<'e, Database = Postgres>,
    ) -> Result<u64, sqlx::Error> {
        let arguments = self.postgres_arguments()?;
        let done = sqlx::query_with(AssertSqlSafe(self.sql), arguments).execute(on).await?;
        Ok(done.rows_affected())
    }

    async fn fetch_sqlite<'e>(
        self,
        on: impl Executor<'e, Database = Sqlite>,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let arguments = self.sqlite_arguments()?;
        let rows = sqlx::query_with(AssertSqlSafe(self.sql), arguments).fetch_all(on).await?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }

    async fn fetch_postgres<'e>(
        self,
        on: impl Executor<'e, Database = Postgres>,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let arguments = self.postgres_arguments()?;
        let rows = sqlx::query_with(AssertSqlSafe(self.sql), arguments).fetch_all(on).await?;
        Ok(rows.into_iter().map(Row::Postgres).collect())
    }

    fn sqlite_arguments(&self) -> Result<SqliteArguments, sqlx::Error> {
        let mut arguments = SqliteArguments::default();
        for value in &self.values {
            match value {
                Value::Integer(value) => arguments.add(*value),
                Value::Real(value) => arguments.add(*value),
                Value::Boolean(value) => arguments.add(*value),
                Value::Text(value) => arguments.add(*value),
                Value::OwnText(value) => arguments.add(value),
                Value::Bytes(value) => arguments.add(*value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }

    fn postgres_arguments(&self) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        for value in &self.values {
            match value {
                Value::Integer(value) => arguments.add(*value),
                Value::Real(value) => arguments.add(*value),
                Value::Boolean(value) => arguments.add(*value),
                Value::Text(value) => add_text(&mut arguments, value),
                Value::OwnText(value) => add_text(&mut arguments, value),
                Value::Bytes(value) => arguments.add(*value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }
}

/// Closes a connection that could not reach the disk, and the pool opens another: after an fsync that failed
/// the kernel may take what it could not write for written, and say so when it is asked again through the
/// same handle. What was to be written is written again through a new one.
fn close_after_failure<T>(connection: &mut PoolConnection<Sqlite>, done: &Result<T, sqlx::Error>) {
    if done.as_ref().is_err_and(is_of_the_disk) {
        connection.close_on_drop();
    }
}

/// PostgreSQL takes every character but one; a text that somebody sent must not fail for it.
fn add_text(arguments: &mut PgArguments, text: &str) -> Result<(), sqlx::error::BoxDynError> {
    if text.contains('\0') {
        return arguments.add(text.replace('\0', "\u{fffd}"));
    }
    arguments.add(text)
}

/// A type that columns have. The statement and the migrations decide which one it is, never what is
/// stored, so a mistake is one of this crate, and panics.
pub(crate) trait Column {
    /// Reads a column by its place in the statement, from 0.
    fn read(row: &Row, column: usize) -> Self;
}

macro_rules! columns {
    ($($type:ty),+) => {$(
        impl Column for $type {
            fn read(row: &Row, column: usize) -> Self {
                match row {
                    Row::Sqlite(row) => row.get(column),
                    Row::Postgres(row) => row.get(column),
                }
            }
        }
    )+};
}

columns!(i64, Option<i64>, Option<f64>, bool, String, Vec<u8>);

impl Column for u64 {
    fn read(row: &Row, column: usize) -> Self {
        i64::read(row, column) as Self
    }
}

impl Column for u32 {
    fn read(row: &Row, column: usize) -> Self {
        i64::read(row, column) as Self
    }
}

impl Row {
    /// A column by its place in the statement, from 0.
    pub(crate) fn get<T: Column>(&self, column: usize) -> T {
        T::read(self, column)
    }
}

impl Pool {
    /// Which database is below.
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => Ok(Transaction::Sqlite(WholeTransaction::begin(pool).await?)),
            Self::Postgres(pool) => Ok(Transaction::Postgres(pool.begin().await?)),
        }
    }

    async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Pools {
    /// Closes every connection; SQLite folds its log into the file.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

impl Transaction {
    /// Makes what was done durable.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

impl<'t> From<&'t Pool> for Target<'t> {
    fn from(pool: &'t Pool) -> Self {
        Self::Pool(pool)
    }
}

impl<'t> From<&'t mut Transaction> for Target<'t> {
    fn from(tx: &'t mut Transaction) -> Self {
        Self::Transaction(tx)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

/// Numbers of rows and lengths, all far below the highest bit.
impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::Integer(Some(value as i64))
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(Some(value.into()))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl From<Option<f64>> for Value<'_> {
    fn from(value: Option<f64>) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(value: &'q str) -> Self {
        Self::Text(value)
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(value: &'q String) -> Self {
        Self::Text(value)
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::OwnText(value)
    }
}

impl<'q> From<&'q [u8]> for Value<'q> {
    fn from(value: &'q [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'q> From<&'q Vec<u8>> for Value<'q> {
    fn from(value: &'q Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
