//! History that others wrote: lines of JSON as VictoriaMetrics exports them, OpenMetrics text with
//! timestamps, and blocks of Prometheus.
//!
//! Bytes come in through readers that are passed in, samples go out to a [`Sink`]. This crate opens no
//! files, knows no clock and no store, and decides nothing about samples: order, age and what is there
//! already are the sink's matter.
//!
//! - No input panics, and none takes more memory than a line or a block's table of texts.
//! - What cannot be read is refused by its place, and costs nothing else.
//! - The same history is the same bits, whatever form it comes in.
//!
//! Entry points: [`read_json_lines`], [`read_openmetrics`], [`read_block`]; and for what is read by others,
//! [`prometheus::encode_numbers`], which stands beside its decoder.

mod json_lines;
mod line;
mod openmetrics;
pub mod prometheus;
mod sink;

pub use json_lines::read_json_lines;
pub use openmetrics::read_openmetrics;
pub use prometheus::{BlockFiles, read_block};
pub use sink::{ReadError, Sink};

/// "Not a number" with the bits that Prometheus gives it, so that the same history is the same bits in
/// whatever form it comes. Source: `model/value` in Prometheus.
const NOT_A_NUMBER: f64 = f64::from_bits(0x7ff8_0000_0000_0001);
