//! The first page: what needs attention.

use std::sync::Arc;

use api_types::{Health, Overview};
use leptos::prelude::*;

use crate::components::alert_table::AlertTable;
use crate::components::empty::Empty;
use crate::components::host_table::HostTable;
use crate::components::link::RangeLink;
use crate::components::loaded::Loaded;
use crate::components::mark;
use crate::components::monitor_table::MonitorTable;
use crate::components::page_head::PageHead;
use crate::components::service_table::ServiceTable;
use crate::fetch::use_fetch;

/// Rows of a table here; its own page has all.
const ROWS: usize = 12;

/// Verdict, firing alerts, uptime, services and hosts.
#[component]
pub(crate) fn OverviewPage() -> impl IntoView {
    let overview = use_fetch::<Overview>(|| "/api/app/overview".to_owned());
    let verdict = overview.part(|overview| Some((overview.health, overview.verdict.clone())));
    let firing = overview.list(|overview| overview.firing.clone());
    let monitors = overview.list(|overview| overview.monitors.clone());
    let services = overview.list(|overview| overview.services.clone());
    let hosts = overview.list(|overview| overview.hosts.clone());
    let counts = overview.part(|overview| Counts {
        firing: overview.firing.len(),
        monitors: overview.monitors.len(),
        services: overview.services.len(),
        hosts: overview.hosts.len(),
    });
    let statsd = overview.part(|overview| overview.statsd_address.clone());
    view! {
        <PageHead title=Signal::stored("Overview".to_owned())/>
        <Loaded fetched=overview>
            <div class="stack">
                {move || verdict.get().map(|(health, text)| verdict_line(health, text))}
                <Show when=move || { counts.get().firing > 0 }>
                    <Section title="Firing" count=Signal::derive(move || counts.get().firing) path="/alerts" all="All alerts">
                        <div data-testid="firing"><AlertTable alerts=firing caption="Firing alerts"/></div>
                    </Section>
                </Show>
                <Show when=move || { counts.get().monitors > 0 }>
                    <Section title="Uptime" count=Signal::derive(move || counts.get().monitors) path="/uptime" all="All monitors">
                        <MonitorTable monitors=first(monitors) caption="Monitors"/>
                    </Section>
                </Show>
                <Section title="Services" count=Signal::derive(move || counts.get().services) path="/services" all="All services">
                    <Show when=move || { counts.get().services > 0 } fallback=move || no_services(&statsd.get())>
                        <ServiceTable services=first(services)/>
                    </Show>
                </Section>
                <Show when=move || { counts.get().hosts > 0 }>
                    <Section title="Hosts" count=Signal::derive(move || counts.get().hosts) path="/hosts" all="All hosts">
                        <HostTable hosts=first(hosts)/>
                    </Section>
                </Show>
            </div>
        </Loaded>
    }
}

/// How much there is of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    firing: usize,
    monitors: usize,
    services: usize,
    hosts: usize,
}

/// The first rows of a list, which comes worst first.
fn first<I: Clone + Send + Sync + 'static>(all: Signal<Arc<Vec<I>>>) -> Signal<Arc<Vec<I>>> {
    Signal::derive(move || all.with(|all| Arc::new(all.iter().take(ROWS).cloned().collect())))
}

/// The state of everything in words.
fn verdict_line(health: Health, text: String) -> impl IntoView {
    view! {
        <p class="verdict" data-testid="verdict">
            {mark::health(health).shape()}
            <span>{text}</span>
        </p>
    }
}

/// What to do when nothing sends.
pub(super) fn no_services(statsd_address: &str) -> impl IntoView + use<> {
    let (host, port) = statsd_address.rsplit_once(':').unwrap_or(("127.0.0.1", "8125"));
    let command = format!("echo \"orders.created:1|c|#service:shop\" | nc -u -w0 {host} {port}");
    view! {
        <Empty
            title="No service has sent anything yet"
            text="Services find their way here by themselves: whatever carries the label “service” is one. Send a first metric; it shows after the next flush."
            command
        />
    }
}

/// A card with a heading, a count and a link to the rest.
#[component]
fn Section(
    title: &'static str,
    #[prop(into)] count: Signal<usize>,
    path: &'static str,
    all: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="card is-list">
            <header class="card-head">
                <h2>{title}</h2>
                <span class="count num">{move || count.get()}</span>
                <span class="grow"></span>
                <RangeLink path class="quiet-link">{all}</RangeLink>
            </header>
            {children()}
        </section>
    }
}
