//! Real sockets, with windows taken by hand.

mod connections;
mod datagrams;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use ingest::{Dialect, Tally};
use model::ManualClock;

use super::*;
use crate::events::Intake;

/// A listener at its defaults.
pub(crate) fn options(address: &str) -> ListenerOptions {
    ListenerOptions {
        endpoint: Endpoint::parse(address).unwrap(),
        dialect: Dialect::default(),
        workers: NonZeroUsize::MIN,
        max_series: 1_000_000,
        max_series_per_source: 1_000_000,
        receive_buffer: 1 << 20,
        allow: Vec::new(),
        stream: StreamOptions {
            framing: Framing::Auto,
            max_connections: 2,
            idle_timeout: Duration::from_mins(1),
        },
        socket_mode: 0o600,
    }
}

/// The books of a listener without its sockets.
pub(crate) fn listener(options: &ListenerOptions) -> Listener {
    Listener::new(options, options.endpoint.clone(), None, &common())
}

/// Nobody takes the events.
pub(crate) fn common() -> Common {
    let clock = Arc::new(ManualClock::new(0));
    let (intake, _) = Intake::new(1, clock, Arc::default());
    Common { sources: Arc::new(Sources::new()), stamps: Stamps::new(), intake: Arc::new(intake) }
}

/// What arrived since the last call.
fn taken(listener: &Listener) -> Tally {
    let mut total = Tally::default();
    for mut shard in listener.shards() {
        for (_, tally) in shard.take_window().tallies {
            total.merge(&tally);
        }
    }
    total
}
