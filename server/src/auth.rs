//! Passwords, sessions, tokens and the link that makes the first admin.
//!
//! Secrets are 32 random bytes. Only their SHA-256 is stored: they are random, so nothing slower is
//! needed. Passwords are stored with Argon2id.

mod memory;

use std::{sync::LazyLock, time::Duration};

use api_types::Role;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use db::{
    DbError, Meta,
    meta::people::{AccountRow, TokenRow},
};
use model::Timestamp;
use sha2::{Digest, Sha256};

pub(crate) use memory::AuthMemory;

use crate::query::blocking;

/// How long a session lasts without signing in again.
pub(crate) const SESSION_LENGTH: Duration = Duration::from_hours(30 * 24);
/// The shortest password that is accepted.
pub(crate) const MIN_PASSWORD_CHARS: usize = 8;
/// Where the hash of the setup secret is kept.
const SETUP_SETTING: &str = "setup_secret_hash";
/// Tokens start with this, so that secret scanners find them.
const TOKEN_PREFIX: &str = "bw_";

/// Checked when there is no such account, so that an answer takes as long as for a real one.
static DUMMY_HASH: LazyLock<String> =
    LazyLock::new(|| hash_password("no such account").unwrap_or_default());

/// Why somebody may not come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// The name or the password is wrong; which one is not told.
    #[error("wrong name or password")]
    WrongPassword,
    /// The one-time link was used, or never given out.
    #[error("this setup link is not valid; restart the server to get a new one in its log")]
    WrongSetupLink,
    /// The password is too short.
    #[error("the password needs at least {MIN_PASSWORD_CHARS} characters")]
    ShortPassword,
    /// The name is empty or has odd characters.
    #[error("a name has 1 to 64 letters, digits, dots, dashes, underscores or @")]
    BadName,
    /// The password could not be hashed.
    #[error("could not hash the password")]
    Hash(#[source] argon2::password_hash::Error),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Somebody who came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// The word for a role in the database.
pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Editor => "editor",
        Role::Admin => "admin",
    }
}

/// The role for a word; an unknown word gives the least rights.
pub(crate) fn role_of(word: &str) -> Role {
    match word {
        "admin" => Role::Admin,
        "editor" => Role::Editor,
        _ => Role::Viewer,
    }
}

/// Signs in with name and password; returns the session's secret.
pub(crate) async fn sign_in(
    meta: &Meta,
    name: &str,
    password: &str,
    now: Timestamp,
) -> Result<(Principal, String), AuthError> {
    let account = meta.account(name).await?;
    let hash = account.as_ref().map_or_else(|| DUMMY_HASH.clone(), |a| a.password_hash.clone());
    let password = password.to_owned();
    let is_right = blocking(move || verify_password(&password, &hash)).await;
    match account {
        Some(account) if is_right => {
            let secret = open_session(meta, &account.name, now).await?;
            Ok((principal_of(account), secret))
        }
        _ => Err(AuthError::WrongPassword),
    }
}

/// Makes the first admin with the secret of the one-time link; the link is then used up.
pub(crate) async fn set_up(
    meta: &Meta,
    secret: &str,
    name: &str,
    password: &str,
    now: Timestamp,
) -> Result<(Principal, String), AuthError> {
    let expected = meta.setting(SETUP_SETTING).await?.unwrap_or_default();
    if expected.is_empty() || expected != model::text::hex(&hash_secret(secret)) {
        return Err(AuthError::WrongSetupLink);
    }
    let account = add_account(meta, name, password, Role::Admin, now).await?;
    meta.set_setting(SETUP_SETTING, "").await?;
    let session = open_session(meta, &account.name, now).await?;
    Ok((principal_of(account), session))
}

/// Adds an account.
pub(crate) async fn add_account(
    meta: &Meta,
    name: &str,
    password: &str,
    role: Role,
    now: Timestamp,
) -> Result<AccountRow, AuthError> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if name.is_empty() || name.chars().count() > 64 || !name.chars().all(is_name) {
        return Err(AuthError::BadName);
    }
    let account = AccountRow {
        name: name.to_owned(),
        role: role_word(role).to_owned(),
        password_hash: checked_hash(password).await?,
        created_at: now,
    };
    meta.add_account(&account).await?;
    Ok(account)
}

/// Changes a password; all sessions of the account end.
pub(crate) async fn change_password(
    meta: &Meta,
    name: &str,
    password: &str,
) -> Result<(), AuthError> {
    Ok(meta.set_password(name, &checked_hash(password).await?).await?)
}

/// Makes a token and returns its secret, which cannot be read again.
pub(crate) async fn create_token(
    meta: &Meta,
    name: &str,
    role: Role,
    now: Timestamp,
) -> Result<String, DbError> {
    let secret = format!("{TOKEN_PREFIX}{}", new_secret());
    let token =
        TokenRow { name: name.to_owned(), role: role_word(role).to_owned(), created_at: now };
    meta.add_token(&token, &hash_secret(&secret)).await?;
    Ok(secret)
}

/// Who a session's secret belongs to.
pub(crate) async fn session(
    meta: &Meta,
    secret: &str,
    now: Timestamp,
) -> Result<Option<Principal>, DbError> {
    Ok(meta.session(&hash_secret(secret), now).await?.map(principal_of))
}

/// Who a token's secret stands for.
pub(crate) async fn token(meta: &Meta, secret: &str) -> Result<Option<Principal>, DbError> {
    let token = meta.token(&hash_secret(secret)).await?;
    Ok(token.map(|token| Principal { role: role_of(&token.role), name: token.name }))
}

/// Ends a session.
pub(crate) async fn sign_out(meta: &Meta, secret: &str) -> Result<(), DbError> {
    meta.close_session(&hash_secret(secret)).await
}

/// A new setup secret when there is no account yet; every start makes the one before useless.
pub(crate) async fn setup_secret(meta: &Meta) -> Result<Option<String>, DbError> {
    if !meta.accounts().await?.is_empty() {
        return Ok(None);
    }
    let secret = new_secret();
    meta.set_setting(SETUP_SETTING, &model::text::hex(&hash_secret(&secret))).await?;
    Ok(Some(secret))
}

async fn open_session(meta: &Meta, name: &str, now: Timestamp) -> Result<String, DbError> {
    let secret = new_secret();
    let expires_at = now + SESSION_LENGTH.as_millis() as i64;
    meta.open_session(&hash_secret(&secret), name, now, expires_at).await?;
    Ok(secret)
}

fn principal_of(account: AccountRow) -> Principal {
    Principal { role: role_of(&account.role), name: account.name }
}

async fn checked_hash(password: &str) -> Result<String, AuthError> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(AuthError::ShortPassword);
    }
    let password = password.to_owned();
    blocking(move || hash_password(&password)).await.map_err(AuthError::Hash)
}

fn hash_password(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn new_secret() -> String {
    model::text::hex(&rand::random::<[u8; 32]>())
}

fn hash_secret(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn meta(folder: &tempfile::TempDir) -> Meta {
        Meta::open(&folder.path().join("meta.db")).await.unwrap()
    }

    #[tokio::test]
    async fn the_setup_link_works_once() {
        let folder = tempfile::tempdir().unwrap();
        let meta = meta(&folder).await;
        let secret = setup_secret(&meta).await.unwrap().unwrap();
        let wrong = set_up(&meta, "guess", "ada", "long enough", 1).await;
        assert!(matches!(wrong, Err(AuthError::WrongSetupLink)), "{wrong:?}");
        let (ada, session_secret) = set_up(&meta, &secret, "ada", "long enough", 1).await.unwrap();
        assert_eq!(ada.role, Role::Admin);
        assert_eq!(session(&meta, &session_secret, 2).await.unwrap(), Some(ada));
        let again = set_up(&meta, &secret, "eve", "long enough", 1).await;
        assert!(matches!(again, Err(AuthError::WrongSetupLink)), "{again:?}");
        assert_eq!(setup_secret(&meta).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_wrong_name_and_a_wrong_password_look_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let meta = meta(&folder).await;
        add_account(&meta, "ada", "right password", Role::Viewer, 1).await.unwrap();
        for (name, password) in [("ada", "wrong password"), ("bob", "right password")] {
            let error = sign_in(&meta, name, password, 1).await.unwrap_err();
            assert!(matches!(error, AuthError::WrongPassword), "{error:?}");
        }
        let (ada, _) = sign_in(&meta, "ada", "right password", 1).await.unwrap();
        assert_eq!(ada, Principal { name: "ada".into(), role: Role::Viewer });
    }

    #[tokio::test]
    async fn weak_passwords_and_odd_names_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let meta = meta(&folder).await;
        let short = add_account(&meta, "ada", "1234567", Role::Viewer, 1).await;
        assert!(matches!(short, Err(AuthError::ShortPassword)), "{short:?}");
        for name in ["", "a b", "a\n", &"x".repeat(65)] {
            let result = add_account(&meta, name, "long enough", Role::Viewer, 1).await;
            assert!(matches!(result, Err(AuthError::BadName)), "{name:?}: {result:?}");
        }
    }

    #[tokio::test]
    async fn a_token_stands_for_its_role() {
        let folder = tempfile::tempdir().unwrap();
        let meta = meta(&folder).await;
        let secret = create_token(&meta, "ci", Role::Viewer, 1).await.unwrap();
        let expected = Principal { name: "ci".into(), role: Role::Viewer };
        assert_eq!(token(&meta, &secret).await.unwrap(), Some(expected));
        assert_eq!(token(&meta, "bw_guess").await.unwrap(), None);
    }
}
