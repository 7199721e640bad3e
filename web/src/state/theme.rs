//! Light, dark, or as the system has it.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, prelude::Closure};

const KEY: &str = "bellwether.theme";

/// What the reader chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    System,
    Light,
    Dark,
}

impl Choice {
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|choice| choice.name() == name).unwrap_or(Self::System)
    }
}

/// The theme, as a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThemeState {
    choice: RwSignal<Choice>,
    is_system_dark: RwSignal<bool>,
}

impl ThemeState {
    /// Reads the choice of the last visit and keeps the page in step with it.
    pub(crate) fn provide() {
        let stored = storage().and_then(|storage| storage.get_item(KEY).ok().flatten());
        let choice = Choice::from_name(stored.as_deref().unwrap_or_default());
        let is_system_dark = RwSignal::new(false);
        is_system_dark.set(follow_system(move |is_dark| is_system_dark.set(is_dark)));
        let state = Self { choice: RwSignal::new(choice), is_system_dark };
        Effect::new(move || apply(state.choice.get()));
        provide_context(state);
    }

    pub(crate) fn choice(self) -> Choice {
        self.choice.get()
    }

    /// Takes a choice and keeps it for the next visit.
    pub(crate) fn choose(self, choice: Choice) {
        self.choice.set(choice);
        if let Some(storage) = storage() {
            // Private windows may refuse; the choice then lasts for this visit.
            drop(storage.set_item(KEY, choice.name()));
        }
    }

    /// The colors of charts.
    pub(crate) fn chart(self) -> &'static chart::Theme {
        let is_dark = match self.choice.get() {
            Choice::System => self.is_system_dark.get(),
            Choice::Light => false,
            Choice::Dark => true,
        };
        if is_dark { &chart::Theme::DARK } else { &chart::Theme::LIGHT }
    }
}

/// The theme of the application.
pub(crate) fn use_theme() -> ThemeState {
    expect_context()
}

fn apply(choice: Choice) {
    let Some(root) = document().document_element() else { return };
    let done = match choice {
        Choice::System => root.remove_attribute("data-theme"),
        _ => root.set_attribute("data-theme", choice.name()),
    };
    debug_assert!(done.is_ok(), "an attribute of the root can be set");
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// Calls back when the system switches; returns whether it is dark now.
fn follow_system(on_change: impl Fn(bool) + 'static) -> bool {
    let Ok(Some(query)) = window().match_media("(prefers-color-scheme: dark)") else {
        return false;
    };
    let is_dark = query.matches();
    let changed = Closure::<dyn FnMut()>::new({
        let query = query.clone();
        move || on_change(query.matches())
    });
    query.set_onchange(Some(changed.as_ref().unchecked_ref()));
    // Owned by the application, which lives as long as the page does.
    StoredValue::new_local((query, changed));
    is_dark
}
