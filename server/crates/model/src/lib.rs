//! The vocabulary of Bellwether: labels, matchers, samples, native histograms, time, and the traits
//! through which readers reach a store.
//!
//! Deliberately absent: sockets, files, SQL, tasks and wall clocks. Core crates take bytes, data and
//! `now`; only the server owns the rest. This crate depends on no other crate of ours.
//!
//! Invariants:
//! - [`Labels`] are sorted by name, names are unique, and no value is empty (an empty value means
//!   "no such label", as in Prometheus).
//! - A series is known by [`SeriesId`], a 128-bit hash of its labels, the same on every node.
//! - Time is [`Timestamp`], milliseconds since the Unix epoch in UTC.
//!
//! Entry points: [`Labels`], [`Matcher`], [`Value`], [`NativeHistogram`], [`storage::Storage`].

pub mod closest;
pub mod duration;
pub mod histogram;
pub mod labels;
pub mod matcher;
pub mod metadata;
pub mod number;
pub mod rollup;
pub mod segments;
pub mod storage;
pub mod tag;
pub mod text;
pub mod time;
pub mod value;

pub use closest::closest;
pub use histogram::NativeHistogram;
pub use labels::{Labels, LabelsBuilder, SeriesId};
pub use matcher::{MatchOp, Matcher};
pub use metadata::{Metadata, MetricKind};
pub use segments::Segments;
pub use storage::{Column, Storage, StorageError};
pub use tag::Tag;
pub use time::{Clock, ManualClock, Timestamp};
pub use value::{Sample, Value, is_stale, stale_marker};
