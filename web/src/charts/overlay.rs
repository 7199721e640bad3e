//! Crosshair, tooltip and the selection of a drag: HTML over the canvas.

use std::sync::Arc;

use chart::{Geometry, Unit};
use leptos::prelude::*;

use super::data::{ChartData, color};
use crate::state::clock::moment;
use crate::state::theme::use_theme;
use crate::views::CollectViews;

/// Tooltips list so many series; the rest is counted.
const TOOLTIP_ROWS: usize = 12;

/// The moment that the reader points at, shared by all charts of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crosshair {
    time_ms: RwSignal<Option<f64>>,
    /// The chart under the pointer, which shows the tooltip.
    owner: RwSignal<Option<u32>>,
    charts: StoredValue<u32>,
}

impl Crosshair {
    pub(crate) fn provide() {
        provide_context(Self {
            time_ms: RwSignal::new(None),
            owner: RwSignal::new(None),
            charts: StoredValue::new(0),
        });
    }

    /// A number for a new chart.
    pub(super) fn register(self) -> u32 {
        let id = self.charts.get_value() + 1;
        self.charts.set_value(id);
        id
    }

    pub(super) fn point(self, owner: u32, time_ms: f64) {
        self.owner.set(Some(owner));
        self.time_ms.set(Some(time_ms));
    }

    pub(super) fn leave(self, owner: u32) {
        if self.owner.try_get_untracked() == Some(Some(owner)) {
            self.owner.set(None);
            self.time_ms.set(None);
        }
    }

    pub(super) fn time_ms(self) -> Option<f64> {
        self.time_ms.get()
    }

    fn is_owner(self, chart: u32) -> bool {
        self.owner.get() == Some(chart)
    }
}

/// Where the crosshair stands in a chart: the point, and its position in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Hit {
    point: usize,
    x: f64,
    geometry: Geometry,
}

fn px(value: f64) -> String {
    format!("{value:.1}px")
}

/// The crosshair with a dot on each line, and the tooltip in the chart under the pointer.
#[component]
pub(super) fn CrosshairLayer(
    id: u32,
    crosshair: Crosshair,
    data: Signal<Option<Arc<ChartData>>>,
    geometry: Signal<Option<Geometry>>,
    unit: Signal<Unit>,
) -> impl IntoView {
    let hit = Memo::new(move |_| {
        let (geometry, time) = (geometry.get()?, crosshair.time_ms()?);
        let (point, time) = data.with(|data| {
            let data = data.as_ref()?;
            let point = data.nearest(time)?;
            Some((point, data.time_of(point)))
        })?;
        Some(Hit { point, x: geometry.x_of(time as f64), geometry })
    });
    let theme = use_theme();
    let dots = move || {
        let hit = hit.get()?;
        let theme = theme.chart();
        data.with(|data| {
            let data = data.as_ref()?;
            let dots = data.values_at(hit.point).into_iter().filter(|dot| dot.1.is_finite());
            Some(
                dots.map(|(line, value)| {
                    let at = format!("translate({}, {})", px(hit.x), px(hit.geometry.y_of(value)));
                    let color = color(theme, data.lines[line].color).css();
                    view! { <i class="dot" style:background-color=color style:transform=at></i> }
                })
                .collect_views(),
            )
        })
    };
    let has_tooltip = Memo::new(move |_| hit.get().is_some() && crosshair.is_owner(id));
    view! {
        <Show when=move || hit.get().is_some()>
            <div
                class="crosshair"
                style:transform=move || hit.get().map_or_else(String::new, |hit| format!("translateX({})", px(hit.x)))
                style:top=move || hit.get().map_or_else(String::new, |hit| px(hit.geometry.top))
                style:height=move || {
                    hit.get().map_or_else(String::new, |hit| px(hit.geometry.bottom - hit.geometry.top))
                }
            ></div>
            {dots}
        </Show>
        <Show when=move || has_tooltip.get()>
            <div
                class="tooltip"
                data-testid="tooltip"
                class:is-left=move || {
                    hit.get().is_some_and(|hit| hit.x > hit.geometry.left.midpoint(hit.geometry.right))
                }
                style:transform=move || hit.get().map_or_else(String::new, |hit| format!("translateX({})", px(hit.x)))
            >
                <div class="tooltip-box">
                    {move || hit.get().and_then(|hit| data.get().map(|data| tooltip_rows(&data, hit.point, unit.get())))}
                </div>
            </div>
        </Show>
    }
}

/// Time and values at a point, the highest first.
fn tooltip_rows(data: &ChartData, point: usize, unit: Unit) -> impl IntoView + use<> {
    let theme = use_theme().chart();
    let values = data.values_at(point);
    let more = values.len().saturating_sub(TOOLTIP_ROWS);
    let rows = values
        .into_iter()
        .take(TOOLTIP_ROWS)
        .map(|(index, value)| {
            let line = &data.lines[index];
            view! {
                <div class="tooltip-row">
                    <i class="swatch" style:background-color=color(theme, line.color).css()></i>
                    <span class="tooltip-name">{line.name.clone()}</span>
                    <span class="num">{unit.format(value)}</span>
                </div>
            }
        })
        .collect_views();
    view! {
        <div class="tooltip-time num">{moment(data.time_of(point))}</div>
        {rows}
        {(more > 0).then(|| view! { <div class="tooltip-time">{format!("and {more} more")}</div> })}
    }
}

/// The stretch selected by a drag; positions in CSS pixels.
#[component]
pub(super) fn SelectionLayer(
    selection: RwSignal<Option<(f64, f64)>>,
    geometry: Signal<Option<Geometry>>,
) -> impl IntoView {
    let is_visible = move || selection.get().is_some_and(|(from, to)| (from - to).abs() > 3.0);
    let edge =
        move |pick: fn(&Geometry) -> f64| geometry.get().map_or_else(String::new, |g| px(pick(&g)));
    view! {
        <Show when=is_visible>
            <div
                class="selection"
                style:left=move || selection.get().map_or_else(String::new, |(from, to)| px(from.min(to)))
                style:width=move || selection.get().map_or_else(String::new, |(from, to)| px((from - to).abs()))
                style:top=move || edge(|geometry| geometry.top)
                style:height=move || edge(|geometry| geometry.bottom - geometry.top)
            ></div>
        </Show>
    }
}
