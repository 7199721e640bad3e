//! Several processes on one database: what each of them is, and what only one of them does.
//!
//! Every node takes samples and answers queries. Rules, monitors and the outbox are each under a lease
//! that one node holds at a time; another takes over when it runs out. A process on SQLite goes the same
//! way: it takes all leases when it starts, and they never run out.

mod caretaker;
mod follow;
mod join;
mod keeper;
mod label;
mod leases;

pub(crate) use caretaker::{Care, care};
pub(crate) use follow::follow;
pub(crate) use join::{Joined, join};
pub(crate) use keeper::{Keep, keep};
pub(crate) use label::NodeLabel;
pub(crate) use leases::{Held, Leases, Role};
