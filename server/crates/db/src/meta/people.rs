//! Accounts, sessions and tokens.

use crate::{
    Meta,
    error::{Attempt, DbError, conflict, found},
    sql::{Row, query},
};

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The name used to sign in.
    pub name: String,
    /// `viewer`, `editor` or `admin`.
    pub role: String,
    /// The password's hash with its parameters.
    pub password_hash: String,
    /// When it was made.
    pub created_at: i64,
}

/// A secret for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// What it is for.
    pub name: String,
    /// `viewer`, `editor` or `admin`.
    pub role: String,
    /// When it was made.
    pub created_at: i64,
}

impl Meta {
    /// Adds an account.
    ///
    /// # Errors
    /// [`DbError::Conflict`] when the name is taken.
    pub async fn add_account(&self, account: &AccountRow) -> Result<(), DbError> {
        query(
            "insert into account (name, role, password_hash, created_at)
             values ($1, $2, $3, $4)",
        )
        .bind(&account.name)
        .bind(&account.role)
        .bind(&account.password_hash)
        .bind(account.created_at)
        .execute(&self.pools.write)
        .await
        .map_err(|e| conflict(e, "add an account", "account", &account.name))?;
        Ok(())
    }

    /// All accounts by name.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, DbError> {
        let rows = query("select name, role, password_hash, created_at from account order by name")
            .fetch_all(&self.pools.read)
            .await
            .attempt("read accounts")?;
        Ok(rows.iter().map(account_of).collect())
    }

    /// An account by name.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn account(&self, name: &str) -> Result<Option<AccountRow>, DbError> {
        let row = query(
            "select name, role, password_hash, created_at
               from account
              where name = $1",
        )
        .bind(name)
        .fetch_optional(&self.pools.read)
        .await
        .attempt("read an account")?;
        Ok(row.as_ref().map(account_of))
    }

    /// Changes a password and ends all sessions of the account.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when there is no such account.
    pub async fn set_password(&self, name: &str, password_hash: &str) -> Result<(), DbError> {
        const ACTION: &str = "change a password";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        let done = query("update account set password_hash = $1 where name = $2")
            .bind(password_hash)
            .bind(name)
            .execute(&mut tx)
            .await
            .attempt(ACTION)?;
        found(done, "account", name)?;
        query("delete from session where account = $1")
            .bind(name)
            .execute(&mut tx)
            .await
            .attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)
    }

    /// Removes an account with its sessions.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when there is no such account.
    pub async fn remove_account(&self, name: &str) -> Result<(), DbError> {
        let done = query("delete from account where name = $1")
            .bind(name)
            .execute(&self.pools.write)
            .await
            .attempt("remove an account")?;
        found(done, "account", name)
    }

    /// Opens a session and forgets those that are over.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn open_session(
        &self,
        secret_hash: &[u8],
        account: &str,
        now: i64,
        expires_at: i64,
    ) -> Result<(), DbError> {
        const ACTION: &str = "open a session";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        query("delete from session where expires_at <= $1")
            .bind(now)
            .execute(&mut tx)
            .await
            .attempt(ACTION)?;
        query("insert into session (secret_hash, account, expires_at) values ($1, $2, $3)")
            .bind(secret_hash)
            .bind(account)
            .bind(expires_at)
            .execute(&mut tx)
            .await
            .attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)
    }

    /// The account of a session that is not over at `now`.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn session(
        &self,
        secret_hash: &[u8],
        now: i64,
    ) -> Result<Option<AccountRow>, DbError> {
        let row = query(
            "select a.name, a.role, a.password_hash, a.created_at
               from session s
               join account a on a.name = s.account
              where s.secret_hash = $1
                and s.expires_at > $2",
        )
        .bind(secret_hash)
        .bind(now)
        .fetch_optional(&self.pools.read)
        .await
        .attempt("read a session")?;
        Ok(row.as_ref().map(account_of))
    }

    /// Ends a session; nothing happens when it is over already.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn close_session(&self, secret_hash: &[u8]) -> Result<(), DbError> {
        query("delete from session where secret_hash = $1")
            .bind(secret_hash)
            .execute(&self.pools.write)
            .await
            .attempt("close a session")?;
        Ok(())
    }

    /// Adds a token.
    ///
    /// # Errors
    /// [`DbError::Conflict`] when the name is taken.
    pub async fn add_token(&self, token: &TokenRow, secret_hash: &[u8]) -> Result<(), DbError> {
        query("insert into token (name, secret_hash, role, created_at) values ($1, $2, $3, $4)")
            .bind(&token.name)
            .bind(secret_hash)
            .bind(&token.role)
            .bind(token.created_at)
            .execute(&self.pools.write)
            .await
            .map_err(|e| conflict(e, "add a token", "token", &token.name))?;
        Ok(())
    }

    /// A token by the hash of its secret.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn token(&self, secret_hash: &[u8]) -> Result<Option<TokenRow>, DbError> {
        let row = query("select name, role, created_at from token where secret_hash = $1")
            .bind(secret_hash)
            .fetch_optional(&self.pools.read)
            .await
            .attempt("read a token")?;
        Ok(row.as_ref().map(token_of))
    }

    /// All tokens by name.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, DbError> {
        let rows = query("select name, role, created_at from token order by name")
            .fetch_all(&self.pools.read)
            .await
            .attempt("read tokens")?;
        Ok(rows.iter().map(token_of).collect())
    }

    /// Makes a token useless.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when there is no such token.
    pub async fn revoke_token(&self, name: &str) -> Result<(), DbError> {
        let done = query("delete from token where name = $1")
            .bind(name)
            .execute(&self.pools.write)
            .await
            .attempt("revoke a token")?;
        found(done, "token", name)
    }
}

fn account_of(row: &Row) -> AccountRow {
    AccountRow {
        name: row.get(0),
        role: row.get(1),
        password_hash: row.get(2),
        created_at: row.get(3),
    }
}

fn token_of(row: &Row) -> TokenRow {
    TokenRow { name: row.get(0), role: row.get(1), created_at: row.get(2) }
}
