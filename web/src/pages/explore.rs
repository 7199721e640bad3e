//! Asking anything: a PromQL box, a chart over time, and the values now.

mod browser;
mod editor;
mod explain;
mod result;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};

use crate::charts::annotations::Annotations;
use crate::components::page_head::PageHead;
use crate::prom::Metadata;
use crate::state::range::use_range;
use crate::url;
use browser::MetricBrowser;
use editor::QueryEditor;
use result::QueryResult;

/// What is known about the metrics, asked for once per visit of the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Catalog {
    /// Names of all metrics, sorted.
    names: RwSignal<Option<Vec<String>>>,
    /// Kind, unit and help by name.
    metadata: RwSignal<std::collections::BTreeMap<String, Vec<Metadata>>>,
}

impl Catalog {
    fn load() -> Self {
        let catalog = Self { names: RwSignal::new(None), metadata: RwSignal::default() };
        leptos::task::spawn_local(async move {
            if let Ok(metadata) = crate::prom::metadata().await {
                catalog.metadata.try_set(metadata);
            }
            let names = crate::prom::label_values("__name__", "").await.unwrap_or_default();
            catalog.names.try_set(Some(names));
        });
        catalog
    }

    /// Whether a metric is a counter, whatever its name says.
    fn is_counter(self, metric: &str) -> bool {
        self.metadata.with(|all| {
            all.get(metric)
                .is_some_and(|entries| entries.iter().any(|entry| entry.kind == "counter"))
        })
    }

    /// The unit of a metric as sent; empty when it is not known.
    fn unit_of(self, metric: &str) -> String {
        self.metadata.with(|all| {
            let known = all.get(metric).and_then(|entries| entries.first());
            known.map(|metadata| metadata.unit.clone()).unwrap_or_default()
        })
    }
}

/// The query is in the URL, so a result can be sent to somebody.
#[component]
pub(crate) fn ExplorePage() -> impl IntoView {
    let parameters = use_query_map();
    let query =
        Memo::new(move |_| parameters.with(|parameters| parameters.get("q").unwrap_or_default()));
    Annotations::provide(Vec::new);
    let catalog = Catalog::load();
    let draft = RwSignal::new(query.get_untracked());
    // The browser's own back and forward change the query as well.
    Effect::new(move || draft.set(query.get()));
    let range = use_range();
    let runs = RwSignal::new(0_u32);
    let navigate = use_navigate();
    let run = Callback::new(move |expr: String| {
        let expr = expr.trim().to_owned();
        draft.set(expr.clone());
        if expr == query.get_untracked() {
            // The same again, now.
            runs.update(|runs| *runs += 1);
            return;
        }
        let path = untrack(|| range.link(&url::explore(&expr)));
        let options = NavigateOptions { scroll: false, ..NavigateOptions::default() };
        navigate(&path, options);
    });
    // Open stays open from one query to the next.
    let explain = RwSignal::new(false);
    let has_query = Memo::new(move |_| query.with(|query| !query.is_empty()));
    view! {
        <PageHead title=Signal::stored("Explore".to_owned()) has_range=true/>
        <div class="stack">
            <QueryEditor draft catalog on_run=run/>
            <Show when=move || has_query.get() fallback=move || view! { <MetricBrowser catalog on_choose=run/> }>
                <QueryResult query=query.into() runs=runs.into() catalog explain/>
            </Show>
        </div>
    }
}
