//! What is known of metrics.
//!
//! In protocol 1.0 it comes in messages of its own, by the name of the metric family. In 2.0 it comes
//! with every series.

use model::{Metadata, MetricKind};

use crate::{
    message::Message,
    wire::{self, Reader, WireError},
};

/// The most bytes of a help text or unit that are kept.
const MAX_TEXT_BYTES: usize = 4096;

/// What a series says of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesMetadata<'a> {
    /// 0 to 7, in the numbers of the protocol.
    kind: u64,
    help: &'a [u8],
    unit: &'a [u8],
    /// See [`Self::key`].
    key: u64,
}

impl SeriesMetadata<'_> {
    /// Stands for all that is said: another key means that something else is said. Comparable between
    /// messages with the same seed.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Owned, for the metric with this name. The series of a classic histogram or summary have names
    /// that end in `_bucket`, `_sum` and `_count`; what they say is about the name without these.
    pub fn for_metric(&self, name: &str) -> Metadata {
        let endings: &[&str] = match self.kind {
            HISTOGRAM | GAUGE_HISTOGRAM => &["_bucket", "_sum", "_count"],
            SUMMARY => &["_sum", "_count"],
            _ => &[],
        };
        let family = endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        Metadata {
            metric: family.to_owned(),
            kind: kind_of(self.kind),
            unit: text(self.unit),
            help: text(self.help),
            original: String::new(),
        }
    }
}

const COUNTER: u64 = 1;
const GAUGE: u64 = 2;

// The protocols disagree on the order of these; numbers are those of 2.0.
const HISTOGRAM: u64 = 3;
const GAUGE_HISTOGRAM: u64 = 4;
const SUMMARY: u64 = 5;
const INFO: u64 = 6;
const STATE_SET: u64 = 7;

fn kind_of(number: u64) -> MetricKind {
    match number {
        COUNTER => MetricKind::Counter,
        GAUGE | INFO | STATE_SET => MetricKind::Gauge,
        HISTOGRAM | GAUGE_HISTOGRAM => MetricKind::Histogram,
        _ => MetricKind::Unknown,
    }
}

/// The number of a kind, the same in both protocols.
pub(crate) fn number_of(kind: MetricKind) -> u64 {
    match kind {
        MetricKind::Unknown => 0,
        MetricKind::Counter => COUNTER,
        MetricKind::Gauge => GAUGE,
        MetricKind::Histogram => HISTOGRAM,
    }
}

/// `MetricMetadata` of protocol 1.0.
pub(crate) fn read(bytes: &[u8]) -> Result<Metadata, WireError> {
    let mut metadata = Metadata {
        metric: String::new(),
        kind: MetricKind::Unknown,
        unit: String::new(),
        help: String::new(),
        original: String::new(),
    };
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.field()? {
        match number {
            1 => metadata.kind = kind_of(field.varint(number)?),
            2 => metadata.metric = text(field.bytes(number)?),
            4 => metadata.help = text(field.bytes(number)?),
            5 => metadata.unit = text(field.bytes(number)?),
            _ => {}
        }
    }
    Ok(metadata)
}

/// `Metadata` of protocol 2.0; `None` when it says nothing.
pub(crate) fn read_of_series<'m>(
    bytes: &[u8],
    message: &Message<'m>,
) -> Result<Option<SeriesMetadata<'m>>, WireError> {
    let mut metadata = SeriesMetadata { kind: 0, help: &[], unit: &[], key: 0 };
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.field()? {
        let value = field.varint(number)?;
        // Rotated, so that a help text and a unit that are the same do not cancel out.
        match number {
            1 => metadata.kind = value,
            3 => {
                metadata.help = message.symbol(value)?;
                metadata.key ^= message.symbol_hash(value)?.rotate_left(17);
            }
            4 => {
                metadata.unit = message.symbol(value)?;
                metadata.key ^= message.symbol_hash(value)?.rotate_left(31);
            }
            _ => {}
        }
    }
    metadata.key ^= metadata.kind;
    let says_something =
        metadata.kind != 0 || !metadata.help.is_empty() || !metadata.unit.is_empty();
    Ok(says_something.then_some(metadata))
}

/// A text for people: what is no UTF-8 is replaced, and what is too long is cut.
fn text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT_BYTES)]).into_owned();
    if bytes.len() > MAX_TEXT_BYTES {
        text.push('…');
    }
    text
}

/// Writes `MetricMetadata` of protocol 1.0.
pub(crate) fn put(out: &mut Vec<u8>, metadata: &Metadata) {
    wire::put_number(out, 1, number_of(metadata.kind));
    wire::put_bytes(out, 2, metadata.metric.as_bytes());
    wire::put_bytes(out, 4, metadata.help.as_bytes());
    wire::put_bytes(out, 5, metadata.unit.as_bytes());
}
