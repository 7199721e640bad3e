//! Prometheus remote write: what others send us, and what we send on.

pub(crate) mod books;
mod commits;
pub(crate) mod exemplars;
pub(crate) mod gather;
pub(crate) mod known;
pub(crate) mod outgoing;
pub(crate) mod receive;
pub(crate) mod refusal;
