//! Counts of what became of events and service checks.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why an event or a service check is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Its sender sent more than it may.
    RateLimit,
    /// The queue to the database was full.
    QueueFull,
    /// Its time is too far in the past.
    TooOld,
    /// Its time is too far in the future.
    TooNew,
    /// It has too many tags or too long ones.
    BadTags,
    /// It is older than what is known of the service check.
    OutOfOrder,
    /// There are as many service checks as allowed.
    CheckLimit,
    /// The database could not be written until the end of the process.
    NotWritten,
}

impl Loss {
    pub(crate) const ALL: [Self; 8] = [
        Self::RateLimit,
        Self::QueueFull,
        Self::TooOld,
        Self::TooNew,
        Self::BadTags,
        Self::OutOfOrder,
        Self::CheckLimit,
        Self::NotWritten,
    ];

    /// The word used in metrics; it never changes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::QueueFull => "queue_full",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::BadTags => "bad_tags",
            Self::OutOfOrder => "out_of_order",
            Self::CheckLimit => "check_limit",
            Self::NotWritten => "not_written",
        }
    }
}

/// All counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Books {
    losses: [AtomicU64; Loss::ALL.len()],
    /// Events that were stored.
    pub(super) stored: AtomicU64,
    /// Reports of service checks that were taken in.
    pub(super) reports: AtomicU64,
    /// Texts that were cut.
    pub(super) shortened: AtomicU64,
    /// Writes that failed and were repeated.
    pub(super) write_errors: AtomicU64,
}

impl Books {
    /// Counts losses; returns how many there were before.
    pub(super) fn lose(&self, loss: Loss, count: usize) -> u64 {
        self.losses[loss as usize].fetch_add(count as u64, Ordering::Relaxed)
    }

    pub(crate) fn lost(&self, loss: Loss) -> u64 {
        self.losses[loss as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub(crate) fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }

    pub(crate) fn shortened(&self) -> u64 {
        self.shortened.load(Ordering::Relaxed)
    }

    pub(crate) fn write_errors(&self) -> u64 {
        self.write_errors.load(Ordering::Relaxed)
    }
}
