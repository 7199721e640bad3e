//! Search and filters above a list.

use leptos::prelude::*;

use crate::icons::{Icon, IconName};

/// A search field; the key `/` leads to it.
#[component]
pub(crate) fn SearchField(query: RwSignal<String>, #[prop(into)] label: String) -> impl IntoView {
    view! {
        <div class="search">
            <Icon name=IconName::Search/>
            <input
                class="input"
                type="search"
                placeholder=label.clone()
                aria-label=label
                data-search="true"
                data-testid="search"
                autocomplete="off"
                spellcheck="false"
                bind:value=query
            />
            <kbd aria-hidden="true">"/"</kbd>
        </div>
    }
}

/// A filter that is on or off, with the number of things it stands for.
#[component]
pub(crate) fn Chip(
    #[prop(into)] label: String,
    #[prop(into)] count: Signal<usize>,
    #[prop(into)] is_on: Signal<bool>,
    on_toggle: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="chip"
            aria-pressed=move || is_on.get().to_string()
            on:click=move |_| on_toggle.run(())
        >
            {label}
            <span class="chip-count num">{move || count.get()}</span>
        </button>
    }
}
