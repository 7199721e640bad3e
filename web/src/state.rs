//! What the whole application shares: theme, time range, session, clock.

pub(crate) mod clock;
pub(crate) mod range;
pub(crate) mod session;
pub(crate) mod theme;
