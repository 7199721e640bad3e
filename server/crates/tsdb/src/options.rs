//! How a store behaves.

use std::time::Duration;

/// Settings of a store. All have defaults that suit a small server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long samples stay in the head before [`Tsdb::maintain`](crate::Tsdb::maintain) seals them
    /// into a block. Longer makes smaller blocks and needs more memory. Default 1 h.
    pub seal_interval: Duration,
    /// Blocks whose newest sample is older than this are deleted. Default 15 days.
    pub retention: Duration,
    /// How far behind the time of its flush a sample may be; older ones are refused and counted.
    /// Default 24 h.
    pub out_of_order_window: Duration,
    /// How far ahead of the time of its flush a sample may be; newer ones are refused and counted.
    /// Default 10 min.
    pub future_window: Duration,
    /// How many sealed blocks are merged into one of the next level; fewer than 2 turn merging off.
    /// Default 12.
    pub merge_blocks: usize,
    /// Pages are closed when they reach this size. Default 128 KiB.
    pub page_bytes: usize,
    /// The most memory for pages that were read. Default 64 MiB.
    pub cache_bytes: usize,
    /// The most memory for flushes that the engine would not take. Beyond it the oldest are dropped
    /// and counted. Default 64 MiB.
    pub backlog_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seal_interval: Duration::from_hours(1),
            retention: Duration::from_hours(15 * 24),
            out_of_order_window: Duration::from_hours(24),
            future_window: Duration::from_mins(10),
            merge_blocks: 12,
            page_bytes: 128 << 10,
            cache_bytes: 64 << 20,
            backlog_bytes: 64 << 20,
        }
    }
}

/// A length in the unit of timestamps; the longest there is when it does not fit.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
