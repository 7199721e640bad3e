//! Alerts as a table.

use std::sync::Arc;

use api_types::{AlertState, AlertSummary};
use leptos::prelude::*;

use crate::components::mark;
use crate::format::{ago, duration};
use crate::state::clock::{moment, use_clock};
use crate::state::range::use_range;
use crate::url;
use crate::views::CollectViews;

/// State, name, value against threshold, target, age and owner of each alert.
#[component]
pub(crate) fn AlertTable(
    #[prop(into)] alerts: Signal<Arc<Vec<AlertSummary>>>,
    /// What the table lists, for screen readers.
    #[prop(into)]
    caption: String,
) -> impl IntoView {
    let rows = move || alerts.with(|alerts| alerts.iter().map(row).collect_views());
    view! {
        <div class="table-scroll">
            <table class="table alerts-table">
                <caption class="sr">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col" class="col-state">"State"</th>
                        <th scope="col">"Alert"</th>
                        <th scope="col" class="col-target col-minor">"Target"</th>
                        <th scope="col" class="is-number col-minor">"Value"</th>
                        <th scope="col" class="is-number">"Since"</th>
                        <th scope="col" class="col-owner col-minor">"Owner"</th>
                    </tr>
                </thead>
                <tbody data-testid="alerts">{rows}</tbody>
            </table>
        </div>
    }
}

/// The alerts of the page's subject; nothing while there are none.
#[component]
pub(crate) fn AlertsCard(
    alerts: Signal<Arc<Vec<AlertSummary>>>,
    /// What the table lists, for screen readers.
    caption: &'static str,
) -> impl IntoView {
    view! {
        <Show when=move || alerts.with(|alerts| !alerts.is_empty())>
            <section class="card is-list">
                <header class="card-head"><h2>"Alerts"</h2></header>
                <AlertTable alerts caption/>
            </section>
        </Show>
    }
}

fn row(alert: &AlertSummary) -> impl IntoView + use<> {
    let range = use_range();
    let path = url::alert(&alert.id);
    let (age, at) = age(alert);
    let value = value_text(alert);
    let exact = alert.unit.exact(alert.value);
    view! {
        <tr data-testid="alert-row">
            <td class="col-state">{mark::alert(alert.state, &alert.severity).view()}</td>
            <td class="cell-main">
                <a href=move || range.link(&path)>{alert.name.clone()}</a>
                <span class="cell-note">{alert.summary.clone()}</span>
            </td>
            <td class="col-target col-minor">{alert.target.clone()}</td>
            <td class="is-number col-minor" title=exact>{value}</td>
            <td class="is-number" title=at>{age}</td>
            <td class="col-owner col-minor">{alert.owner.clone()}</td>
        </tr>
    }
}

/// `6.2% > 5%`, or the value alone.
pub(crate) fn value_text(alert: &AlertSummary) -> String {
    let unit = alert.unit;
    let value = unit.format(alert.value);
    match (&alert.comparison, alert.threshold) {
        (Some(comparison), Some(threshold)) => {
            format!("{value} {comparison} {}", unit.format(threshold))
        }
        _ => value,
    }
}

/// How long an alert has been in its state, and the moment it began.
fn age(alert: &AlertSummary) -> (String, String) {
    let now = use_clock().now_ms();
    match (alert.state, alert.firing_since_ms, alert.resolved_at_ms) {
        (AlertState::Resolved, _, Some(at)) => (ago(now - at), format!("Resolved {}", moment(at))),
        (AlertState::Firing | AlertState::Recovering, Some(at), _) => {
            (duration(now - at), format!("Firing since {}", moment(at)))
        }
        _ => {
            let at = alert.active_since_ms;
            (duration(now - at), format!("Active since {}", moment(at)))
        }
    }
}
