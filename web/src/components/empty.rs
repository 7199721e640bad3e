//! Empty states, which name the next step.

use leptos::prelude::*;

/// Says that there is nothing yet, and how to change that.
#[component]
pub(crate) fn Empty(
    #[prop(into)] title: String,
    #[prop(into)] text: String,
    /// A command to copy.
    #[prop(optional, into)]
    command: Option<String>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <p class="empty-title">{title}</p>
            <p>{text}</p>
            {command.map(|command| view! { <pre class="command" tabindex="0"><code>{command}</code></pre> })}
        </div>
    }
}
