//! A service: rate, errors, duration.

use api_types::{RunbookRow, ServicePage as Document};
use chart::Unit;
use leptos::prelude::*;

use crate::charts::PanelGrid;
use crate::charts::annotations::Annotations;
use crate::components::alert_table::AlertsCard;
use crate::components::link::RangeLink;
use crate::components::loaded::Loaded;
use crate::components::mark;
use crate::components::monitor_table::MonitorTable;
use crate::components::page_head::PageHead;
use crate::fetch::use_fetch;
use crate::format::availability;
use crate::pages::runbooks::runbook_row;
use crate::promql::quoted;
use crate::url;
use crate::views::CollectViews;

/// Verdict, RED charts, and everything else that belongs to the service.
#[component]
pub(crate) fn ServicePage() -> impl IntoView {
    let name = url::use_param("name");
    let page =
        use_fetch::<Document>(move || format!("/api/app/services/{}", url::encode(&name.get())));
    Annotations::provide(move || vec![("tag", format!("service:{}", name.get()))]);
    let row = page.part(|page| Some(page.row.clone()));
    let verdict = page.part(|page| Some(page.verdict.clone()));
    let red = page.part(|page| page.red.clone());
    let more = page.part(|page| page.more.clone());
    let alerts = page.list(|page| page.alerts.clone());
    let monitors = page.list(|page| page.monitors.clone());
    let runbooks = page.part(|page| page.runbooks.clone());
    let metrics = page.part(|page| page.metrics.clone());
    let stats = move || {
        let row = row.get()?;
        let value = |unit: Unit, value: Option<f64>| {
            let value = value.unwrap_or(f64::NAN);
            (unit.format(value), unit.exact(value))
        };
        let uptime = row.uptime_day.map_or_else(|| "–".to_owned(), availability);
        Some(view! {
            <dl class="stats">
                {stat("Requests", value(Unit::PerSecond, row.rate))}
                {stat("Errors", value(Unit::Ratio, row.error_ratio))}
                {stat("Duration, p95", value(Unit::Seconds, row.p95_seconds))}
                {stat("Uptime today", (uptime.clone(), uptime))}
            </dl>
        })
    };
    let state = move || row.get().map(|row| mark::health(row.health).view());
    view! {
        <PageHead title=Signal::derive(move || name.get()) has_range=true>
            {state}
        </PageHead>
        <Loaded fetched=page>
            <div class="stack">
                {move || verdict.get().map(lead)}
                {stats}
                <h2 class="sr">"Rate, errors, duration"</h2>
                {move || view! { <PanelGrid panels=red.get()/> }}
                <AlertsCard alerts caption="Alerts of this service"/>
                <Show when=move || monitors.with(|monitors| !monitors.is_empty())>
                    <section class="card is-list">
                        <header class="card-head"><h2>"Monitors"</h2></header>
                        <MonitorTable monitors caption="Monitors of this service"/>
                    </section>
                </Show>
                {move || runbook_list(runbooks.get())}
                <Show when=move || more.with(|more| !more.is_empty())>
                    <h2 class="section-title">"More metrics"</h2>
                    {move || view! { <PanelGrid panels=more.get()/> }}
                </Show>
                {move || metric_list(&name.get(), metrics.get())}
            </div>
        </Loaded>
    }
}

/// The state in words, below a title that shows it.
pub(super) fn lead(text: String) -> impl IntoView {
    view! { <p class="lead" data-testid="verdict">{text}</p> }
}

/// A number with its name.
pub(super) fn stat(name: &'static str, (value, exact): (String, String)) -> impl IntoView {
    view! {
        <div class="stat">
            <dt>{name}</dt>
            <dd class="num" title=exact>{value}</dd>
        </div>
    }
}

fn runbook_list(runbooks: Vec<RunbookRow>) -> Option<impl IntoView> {
    (!runbooks.is_empty()).then(|| {
        view! {
            <section class="card is-list">
                <header class="card-head"><h2>"Runbooks"</h2></header>
                <ul class="rows">{runbooks.into_iter().map(runbook_row).collect_views()}</ul>
            </section>
        }
    })
}

fn metric_list(service: &str, metrics: Vec<String>) -> Option<impl IntoView + use<>> {
    let selector = format!("{{service={}}}", quoted(service));
    let count = metrics.len();
    let item = move |metric: String| {
        let path = url::explore(&format!("{metric}{selector}"));
        view! { <li><RangeLink path class="metric">{metric}</RangeLink></li> }
    };
    (count > 0).then(|| {
        view! {
            <section class="card">
                <header class="card-head">
                    <h2>"Metrics"</h2>
                    <span class="count num">{count}</span>
                </header>
                <ul class="metric-list">{metrics.into_iter().map(item).collect_views()}</ul>
            </section>
        }
    })
}
