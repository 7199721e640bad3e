//! Links that keep the time range of the page.

use leptos::prelude::*;

use crate::state::range::use_range;

/// A link to a page of the application.
#[component]
pub(crate) fn RangeLink(
    /// The address without the range.
    #[prop(into)]
    path: String,
    #[prop(optional, into)] class: &'static str,
    /// What the link does, when its content does not say it.
    #[prop(optional, into)]
    label: Option<String>,
    children: Children,
) -> impl IntoView {
    let range = use_range();
    view! {
        <a href=move || range.link(&path) class=class aria-label=label.clone() title=label>
            {children()}
        </a>
    }
}
