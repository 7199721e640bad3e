//! All alerts, to be narrowed down.

use std::sync::Arc;

use api_types::{AlertList, AlertState, AlertSummary, FailingRule};
use leptos::prelude::*;

use crate::components::alert_table::AlertTable;
use crate::components::empty::Empty;
use crate::components::list_tools::{Chip, SearchField};
use crate::components::loaded::Loaded;
use crate::components::page_head::PageHead;
use crate::fetch::use_fetch;
use crate::format::plural;
use crate::search::matches;
use crate::views::CollectViews;

/// States that can be chosen, with their word.
const FACETS: [(AlertState, &str); 4] = [
    (AlertState::Firing, "Firing"),
    (AlertState::Recovering, "Recovering"),
    (AlertState::Pending, "Pending"),
    (AlertState::Resolved, "Resolved"),
];

/// The list with search and facets.
#[component]
pub(crate) fn AlertsPage() -> impl IntoView {
    let list = use_fetch::<AlertList>(|| "/api/app/alerts".to_owned());
    let all = list.list(|list| list.alerts.clone());
    let failing = list.part(|list| list.failing_rules.clone());
    let rules = list.part(|list| list.rules);
    let query = RwSignal::new(String::new());
    let chosen = RwSignal::new(None::<AlertState>);
    let shown = Signal::derive(move || {
        let (query, chosen) = (query.get(), chosen.get());
        all.with(|all| {
            Arc::new(
                all.iter()
                    .filter(|alert| passes(alert, &query, chosen))
                    .cloned()
                    .collect::<Vec<_>>(),
            )
        })
    });
    let facets = move || {
        FACETS
        .into_iter()
        .map(|(state, label)| {
            let count = Signal::derive(move || all.with(|all| all.iter().filter(|alert| alert.state == state).count()));
            let toggle = Callback::new(move |()| {
                chosen.update(|chosen| *chosen = if *chosen == Some(state) { None } else { Some(state) });
            });
            view! { <Chip label count is_on=Signal::derive(move || chosen.get() == Some(state)) on_toggle=toggle/> }
        })
        .collect_views()
    };
    let none = move || {
        let text = if all.with(|all| all.is_empty()) {
            let rules = plural(rules.get() as usize, "rule is", "rules are");
            format!("{rules} evaluated at every flush. Alerts that fire or are pending show here.")
        } else {
            "Change the search or switch the filter off.".to_owned()
        };
        let title = if all.with(|all| all.is_empty()) { "No alerts" } else { "Nothing matches" };
        view! { <Empty title text/> }
    };
    view! {
        <PageHead title=Signal::stored("Alerts".to_owned())>
            <span class="muted">{move || plural(rules.get() as usize, "rule", "rules")}</span>
        </PageHead>
        <Loaded fetched=list>
            <div class="stack">
                {move || failing_rules(failing.get())}
                <section class="card is-list">
                    <div class="list-tools">
                        <SearchField query label="Search alerts"/>
                        <div class="chips" role="group" aria-label="Filter by state">{facets()}</div>
                    </div>
                    <Show when=move || shown.with(|shown| !shown.is_empty()) fallback=none>
                        <AlertTable alerts=shown caption="Alerts"/>
                    </Show>
                </section>
            </div>
        </Loaded>
    }
}

fn passes(alert: &AlertSummary, query: &str, state: Option<AlertState>) -> bool {
    if state.is_some_and(|state| state != alert.state) {
        return false;
    }
    let labels: Vec<String> =
        alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut texts =
        vec![alert.name.as_str(), &alert.target, &alert.summary, &alert.owner, &alert.severity];
    texts.extend(labels.iter().map(String::as_str));
    matches(query, &texts)
}

/// Rules that could not be evaluated: an alert that never fires is worse than one too many.
fn failing_rules(rules: Vec<FailingRule>) -> Option<impl IntoView> {
    let item = |rule: FailingRule| {
        view! {
            <li>
                <strong>{rule.name}</strong>
                <span class="muted">{format!(" in {}", rule.group)}</span>
                <code class="error-text">{rule.error}</code>
            </li>
        }
    };
    (!rules.is_empty()).then(|| {
        let title =
            format!("{} evaluated", plural(rules.len(), "rule cannot be", "rules cannot be"));
        view! {
            <section class="card banner-card is-warning" role="alert">
                <h2>{title}</h2>
                <ul class="plain-list">{rules.into_iter().map(item).collect_views()}</ul>
            </section>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_looks_into_labels_as_well() {
        let alert = AlertSummary {
            id: "1".to_owned(),
            name: "HighErrorRate".to_owned(),
            state: AlertState::Firing,
            severity: "page".to_owned(),
            target: "checkout".to_owned(),
            summary: "5 % of requests fail".to_owned(),
            value: 0.05,
            unit: api_types::Unit::None,
            threshold: None,
            comparison: None,
            active_since_ms: 0,
            firing_since_ms: None,
            resolved_at_ms: None,
            owner: "shop".to_owned(),
            labels: vec![("region".to_owned(), "eu".to_owned())],
        };
        assert!(passes(&alert, "region=eu error", None));
        assert!(passes(&alert, "", Some(AlertState::Firing)));
        assert!(!passes(&alert, "", Some(AlertState::Pending)));
        assert!(!passes(&alert, "cart", None));
    }
}
