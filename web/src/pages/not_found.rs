//! An address without a page.

use leptos::prelude::*;

use crate::components::page_head::PageHead;

/// Leads back.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    view! {
        <PageHead title=Signal::stored("No such page".to_owned())/>
        <div class="card empty">
            <p class="empty-title">"There is nothing at this address."</p>
            <p><a href="/">"Go to the overview"</a></p>
        </div>
    }
}
