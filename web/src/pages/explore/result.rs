//! The answer: a chart over the page's range, the values at its end, or the error with its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use chart::Unit;
use leptos::prelude::*;

use super::Catalog;
use super::explain::Explain;
use crate::api::Failure;
use crate::charts::panel::{ChartBody, use_panel_data};
use crate::components::empty::Empty;
use crate::fetch::Request;
use crate::format::{count, plural};
use crate::prom::{self, Reading, Row};
use crate::promql::{Position, error_position, first_metric, guess_unit, remark_position};
use crate::state::range::use_range;
use crate::views::CollectViews;

/// Rows of the table at most; a query that yields more wants an aggregation.
const ROWS: usize = 500;

/// Values at one moment.
#[derive(Debug, Clone, Copy)]
struct Instant {
    rows: RwSignal<Option<Arc<Vec<Row>>>>,
    remarks: RwSignal<Vec<String>>,
    failure: RwSignal<Option<Failure>>,
}

fn use_instant(query: Signal<String>, runs: Signal<u32>) -> Instant {
    let range = use_range();
    let instant = Instant {
        rows: RwSignal::new(None),
        remarks: RwSignal::default(),
        failure: RwSignal::new(None),
    };
    let request = Request::new();
    Effect::new(move |previous: Option<(String, u32)>| {
        let asked_for = (query.get(), runs.get());
        let end_ms = range.span().end_ms;
        if previous.as_ref() == Some(&asked_for) {
            // What the server has refused it refuses again.
            if instant.failure.with_untracked(|f| f.as_ref().is_some_and(Failure::is_refusal)) {
                return asked_for;
            }
        } else {
            request.cancel();
            instant.rows.set(None);
            instant.remarks.set(Vec::new());
            instant.failure.set(None);
        }
        let asked = asked_for.0.clone();
        request.start(
            |signal| async move { prom::query(&asked, end_ms, signal.as_ref()).await },
            move |result| match result {
                Ok((rows, remarks)) => {
                    instant.rows.set(Some(Arc::new(rows)));
                    instant.remarks.set(remarks);
                    instant.failure.set(None);
                }
                Err(failure) => instant.failure.set(Some(failure)),
            },
        );
        asked_for
    });
    instant
}

/// Chart and table of a query.
#[component]
pub(super) fn QueryResult(
    query: Signal<String>,
    runs: Signal<u32>,
    catalog: Catalog,
    explain: RwSignal<bool>,
) -> impl IntoView {
    let instant = use_instant(query, runs);
    let queries = move || {
        runs.track();
        vec![(String::new(), query.get())]
    };
    let chart = use_panel_data(queries, Vec::new());
    let unit = Signal::derive(move || {
        let expr = query.get();
        let metric_unit =
            first_metric(&expr).map(|metric| catalog.unit_of(metric)).unwrap_or_default();
        guess_unit(&expr, &metric_unit)
    });
    let failure = Signal::derive(move || instant.failure.get());
    let has_chart = Memo::new(move |_| failure.with(Option::is_none));
    let has_table = RwSignal::new(false);
    let remarks = Memo::new(move |_| {
        let mut all = chart.data.get().map(|data| data.remarks.clone()).unwrap_or_default();
        all.extend(instant.remarks.get());
        // Most are about the chart and the table alike.
        let mut seen = BTreeSet::new();
        all.retain(|remark| {
            let doubted = doubted_counter(remark);
            seen.insert(remark.clone()) && !doubted.is_some_and(|metric| catalog.is_counter(metric))
        });
        all
    });
    view! {
        {move || failure.get().map(|failure| query_error(&query.get(), &failure))}
        <Show when=move || has_chart.get()>
            <section class="card panel">
                <ChartBody title="Result" fetched=chart unit height=360.0 has_table=has_table.into()/>
            </section>
            {move || remarks.with(|remarks| remark_list(&query.get(), remarks))}
            <Explain query runs is_open=explain/>
        </Show>
        {move || instant.rows.get().filter(|_| has_chart.get()).map(|rows| value_table(&rows, unit.get()))}
    }
}

/// What is wrong, with a mark under the place when the server names one.
fn query_error(query: &str, failure: &Failure) -> impl IntoView + use<> {
    let found = error_position(&failure.message);
    let text = found.map_or(failure.message.as_str(), |found| found.1).to_owned();
    let place = found.and_then(|found| place_in(query, found.0));
    view! {
        <section class="card query-error" role="alert" data-testid="query-error">
            {place}
            <p class="error-text">{text}</p>
        </section>
    }
}

/// The line of a query with a mark under a place in it.
fn place_in(query: &str, position: Position) -> Option<impl IntoView + use<>> {
    let line = query.lines().nth(position.line - 1)?.to_owned();
    let marker = format!("{}^", " ".repeat(position.column - 1));
    Some(view! {
        <pre class="error-place" tabindex="0">
            {line} "\n" <span class="error-marker">{marker}</span>
        </pre>
    })
}

/// The metric that a remark takes for no counter by its name. Names of StatsD do not tell, but what is
/// known of the metric does.
fn doubted_counter(remark: &str) -> Option<&str> {
    let metric = remark.split_once("might not be a counter")?.1.split_once('"')?.1;
    metric.split_once('"').map(|(metric, _)| metric)
}

/// What the server remarks about the query: it was answered, but perhaps not as it was meant.
fn remark_list(query: &str, remarks: &[String]) -> Option<impl IntoView + use<>> {
    let items = remarks
        .iter()
        .map(|remark| {
            let found = remark_position(remark);
            let text = found.map_or(remark.as_str(), |found| found.1);
            let (class, text) = match text.strip_prefix("PromQL info: ") {
                Some(info) => ("remark mark is-info", info),
                None => (
                    "remark mark is-warning",
                    text.strip_prefix("PromQL warning: ").unwrap_or(text),
                ),
            };
            let place = found.and_then(|found| place_in(query, found.0));
            view! { <li class="remark-item"><p class=class>{text.to_owned()}</p> {place}</li> }
        })
        .collect_views();
    (!items.is_empty()).then(|| {
        view! {
            <section class="card remarks" aria-label="Remarks" data-testid="remarks">
                <ul>{items}</ul>
            </section>
        }
    })
}

fn value_table(rows: &[Row], unit: Unit) -> impl IntoView + use<> {
    if rows.is_empty() {
        return view! {
            <section class="card">
                <Empty
                    title="No series"
                    text="Nothing answers this query at the end of the range. Check names and labels, or choose a longer range."
                />
            </section>
        }
        .into_any();
    }
    let names = label_names(rows);
    let head =
        names.iter().map(|name| view! { <th scope="col">{name.clone()}</th> }).collect_views();
    let body = rows
        .iter()
        .take(ROWS)
        .map(|row| {
            let cells = names.iter().map(|name| {
                let label = row.labels.iter().find(|label| label.0 == *name);
                view! { <td>{label.map(|label| label.1.clone()).unwrap_or_default()}</td> }
            });
            let (text, exact) = reading(&row.value, unit);
            view! {
                <tr>
                    {cells.collect_views()}
                    <td class="is-number value" title=exact>{text}</td>
                </tr>
            }
        })
        .collect_views();
    let total = rows.len();
    let cut = (total > ROWS).then(|| {
        let text = format!(
            "The first {ROWS} of {}. Aggregate to see less.",
            plural(total, "series", "series")
        );
        view! { <p class="hint">{text}</p> }
    });
    view! {
        <section class="card is-list">
            <header class="card-head">
                <h2>"Values"</h2>
                <span class="count num">{count(total as u64)}</span>
            </header>
            <div class="table-scroll" tabindex="0" role="region" aria-label="Values">
                <table class="table is-dense" data-testid="result-table">
                    <caption class="sr">"Values at the end of the range"</caption>
                    <thead><tr>{head}<th scope="col" class="is-number">"Value"</th></tr></thead>
                    <tbody>{body}</tbody>
                </table>
            </div>
            {cut}
        </section>
    }
    .into_any()
}

/// Names of all labels that occur: the metric's first, then the others by name.
fn label_names(rows: &[Row]) -> Vec<String> {
    let names: BTreeSet<&String> =
        rows.iter().flat_map(|row| row.labels.iter().map(|label| &label.0)).collect();
    let (mut first, others): (Vec<String>, Vec<String>) =
        names.into_iter().cloned().partition(|name| name == "__name__");
    first.extend(others);
    first
}

/// A value at a glance, and in full.
fn reading(value: &Reading, unit: Unit) -> (String, String) {
    match value {
        Reading::Number(number) => (unit.format(*number), unit.exact(*number)),
        Reading::Text(text) => (text.clone(), text.clone()),
        Reading::Histogram { count, sum } => {
            let mean = unit.format(sum / count);
            (
                format!("{} × {mean}", Unit::None.format(*count)),
                format!("{count} observations, sum {sum}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_name_comes_first() {
        let row = |labels: &[&str]| Row {
            labels: labels.iter().map(|name| ((*name).to_owned(), String::new())).collect(),
            value: Reading::Number(1.0),
        };
        let names = label_names(&[row(&["__name__", "job"]), row(&["__name__", "Zone"])]);
        assert_eq!(names, ["__name__", "Zone", "job"]);
    }

    #[test]
    fn a_remark_names_the_metric_that_it_doubts() {
        let remark = "PromQL info: metric might not be a counter, name does not end in \
                      _total/_sum/_count/_bucket: \"orders_created\" (1:6)";
        assert_eq!(doubted_counter(remark), Some("orders_created"));
        assert_eq!(doubted_counter("PromQL info: ignored \"x\" (1:6)"), None);
    }

    #[test]
    fn a_histogram_reads_as_count_and_mean() {
        let (text, _) = reading(&Reading::Histogram { count: 40.0, sum: 10.0 }, Unit::Seconds);
        assert_eq!(text, "40 × 250 ms");
    }
}
