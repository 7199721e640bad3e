//! `/api/app/live`: what changed, as server-sent events.

use std::{convert::Infallible, time::Duration};

use api_types::LiveEvent;
use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Shared;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams events until the client goes or the server stops. A client that is too slow misses events,
/// not the stream: the next tick brings it up to date.
pub(super) async fn stream(
    State(app): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = stream::unfold((app.live.subscribe(), app.stopping.clone()), next_event);
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

type Connection = (Receiver<LiveEvent>, tokio_util::sync::CancellationToken);

async fn next_event(
    (mut events, stopping): Connection,
) -> Option<(Result<Event, Infallible>, Connection)> {
    loop {
        let received = tokio::select! {
            () = stopping.cancelled() => return None,
            received = events.recv() => received,
        };
        match received {
            Ok(event) => {
                let named = Event::default().event(name_of(&event));
                let Ok(event) = named.json_data(&event) else { continue };
                return Some((Ok(event), (events, stopping)));
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn name_of(event: &LiveEvent) -> &'static str {
    match event {
        LiveEvent::Tick { .. } => "tick",
        LiveEvent::Alert { .. } => "alert",
        LiveEvent::Monitor { .. } => "monitor",
        LiveEvent::Events { .. } => "events",
        LiveEvent::Check { .. } => "check",
    }
}
