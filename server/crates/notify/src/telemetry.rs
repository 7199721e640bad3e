//! Names of this part's own metrics; the server reads the values from
//! [`Worker::counts`](crate::outbox::Worker::counts) and
//! [`OutboxStore::stats`](crate::outbox::OutboxStore::stats).

/// Counter: notifications accepted by the other side.
pub const SENT: &str = "bellwether_notify_sent_total";
/// Counter: attempts that failed and are repeated.
pub const RETRIED: &str = "bellwether_notify_retried_total";
/// Counter: notifications given up.
pub const DEAD: &str = "bellwether_notify_dead_total";
/// Counter: operations of the outbox store that failed.
pub const STORE_ERRORS: &str = "bellwether_notify_store_errors_total";
/// Gauge: notifications neither sent nor dead.
pub const WAITING: &str = "bellwether_notify_outbox_waiting";
/// Gauge: age of the oldest of them.
pub const OLDEST_AGE: &str = "bellwether_notify_outbox_oldest_age_seconds";
