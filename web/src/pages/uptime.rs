//! All monitors.

use std::sync::Arc;

use api_types::{MonitorRow, MonitorState};
use leptos::prelude::*;

use crate::components::check_table::ChecksCard;
use crate::components::empty::Empty;
use crate::components::list_tools::{Chip, SearchField};
use crate::components::loaded::Loaded;
use crate::components::mark;
use crate::components::monitor_table::{DEFINITION, MonitorTable};
use crate::components::page_head::PageHead;
use crate::fetch::use_fetch;
use crate::search::matches;
use crate::views::CollectViews;

const EXAMPLE: &str = "# config/monitors/site.yml
monitors:
  - name: website
    kind: http
    url: https://example.org";

/// States that can be chosen.
const FACETS: [MonitorState; 4] =
    [MonitorState::Down, MonitorState::Degraded, MonitorState::Up, MonitorState::Unknown];

/// The list by group, with search and states.
#[component]
pub(crate) fn UptimePage() -> impl IntoView {
    let list = use_fetch::<Vec<MonitorRow>>(|| "/api/app/monitors".to_owned());
    let all = list.list(Clone::clone);
    let query = RwSignal::new(String::new());
    let chosen = RwSignal::new(None::<MonitorState>);
    let groups = Memo::new(move |_| {
        let (query, chosen) = (query.get(), chosen.get());
        all.with(|all| grouped(all.iter().filter(|monitor| passes(monitor, &query, chosen))))
    });
    let chips = move || {
        FACETS
            .into_iter()
            .map(|state| {
                let count = Signal::derive(move || {
                    all.with(|all| all.iter().filter(|monitor| monitor.state == state).count())
                });
                let toggle = Callback::new(move |()| {
                    chosen.update(|chosen| {
                        *chosen = if *chosen == Some(state) { None } else { Some(state) }
                    });
                });
                let is_on = Signal::derive(move || chosen.get() == Some(state));
                view! { <Chip label=mark::monitor(state).word count is_on on_toggle=toggle/> }
            })
            .collect_views()
    };
    let names = Memo::new(move |_| {
        groups.with(|groups| groups.iter().map(|group| group.0.clone()).collect::<Vec<_>>())
    });
    let tables =
        move || names.get().into_iter().map(|name| group_table(name, groups)).collect_views();
    let none = move || {
        if all.with(|all| all.is_empty()) {
            view! {
                <Empty
                    title="No monitors yet"
                    text="Describe one in a file and reload with kill -HUP: the first check runs at once."
                    command=EXAMPLE
                />
            }
        } else {
            view! { <Empty title="Nothing matches" text="Change the search or switch the filter off."/> }
        }
    };
    view! {
        <PageHead title=Signal::stored("Uptime".to_owned())/>
        <Loaded fetched=list>
            <div class="stack">
                <section class="card is-list">
                    <div class="list-tools">
                        <SearchField query label="Search monitors"/>
                        <div class="chips" role="group" aria-label="Filter by state">{chips()}</div>
                    </div>
                    <Show when=move || groups.with(|groups| !groups.is_empty()) fallback=none>
                        {tables}
                    </Show>
                </section>
                <p class="hint">{DEFINITION}</p>
                <ChecksCard/>
            </div>
        </Loaded>
    }
}

/// Monitors under their headings.
type Groups = Vec<(String, Arc<Vec<MonitorRow>>)>;

fn group_table(name: String, groups: Memo<Groups>) -> impl IntoView {
    let caption = if name.is_empty() { "Monitors".to_owned() } else { format!("Monitors, {name}") };
    let heading = (!name.is_empty()).then(|| view! { <h2 class="group-title">{name.clone()}</h2> });
    let monitors = Signal::derive(move || {
        groups.with(|groups| {
            groups
                .iter()
                .find(|group| group.0 == name)
                .map(|group| Arc::clone(&group.1))
                .unwrap_or_default()
        })
    });
    view! {
        {heading}
        <MonitorTable monitors caption/>
    }
}

/// Groups in the order in which their first monitor comes.
fn grouped<'a>(monitors: impl Iterator<Item = &'a MonitorRow>) -> Groups {
    let mut groups: Vec<(String, Vec<MonitorRow>)> = Vec::new();
    for monitor in monitors {
        match groups.iter_mut().find(|group| group.0 == monitor.group) {
            Some(group) => group.1.push(monitor.clone()),
            None => groups.push((monitor.group.clone(), vec![monitor.clone()])),
        }
    }
    groups.into_iter().map(|(name, monitors)| (name, Arc::new(monitors))).collect()
}

fn passes(monitor: &MonitorRow, query: &str, state: Option<MonitorState>) -> bool {
    state.is_none_or(|state| state == monitor.state)
        && matches(query, &[&monitor.name, &monitor.group, &monitor.target, &monitor.kind])
}
