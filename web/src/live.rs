//! The live stream: server-sent events at each flush and at each change of an alert or monitor.

use std::time::Duration;

use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{EventSource, MessageEvent};

use crate::json;

/// After a refusal the browser does not come back by itself; this is when we do.
const RETRY: Duration = Duration::from_secs(5);

const EVENTS: [&str; 5] = ["tick", "alert", "monitor", "events", "check"];

/// The state of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting,
    Open,
    Lost,
}

/// The live stream, as a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Live {
    link: RwSignal<Link>,
    tick_ms: RwSignal<Option<i64>>,
    firing: RwSignal<Option<u32>>,
    /// Rises with every event that changes what pages show.
    changes: RwSignal<u64>,
    stream: StoredValue<Option<Stream>, LocalStorage>,
}

/// An open stream with the callbacks that it holds.
#[derive(Debug)]
struct Stream {
    source: EventSource,
    _on_event: Closure<dyn FnMut(MessageEvent)>,
    _on_open: Closure<dyn FnMut()>,
    _on_error: Closure<dyn FnMut()>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.close();
    }
}

impl Live {
    /// Makes the context; the stream stays closed.
    pub(crate) fn provide() -> Self {
        let live = Self {
            link: RwSignal::new(Link::Connecting),
            tick_ms: RwSignal::new(None),
            firing: RwSignal::new(None),
            changes: RwSignal::new(0),
            stream: StoredValue::new_local(None),
        };
        provide_context(live);
        live
    }

    /// Opens the stream; needs a session.
    pub(crate) fn open(self) {
        self.link.set(Link::Connecting);
        let Ok(source) = EventSource::new("/api/app/live") else {
            self.link.set(Link::Lost);
            return;
        };
        let on_event = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let text = event.data().as_string().unwrap_or_default();
            // An event of a newer server is none of ours.
            if let Ok(event) = json::parse(&text) {
                self.take(&event);
            }
        });
        let on_open = Closure::<dyn FnMut()>::new(move || self.link.set(Link::Open));
        let on_error = Closure::<dyn FnMut()>::new({
            let source = source.clone();
            move || {
                self.link.set(Link::Lost);
                if source.ready_state() == EventSource::CLOSED {
                    set_timeout(move || self.reopen(), RETRY);
                }
            }
        });
        for name in EVENTS {
            let added =
                source.add_event_listener_with_callback(name, on_event.as_ref().unchecked_ref());
            debug_assert!(added.is_ok(), "a listener can be added to an event source");
        }
        source.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let stream = Stream { source, _on_event: on_event, _on_open: on_open, _on_error: on_error };
        self.stream.set_value(Some(stream));
    }

    /// Closes the stream, such as after signing out.
    pub(crate) fn close(self) {
        self.stream.try_set_value(None);
    }

    /// Opens it again unless it was closed meanwhile.
    fn reopen(self) {
        if self.stream.try_with_value(Option::is_some) == Some(true) {
            self.open();
        }
    }

    /// Takes an [`api_types::LiveEvent`]. All but a tick only tell that there is news.
    fn take(self, event: &Value) {
        if let Some((at_ms, firing)) = tick(event) {
            self.tick_ms.set(Some(at_ms));
            self.firing.set(Some(firing));
        }
        // A page in the background catches up with the first event after it is seen again.
        if !document().hidden() {
            self.changes.update(|changes| *changes += 1);
        }
    }

    pub(crate) fn link(self) -> Link {
        self.link.get()
    }

    /// The timestamp of the last flush.
    pub(crate) fn tick_ms(self) -> Option<i64> {
        self.tick_ms.get()
    }

    /// How many alerts fire; `None` until the first flush.
    pub(crate) fn firing(self) -> Option<u32> {
        self.firing.get()
    }

    /// Makes whoever calls it run again after every event.
    pub(crate) fn track(self) {
        self.changes.track();
    }
}

/// When a tick was, and how many alerts fire; `None` for any other event.
fn tick(event: &Value) -> Option<(i64, u32)> {
    let is_tick = event["type"] == "tick";
    is_tick.then_some((event["at_ms"].as_i64()?, event["firing"].as_u64()? as u32))
}

/// The live stream of the application.
pub(crate) fn use_live() -> Live {
    expect_context()
}

#[cfg(test)]
mod tests {
    use api_types::LiveEvent;

    use super::*;

    #[test]
    fn a_tick_is_told_from_other_events() {
        let read = |event: &LiveEvent| tick(&serde_json::to_value(event).unwrap());
        assert_eq!(read(&LiveEvent::Tick { at_ms: 5, series: 7, firing: 2 }), Some((5, 2)));
        assert_eq!(read(&LiveEvent::Events { at_ms: 5, count: 1 }), None);
    }
}
