//! Events and service checks: from the readers' threads to the database, the pages and the store.
//!
//! ```text
//! Listener ─▶ Intake: limits, labels ─▶ queue ─▶ Events::run ─▶ database, live stream
//! POST /api/app/events ───────────────────────▶ Events::post ─▶     "
//! flush ─▶ Events::tick ─▶ Board: silence, samples of `service_check_status`
//! ```
//! A reader never waits: the queue is bounded, and what does not fit is dropped and counted. What was
//! taken from the queue is written again and again until it is stored.
//!
//! Tags become labels as those of metrics do, and the labels of a listener are added. The listener's
//! prefix is put before the name of a service check, which is a name, and not before the title of an
//! event, which is prose. Mapping rules are for metrics only.

mod board;
mod books;
mod incoming;
mod intake;
mod quota;
mod search;
mod writer;

pub(crate) use board::BoardOptions;
pub(crate) use books::{Books, Loss};
pub(crate) use incoming::{ListenerLabels, new_event};
pub(crate) use intake::{AHEAD_MS, Incoming, Intake};
pub(crate) use search::{Cursor, search};
pub(crate) use writer::{Events, Parts};
