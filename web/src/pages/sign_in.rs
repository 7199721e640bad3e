//! Signing in.

use api_types::SignInRequest;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api;
use crate::pages::gate::{Form, GateCard};
use crate::state::session::{Access, use_session};

/// Asks for name and password.
#[component]
pub(crate) fn SignInPage() -> impl IntoView {
    let session = use_session();
    let form = Form::new();
    let needs_setup =
        move || matches!(session.access(), Access::Known(session) if session.needs_setup);
    let submit = Callback::new(move |()| {
        if !form.begin(1) {
            return;
        }
        let request = SignInRequest {
            name: form.name.get_untracked().trim().to_owned(),
            password: form.password.get_untracked(),
        };
        spawn_local(async move {
            match api::post("/api/app/session", &request).await {
                Ok(()) => session.refresh(),
                Err(failure) => form.fail(failure.message),
            }
        });
    });
    view! {
        <GateCard title="Sign in" button="Sign in" password_kind="current-password" form on_submit=submit>
            <Show when=needs_setup>
                <p class="banner">
                    "No user exists yet. The server has written a one-time link into its log: open it to make the first admin."
                </p>
            </Show>
        </GateCard>
    }
}
