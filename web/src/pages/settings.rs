//! The server itself: is it well, who sends, where notifications go.

use api_types::{Counter, Receiver, Source, Status};
use leptos::prelude::*;

use crate::components::empty::Empty;
use crate::components::loaded::Loaded;
use crate::components::page_head::PageHead;
use crate::fetch::use_fetch;
use crate::format::{ago, count, duration};
use crate::icons::{Icon, IconName};
use crate::state::clock::{moment, use_clock};
use crate::views::CollectViews;

/// Own health, sources, receivers, version.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let status = use_fetch::<Status>(|| "/api/app/status".to_owned());
    let problems = status.part(|status| status.problems.clone());
    let counters = status.part(|status| status.counters.clone());
    let sources = status.part(|status| status.sources.clone());
    let receivers = status.part(|status| status.receivers.clone());
    let about = status.part(|status| (status.version.clone(), status.started_ms));
    view! {
        <PageHead title=Signal::stored("Settings".to_owned())/>
        <Loaded fetched=status>
            <div class="stack">
                {move || problem_list(&problems.get())}
                {move || about_bar(about.get())}
                {move || counter_cards(&counters.get())}
                {move || source_table(sources.get())}
                {move || receiver_table(receivers.get())}
            </div>
        </Loaded>
    }
}

fn problem_list(problems: &[String]) -> impl IntoView + use<> {
    let items = problems.iter().map(|problem| view! { <li>{problem.clone()}</li> }).collect_views();
    if problems.is_empty() {
        return view! {
            <p class="verdict" data-testid="verdict"><span class="mark is-ok"></span><span>"This server is well"</span></p>
        }
        .into_any();
    }
    view! {
        <section class="card banner-card is-warning" role="alert" data-testid="verdict">
            <h2>"This server needs attention"</h2>
            <ul>{items}</ul>
        </section>
    }
    .into_any()
}

fn about_bar((version, started_ms): (String, i64)) -> impl IntoView {
    let now = use_clock().now_ms();
    view! {
        <dl class="facts">
            <div class="fact"><dt>"Version"</dt><dd class="num" data-testid="version">{version}</dd></div>
            <div class="fact"><dt>"Started"</dt><dd class="num">{moment(started_ms)}</dd></div>
            <div class="fact"><dt>"Running for"</dt><dd class="num">{duration(now - started_ms)}</dd></div>
        </dl>
    }
}

/// One card per part of the server, in the order in which the parts come.
fn counter_cards(counters: &[Counter]) -> impl IntoView + use<> {
    let mut parts: Vec<&str> = Vec::new();
    for counter in counters {
        if !parts.contains(&counter.part.as_str()) {
            parts.push(&counter.part);
        }
    }
    let cards = parts
        .into_iter()
        .map(|part| {
            let rows = counters
                .iter()
                .filter(|counter| counter.part == part)
                .map(counter_row)
                .collect_views();
            view! {
                <section class="card">
                    <header class="card-head"><h2>{part.to_owned()}</h2></header>
                    <dl class="counters">{rows}</dl>
                </section>
            }
        })
        .collect_views();
    view! { <div class="counter-cards">{cards}</div> }
}

fn counter_row(counter: &Counter) -> impl IntoView + use<> {
    let bad = counter.is_bad.then(|| {
        view! { <span class="mark is-warning"><span class="sr">"Needs attention"</span></span> }
    });
    view! {
        <div class="counter" class:is-bad=counter.is_bad title=counter.help.clone()>
            <dt>{counter.name.clone()}</dt>
            <dd class="num">{bad}{counter.text.clone()}</dd>
            {(counter.is_bad && !counter.help.is_empty()).then(|| view! { <dd class="counter-help">{counter.help.clone()}</dd> })}
        </div>
    }
}

fn source_table(sources: Vec<Source>) -> impl IntoView {
    let now = use_clock().now_ms();
    let total = sources.len();
    let rows = sources
        .into_iter()
        .map(|source| {
            let has_bad_lines = source.bad_lines > 0;
            view! {
                <tr>
                    <td class="cell-main num">{source.address}</td>
                    <td>{source.transport}</td>
                    <td class="is-number">{count(source.lines)}</td>
                    <td class="is-number" class:is-bad=has_bad_lines>{count(source.bad_lines)}</td>
                    <td class="is-number" title=format!("{} bytes", count(source.bytes))>
                        {chart::Unit::Bytes.format(source.bytes as f64)}
                    </td>
                    <td class="is-number">{count(source.series)}</td>
                    <td class="is-number" title=moment(source.last_seen_ms)>{ago(now - source.last_seen_ms)}</td>
                </tr>
            }
        })
        .collect_views();
    let body = if total == 0 {
        view! { <Empty title="Nobody has sent anything yet" text="Every address that sends StatsD shows here."/> }.into_any()
    } else {
        view! {
            <div class="table-scroll" tabindex="0" role="region" aria-label="Senders of StatsD">
                <table class="table">
                    <caption class="sr">"Senders of StatsD"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Address"</th>
                            <th scope="col">"Transport"</th>
                            <th scope="col" class="is-number">"Lines"</th>
                            <th scope="col" class="is-number">"Bad lines"</th>
                            <th scope="col" class="is-number">"Received"</th>
                            <th scope="col" class="is-number">"Series"</th>
                            <th scope="col" class="is-number">"Last seen"</th>
                        </tr>
                    </thead>
                    <tbody data-testid="sources">{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="card is-list">
            <header class="card-head"><h2>"Sources"</h2><span class="count num">{total}</span></header>
            {body}
        </section>
    }
}

fn receiver_table(receivers: Vec<Receiver>) -> impl IntoView {
    let total = receivers.len();
    let rows = receivers
        .into_iter()
        .map(|receiver| {
            let icon = if receiver.kind == "email" { IconName::Mail } else { IconName::Webhook };
            view! {
                <li class="row">
                    <Icon name=icon/>
                    <div class="row-main">
                        <strong>{receiver.name}</strong>
                        <p class="row-note breaks">{receiver.target}</p>
                    </div>
                    <span class="muted">{receiver.kind}</span>
                </li>
            }
        })
        .collect_views();
    let body = if total == 0 {
        view! {
            <Empty
                title="No receivers"
                text="Alerts fire, but nobody is told. Name a receiver in config/alerting.yml, which is written as for Alertmanager."
            />
        }
        .into_any()
    } else {
        view! { <ul class="rows" data-testid="receivers">{rows}</ul> }.into_any()
    };
    view! {
        <section class="card is-list">
            <header class="card-head"><h2>"Receivers"</h2><span class="count num">{total}</span></header>
            {body}
        </section>
    }
}
