//! A button that opens a panel below itself.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;

/// Closes the dropdown it was made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Close {
    element: NodeRef<html::Details>,
}

impl Close {
    pub(crate) fn now(self) {
        if let Some(element) = self.element.get_untracked() {
            element.set_open(false);
        }
    }
}

/// Opens and closes on its button, and closes on Escape and on a click elsewhere. Its content finds
/// [`Close`] in the context.
#[component]
pub(crate) fn Dropdown(
    /// What the button shows.
    summary: Children,
    /// What the button is about, read before what it shows.
    #[prop(into)]
    label: String,
    #[prop(optional, into)] class: &'static str,
    #[prop(optional, into)] testid: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    let element = NodeRef::<html::Details>::new();
    let close = Close { element };
    provide_context(close);
    let outside = window_event_listener(ev::pointerdown, move |event| {
        let Some(details) = element.get_untracked() else { return };
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        if details.open() && !details.contains(target.as_ref()) {
            details.set_open(false);
        }
    });
    on_cleanup(move || outside.remove());
    let on_key = move |event: ev::KeyboardEvent| {
        if event.key() == "Escape" && element.get_untracked().is_some_and(|details| details.open())
        {
            close.now();
            focus_summary(element);
            event.stop_propagation();
        }
    };
    view! {
        <details class=format!("dropdown {class}") node_ref=element on:keydown=on_key>
            <summary title=label.clone() data-testid=testid>
                <span class="sr">{label.clone()} " "</span>
                {summary()}
            </summary>
            <div class="dropdown-panel">{children()}</div>
        </details>
    }
}

fn focus_summary(element: NodeRef<html::Details>) {
    let summary = element
        .get_untracked()
        .and_then(|details| details.query_selector("summary").ok().flatten());
    if let Some(summary) =
        summary.and_then(|summary| summary.dyn_into::<web_sys::HtmlElement>().ok())
    {
        // An element that is shown takes the focus.
        drop(summary.focus());
    }
}
