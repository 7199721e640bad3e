//! History from elsewhere: lines of JSON as VictoriaMetrics exports them, OpenMetrics text with
//! timestamps, blocks of Prometheus.
//!
//! Whatever the form, samples are gathered up to a bound and then written into blocks by
//! [`tsdb::Tsdb::import`], which leaves out what is there already. So an import that was interrupted is
//! simply repeated. What cannot be read is refused by line, counted, and costs nothing else.

mod gather;
mod lines;
mod openmetrics;
mod prometheus;

pub(crate) use gather::{Importer, Outcome};
pub(crate) use lines::read_lines;
pub(crate) use openmetrics::read_openmetrics;
pub(crate) use prometheus::{find_blocks, read_block};

use std::io::{self, BufRead};

/// The longest line that is read; VictoriaMetrics writes a whole series in one.
const MAX_LINE_BYTES: usize = 64 << 20;

/// "Not a number" with the bits that Prometheus gives it, so that the same history is the same bits in
/// whatever form it comes. Source: `model/value` in Prometheus.
const NOT_A_NUMBER: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// Why an import ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The input cannot be read.
    #[error("the input cannot be read")]
    Read(#[from] io::Error),
    /// The store cannot be written.
    #[error("what was read cannot be stored")]
    Store(#[from] tsdb::MaintainError),
    /// A block of Prometheus is not what it should be.
    #[error("{0}")]
    Block(String),
}

/// What became of a line.
enum Line {
    /// It is in the buffer, without its end.
    Whole,
    /// It was too long and was passed over.
    TooLong,
    End,
}

/// Reads the next line into `buffer`.
fn next_line(reader: &mut dyn BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let mut is_too_long = false;
    loop {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            return Ok(match (is_too_long, buffer.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Whole,
            });
        }
        let end = memchr::memchr(b'\n', available);
        let part = &available[..end.unwrap_or(available.len())];
        is_too_long |= buffer.len() + part.len() > MAX_LINE_BYTES;
        if !is_too_long {
            buffer.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            if is_too_long {
                return Ok(Line::TooLong);
            }
            if buffer.last() == Some(&b'\r') {
                buffer.pop();
            }
            return Ok(Line::Whole);
        }
    }
}
