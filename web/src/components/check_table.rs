//! Service checks as a table, each with its history below it when asked for.

use api_types::{Check, CheckDetail, CheckList, CheckStatus, CheckTransition};
use leptos::prelude::*;

use crate::components::empty::Empty;
use crate::components::link::RangeLink;
use crate::components::list_tools::{Chip, SearchField};
use crate::components::mark;
use crate::fetch::use_fetch;
use crate::format::{ago, duration};
use crate::icons::{Icon, IconName};
use crate::promql::quoted;
use crate::search::matches;
use crate::state::clock::{moment, use_clock};
use crate::url;
use crate::views::CollectViews;

const EXAMPLE: &str = "bellwether send '_sc|backup|0|#service:shop|m:312 files'";

/// All service checks, with search and states. Their document is the page's second one: monitors are
/// shown without waiting for it.
#[component]
pub(crate) fn ChecksCard() -> impl IntoView {
    let list = use_fetch::<CheckList>(|| "/api/app/checks".to_owned());
    let all = list.list(|list| list.checks.clone());
    let query = RwSignal::new(String::new());
    let chosen = RwSignal::new(None::<CheckStatus>);
    let open = RwSignal::new(None::<String>);
    let chips =
        [CheckStatus::Critical, CheckStatus::Warning, CheckStatus::Unknown, CheckStatus::Ok]
            .into_iter()
            .map(|status| {
                let count = Signal::derive(move || {
                    all.with(|all| all.iter().filter(|check| check.status == status).count())
                });
                let toggle = Callback::new(move |()| {
                    chosen.update(|chosen| *chosen = (*chosen != Some(status)).then_some(status));
                });
                let is_on = Signal::derive(move || chosen.get() == Some(status));
                view! { <Chip label=mark::check(status, false).word count is_on on_toggle=toggle/> }
            })
            .collect_views();
    let has_checks = Memo::new(move |_| all.with(|all| !all.is_empty()));
    let has_data = Memo::new(move |_| list.data.with(Option::is_some));
    let rows = move || {
        let (query, chosen) = (query.get(), chosen.get());
        all.with(|all| {
            let passing = all.iter().filter(|check| passes(check, &query, chosen));
            passing.map(|check| row(check, open)).collect_views()
        })
    };
    let none = || {
        view! {
            <Empty
                title="No service checks yet"
                text="Jobs and agents report here how they are, over StatsD. Whoever is silent for too long shows as unknown."
                command=EXAMPLE
            />
        }
    };
    let chips = StoredValue::new_local(Some(chips));
    view! {
        <section class="card is-list" aria-labelledby="checks-title">
            <header class="card-head"><h2 id="checks-title">"Service checks"</h2></header>
            {move || list.failure.get().map(|failure| view! { <p class="chart-note is-error" role="alert">{failure.message}</p> })}
            <Show when=move || has_checks.get() fallback=move || has_data.get().then(none)>
                <div class="list-tools">
                    <SearchField query label="Search service checks"/>
                    <div class="chips" role="group" aria-label="Filter by status">
                        {chips.try_update_value(Option::take).flatten()}
                    </div>
                </div>
                <div class="table-scroll">
                    <table class="table checks-table">
                        <caption class="sr">"Service checks"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Check"</th>
                                <th scope="col" class="col-state">"Status"</th>
                                <th scope="col" class="col-minor">"Message"</th>
                                <th scope="col" class="is-number">"For"</th>
                                <th scope="col" class="is-number col-minor">"Heard"</th>
                                <th scope="col"><span class="sr">"More"</span></th>
                            </tr>
                        </thead>
                        <tbody data-testid="checks">{rows}</tbody>
                    </table>
                </div>
            </Show>
        </section>
    }
}

fn passes(check: &Check, query: &str, status: Option<CheckStatus>) -> bool {
    let tags = about(check);
    status.is_none_or(|status| status == check.status)
        && matches(query, &[&check.name, &tags, &check.message])
}

/// Host and tags of a check.
fn about(check: &Check) -> String {
    let host = (!check.host.is_empty()).then(|| check.host.clone());
    let tags = check.tags.iter().map(|(name, value)| format!("{name}: {value}"));
    host.into_iter().chain(tags).collect::<Vec<_>>().join(" · ")
}

fn row(check: &Check, open: RwSignal<Option<String>>) -> impl IntoView + use<> {
    let now = use_clock().now_ms();
    let is_open = {
        let id = check.id.clone();
        Memo::new(move |_| open.with(|open| open.as_ref() == Some(&id)))
    };
    let toggle = {
        let id = check.id.clone();
        move |_| open.set((!is_open.get_untracked()).then(|| id.clone()))
    };
    let history = {
        let check = check.clone();
        move || is_open.get().then(|| history(&check))
    };
    let since = format!("Since {}", moment(check.since_ms));
    view! {
        <tr data-testid="check-row">
            <td class="cell-main">
                <span class="cell-name">{check.name.clone()}</span>
                <span class="cell-note">{about(check)}</span>
            </td>
            <td class="col-state" title=since>{mark::check(check.status, check.is_stale).view()}</td>
            <td class="col-minor check-message">{check.message.clone()}</td>
            <td class="is-number">{duration(now - check.since_ms)}</td>
            <td class="is-number col-minor" title=moment(check.heard_ms)>{ago(now - check.heard_ms)}</td>
            <td class="is-number">
                <button
                    type="button"
                    class="icon-button"
                    aria-expanded=move || is_open.get().to_string()
                    aria-label=format!("History of {}", check.name)
                    title="History"
                    on:click=toggle
                >
                    <Icon name=IconName::ChevronDown/>
                </button>
            </td>
        </tr>
        {history}
    }
}

/// The last message and the changes of a check's state, and the way to its chart.
fn history(check: &Check) -> impl IntoView + use<> {
    let path = format!("/api/app/checks/{}", check.id);
    let detail = use_fetch::<CheckDetail>(move || path.clone());
    let transitions = detail.list(|detail| detail.transitions.clone());
    let items = move || transitions.with(|all| all.iter().map(transition).collect_views());
    let expr = {
        let host = (!check.host.is_empty()).then_some(("host", check.host.as_str()));
        let labels = [("check", check.name.as_str())].into_iter().chain(host);
        let matchers: Vec<String> =
            labels.map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        format!("service_check_status{{{}}}", matchers.join(", "))
    };
    let message = (!check.message.is_empty())
        .then(|| view! { <p class="event-text">{check.message.clone()}</p> });
    view! {
        <tr class="check-history">
            <td colspan="6">
                {message}
                {move || detail.failure.get().map(|failure| view! { <p class="error-text" role="alert">{failure.message}</p> })}
                <ul class="plain-list" data-testid="check-history">{items}</ul>
                <RangeLink path=url::explore(&expr) class="quiet-link">"Show as chart"</RangeLink>
            </td>
        </tr>
    }
}

fn transition(transition: &CheckTransition) -> impl IntoView + use<> {
    let message = transition.message.lines().next().unwrap_or_default().to_owned();
    view! {
        <li>
            <time class="num muted">{moment(transition.at_ms)}</time>
            {mark::check(transition.status, transition.is_stale).view()}
            <span class="muted">{message}</span>
        </li>
    }
}
