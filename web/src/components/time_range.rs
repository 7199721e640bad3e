//! The time range of the page.

use leptos::{ev, html, prelude::*};

use crate::components::dropdown::{Close, Dropdown};
use crate::icons::{Icon, IconName};
use crate::state::clock::utc_offset_seconds;
use crate::state::range::{DEFAULT, QUICK, Range, use_range, use_set_range};
use crate::views::CollectViews;

/// Shows the range and changes it.
#[component]
pub(crate) fn TimeRange() -> impl IntoView {
    let range = use_range();
    view! {
        <Dropdown
            label="Time range"
            class="is-right"
            testid="time-range"
            summary=Box::new(move || {
                view! {
                    <Icon name=IconName::Clock/>
                    <span class="num">{move || range.label()}</span>
                    <Icon name=IconName::ChevronDown/>
                }
                .into_any()
            })
        >
            <Choices/>
        </Dropdown>
    }
}

#[component]
fn Choices() -> impl IntoView {
    let range = use_range();
    let set = StoredValue::new_local(use_set_range());
    let close: Close = expect_context();
    let quick = QUICK
        .into_iter()
        .map(|(written, words)| {
            let choice = Range::parse(Some(written), None, None).unwrap_or(DEFAULT);
            let choose = move |_| {
                set.with_value(|set| set.choose(choice));
                close.now();
            };
            view! {
                <li>
                    <button
                        type="button"
                        class="menu-item"
                        aria-pressed=move || (range.range() == choice).to_string()
                        on:click=choose
                    >
                        {words}
                    </button>
                </li>
            }
        })
        .collect_views();
    let (from, to) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let error = RwSignal::new("");
    let apply = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let read = |input: NodeRef<html::Input>| {
            input.get_untracked().and_then(|input| moment_of(&input.value()))
        };
        match (read(from), read(to)) {
            (Some(from_ms), Some(to_ms)) if from_ms < to_ms => {
                error.set("");
                set.with_value(|set| set.choose(Range::Fixed { from_ms, to_ms }));
                close.now();
            }
            (Some(_), Some(_)) => error.set("The start must be before the end."),
            _ => error.set("Fill in both times."),
        }
    };
    let edge = move |pick_end: bool| {
        let span = range.span();
        input_value(if pick_end { span.end_ms } else { span.start_ms })
    };
    view! {
        <div class="range-choices">
            <ul class="menu">{quick}</ul>
            <form class="range-form" on:submit=apply>
                <label>"From" <input class="input" type="datetime-local" node_ref=from prop:value=move || edge(false)/></label>
                <label>"To" <input class="input" type="datetime-local" node_ref=to prop:value=move || edge(true)/></label>
                <p class="form-error" role="alert">{move || error.get()}</p>
                <button type="submit" class="button is-primary">"Apply"</button>
                <p class="hint">"Drag over a chart to zoom in, double-click to go back."</p>
            </form>
        </div>
    }
}

/// The value of a date input in the browser's zone, as milliseconds since the Unix epoch.
fn moment_of(value: &str) -> Option<i64> {
    let ms = js_sys::Date::new(&value.into()).get_time();
    ms.is_finite().then_some(ms as i64)
}

/// A moment as the value of a date input in the browser's zone.
fn input_value(time_ms: i64) -> String {
    let local = time_ms + i64::from(utc_offset_seconds(time_ms)) * 1_000;
    let text = String::from(js_sys::Date::new(&(local as f64).into()).to_iso_string());
    text.chars().take(16).collect()
}
