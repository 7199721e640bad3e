//! Events: search, and a list by day.

use api_types::{AlertType, Event, EventList, Priority};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::components::empty::Empty;
use crate::components::link::RangeLink;
use crate::components::list_tools::SearchField;
use crate::components::loaded::Loaded;
use crate::components::mark;
use crate::components::page_head::PageHead;
use crate::event_query::{has_term, parameters, toggled};
use crate::fetch::use_fetch_in_range;
use crate::format::plural;
use crate::state::clock::moment;
use crate::url::{self, use_set_parameters};
use crate::views::CollectViews;

/// Events asked for at first, and more at each press of the button.
const STEPS: [u32; 4] = [100, 300, 600, 1_000];

/// The list; what is searched for is in the URL.
#[component]
pub(crate) fn EventsPage() -> impl IntoView {
    let in_url = use_query_map();
    let query =
        RwSignal::new(in_url.with_untracked(|q| q.get_str("q").unwrap_or_default().to_owned()));
    // Back and forward of the browser change the query as well.
    Effect::new(move || {
        let asked = in_url.with(|q| q.get_str("q").unwrap_or_default().to_owned());
        if query.get_untracked() != asked {
            query.set(asked);
        }
    });
    let set = use_set_parameters();
    Effect::new(move |before: Option<String>| {
        let query = query.get();
        if before.is_some_and(|before| before != query) {
            let pairs = [("q", query.as_str())];
            set(&["q"], if query.is_empty() { &[] } else { &pairs });
        }
        query
    });
    let step = RwSignal::new(0_usize);
    let limit = Signal::derive(move || STEPS[step.get().min(STEPS.len() - 1)]);
    let path = move || url::events_api(&parameters(&query.get()));
    let list = use_fetch_in_range::<EventList>(path, limit);
    let events = list.list(|list| list.events.clone());
    let has_more = list.part(|list| list.next.is_some());
    let chips = AlertType::ALL.into_iter().map(|kind| type_chip(kind, query)).collect_views();
    let days = move || {
        events.with(|events| by_day(events).map(|day| day_view(day, query)).collect_views())
    };
    let has_events = Memo::new(move |_| events.with(|events| !events.is_empty()));
    let none = move || {
        if query.with(String::is_empty) {
            nothing_yet().into_any()
        } else {
            view! { <Empty title="Nothing matches" text="Change the search, or look at a longer time range."/> }.into_any()
        }
    };
    let older = move || {
        has_more.get().then(|| {
            if step.get() + 1 < STEPS.len() {
                view! {
                    <button type="button" class="button" on:click=move |_| step.update(|step| *step += 1)>"Show older events"</button>
                }
                .into_any()
            } else {
                view! { <p class="hint">"There are older events: choose an earlier time range."</p> }.into_any()
            }
        })
    };
    let count = move || {
        let more = if has_more.get() { "+" } else { "" };
        events.with(|events| format!("{}{more}", plural(events.len(), "event", "events")))
    };
    view! {
        <PageHead title=Signal::stored("Events".to_owned()) has_range=true>
            <span class="muted" role="status">{count}</span>
        </PageHead>
        <section class="card is-list">
            <div class="list-tools">
                <SearchField query label="Words, service:shop, host:web-1"/>
                <div class="chips" role="group" aria-label="Filter by type">{chips}</div>
            </div>
            <Loaded fetched=list>
                <Show when=move || has_events.get() fallback=none>
                    <div data-testid="events">{days}</div>
                </Show>
            </Loaded>
        </section>
        <div class="after-list">{older}</div>
    }
}

fn type_chip(kind: AlertType, query: RwSignal<String>) -> impl IntoView {
    let is_on = move || query.with(|query| has_term(query, "type", kind.as_str()));
    view! {
        <button
            type="button"
            class="chip"
            aria-pressed=move || is_on().to_string()
            on:click=move |_| query.update(|query| *query = toggled(query, "type", kind.as_str()))
        >
            {mark::event(kind).view()}
        </button>
    }
}

/// Says how to send the first one.
fn nothing_yet() -> impl IntoView {
    let origin = window().location().origin().unwrap_or_default();
    let command = format!(
        "# StatsD\nbellwether send '_e{{8,11}}:Deployed|Version 1.2|t:success|#service:shop'\n\n\
         # HTTP, with an editor's token\ncurl {origin}/api/app/events \\\n  \
         -H \"Authorization: Bearer $TOKEN\" \\\n  \
         --json '{{\"title\": \"Deployed\", \"tags\": {{\"service\": \"shop\"}}}}'"
    );
    view! {
        <Empty
            title="No events in this time range"
            text="Deploys, restarts and what else happens are marked on the charts of their service and host. Send one from the pipeline that deploys:"
            command
        />
    }
}

/// An event, and how many before it said the same.
struct Row {
    event: Event,
    repeats: usize,
}

/// The events of a day, newest first.
struct Day {
    name: String,
    rows: Vec<Row>,
}

/// Days in which something happened. Of events in a row with the same key and title one is shown.
fn by_day(events: &[Event]) -> impl Iterator<Item = Day> {
    let mut days: Vec<Day> = Vec::new();
    for event in events {
        let name = date(event.at_ms);
        let is_new = days.last().is_none_or(|day| day.name != name);
        if is_new {
            days.push(Day { name, rows: Vec::new() });
        }
        let Some(day) = days.last_mut() else { continue };
        match day.rows.last_mut() {
            Some(row) if is_same(&row.event, event) => row.repeats += 1,
            _ => day.rows.push(Row { event: event.clone(), repeats: 1 }),
        }
    }
    days.into_iter()
}

fn is_same(a: &Event, b: &Event) -> bool {
    !a.aggregation_key.is_empty()
        && (&a.aggregation_key, &a.title, &a.host, a.alert_type)
            == (&b.aggregation_key, &b.title, &b.host, b.alert_type)
}

/// The day of a moment on the reader's calendar.
fn date(at_ms: i64) -> String {
    let text = moment(at_ms);
    text.rsplit_once(' ').map_or(String::new(), |(day, _)| day.to_owned())
}

fn day_view(day: Day, query: RwSignal<String>) -> impl IntoView {
    let rows = day.rows.into_iter().map(|row| row_view(row, query)).collect_views();
    view! {
        <h2 class="group-title">{day.name}</h2>
        <ul class="rows events">{rows}</ul>
    }
}

fn row_view(Row { event, repeats }: Row, query: RwSignal<String>) -> impl IntoView {
    let about = [("host", &event.host), ("source", &event.source)];
    let terms = about
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .filter(|(_, value)| !value.is_empty())
        .chain(event.tags.iter().filter(|tag| tag.0 != "host").cloned())
        .map(|(name, value)| term(name, value, query))
        .collect_views();
    let full = moment(event.at_ms);
    let time = full.rsplit(' ').next().unwrap_or_default().to_owned();
    let service = event.tags.iter().find(|tag| tag.0 == "service").map(|tag| tag.1.clone());
    let link = service.map(|name| {
        let path = url::service(&name);
        view! { <RangeLink path class="quiet-link">"Open service"</RangeLink> }
    });
    view! {
        <li class="row" class:is-low=event.priority == Priority::Low data-testid="event-row">
            <time class="num muted" title=full>{time}</time>
            {mark::event(event.alert_type).shape()}
            <div class="row-main">
                <p class="event-name">
                    {event.title}
                    {(repeats > 1).then(|| view! { <span class="count num">{format!(" {repeats} times")}</span> })}
                </p>
                {(!event.text.is_empty()).then(|| view! { <p class="event-text">{event.text}</p> })}
                <div class="labels">{terms}</div>
            </div>
            {link}
        </li>
    }
}

/// A tag; a press narrows the list down to it, or takes that back.
fn term(name: String, value: String, query: RwSignal<String>) -> impl IntoView {
    let label = (name.clone(), value.clone());
    let is_on = {
        let (name, value) = label.clone();
        move || query.with(|query| has_term(query, &name, &value)).to_string()
    };
    let toggle = move |_| query.update(|query| *query = toggled(query, &name, &value));
    view! {
        <button type="button" class="label" aria-pressed=is_on on:click=toggle>
            {label.0} ": " <strong>{label.1}</strong>
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: i64, at_ms: i64, key: &str) -> Event {
        Event {
            id,
            at_ms,
            title: "Deployed".to_owned(),
            text: String::new(),
            host: String::new(),
            source: String::new(),
            alert_type: AlertType::Info,
            priority: Priority::Normal,
            aggregation_key: key.to_owned(),
            tags: Vec::new(),
        }
    }

    #[test]
    fn only_events_with_the_same_key_are_told_once() {
        assert!(is_same(&event(1, 0, "a"), &event(2, 5, "a")));
        assert!(!is_same(&event(1, 0, ""), &event(2, 5, "")));
        assert!(!is_same(&event(1, 0, "a"), &event(2, 5, "b")));
        let other = Event { alert_type: AlertType::Error, ..event(2, 5, "a") };
        assert!(!is_same(&event(1, 0, "a"), &other));
    }
}
