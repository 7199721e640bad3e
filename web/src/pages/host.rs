//! A host: utilization, saturation, errors.

use api_types::{Cell, Fact, HostPage as Document, Resource};
use leptos::prelude::*;

use crate::charts::PanelGrid;
use crate::charts::annotations::Annotations;
use crate::components::alert_table::AlertsCard;
use crate::components::host_table::meter;
use crate::components::loaded::Loaded;
use crate::components::mark;
use crate::components::page_head::PageHead;
use crate::fetch::use_fetch;
use crate::format::ago;
use crate::pages::service::lead;
use crate::state::clock::use_clock;
use crate::url;
use crate::views::CollectViews;

/// Facts, the USE table and charts.
#[component]
pub(crate) fn HostPage() -> impl IntoView {
    let name = url::use_param("name");
    let page =
        use_fetch::<Document>(move || format!("/api/app/hosts/{}", url::encode(&name.get())));
    Annotations::provide(move || vec![("host", name.get())]);
    let verdict = page.part(|page| Some((page.row.health, page.verdict.clone())));
    let facts = page.part(|page| page.facts.clone());
    let seen = page.part(|page| page.row.last_seen_ms);
    let resources = page.part(|page| page.resources.clone());
    let panels = page.part(|page| page.panels.clone());
    let alerts = page.list(|page| page.alerts.clone());
    let state = move || verdict.get().map(|(health, _)| mark::health(health).view());
    view! {
        <PageHead title=Signal::derive(move || name.get()) has_range=true>
            {state}
        </PageHead>
        <Loaded fetched=page>
            <div class="stack">
                {move || verdict.get().map(|(_, text)| lead(text))}
                {move || fact_bar(facts.get(), seen.get())}
                <AlertsCard alerts caption="Alerts of this host"/>
                <section class="card is-list">
                    <header class="card-head"><h2>"Resources"</h2></header>
                    <div class="table-scroll" tabindex="0" role="region" aria-label="Resources">
                        <table class="table use-table">
                            <caption class="sr">"Utilization, saturation and errors of each resource"</caption>
                            <thead>
                                <tr>
                                    <th scope="col">"Resource"</th>
                                    <th scope="col">"Utilization"</th>
                                    <th scope="col">"Saturation"</th>
                                    <th scope="col">"Errors"</th>
                                </tr>
                            </thead>
                            <tbody>
                                {move || resources.with(|resources| resources.iter().map(resource_row).collect_views())}
                            </tbody>
                        </table>
                    </div>
                </section>
                <h2 class="sr">"Charts"</h2>
                {move || view! { <PanelGrid panels=panels.get()/> }}
            </div>
        </Loaded>
    }
}

fn fact_bar(facts: Vec<Fact>, seen: Option<i64>) -> impl IntoView {
    let now = use_clock().now_ms();
    let seen = seen.map(|at| Fact { name: "Last sample".to_owned(), value: ago(now - at) });
    let items = facts
        .into_iter()
        .chain(seen)
        .map(|fact| {
            view! {
                <div class="fact">
                    <dt>{fact.name}</dt>
                    <dd class="num">{fact.value}</dd>
                </div>
            }
        })
        .collect_views();
    view! { <dl class="facts">{items}</dl> }
}

fn resource_row(resource: &Resource) -> impl IntoView + use<> {
    view! {
        <tr>
            <th scope="row">{resource.name.clone()}</th>
            {cell(&resource.utilization)}
            {cell(&resource.saturation)}
            {cell(&resource.errors)}
        </tr>
    }
}

fn cell(cell: &Cell) -> impl IntoView + use<> {
    let class = match cell.health {
        api_types::Health::Ok | api_types::Health::Unknown => "",
        api_types::Health::Warning => "is-warning",
        api_types::Health::Critical => "is-critical",
    };
    // A good state needs no sign of its own: twelve green circles would hide the red one.
    let state = (!class.is_empty()).then(|| mark::health(cell.health).shape());
    view! {
        <td title=cell.detail.clone()>
            <span class="use-cell">
                {cell.ratio.map(|ratio| meter(Some(ratio), class))}
                {state}
                <span class="num">{cell.text.clone()}</span>
            </span>
        </td>
    }
}
