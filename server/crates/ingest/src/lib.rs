//! StatsD: line parser, name mapping, aggregation state and limits.
//!
//! ```text
//! datagram ─▶ Shard (one per reader thread) ─ Window ─▶ Registry (the flush thread) ─▶ FlushSink
//!             parse, find the series, add up            merge, continue, expire, emit
//! ```
//! A reader thread owns a [`Shard`]: it parses each datagram, finds the series of each line in a cache
//! and adds the value to the open [`Window`]. At the flush tick the windows of all shards are merged
//! by the [`Registry`], which keeps the live value of every series and emits them all at one time.
//!
//! Deliberately absent: sockets, tasks, locks, wall clocks, the environment and the store. Callers
//! hand over bytes, arrival stamps and `now`, and receive samples through [`FlushSink`].
//!
//! Invariants:
//! - No byte string panics the parser, and a bad line spoils only itself.
//! - A line is either accepted or counted under exactly one [`Reason`].
//! - Memory is bounded: by the context limits of the shard, the series limits of the registry, the
//!   bucket cap of a sketch and the fixed size of a large set.
//! - A line of a known series allocates nothing, except when a sketch or set has to grow.
//!
//! Entry points: [`Shard::accept`], [`Shard::take_window`], [`Registry::merge`],
//! [`Registry::flush`], [`Mapping::parse`].

pub mod line;
pub mod name;

pub mod mapping;

pub mod distinct;
pub mod sketch;

pub mod reason;
pub mod series;
pub mod tally;
pub mod window;

mod context;
pub mod explain;
pub mod registry;
pub mod shard;

pub use context::{Dialect, GaugeNegative};
pub use explain::{Explained, ExplainedSeries, explain};
pub use mapping::{Mapping, MappingError, RulePlace};
pub use reason::{Reason, ReasonCounts};
pub use registry::{FlushReport, FlushSink, Limits, Registry, RegistryOptions, TimeToLive};
pub use series::{Series, SeriesKind, SourceId};
pub use shard::{Arrival, Extra, Shard, ShardOptions};
pub use sketch::Sketch;
pub use tally::{Offender, Offenders, Tally};
pub use window::Window;
