//! Sockets in front of the aggregation: bytes in, an open window per reader, every loss counted.
//!
//! There is no queue between a socket and its shard. The kernel's socket buffer is the queue, and the
//! kernel tells us how many datagrams it dropped from it.

pub(crate) mod sources;
pub(crate) mod udp;

pub(crate) use sources::Sources;
pub(crate) use udp::UdpListener;
