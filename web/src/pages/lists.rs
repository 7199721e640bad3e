//! All services, and all hosts.

use std::sync::Arc;

use api_types::{Health, Overview};
use leptos::prelude::*;

use crate::components::empty::Empty;
use crate::components::host_table::HostTable;
use crate::components::list_tools::{Chip, SearchField};
use crate::components::loaded::Loaded;
use crate::components::mark;
use crate::components::page_head::PageHead;
use crate::components::service_table::ServiceTable;
use crate::fetch::use_fetch;
use crate::pages::overview::no_services;
use crate::search::matches;
use crate::views::CollectViews;

/// The filters of a list: letters of the name, and states.
#[derive(Debug, Clone, Copy)]
struct Filter {
    query: RwSignal<String>,
    health: RwSignal<Option<Health>>,
}

impl Filter {
    fn new() -> Self {
        Self { query: RwSignal::new(String::new()), health: RwSignal::new(None) }
    }

    /// The rows that pass.
    fn apply<I: Clone + Send + Sync + 'static>(
        self,
        all: Signal<Arc<Vec<I>>>,
        of: impl Fn(&I) -> (&str, Health) + Copy + Send + Sync + 'static,
    ) -> Signal<Arc<Vec<I>>> {
        Signal::derive(move || {
            let (query, health) = (self.query.get(), self.health.get());
            let passes = |row: &&I| {
                let (name, own) = of(row);
                health.is_none_or(|health| health == own) && matches(&query, &[name])
            };
            all.with(|all| Arc::new(all.iter().filter(passes).cloned().collect()))
        })
    }

    /// Search field and one chip per state.
    fn tools<I: Send + Sync + 'static>(
        self,
        all: Signal<Arc<Vec<I>>>,
        of: impl Fn(&I) -> (&str, Health) + Copy + Send + Sync + 'static,
        label: &'static str,
    ) -> impl IntoView {
        let chips = [Health::Critical, Health::Warning, Health::Ok, Health::Unknown]
            .into_iter()
            .map(|health| {
                let count = Signal::derive(move || {
                    all.with(|all| all.iter().filter(|row| of(row).1 == health).count())
                });
                let toggle = Callback::new(move |()| {
                    self.health.update(|chosen| {
                        *chosen = if *chosen == Some(health) { None } else { Some(health) };
                    });
                });
                let is_on = Signal::derive(move || self.health.get() == Some(health));
                view! { <Chip label=mark::health(health).word count is_on on_toggle=toggle/> }
            })
            .collect_views();
        view! {
            <div class="list-tools">
                <SearchField query=self.query label/>
                <div class="chips" role="group" aria-label="Filter by state">{chips}</div>
            </div>
        }
    }
}

/// What to show when a list is empty, or filtered to nothing.
fn nothing_found() -> impl IntoView {
    view! { <Empty title="Nothing matches" text="Change the search or switch the filters off."/> }
}

/// All services.
#[component]
pub(crate) fn ServicesPage() -> impl IntoView {
    let overview = use_fetch::<Overview>(|| "/api/app/overview".to_owned());
    let all = overview.list(|overview| overview.services.clone());
    let statsd = overview.part(|overview| overview.statsd_address.clone());
    let filter = Filter::new();
    let shown = filter.apply(all, |row| (&row.name, row.health));
    let has_any = move || all.with(|all| !all.is_empty());
    view! {
        <PageHead title=Signal::stored("Services".to_owned())/>
        <Loaded fetched=overview>
            <section class="card is-list">
                <Show when=has_any fallback=move || no_services(&statsd.get())>
                    {filter.tools(all, |row| (&row.name, row.health), "Search services")}
                    <Show when=move || shown.with(|shown| !shown.is_empty()) fallback=nothing_found>
                        <ServiceTable services=shown/>
                    </Show>
                </Show>
            </section>
        </Loaded>
    }
}

/// All hosts.
#[component]
pub(crate) fn HostsPage() -> impl IntoView {
    let overview = use_fetch::<Overview>(|| "/api/app/overview".to_owned());
    let all = overview.list(|overview| overview.hosts.clone());
    let filter = Filter::new();
    let shown = filter.apply(all, |row| (&row.name, row.health));
    let has_any = move || all.with(|all| !all.is_empty());
    let no_hosts = || {
        view! {
            <Empty
                title="No host has sent anything yet"
                text="Start the agent on a host and tell it where this server listens for StatsD."
                command="bellwether agent --statsd 127.0.0.1:8125"
            />
        }
    };
    view! {
        <PageHead title=Signal::stored("Hosts".to_owned())/>
        <Loaded fetched=overview>
            <section class="card is-list">
                <Show when=has_any fallback=no_hosts>
                    {filter.tools(all, |row| (&row.name, row.health), "Search hosts")}
                    <Show when=move || shown.with(|shown| !shown.is_empty()) fallback=nothing_found>
                        <HostTable hosts=shown/>
                    </Show>
                </Show>
            </section>
        </Loaded>
    }
}
