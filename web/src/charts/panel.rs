//! A panel: asks for its data over the page's time range and draws them.

use std::sync::Arc;

use api_types::{Panel, is_about};
use chart::{Band, Unit};
use futures_util::future::try_join_all;
use leptos::prelude::*;

use super::TimeChart;
use super::data::{ChartData, QueryLines};
use crate::api::Failure;
use crate::components::delayed::Delayed;
use crate::components::link::RangeLink;
use crate::fetch::Request;
use crate::icons::{Icon, IconName};
use crate::live::use_live;
use crate::prom;
use crate::state::range::{Span, use_range};
use crate::url;
use crate::views::CollectViews;

/// The lines of some queries over the page's range, kept fresh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PanelData {
    pub(crate) data: RwSignal<Option<Arc<ChartData>>>,
    pub(crate) failure: RwSignal<Option<Failure>>,
}

/// A query: the name of its lines, and the expression.
pub(crate) type Query = (String, String);

/// Asks for the queries whenever they or the range change, and when the range has moved on by a step.
/// Series that are not about `only` these labels are left out.
pub(crate) fn use_panel_data(
    queries: impl Fn() -> Vec<Query> + 'static,
    only: Vec<(String, String)>,
) -> PanelData {
    let range = use_range();
    let live = use_live();
    let panel = PanelData { data: RwSignal::new(None), failure: RwSignal::new(None) };
    let request = Request::new();
    Effect::new(move |previous: Option<(Vec<Query>, Span, bool)>| {
        let queries = queries();
        let span = range.span();
        let is_same_query = previous.as_ref().is_some_and(|previous| previous.0 == queries);
        let is_same_span = previous.as_ref().is_some_and(|previous| previous.1 == span);
        // A request that was still on its way when the range moved on is made up for at the next event.
        let was_late = previous.as_ref().is_some_and(|previous| previous.2);
        if is_same_query && is_same_span && !was_late {
            return (queries, span, false);
        }
        // What the server has refused it refuses again.
        if is_same_query
            && panel.failure.with_untracked(|f| f.as_ref().is_some_and(Failure::is_refusal))
        {
            return (queries, span, false);
        }
        if !is_same_query || !is_move(previous.as_ref().map(|previous| previous.1), span) {
            request.cancel();
        }
        if !is_same_query {
            panel.data.set(None);
            panel.failure.set(None);
        }
        let is_late = request.is_pending();
        if is_late {
            live.track();
        }
        let asked = queries.clone();
        let only = only.clone();
        request.start(
            |signal| async move { ask(asked, &only, span, signal.as_ref()).await },
            move |result| match result {
                Ok(data) => {
                    panel.data.set(Some(Arc::new(data)));
                    panel.failure.set(None);
                }
                Err(failure) => panel.failure.set(Some(failure)),
            },
        );
        (queries, span, is_late)
    });
    panel
}

/// Whether a span is only the one before moved on in time.
fn is_move(before: Option<Span>, now: Span) -> bool {
    before.is_some_and(|before| {
        before.step_ms == now.step_ms
            && before.end_ms - before.start_ms == now.end_ms - now.start_ms
    })
}

async fn ask(
    queries: Vec<Query>,
    only: &[(String, String)],
    span: Span,
    signal: Option<&web_sys::AbortSignal>,
) -> Result<ChartData, Failure> {
    let answers = queries.into_iter().map(|(legend, expr)| async move {
        let mut matrix = prom::query_range(&expr, span, signal).await?;
        matrix.lines.retain(|line| {
            let label = |name: &str| {
                line.labels.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
            };
            is_about(only, label)
        });
        let prom::Matrix { lines, histograms, remarks } = matrix;
        Ok(QueryLines { legend, expr, lines, histograms, remarks })
    });
    Ok(ChartData::new(span, try_join_all(answers).await?))
}

/// A chart in a card, with links to look closer.
#[component]
pub(crate) fn PanelCard(
    panel: Panel,
    #[prop(default = 180.0)] height: f64,
    #[prop(optional, into)] bands: Signal<Vec<Band>>,
) -> impl IntoView {
    let queries: Vec<Query> =
        panel.queries.iter().map(|query| (query.legend.clone(), query.expr.clone())).collect();
    let explore = panel.queries.first().map(|query| url::explore(&query.expr));
    let fetched = use_panel_data(move || queries.clone(), panel.only.clone());
    let has_table = RwSignal::new(false);
    let thresholds: Vec<f64> = panel.thresholds.iter().map(|threshold| threshold.value).collect();
    let notes = panel
        .thresholds
        .iter()
        .map(|threshold| {
            let unit = panel.unit;
            let title = format!("{}: {}", threshold.label, unit.exact(threshold.value));
            view! {
                <span class="threshold-note" title=title>
                    <i class="dash" aria-hidden="true"></i>
                    {unit.format(threshold.value)}
                </span>
            }
        })
        .collect_views();
    let title = panel.title.clone();
    let title_of_chart = panel.title.clone();
    let unit_of_chart = panel.unit;
    view! {
        <section class="card panel" id=panel.id.clone()>
            <header class="panel-head">
                <h3 class="panel-title">{title.clone()}</h3>
                {notes}
                <span class="grow"></span>
                <button
                    type="button"
                    class="icon-button"
                    aria-pressed=move || has_table.get().to_string()
                    aria-label=format!("Show {title} as table")
                    title="Show as table"
                    on:click=move |_| has_table.update(|shown| *shown = !*shown)
                >
                    <Icon name=IconName::Table/>
                </button>
                {explore.map(|path| view! {
                    <RangeLink path class="icon-button" label=format!("Explore {title}")>
                        <Icon name=IconName::Explore/>
                    </RangeLink>
                })}
            </header>
            <ChartBody
                title=title_of_chart
                fetched
                unit=Signal::stored(unit_of_chart)
                height
                thresholds
                bands
                has_table=has_table.into()
            />
        </section>
    }
}

/// The chart of fetched data, or why there is none.
#[component]
pub(crate) fn ChartBody(
    #[prop(into)] title: String,
    fetched: PanelData,
    unit: Signal<Unit>,
    height: f64,
    #[prop(optional)] thresholds: Vec<f64>,
    #[prop(optional, into)] bands: Signal<Vec<Band>>,
    has_table: Signal<bool>,
) -> impl IntoView {
    let is_empty =
        move || fetched.data.with(|data| data.as_ref().is_some_and(|data| data.lines.is_empty()));
    let histograms =
        move || fetched.data.with(|data| data.as_ref().map_or(0, |data| data.histograms));
    let is_waiting =
        move || fetched.data.with(Option::is_none) && fetched.failure.with(Option::is_none);
    let empty_text = move || {
        if histograms() > 0 {
            "Histograms are not lines: wrap the expression in histogram_quantile(0.95, rate(…[5m]))."
        } else {
            "No data in this time range."
        }
    };
    view! {
        <div class="chart-body">
            <TimeChart title data=fetched.data unit height thresholds bands has_table/>
            <Show when=is_empty>
                <p class="chart-note">{empty_text}</p>
            </Show>
            <Show when=is_waiting>
                <Delayed>
                    <div class="chart-wait skeleton" aria-hidden="true"></div>
                </Delayed>
            </Show>
            {move || {
                let failure = fetched.failure.get()?;
                Some(view! { <p class="chart-note is-error" role="alert">{failure.message}</p> })
            }}
        </div>
    }
}

/// Panels side by side, as many as fit.
#[component]
pub(crate) fn PanelGrid(panels: Vec<Panel>) -> impl IntoView {
    let cards = panels.into_iter().map(|panel| view! { <PanelCard panel/> }).collect_views();
    view! { <div class="panels">{cards}</div> }
}
