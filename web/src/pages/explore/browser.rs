//! All metrics, for those who do not know yet what to ask.

use leptos::prelude::*;

use super::Catalog;
use crate::components::delayed::Delayed;
use crate::components::empty::Empty;
use crate::components::list_tools::SearchField;
use crate::search::rank;
use crate::views::CollectViews;

/// Rows shown at most; searching finds the rest.
const ROWS: usize = 200;

/// A metric with what is known about it.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    name: String,
    kind: String,
    unit: String,
    help: String,
}

impl Known {
    /// What to ask first: a rate of counters, a percentile of histograms, gauges as they are.
    fn query(&self) -> String {
        match self.kind.as_str() {
            "counter" => format!("rate({}[5m])", self.name),
            "histogram" | "summary" => format!("histogram_quantile(0.95, rate({}[5m]))", self.name),
            _ => self.name.clone(),
        }
    }
}

/// The list with search; choosing a metric asks for it.
#[component]
pub(super) fn MetricBrowser(catalog: Catalog, on_choose: Callback<String>) -> impl IntoView {
    let search = RwSignal::new(String::new());
    let shown = Memo::new(move |_| found(catalog, &search.get()));
    let is_loading = move || catalog.names.with(Option::is_none);
    let is_empty = move || catalog.names.with(|names| names.as_ref().is_some_and(Vec::is_empty));
    let rows = move || shown.get().into_iter().map(|known| row(known, on_choose)).collect_views();
    let total = move || catalog.names.with(|names| names.as_ref().map_or(0, Vec::len));
    view! {
        <section class="card is-list">
            <header class="card-head">
                <h2>"Metrics"</h2>
                <span class="count num">{total}</span>
            </header>
            <Show when=is_loading>
                <Delayed><div class="skeleton is-short"></div></Delayed>
            </Show>
            <Show when=is_empty>
                <Empty
                    title="No metrics yet"
                    text="Send a first one; it shows after the next flush."
                    command="echo \"orders.created:1|c\" | nc -u -w0 127.0.0.1 8125"
                />
            </Show>
            <Show when=move || { total() > 0 }>
                <div class="list-tools"><SearchField query=search label="Search metrics"/></div>
                <ul class="rows" data-testid="metrics">{rows}</ul>
            </Show>
        </section>
    }
}

fn found(catalog: Catalog, query: &str) -> Vec<Known> {
    let names = catalog.names.get().unwrap_or_default();
    let mut ranked: Vec<(u32, Known)> = catalog.metadata.with(|metadata| {
        names
            .into_iter()
            .filter_map(|name| {
                let entry = metadata.get(&name).and_then(|entries| entries.first());
                let text = |pick: fn(&crate::prom::Metadata) -> &String| {
                    entry.map(pick).cloned().unwrap_or_default()
                };
                let known = Known {
                    kind: text(|m| &m.kind),
                    unit: text(|m| &m.unit),
                    help: text(|m| &m.help),
                    name,
                };
                rank(query, &format!("{} {}", known.name, known.help)).map(|rank| (rank, known))
            })
            .collect()
    });
    ranked.sort_by_key(|ranked| ranked.0);
    ranked.into_iter().map(|ranked| ranked.1).take(ROWS).collect()
}

fn row(known: Known, on_choose: Callback<String>) -> impl IntoView {
    let query = known.query();
    let kind = match (known.kind.as_str(), known.unit.as_str()) {
        ("", unit) => unit.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, unit) => format!("{kind}, {unit}"),
    };
    view! {
        <li class="row">
            <div class="row-main">
                <button type="button" class="link-button mono" on:click=move |_| on_choose.run(query.clone())>
                    {known.name}
                </button>
                <p class="row-note">{known.help}</p>
            </div>
            <span class="muted">{kind}</span>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_question_fits_the_kind() {
        let ask = |kind: &str| {
            let known = Known {
                name: "x".to_owned(),
                kind: kind.to_owned(),
                unit: String::new(),
                help: String::new(),
            };
            known.query()
        };
        assert_eq!(ask("counter"), "rate(x[5m])");
        assert_eq!(ask("histogram"), "histogram_quantile(0.95, rate(x[5m]))");
        assert_eq!(ask("gauge"), "x");
    }
}
