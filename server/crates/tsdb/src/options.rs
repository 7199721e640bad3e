//! How a store behaves.

use std::time::Duration;

/// Settings of a store. All have defaults that suit a small server.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long samples stay in the head before [`Tsdb::maintain`](crate::Tsdb::maintain) seals them
    /// into a block. Longer makes smaller blocks and needs more memory. Default 1 h.
    pub seal_interval: Duration,
    /// A head with so many samples is sealed before that, once it has 120 a series: where there are many
    /// series, and where what is sent after its time comes faster than the clock. Default 4 million.
    pub seal_samples: u64,
    /// Blocks whose newest sample is older than this are deleted, once they are rolled up. Default
    /// 15 days.
    pub retention: Duration,
    /// When all that is stored takes more bytes than this, the oldest blocks are deleted, those of
    /// samples and those of rollups alike. `None`, the default, sets no limit.
    pub retention_bytes: Option<u64>,
    /// What is kept of samples that are too old, ascending by window. The windows must divide one
    /// another. Default 5 min for 180 days and 1 h for two years; none turns rollups off.
    pub rollups: Vec<RollupLevel>,
    /// A clock that never goes back, for measuring how long writers are held up. By default it stands
    /// still, and nothing is measured.
    pub clock: fn() -> Duration,
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
    /// The number of this node where several write to one database. The keys of its blocks then differ
    /// from those of the others and begin with the day. Default none.
    pub node: Option<u16>,
    /// How long the pages of a block stay after it was replaced or became too old: as long as a reader
    /// on another node may need them. Default 0, for a store that only one process reads.
    pub page_grace: Duration,
}

/// Rollups of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupLevel {
    /// The length of the windows, whole milliseconds, at most 24 days.
    pub window: Duration,
    /// How long the windows are kept.
    pub retention: Duration,
}

impl RollupLevel {
    /// Windows of 5 min for 180 days and of 1 h for two years.
    pub fn defaults() -> Vec<Self> {
        let days = |days: u64| Duration::from_hours(24 * days);
        vec![
            Self { window: Duration::from_mins(5), retention: days(180) },
            Self { window: Duration::from_hours(1), retention: days(730) },
        ]
    }

    pub(crate) fn window_ms(&self) -> i64 {
        milliseconds(self.window).clamp(1, i64::from(i32::MAX))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seal_interval: Duration::from_hours(1),
            seal_samples: 4_000_000,
            retention: Duration::from_hours(15 * 24),
            retention_bytes: None,
            rollups: RollupLevel::defaults(),
            clock: Duration::default,
            out_of_order_window: Duration::from_hours(24),
            future_window: Duration::from_mins(10),
            merge_blocks: 12,
            page_bytes: 128 << 10,
            cache_bytes: 64 << 20,
            backlog_bytes: 64 << 20,
            node: None,
            page_grace: Duration::ZERO,
        }
    }
}

/// Bits of a block's key below the day, and below the node: a key is the day since 1970, the number of
/// the node, and a number that counts.
const DAY_SHIFT: u32 = 46;
const NODE_SHIFT: u32 = 30;
pub(crate) const DAY_MS: i64 = 86_400_000;

/// The first key of a day that blocks of any node may have. A day before 1970 counts as the first.
pub fn first_block_of_day(day: i64) -> u64 {
    day.max(0).unsigned_abs() << DAY_SHIFT
}

/// The day of a block's key, in days since 1970.
pub fn day_of_block(id: u64) -> i64 {
    (id >> DAY_SHIFT) as i64
}

impl Options {
    /// The least key of what does not go with a day: rollups and notes, which stay longer than samples.
    pub(crate) fn least_lasting(&self) -> u64 {
        self.node.map_or(1, |node| u64::from(node) << NODE_SHIFT)
    }

    /// The least key that a block with samples from `time` on may have.
    pub(crate) fn least_block(&self, time: model::Timestamp) -> u64 {
        match self.node {
            None => 1,
            Some(node) => {
                first_block_of_day(time.div_euclid(DAY_MS)) | u64::from(node) << NODE_SHIFT
            }
        }
    }
}

/// A length in the unit of timestamps; the longest there is when it does not fit.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
