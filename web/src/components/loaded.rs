//! Waiting for a document, and failing to get it.

use leptos::prelude::*;

use crate::components::delayed::Delayed;
use crate::fetch::Fetched;

/// Shows its children once the document is there. Until then placeholders, or why it cannot be had;
/// when only refreshing failed, the old document with a note.
#[component]
pub(crate) fn Loaded<T: Send + Sync + 'static>(
    fetched: Fetched<T>,
    children: ChildrenFn,
) -> impl IntoView {
    let has_data = Memo::new(move |_| fetched.data.with(Option::is_some));
    let fallback = move || {
        fetched.failure.get().map_or_else(
            || view! { <Skeletons/> }.into_any(),
            |failure| {
                let title =
                    if failure.status == 404 { "Not found" } else { "This could not be loaded" };
                view! {
                    <div class="card empty" role="alert">
                        <p class="empty-title">{title}</p>
                        <p>{failure.message}</p>
                    </div>
                }
                .into_any()
            },
        )
    };
    view! {
        <Show when=move || has_data.get() fallback=fallback>
            {move || {
                let failure = fetched.failure.get()?;
                let text = format!("What you see is not fresh. {}", failure.message);
                Some(view! { <p class="banner is-warning" role="status">{text}</p> })
            }}
            {children()}
        </Show>
    }
}

#[component]
fn Skeletons() -> impl IntoView {
    view! {
        <Delayed>
            <div class="stack" role="status" aria-label="Loading">
                <div class="card skeleton is-short"></div>
                <div class="card skeleton"></div>
                <div class="card skeleton"></div>
            </div>
        </Delayed>
    }
}
