//! The form that leads in: for signing in and for making the first admin.

use crate::components::page_head::set_document_title;
use leptos::{ev, prelude::*};

use crate::components::theme_switch::ThemeSwitch;
use crate::shell::BrandMark;

/// What a form asks for and how it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(super) name: RwSignal<String>,
    pub(super) password: RwSignal<String>,
    pub(super) error: RwSignal<String>,
    pub(super) is_busy: RwSignal<bool>,
}

impl Form {
    pub(super) fn new() -> Self {
        Self {
            name: RwSignal::new(String::new()),
            password: RwSignal::new(String::new()),
            error: RwSignal::new(String::new()),
            is_busy: RwSignal::new(false),
        }
    }

    /// Starts a submission; says what is missing instead when something is.
    pub(super) fn begin(self, shortest_password: usize) -> bool {
        let name_is_empty = self.name.with_untracked(|name| name.trim().is_empty());
        let length = self.password.with_untracked(|password| password.chars().count());
        let error = if name_is_empty {
            "Fill in your name.".to_owned()
        } else if length == 0 {
            "Fill in your password.".to_owned()
        } else if length < shortest_password {
            format!("The password needs at least {shortest_password} characters.")
        } else {
            String::new()
        };
        let is_fine = error.is_empty();
        self.error.set(error);
        self.is_busy.set(is_fine);
        is_fine
    }

    pub(super) fn fail(self, message: String) {
        self.error.try_set(message);
        self.is_busy.try_set(false);
    }
}

/// The card with name and password.
#[component]
pub(crate) fn GateCard(
    #[prop(into)] title: String,
    #[prop(into)] button: String,
    /// `current-password` or `new-password`, for password managers.
    password_kind: &'static str,
    form: Form,
    on_submit: Callback<()>,
    children: Children,
) -> impl IntoView {
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        on_submit.run(());
    };
    set_document_title(Signal::stored(title.clone()));
    view! {
        <main class="gate" id="main">
            <form class="card gate-card" on:submit=submit novalidate>
                <div class="brand"><BrandMark/>"Bellwether"</div>
                <h1>{title}</h1>
                {children()}
                <label class="field">
                    <span>"Name"</span>
                    <input
                        class="input"
                        type="text"
                        name="username"
                        autocomplete="username"
                        autocapitalize="none"
                        spellcheck="false"
                        autofocus
                        data-testid="username"
                        bind:value=form.name
                    />
                </label>
                <label class="field">
                    <span>"Password"</span>
                    <input
                        class="input"
                        type="password"
                        name="password"
                        autocomplete=password_kind
                        data-testid="password"
                        bind:value=form.password
                    />
                </label>
                <p class="form-error" role="alert" data-testid="form-error">{move || form.error.get()}</p>
                <button
                    type="submit"
                    class="button is-primary is-wide"
                    data-testid="sign-in"
                    disabled=move || form.is_busy.get()
                >
                    {button}
                </button>
            </form>
            <ThemeSwitch/>
        </main>
    }
}
