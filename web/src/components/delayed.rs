//! Placeholders that show only when waiting is noticed.

use std::time::Duration;

use leptos::prelude::*;

/// Answers within this time bring no flicker of a placeholder.
const DELAY: Duration = Duration::from_millis(150);

/// Shows its children after a moment.
#[component]
pub(crate) fn Delayed(children: ChildrenFn) -> impl IntoView {
    let is_shown = RwSignal::new(false);
    if let Ok(timer) = set_timeout_with_handle(move || is_shown.set(true), DELAY) {
        on_cleanup(move || timer.clear());
    }
    view! { <Show when=move || is_shown.get()>{children()}</Show> }
}
