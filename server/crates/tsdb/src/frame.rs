//! Frames: one flush as bytes, durable before readers see it.
//!
//! Frames of one epoch are a chain. The first one that mentions a pair of name and value carries its
//! text, and the first one that mentions a series names its pairs; both get the next number of the epoch.
//! Values are written as changes against the frame before. So a series that does not change costs nothing
//! but its share of a run. `docs/formats/frame.md` has the byte layout. Every frame says where in the
//! chain it stands, and a decoder refuses one out of place.

use model::{Metadata, Timestamp, Value};

use crate::bytes::FormatError;

mod decode;
mod encode;
mod series;
#[cfg(test)]
mod tests;
mod texts;
mod values;

pub(crate) use decode::FrameDecoder;
pub(crate) use encode::FrameEncoder;

/// First bytes of every frame.
pub(crate) const MAGIC: [u8; 4] = *b"BWF\0";

/// The version of the format written by this program.
pub(crate) const VERSION: u8 = 2;
/// The oldest version that can be read. It has the labels of each new series as one text.
const OLDEST_VERSION: u8 = 1;

/// A sample of a flush: slot of the head, time, value.
pub(crate) type FrameSample = (u32, Timestamp, Value);

/// A flush, apart from the labels of its series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Flush {
    /// The time of the flush and of all samples in `ticks`.
    pub(crate) timestamp: Timestamp,
    /// Samples with a time of their own.
    pub(crate) dated: Vec<FrameSample>,
    /// Samples of the flush itself; their own time is not written.
    pub(crate) ticks: Vec<FrameSample>,
    /// What became known of metrics.
    pub(crate) metadata: Vec<Metadata>,
}

impl Flush {
    /// All samples, in the order in which they take effect.
    pub(crate) fn samples(&self) -> impl Iterator<Item = &FrameSample> {
        self.dated.iter().chain(&self.ticks)
    }

    /// The time of the oldest sample.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let dated = self.dated.iter().map(|(_, timestamp, _)| *timestamp);
        dated.chain((!self.ticks.is_empty()).then_some(self.timestamp)).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.dated.len() + self.ticks.len()
    }
}

/// Opens a frame's envelope and returns its version and its payload.
fn payload_of(bytes: &[u8]) -> Result<(u8, &[u8]), FormatError> {
    crate::bytes::open_versions(bytes, MAGIC, OLDEST_VERSION..=VERSION, "frame")
}
