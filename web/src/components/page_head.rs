//! The head of a page: title, state, and the time range at the right.

use leptos::prelude::*;

use crate::charts::annotations::AnnotationSwitch;
use crate::components::time_range::TimeRange;

/// Title and what belongs beside it.
#[component]
pub(crate) fn PageHead(
    #[prop(into)] title: Signal<String>,
    /// Whether the page has charts, and with them a time range.
    #[prop(optional)]
    has_range: bool,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    set_document_title(title);
    view! {
        <header class="page-head">
            <h1>{move || title.get()}</h1>
            {children.map(|children| children())}
            <span class="grow"></span>
            {has_range.then(|| view! { <div class="page-tools"><AnnotationSwitch/><TimeRange/></div> })}
        </header>
    }
}

/// Names the window, the tab and the entry in the browser's history after the page.
pub(crate) fn set_document_title(title: Signal<String>) {
    Effect::new(move || document().set_title(&format!("{} · Bellwether", title.get())));
}
