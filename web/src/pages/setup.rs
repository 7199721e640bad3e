//! Making the first admin.

use api_types::SetupRequest;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_query_map;

use crate::api;
use crate::pages::gate::{Form, GateCard};
use crate::state::session::use_session;

const SHORTEST_PASSWORD: usize = 8;

/// The page behind the one-time link of the server's log.
#[component]
pub(crate) fn SetupPage() -> impl IntoView {
    let session = use_session();
    let query = use_query_map();
    let token = move || query.with_untracked(|query| query.get("token").unwrap_or_default());
    let form = Form::new();
    let submit = Callback::new(move |()| {
        if !form.begin(SHORTEST_PASSWORD) {
            return;
        }
        let request = SetupRequest {
            token: token(),
            name: form.name.get_untracked().trim().to_owned(),
            password: form.password.get_untracked(),
        };
        spawn_local(async move {
            match api::post("/api/app/setup", &request).await {
                Ok(()) => session.refresh(),
                Err(failure) => form.fail(failure.message),
            }
        });
    });
    view! {
        <GateCard
            title="Make the first admin"
            button="Make admin and sign in"
            password_kind="new-password"
            form
            on_submit=submit
        >
            <p class="hint">"This link works once. Choose a password of at least eight characters."</p>
        </GateCard>
    }
}
