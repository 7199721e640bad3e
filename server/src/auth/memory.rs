//! Who was recognized lately: so that people can read while the database is gone.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use api_types::Role;
use db::DbError;
use model::{Timestamp, text::causes};

use super::{Principal, hash_secret};

/// How long somebody is remembered.
const REMEMBERED_MS: i64 = 15 * 60_000;
/// The most who are.
const MAX_REMEMBERED: usize = 1_000;
/// After a failure the database is not asked about those who are known for so long: nobody waits for it
/// with every request.
const PAUSE_MS: i64 = 2_000;

/// Remembers by the hashes of secrets who may come in. While the database cannot be asked, whoever is
/// remembered may read and nothing more: whether they are still welcome is not known.
#[derive(Debug, Default)]
pub(crate) struct AuthMemory(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<[u8; 32], (String, Timestamp)>,
    failed_at: Option<Timestamp>,
}

impl AuthMemory {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the database who a secret belongs to; when it fails, what is remembered.
    ///
    /// # Errors
    /// When the database failed and nothing is remembered.
    pub(crate) async fn recognize(
        &self,
        secret: &str,
        now: Timestamp,
        ask: impl Future<Output = Result<Option<Principal>, DbError>>,
    ) -> Result<Option<Principal>, DbError> {
        let hash = hash_secret(secret);
        let has_just_failed =
            self.inner().failed_at.is_some_and(|at| (0..PAUSE_MS).contains(&(now - at)));
        if has_just_failed && let Some(known) = self.remembered(&hash, now) {
            return Ok(Some(known));
        }
        match ask.await {
            Ok(found) => {
                self.remember(hash, found.as_ref(), now);
                Ok(found)
            }
            Err(error) => {
                self.inner().failed_at = Some(now);
                let Some(known) = self.remembered(&hash, now) else { return Err(error) };
                tracing::warn!(
                    error = %causes(&error),
                    "the database cannot be asked who may come in; those who are known may read"
                );
                Ok(Some(known))
            }
        }
    }

    fn remembered(&self, hash: &[u8; 32], now: Timestamp) -> Option<Principal> {
        let inner = self.inner();
        let (name, seen) = inner.known.get(hash)?;
        let is_fresh = (0..REMEMBERED_MS).contains(&(now - seen));
        is_fresh.then(|| Principal { name: name.clone(), role: Role::Viewer })
    }

    fn remember(&self, hash: [u8; 32], found: Option<&Principal>, now: Timestamp) {
        let mut inner = self.inner();
        inner.failed_at = None;
        let Some(principal) = found else {
            inner.known.remove(&hash);
            return;
        };
        if inner.known.len() >= MAX_REMEMBERED && !inner.known.contains_key(&hash) {
            inner.known.retain(|_, (_, seen)| now - *seen < REMEMBERED_MS);
            if inner.known.len() >= MAX_REMEMBERED {
                return;
            }
        }
        inner.known.insert(hash, (principal.name.clone(), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone() -> Result<Option<Principal>, DbError> {
        Err(DbError::NotFound { what: "database", name: "gone".to_owned() })
    }

    fn admin() -> Principal {
        Principal { name: "ada".to_owned(), role: Role::Admin }
    }

    async fn ask(
        memory: &AuthMemory,
        now: Timestamp,
        answer: Result<Option<Principal>, DbError>,
    ) -> Option<Principal> {
        memory.recognize("secret", now, async { answer }).await.ok().flatten()
    }

    #[tokio::test]
    async fn whoever_is_known_may_read_while_the_database_is_gone() {
        let memory = AuthMemory::default();
        assert_eq!(ask(&memory, 0, gone()).await, None);
        assert_eq!(ask(&memory, 1, Ok(Some(admin()))).await, Some(admin()));
        let reader = Principal { role: Role::Viewer, ..admin() };
        assert_eq!(ask(&memory, 2, gone()).await, Some(reader.clone()));
        let unasked = async { panic!("asked although it failed just now") };
        assert_eq!(memory.recognize("secret", 3, unasked).await.unwrap(), Some(reader));
        assert_eq!(ask(&memory, 2 + PAUSE_MS, Ok(Some(admin()))).await, Some(admin()));
        assert_eq!(ask(&memory, 2 + PAUSE_MS + REMEMBERED_MS, gone()).await, None);
    }

    #[tokio::test]
    async fn whoever_is_no_longer_welcome_is_forgotten() {
        let memory = AuthMemory::default();
        ask(&memory, 0, Ok(Some(admin()))).await;
        assert_eq!(ask(&memory, 1, Ok(None)).await, None);
        assert_eq!(ask(&memory, 2, gone()).await, None);
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let memory = AuthMemory::default();
        for number in 0..2 * MAX_REMEMBERED {
            let found = async { Ok(Some(admin())) };
            memory.recognize(&number.to_string(), 0, found).await.unwrap();
        }
        assert_eq!(memory.inner().known.len(), MAX_REMEMBERED);
        let found = async { Ok(Some(admin())) };
        memory.recognize("new", REMEMBERED_MS, found).await.unwrap();
        assert_eq!(memory.inner().known.len(), 1, "those of long ago made room");
    }
}
