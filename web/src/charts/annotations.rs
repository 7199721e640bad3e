//! Events on charts: a thin line with a handle for each, or for several that lie close together.
//!
//! The handles stand beside the chart in the document, not in it: a chart is a picture for screen
//! readers, and a picture has no buttons inside.

use std::ops::Range;
use std::sync::Arc;

use api_types::{Event, EventList, Priority};
use chart::Geometry;
use leptos::{ev, prelude::*};
use leptos_router::hooks::use_query_map;
use wasm_bindgen::JsCast;

use crate::components::mark;
use crate::fetch::use_fetch_in_range;
use crate::format::plural;
use crate::icons::{Icon, IconName};
use crate::state::clock::moment;
use crate::url::{self, use_set_parameters};
use crate::views::CollectViews;

/// Handles that would be closer than this are one.
const GAP_PIXELS: f64 = 32.0;
/// Events shown in a popover; the rest is counted.
const SHOWN: usize = 5;
/// In a chart narrower than this a popover is as wide as the chart.
const NARROW_PIXELS: f64 = 420.0;
/// Events of a page of charts at most.
const LIMIT: u32 = 500;
/// The parameter of the URL that hides the events.
const PARAMETER: &str = "events";

/// The events of a page's charts, as a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Annotations {
    events: Signal<Arc<Vec<Event>>>,
    is_on: Memo<bool>,
}

impl Annotations {
    /// Gets the events for which `filter` holds: parameters of `/api/app/events`.
    pub(crate) fn provide(filter: impl Fn() -> Vec<(&'static str, String)> + 'static) {
        let path = move || url::events_api(&filter());
        let list = use_fetch_in_range::<EventList>(path, Signal::stored(LIMIT));
        let parameters = use_query_map();
        let is_on = Memo::new(move |_| {
            parameters.with(|parameters| parameters.get_str(PARAMETER) != Some("off"))
        });
        provide_context(Self { events: list.list(|list| list.events.clone()), is_on });
    }
}

/// Shows and hides the events; only on pages that have them.
#[component]
pub(crate) fn AnnotationSwitch() -> impl IntoView {
    use_context::<Annotations>().map(|annotations| {
        let set = StoredValue::new_local(use_set_parameters());
        let is_on = annotations.is_on;
        let toggle = move |_| {
            let value: &[(&str, &str)] =
                if is_on.get_untracked() { &[(PARAMETER, "off")] } else { &[] };
            set.with_value(|set| set(&[PARAMETER], value));
        };
        view! {
            <button
                type="button"
                class="chip"
                aria-pressed=move || is_on.get().to_string()
                title="Events on the charts"
                data-testid="annotation-switch"
                on:click=toggle
            >
                <Icon name=IconName::Events/>
                <span class="chip-word">"Events"</span>
                <span class="chip-count num">{move || annotations.events.with(|events| events.len())}</span>
            </button>
        }
    })
}

/// Events that share a handle.
#[derive(Debug, Clone, PartialEq)]
struct Cluster {
    x: f64,
    /// Newest first; never empty.
    events: Vec<Event>,
}

impl Cluster {
    /// The event that gives the handle its shape.
    fn worst(&self) -> Option<&Event> {
        self.events.iter().max_by_key(|event| event.alert_type)
    }

    fn label(&self) -> String {
        let named = |event: &Event| {
            let word = mark::event(event.alert_type).word;
            format!("{word}: {}, {}", event.title, moment(event.at_ms))
        };
        match self.events.as_slice() {
            [event] => named(event),
            events => {
                let first = events.first().map(named).unwrap_or_default();
                format!("{}, the last is {first}", plural(events.len(), "event", "events"))
            }
        }
    }
}

/// Runs of positions that lie within `gap` of their first; `xs` is sorted either way.
fn runs(xs: &[f64], gap: f64) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, x) in xs.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if (xs[run.start] - x).abs() < gap => run.end = index + 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

fn clusters(events: &[Event], geometry: &Geometry) -> Vec<Cluster> {
    let inside: Vec<(&Event, f64)> = events
        .iter()
        .map(|event| (event, geometry.x_of(event.at_ms as f64)))
        .filter(|(_, x)| (geometry.left..=geometry.right).contains(x))
        .collect();
    let xs: Vec<f64> = inside.iter().map(|(_, x)| *x).collect();
    let cluster = |run: Range<usize>| {
        // At the newest, so that handles are as far apart as the first events of their runs.
        let x = xs[run.start].round();
        Cluster { x, events: inside[run].iter().map(|(event, _)| (*event).clone()).collect() }
    };
    // In the order in which the arrow keys walk.
    runs(&xs, GAP_PIXELS).into_iter().rev().map(cluster).collect()
}

/// Lines and handles over a chart.
#[component]
pub(super) fn AnnotationLayer(geometry: Signal<Option<Geometry>>) -> impl IntoView {
    use_context::<Annotations>().map(|annotations| layer(annotations, geometry))
}

fn layer(annotations: Annotations, geometry: Signal<Option<Geometry>>) -> impl IntoView {
    let open = RwSignal::new(None::<usize>);
    let all = Memo::new(move |before: Option<&Arc<Vec<Cluster>>>| {
        // While somebody looks at one, nothing moves.
        if let (true, Some(before)) = (open.get().is_some(), before) {
            return Arc::clone(before);
        }
        let geometry = geometry.get().filter(|_| annotations.is_on.get());
        Arc::new(geometry.map_or_else(Vec::new, |geometry| {
            annotations.events.with(|events| clusters(events, &geometry))
        }))
    });
    // A chart of another size has its handles elsewhere.
    Effect::new(move |before: Option<Option<(f64, f64)>>| {
        let edges = geometry.get().map(|geometry| (geometry.left, geometry.right));
        if before.is_some_and(|before| before != edges) {
            open.set(None);
        }
        edges
    });
    // The clusters follow the geometry, so it need not be tracked twice.
    let handles = move || {
        let all = all.get();
        let geometry = geometry.get_untracked()?;
        let handles = all.iter().enumerate();
        Some(handles.map(|(at, one)| handle(at, one, &geometry, open)).collect_views())
    };
    let popover = move || {
        let (all, at) = (all.get(), open.get()?);
        let geometry = geometry.get_untracked()?;
        Some(popover(all.get(at)?, &geometry))
    };
    view! {
        <div class="annotations" role="group" aria-label="Events" on:keydown=move |event| walk(&event, open)>
            {handles}
        </div>
        {popover}
    }
}

fn px(value: f64) -> String {
    format!("{value}px")
}

fn handle(
    at: usize,
    cluster: &Cluster,
    geometry: &Geometry,
    open: RwSignal<Option<usize>>,
) -> impl IntoView + use<> {
    let class = cluster.worst().map_or("", |event| mark::event(event.alert_type).class);
    let is_low = cluster.events.iter().all(|event| event.priority == Priority::Low);
    let count = (cluster.events.len() > 1).then_some(cluster.events.len());
    let close = move || {
        if open.get_untracked() == Some(at) {
            open.set(None);
        }
    };
    view! {
        <i
            class=format!("annotation-line {class}")
            class:is-low=is_low
            style:left=px(cluster.x)
            style:top=px(geometry.top)
            style:height=px(geometry.bottom - geometry.top)
        ></i>
        <button
            type="button"
            class=format!("annotation {class}")
            class:is-low=is_low
            style:left=px(cluster.x)
            style:top=px(geometry.top)
            tabindex=if at == 0 { "0" } else { "-1" }
            aria-label=cluster.label()
            data-testid="annotation"
            on:pointerenter=move |_| open.set(Some(at))
            on:focus=move |_| open.set(Some(at))
            on:click=move |_| open.set(Some(at))
            on:pointerleave=move |_| close()
            on:blur=move |_| close()
        >
            {count}
        </button>
    }
}

/// Left and right go to the next handle, Escape closes what is open.
fn walk(event: &ev::KeyboardEvent, open: RwSignal<Option<usize>>) {
    let step = match event.key().as_str() {
        "ArrowRight" => 1,
        "ArrowLeft" => -1,
        "Escape" => {
            open.set(None);
            return;
        }
        _ => return,
    };
    event.prevent_default();
    let Some(layer) = event.current_target().and_then(|at| at.dyn_into::<web_sys::Element>().ok())
    else {
        return;
    };
    let Ok(buttons) = layer.query_selector_all("button") else { return };
    let next = open.get_untracked().map_or(0, |at| at as i64 + step);
    let button = u32::try_from(next).ok().and_then(|next| buttons.get(next));
    if let Some(button) = button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok()) {
        // An element that is shown takes the focus.
        drop(button.focus());
    }
}

/// One event in full, or the titles of several.
fn popover(cluster: &Cluster, geometry: &Geometry) -> impl IntoView + use<> {
    let (shown, is_alone) = match cluster.events.as_slice() {
        [_] => (1, true),
        _ => (SHOWN, false),
    };
    let more = cluster.events.len().saturating_sub(shown);
    let is_narrow = geometry.right - geometry.left < NARROW_PIXELS;
    let is_left = cluster.x > geometry.left.midpoint(geometry.right);
    let events = cluster.events.iter().take(shown).map(|event| summary(event, is_alone));
    view! {
        <div
            class="tooltip is-events"
            class:is-left=is_left
            class:is-narrow=is_narrow
            data-testid="annotation-popover"
            style:left=px(if is_narrow { 0.0 } else { cluster.x })
            style:top=px(geometry.top + 20.0)
        >
            <div class="tooltip-box">
                {events.collect_views()}
                {(more > 0).then(|| view! { <div class="tooltip-time">{format!("and {more} more")}</div> })}
            </div>
        </div>
    }
}

fn summary(event: &Event, is_alone: bool) -> impl IntoView + use<> {
    let about = (!event.host.is_empty()).then(|| ("host".to_owned(), event.host.clone()));
    let tags = event.tags.iter().filter(|tag| tag.0 != "host").cloned();
    let tags = about.into_iter().chain(tags).map(|(name, value)| {
        view! { <span class="label">{name} ": " <strong>{value}</strong></span> }
    });
    let text = (is_alone && !event.text.is_empty()).then(|| event.text.clone());
    view! {
        <div class="annotation-event">
            <div class="tooltip-time num">{moment(event.at_ms)}</div>
            <p class="annotation-title">
                {mark::event(event.alert_type).shape()} <span>{event.title.clone()}</span>
            </p>
            {text.map(|text| view! { <p class="annotation-text">{text}</p> })}
            {is_alone.then(|| view! { <p class="labels">{tags.collect_views()}</p> })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_close_together_is_one() {
        for (name, xs, expected) in [
            ("none", vec![], vec![]),
            ("far apart", vec![100.0, 50.0, 0.0], vec![0..1, 1..2, 2..3]),
            ("close", vec![100.0, 95.0, 90.0, 40.0], vec![0..3, 3..4]),
            // A chain does not grow beyond the gap, or a dense range would be one handle.
            ("a chain", vec![60.0, 45.0, 30.0, 15.0], vec![0..2, 2..4]),
            ("the gap itself is apart", vec![20.0, 0.0], vec![0..1, 1..2]),
        ] {
            assert_eq!(runs(&xs, 20.0), expected, "{name}");
        }
    }
}
