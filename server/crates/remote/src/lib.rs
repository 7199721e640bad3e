//! Prometheus remote write, 1.0 and 2.0, and remote read: requests as bytes; of writing, for both sides.
//!
//! A receiver negotiates with [`Protocol::of_headers`], unpacks with [`unpack`] and walks over a
//! [`Message`] series by series. A sender fills an [`Encoder`] and packs with [`pack`].
//!
//! Deliberately absent: sockets, HTTP, clocks, limits on series, and what becomes of samples. The
//! decoder is written by hand because it borrows everything: a generated one allocates every label of
//! every series, and a receiver that has seen a series before needs none of them.
//!
//! Invariants:
//! - Any bytes are read without a panic, and never more is allocated than a small multiple of the
//!   message.
//! - A damaged message is an error of the whole; labels or a histogram that make no sense are an error
//!   of their series alone.
//! - Labels that were accepted are sorted, unique, UTF-8 and have a metric's name; histograms have as
//!   many buckets as their spans say.
//!
//! Sources: <https://prometheus.io/docs/specs/prw/remote_write_spec/> and
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>; `prompb/types.proto`,
//! `prompb/remote.proto` and
//! `prompb/io/prometheus/write/v2/types.proto` in Prometheus.

mod chunked;
mod encode;
mod exemplar;
mod histogram;
mod labels;
mod message;
mod metadata;
mod protocol;
mod read;
mod snappy;
#[cfg(test)]
mod tests;
mod wire;

pub use chunked::{Chunk, put_chunked_series};
pub use encode::{Encoder, metadata_request};
pub use exemplar::Exemplar;
pub use histogram::BadHistogram;
pub use labels::{BadLabels, MAX_LABEL_BYTES};
pub use message::{Message, Series};
pub use metadata::SeriesMetadata;
pub use protocol::{HeaderError, Protocol};
pub use read::{BadReadRequest, ReadQuery, ReadRequest, read_answer, read_request};
pub use snappy::{UnpackError, pack, unpack, unpack_into};
pub use wire::WireError;
