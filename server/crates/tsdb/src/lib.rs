//! The time-series store.
#![expect(dead_code, reason = "being built")]

mod bytes;
mod codec;
pub mod engine;
mod postings;
#[cfg(test)]
mod testing;

pub use bytes::FormatError;
