//! Sockets in front of the aggregation: bytes in, an open window per reader, every loss counted.
//!
//! ```text
//! UDP, socket file     ─▶ DatagramSocket: a thread each ──────┐
//! TCP, socket file     ─▶ Acceptor ─▶ a task per connection ──┴▶ Listener: windows, counts, senders
//! ```
//! There is no queue between a socket and its shard. The kernel's socket buffer is the queue, and the
//! kernel tells us how many datagrams it dropped from it; a sender of a stream waits.

mod allow;
mod datagram;
mod endpoint;
mod file;
mod frame;
mod listener;
mod losses;
mod open;
mod sources;
mod stream;

pub(crate) use allow::AllowList;
pub(crate) use endpoint::{Endpoint, Transport};
pub(crate) use frame::Framing;
pub(crate) use listener::{Common, Listener, ListenerOptions, Stamps, StreamOptions};
pub(crate) use losses::{Loss, Losses};
pub(crate) use open::{Opened, Sockets, open};
pub(crate) use sources::Sources;

#[cfg(test)]
mod tests;
