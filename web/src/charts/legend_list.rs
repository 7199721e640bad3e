//! The legend: names and last values; pointing at one pushes the others back, a click keeps it.

use std::sync::Arc;

use chart::Unit;
use leptos::prelude::*;

use super::data::{ChartData, color, last_value};
use crate::state::theme::use_theme;
use crate::views::CollectViews;

/// Which line is looked at: one pinned by a click, or else one under the pointer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Focus {
    pinned: RwSignal<Option<String>>,
    pointed: RwSignal<Option<String>>,
}

impl Focus {
    pub(super) fn new() -> Self {
        Self { pinned: RwSignal::new(None), pointed: RwSignal::new(None) }
    }

    /// The index of the line that is looked at. Lines are remembered by name: a fresh answer may
    /// bring them in another order.
    pub(super) fn index(self, data: &ChartData) -> Option<usize> {
        let name = self.pinned.get().or_else(|| self.pointed.get())?;
        data.lines.iter().position(|line| line.name == name)
    }

    fn toggle(self, name: &str) {
        self.pinned.update(|pinned| {
            *pinned = if pinned.as_deref() == Some(name) { None } else { Some(name.to_owned()) };
        });
    }
}

/// Names, colors and last values of the lines.
#[component]
pub(super) fn LegendList(
    data: Signal<Option<Arc<ChartData>>>,
    focus: Focus,
    unit: Signal<Unit>,
) -> impl IntoView {
    let items = move || {
        let theme = use_theme().chart();
        data.with(|data| {
            let data = data.as_ref()?;
            if data.lines.is_empty() {
                return None;
            }
            let items = data.lines.iter().map(|line| {
                let color = color(theme, line.color).css();
                let value = last_value(line);
                item(
                    line.name.clone(),
                    color,
                    (unit.get().format(value), unit.get().exact(value)),
                    focus,
                )
            });
            Some(view! { <ul class="legend">{items.collect_views()}</ul> })
        })
    };
    view! { {items} }
}

fn item(
    name: String,
    color: String,
    (value, exact): (String, String),
    focus: Focus,
) -> impl IntoView {
    let is_pinned = {
        let name = name.clone();
        move || focus.pinned.with(|pinned| pinned.as_ref() == Some(&name))
    };
    let point = {
        let name = name.clone();
        move || focus.pointed.set(Some(name.clone()))
    };
    let on_focus = point.clone();
    let toggled = name.clone();
    view! {
        <li>
            <button
                type="button"
                class="legend-item"
                aria-pressed=move || is_pinned().to_string()
                on:pointerenter=move |_| point()
                on:pointerleave=move |_| focus.pointed.set(None)
                on:focus=move |_| on_focus()
                on:blur=move |_| focus.pointed.set(None)
                on:click=move |_| focus.toggle(&toggled)
            >
                <i class="swatch" style:background-color=color></i>
                <span class="legend-name">{name}</span>
                <span class="legend-value num" title=exact>{value}</span>
            </button>
        </li>
    }
}
