//! The interactive chart.

use std::sync::Arc;

use chart::{Band, Chart, Geometry, Unit};
use leptos::{ev, html, prelude::*};
use wasm_bindgen::{JsCast, prelude::Closure};

use super::annotations::AnnotationLayer;
use super::canvas::draw_chart;
use super::data::ChartData;
use super::legend_list::{Focus, LegendList};
use super::overlay::{Crosshair, CrosshairLayer, SelectionLayer};
use super::table::data_table;
use crate::state::clock::{moment, utc_offset_seconds};
use crate::state::range::{SetRange, use_set_range};
use crate::state::theme::use_theme;

/// A drag shorter than this is a click.
const DRAG_PIXELS: f64 = 6.0;

/// Points that the arrow keys skip with the shift key held.
const LEAP: i64 = 10;

/// A chart over time with crosshair, tooltip, zoom and legend.
#[component]
pub(crate) fn TimeChart(
    /// What the chart shows, for its label.
    #[prop(into)]
    title: String,
    /// The lines; `None` while they are awaited.
    #[prop(into)]
    data: Signal<Option<Arc<ChartData>>>,
    #[prop(into)] unit: Signal<Unit>,
    /// In CSS pixels.
    #[prop(default = 180.0)]
    height: f64,
    #[prop(optional)] thresholds: Vec<f64>,
    #[prop(optional, into)] bands: Signal<Vec<Band>>,
    /// Whether the data are shown as a table as well.
    #[prop(into)]
    has_table: Signal<bool>,
) -> impl IntoView {
    let crosshair: Crosshair = expect_context();
    let id = crosshair.register();
    on_cleanup(move || crosshair.leave(id));
    let host = NodeRef::<html::Div>::new();
    let canvas = NodeRef::<html::Canvas>::new();
    let width = use_width(host);
    let geometry = RwSignal::new(None::<Geometry>);
    let selection = RwSignal::new(None::<(f64, f64)>);
    let focus = Focus::new();
    let theme = use_theme();

    Effect::new(move || {
        let (Some(canvas), width) = (canvas.get(), width.get()) else { return };
        // Narrower than its labels, or hidden.
        if width < 60.0 {
            return;
        }
        let colors = theme.chart();
        data.with(|data| {
            let Some(data) = data else { return };
            let series = data.series(colors, focus.index(data));
            let bands = bands.get();
            let chart = Chart {
                series: &series,
                start_ms: data.span.start_ms,
                step_ms: data.span.step_ms,
                window: data.window(),
                unit: unit.get(),
                thresholds: &thresholds,
                bands: &bands,
                theme: colors,
                utc_offset_seconds: utc_offset_seconds(data.span.end_ms),
            };
            geometry.set(draw_chart(&canvas, (width, height), &chart));
        });
    });

    let pointer = Pointer {
        id,
        crosshair,
        geometry,
        selection,
        range: StoredValue::new_local(use_set_range()),
    };
    let spoken = RwSignal::new(String::new());
    let keys = Keys { id, crosshair, data, unit, spoken, range: pointer.range };
    let label = {
        let title = title.clone();
        move || data.with(|data| describe(&title, data.as_deref()))
    };
    let table = {
        let title = title.clone();
        move || {
            let data = data.get().filter(|_| has_table.get())?;
            Some(data_table(&data, &title, unit.get()))
        }
    };
    view! {
        <div class="chart">
            <div
                class="chart-host"
                node_ref=host
                tabindex="0"
                role="img"
                aria-label=label
                data-testid="chart"
                style:height=format!("{height}px")
                on:pointermove=move |event| pointer.moved(&event)
                on:pointerdown=move |event| pointer.pressed(&event)
                on:pointerup=move |_| pointer.released()
                on:pointercancel=move |_| selection.set(None)
                on:pointerleave=move |_| crosshair.leave(id)
                on:dblclick=move |_| pointer.range.with_value(SetRange::reset)
                on:keydown=move |event| keys.pressed(&event)
                on:blur=move |_| crosshair.leave(id)
            >
                <canvas node_ref=canvas style:height=format!("{height}px")></canvas>
                <CrosshairLayer id crosshair data geometry=geometry.into() unit/>
                <SelectionLayer selection geometry=geometry.into()/>
            </div>
            <AnnotationLayer geometry=geometry.into()/>
            <p class="sr" role="status">{spoken}</p>
            <LegendList data focus unit/>
            {table}
        </div>
    }
}

/// The width of an element in CSS pixels, kept up to date.
fn use_width(host: NodeRef<html::Div>) -> RwSignal<f64> {
    let width = RwSignal::new(0.0);
    Effect::new(move || {
        let Some(element) = host.get() else { return };
        width.set(f64::from(element.client_width()));
        let resized = Closure::<dyn FnMut()>::new({
            let element = element.clone();
            move || {
                let now = f64::from(element.client_width());
                if width.try_get_untracked().is_some_and(|before| before != now) {
                    width.set(now);
                }
            }
        });
        if let Ok(observer) = web_sys::ResizeObserver::new(resized.as_ref().unchecked_ref()) {
            observer.observe(&element);
            let kept = StoredValue::new_local((observer, resized));
            on_cleanup(move || kept.with_value(|kept| kept.0.disconnect()));
        }
    });
    width
}

fn describe(title: &str, data: Option<&ChartData>) -> String {
    match data {
        None => format!("{title}, loading"),
        Some(data) if data.lines.is_empty() => format!("{title}, no data"),
        Some(data) => format!(
            "{title}, chart of {} from {} to {}. Arrow keys read values, Enter zooms in, Escape zooms out.",
            crate::format::plural(data.lines.len(), "line", "lines"),
            moment(data.span.start_ms),
            moment(data.span.end_ms),
        ),
    }
}

/// What the pointer does.
#[derive(Clone, Copy)]
struct Pointer {
    id: u32,
    crosshair: Crosshair,
    geometry: RwSignal<Option<Geometry>>,
    selection: RwSignal<Option<(f64, f64)>>,
    range: StoredValue<SetRange, LocalStorage>,
}

impl Pointer {
    fn moved(self, event: &ev::PointerEvent) {
        let x = f64::from(event.offset_x());
        if let Some((start, _)) = self.selection.get_untracked() {
            self.selection.set(Some((start, x)));
        }
        match self.geometry.get_untracked() {
            Some(geometry) if x >= geometry.left - 4.0 && x <= geometry.right + 4.0 => {
                self.crosshair.point(self.id, geometry.time_at(x));
            }
            _ => self.crosshair.leave(self.id),
        }
    }

    fn pressed(self, event: &ev::PointerEvent) {
        // A finger scrolls the page; only a mouse or a pen selects.
        if event.button() != 0 || event.pointer_type() == "touch" {
            return;
        }
        let x = f64::from(event.offset_x());
        self.selection.set(Some((x, x)));
        let target =
            event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if let Some(target) = target {
            // Without the capture a drag ends at the edge of the chart, which is bearable.
            drop(target.set_pointer_capture(event.pointer_id()));
        }
    }

    fn released(self) {
        let selection = self.selection.get_untracked();
        self.selection.set(None);
        let (Some((start, end)), Some(geometry)) = (selection, self.geometry.get_untracked())
        else {
            return;
        };
        if (start - end).abs() < DRAG_PIXELS {
            return;
        }
        let time = |x: f64| geometry.time_at(x.clamp(geometry.left, geometry.right)) as i64;
        let (from, to) = (time(start.min(end)), time(start.max(end)));
        self.range.with_value(|range| range.zoom(from, to));
    }
}

/// What the keyboard does.
#[derive(Clone, Copy)]
struct Keys {
    id: u32,
    crosshair: Crosshair,
    data: Signal<Option<Arc<ChartData>>>,
    unit: Signal<Unit>,
    spoken: RwSignal<String>,
    range: StoredValue<SetRange, LocalStorage>,
}

impl Keys {
    fn pressed(self, event: &ev::KeyboardEvent) {
        let step = if event.shift_key() { LEAP } else { 1 };
        match event.key().as_str() {
            "ArrowRight" => self.walk(step),
            "ArrowLeft" => self.walk(-step),
            "Home" => self.walk(i64::MIN / 2),
            "End" => self.walk(i64::MAX / 2),
            "Enter" => self.zoom_in(),
            "Escape" => self.range.with_value(SetRange::reset),
            _ => return,
        }
        event.prevent_default();
    }

    fn walk(self, step: i64) {
        let Some(data) = self.data.get_untracked() else { return };
        let last = data.len() as i64 - 1;
        let present = untrack(|| self.crosshair.time_ms()).and_then(|time| data.nearest(time));
        // Without a crosshair the arrows come in from the edge they point away from.
        let start = present.map_or(if step > 0 { -1 } else { last + 1 }, |point| point as i64);
        let point = start.saturating_add(step).clamp(0, last.max(0)) as usize;
        self.crosshair.point(self.id, data.time_of(point) as f64);
        let unit = self.unit.get_untracked();
        let values: Vec<String> = data
            .values_at(point)
            .into_iter()
            .take(5)
            .map(|(line, value)| format!("{} {}", data.lines[line].name, unit.format(value)))
            .collect();
        let values = if values.is_empty() { "no data".to_owned() } else { values.join(", ") };
        self.spoken.set(format!("{}: {values}", moment(data.time_of(point))));
    }

    fn zoom_in(self) {
        let (Some(data), Some(time)) =
            (self.data.get_untracked(), untrack(|| self.crosshair.time_ms()))
        else {
            return;
        };
        let quarter = (data.span.end_ms - data.span.start_ms) / 4;
        self.range.with_value(|range| range.zoom(time as i64 - quarter, time as i64 + quarter));
    }
}
