//! What starts a PostgreSQL server, shared with the tests of the whole program.

#![expect(clippy::unwrap_used, dead_code, reason = "these are tests, and others use more of it")]

#[path = "../../../../tests/it/support/postgres.rs"]
pub(crate) mod postgres;
#[path = "../../../../tests/it/support/unprivileged.rs"]
pub(crate) mod unprivileged;
#[path = "../../../../tests/it/support/wait.rs"]
pub(crate) mod wait;
