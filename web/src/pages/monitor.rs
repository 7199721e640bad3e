//! A monitor: availability, days, latency and outages.

use api_types::{MonitorPage as Document, MonitorRow, Outage, Uptime};
use leptos::prelude::*;

use crate::charts::PanelGrid;
use crate::components::empty::Empty;
use crate::components::link::RangeLink;
use crate::components::loaded::Loaded;
use crate::components::mark;
use crate::components::monitor_table::{DEFINITION, change, explain};
use crate::components::page_head::PageHead;
use crate::components::uptime_bars::uptime_bars;
use crate::fetch::use_fetch;
use crate::format::{availability, duration};
use crate::state::clock::{moment, use_clock};
use crate::url;
use crate::views::CollectViews;

/// State, percentages, 90 days, latency by phase, outages.
#[component]
pub(crate) fn MonitorPage() -> impl IntoView {
    let name = url::use_param("name");
    let page =
        use_fetch::<Document>(move || format!("/api/app/monitors/{}", url::encode(&name.get())));
    let row = page.part(|page| Some(page.row.clone()));
    let panels = page.part(|page| page.panels.clone());
    let outages = page.part(|page| page.outages.clone());
    let about = page.part(|page| (page.interval_seconds, page.runbook.clone()));
    let state = move || row.get().map(|row| mark::monitor(row.state).view());
    view! {
        <PageHead title=Signal::derive(move || name.get()) has_range=true>
            {state}
        </PageHead>
        <Loaded fetched=page>
            <div class="stack">
                {move || row.get().map(|row| facts(&row, about.get()))}
                {move || row.get().map(|row| percentages(&row))}
                {move || row.get().map(|row| days(&row))}
                {move || view! { <PanelGrid panels=panels.get()/> }}
                {move || outage_table(outages.get())}
                <p class="hint">{DEFINITION}</p>
            </div>
        </Loaded>
    }
}

fn facts(row: &MonitorRow, (interval_seconds, runbook): (f64, String)) -> impl IntoView + use<> {
    let now = use_clock().now_ms();
    let word = mark::monitor(row.state).word;
    let since = format!("{word} for {}", duration(now - row.since_ms));
    let interval = format!("every {}", duration((interval_seconds * 1e3) as i64));
    let detail =
        (!row.detail.is_empty()).then(|| view! { <p class="error-text">{row.detail.clone()}</p> });
    let runbook = (!runbook.is_empty()).then(|| {
        view! {
            <div class="fact">
                <dt>"Runbook"</dt>
                <dd><RangeLink path=url::runbook(&runbook)>{runbook.clone()}</RangeLink></dd>
            </div>
        }
    });
    view! {
        <section class="card">
            <p class="verdict" data-testid="verdict">
                {mark::monitor(row.state).shape()}
                <span title=moment(row.since_ms)>{since}</span>
            </p>
            {detail}
            <dl class="facts is-inline">
                <div class="fact"><dt>"Target"</dt><dd class="breaks">{row.target.clone()}</dd></div>
                <div class="fact"><dt>"Kind"</dt><dd>{row.kind.clone()}</dd></div>
                <div class="fact"><dt>"Checked"</dt><dd class="num">{interval}</dd></div>
                {runbook}
            </dl>
        </section>
    }
}

fn percentages(row: &MonitorRow) -> impl IntoView + use<> {
    let windows = [
        ("Today", row.uptime.day),
        ("This week", row.uptime.week),
        ("This month", row.uptime.month),
        ("This quarter", row.uptime.quarter),
    ];
    let stat = |(name, uptime): (&'static str, Uptime)| {
        let down = if uptime.down_ms > 0 {
            format!("{} down", duration(uptime.down_ms))
        } else {
            "no downtime".to_owned()
        };
        let coverage = (uptime.coverage < 0.9995)
            .then(|| format!(" · {} known", availability(uptime.coverage)));
        view! {
            <div class="stat" title=explain(&uptime)>
                <dt>{name}</dt>
                <dd class="num">
                    {uptime.ratio.map_or_else(|| "–".to_owned(), availability)} {change(&uptime)}
                </dd>
                <dd class="stat-note num">{down} {coverage}</dd>
            </div>
        }
    };
    view! { <dl class="stats">{windows.into_iter().map(stat).collect_views()}</dl> }
}

fn days(row: &MonitorRow) -> impl IntoView + use<> {
    view! {
        <section class="card days">
            <header class="card-head"><h2>"Last 90 days"</h2></header>
            {uptime_bars(&row.days)}
            <p class="bars-axis muted"><span>"90 days ago"</span><span>"Today"</span></p>
        </section>
    }
}

fn outage_table(outages: Vec<Outage>) -> impl IntoView {
    let now = use_clock().now_ms();
    if outages.is_empty() {
        return view! {
            <section class="card"><Empty title="No outages" text="None since this monitor exists."/></section>
        }
        .into_any();
    }
    let rows = outages
        .into_iter()
        .map(|outage| {
            let end = outage.end_ms.map_or_else(|| "ongoing".to_owned(), moment);
            let length = duration(outage.end_ms.unwrap_or(now) - outage.start_ms);
            view! {
                <tr>
                    <td class="num">{moment(outage.start_ms)}</td>
                    <td class="num">{end}</td>
                    <td class="is-number">{length}</td>
                    <td class="cell-wrap">{outage.reason}</td>
                </tr>
            }
        })
        .collect_views();
    view! {
        <section class="card is-list">
            <header class="card-head"><h2>"Outages"</h2></header>
            <div class="table-scroll" tabindex="0" role="region" aria-label="Outages">
                <table class="table">
                    <caption class="sr">"Outages, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Began"</th>
                            <th scope="col">"Ended"</th>
                            <th scope="col" class="is-number">"Length"</th>
                            <th scope="col">"Reason"</th>
                        </tr>
                    </thead>
                    <tbody data-testid="outages">{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
