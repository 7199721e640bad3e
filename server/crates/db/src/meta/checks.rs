//! The states of service checks and their history.

use crate::{
    Meta,
    error::{Attempt, DbError},
    sql::{Row, Transaction, query},
};

/// The state of a service check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// A hash of name, host and tags.
    pub id: String,
    /// The check's name.
    pub name: String,
    /// The host it is about; may be empty.
    pub host: String,
    /// The server's own record of the tags, as JSON.
    pub tags: String,
    /// `ok`, `warning`, `critical` or `unknown`.
    pub status: String,
    /// Whether it was not heard of for too long.
    pub is_stale: bool,
    /// Why, in words; may be empty.
    pub message: String,
    /// Since when it is in this state.
    pub since_at: i64,
    /// When it was last heard of.
    pub heard_at: i64,
}

/// A change of a service check's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckTransitionRow {
    /// The check.
    pub check: String,
    /// When.
    pub at: i64,
    /// The status after it.
    pub status: String,
    /// Whether it is because nothing was heard.
    pub is_stale: bool,
    /// The message then.
    pub message: String,
}

/// What reports and silence changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckCommit {
    /// New or changed states.
    pub states: Vec<CheckRow>,
    /// Changes of states, oldest first.
    pub transitions: Vec<CheckTransitionRow>,
    /// Checks to forget, with their history.
    pub removed: Vec<String>,
}

impl CheckCommit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.transitions.is_empty() && self.removed.is_empty()
    }
}

impl Meta {
    /// Commits changes of service checks: all of them or none.
    ///
    /// # Errors
    /// When the commit failed; then nothing changed.
    pub async fn commit_checks(&self, commit: &CheckCommit) -> Result<(), DbError> {
        const ACTION: &str = "store service checks";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        for check in &commit.states {
            upsert_check(&mut tx, check).await.attempt(ACTION)?;
        }
        for transition in &commit.transitions {
            insert_transition(&mut tx, transition).await.attempt(ACTION)?;
        }
        for id in &commit.removed {
            query("delete from service_check where id = $1")
                .bind(id)
                .execute(&mut tx)
                .await
                .attempt(ACTION)?;
        }
        tx.commit().await.attempt(ACTION)
    }

    /// All service checks, by number.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn checks(&self) -> Result<Vec<CheckRow>, DbError> {
        let rows = query(
            "select id, name, host, tags, status, is_stale, message, since_at, heard_at
               from service_check
              order by id",
        )
        .fetch_all(&self.pools.read)
        .await
        .attempt("read service checks")?;
        Ok(rows.iter().map(check_of).collect())
    }

    /// The newest changes of a service check's state, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn check_transitions(
        &self,
        check: &str,
        limit: u32,
    ) -> Result<Vec<CheckTransitionRow>, DbError> {
        let rows = query(
            "select service_check, at, status, is_stale, message
               from service_check_transition
              where service_check = $1
              order by at desc, id desc
              limit $2",
        )
        .bind(check)
        .bind(limit)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read the history of a service check")?;
        Ok(rows
            .iter()
            .map(|row| CheckTransitionRow {
                check: row.get(0),
                at: row.get(1),
                status: row.get(2),
                is_stale: row.get(3),
                message: row.get(4),
            })
            .collect())
    }

    /// Forgets changes of states before `before`, and of each check all but the newest `kept`.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn forget_check_transitions(&self, before: i64, kept: u32) -> Result<u64, DbError> {
        let done = query(
            "delete from service_check_transition
              where at < $1
                 or id in (
                    select id
                      from (select id,
                                   row_number() over (
                                       partition by service_check order by at desc, id desc
                                   ) as place
                              from service_check_transition) as placed
                     where place > $2)",
        )
        .bind(before)
        .bind(kept)
        .execute(&self.pools.write)
        .await
        .attempt("forget the history of service checks")?;
        Ok(done)
    }
}

async fn upsert_check(tx: &mut Transaction, check: &CheckRow) -> Result<(), sqlx::Error> {
    query(
        "insert into service_check
            (id, name, host, tags, status, is_stale, message, since_at, heard_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (id) do update
            set status = excluded.status,
                is_stale = excluded.is_stale,
                message = excluded.message,
                since_at = excluded.since_at,
                heard_at = excluded.heard_at",
    )
    .bind(&check.id)
    .bind(&check.name)
    .bind(&check.host)
    .bind(&check.tags)
    .bind(&check.status)
    .bind(check.is_stale)
    .bind(&check.message)
    .bind(check.since_at)
    .bind(check.heard_at)
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_transition(
    tx: &mut Transaction,
    transition: &CheckTransitionRow,
) -> Result<(), sqlx::Error> {
    query(
        "insert into service_check_transition (service_check, at, status, is_stale, message)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(&transition.check)
    .bind(transition.at)
    .bind(&transition.status)
    .bind(transition.is_stale)
    .bind(&transition.message)
    .execute(tx)
    .await?;
    Ok(())
}

fn check_of(row: &Row) -> CheckRow {
    CheckRow {
        id: row.get(0),
        name: row.get(1),
        host: row.get(2),
        tags: row.get(3),
        status: row.get(4),
        is_stale: row.get(5),
        message: row.get(6),
        since_at: row.get(7),
        heard_at: row.get(8),
    }
}
