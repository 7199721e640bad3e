//! Everything SQL, behind domain verbs: other crates say `seal` or `lease`, never `insert`.
//!
//! Three stores: [`Samples`] holds frames, blocks and pages; [`Meta`] holds people, alerts, the outbox,
//! the uptime ledger, events and service checks; [`Outgoing`] holds the requests that remote write has
//! yet to send. On SQLite each has a file of its own, so that none waits for another's writer. The first
//! two may be in a PostgreSQL database instead and behave the same there; the third always stays beside
//! the process that sends. Rows are plain: identifiers, times and opaque bodies. What a body means is known only to the
//! crate that wrote it, so this crate depends on none of ours.
//! [`backup`] copies files while they are written to, and [`integrity`] reads them for damage.
//! Several processes may share a PostgreSQL database: each writes samples as a node of its own, and what
//! only one may do is done under a [`Lease`].
//! [`Watched`] asks database servers that others run how many connections they have.
//!
//! Deliberately absent: clocks (every verb takes the times it writes, leases excepted), retries (the caller knows
//! whether one makes sense) and caching.
//!
//! Invariants:
//! - A verb that changes something has committed and synced to disk when it returns `Ok`.
//! - A verb that changes several tables does so in one transaction.
//! - A verb that takes a [`Lease`] changes nothing when the lease was taken over.
//! - Migrations only ever grow: a released file is never edited.

pub mod backup;
mod days;
pub mod error;
pub mod integrity;
pub mod lease;
pub mod meta;
pub mod node;
pub mod outgoing;
pub mod postgres;
mod salvage;
pub mod samples;
mod sql;
mod sqlite;
pub mod watch;

pub use error::DbError;
pub use lease::{Lease, LeaseRow, Taken, Takeover};
pub use meta::Meta;
pub use outgoing::Outgoing;
pub use postgres::Address;
pub use samples::Samples;
pub use sqlite::beside;
pub use watch::{AddressError, Watched};
