//! Light, dark, or as the system has it.

use leptos::prelude::*;

use crate::icons::{Icon, IconName};
use crate::state::theme::{Choice, use_theme};
use crate::views::CollectViews;

/// Three buttons, one of them pressed.
#[component]
pub(crate) fn ThemeSwitch() -> impl IntoView {
    let theme = use_theme();
    let buttons = Choice::ALL
        .into_iter()
        .map(|choice| {
            let (icon, label) = match choice {
                Choice::System => (IconName::System, "Theme of the system"),
                Choice::Light => (IconName::Sun, "Light theme"),
                Choice::Dark => (IconName::Moon, "Dark theme"),
            };
            view! {
                <button
                    type="button"
                    class="segment"
                    aria-label=label
                    title=label
                    aria-pressed=move || (theme.choice() == choice).to_string()
                    data-testid=format!("theme-{}", choice.name())
                    on:click=move |_| theme.choose(choice)
                >
                    <Icon name=icon/>
                </button>
            }
        })
        .collect_views();
    view! { <div class="segments" role="group" aria-label="Theme">{buttons}</div> }
}
