//! The application: contexts, who may see what, and the pages.

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::use_location;
use leptos_router::path;

use crate::live::Live;
use crate::pages::alert::AlertPage;
use crate::pages::alerts::AlertsPage;
use crate::pages::events::EventsPage;
use crate::pages::explore::ExplorePage;
use crate::pages::host::HostPage;
use crate::pages::lists::{HostsPage, ServicesPage};
use crate::pages::monitor::MonitorPage;
use crate::pages::overview::OverviewPage;
use crate::pages::runbook::RunbookPage;
use crate::pages::runbooks::RunbooksPage;
use crate::pages::service::ServicePage;
use crate::pages::settings::SettingsPage;
use crate::pages::setup::SetupPage;
use crate::pages::sign_in::SignInPage;
use crate::pages::uptime::UptimePage;
use crate::shell::Shell;
use crate::state::clock::Clock;
use crate::state::session::{Access, SessionState, use_session};
use crate::state::theme::ThemeState;

/// The whole application.
#[component]
pub(crate) fn App() -> impl IntoView {
    ThemeState::provide();
    Clock::provide();
    SessionState::provide();
    Live::provide();
    view! {
        <Router>
            <Gate/>
        </Router>
    }
}

/// What is shown depends on who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Waiting,
    Failed,
    SignIn,
    Setup,
    Pages,
}

#[component]
fn Gate() -> impl IntoView {
    let session = use_session();
    let path = use_location().pathname;
    let view = Memo::new(move |_| match session.access() {
        Access::Asking => View::Waiting,
        Access::Failed(_) => View::Failed,
        Access::Known(_) if session.is_signed_in() => View::Pages,
        Access::Known(_) if path.with(|path| path == "/setup") => View::Setup,
        Access::Known(_) => View::SignIn,
    });
    move || match view.get() {
        View::Waiting => view! { <div class="boot" role="status">"Loading"</div> }.into_any(),
        View::Failed => view! { <Unreachable/> }.into_any(),
        View::SignIn => view! { <SignInPage/> }.into_any(),
        View::Setup => view! { <SetupPage/> }.into_any(),
        View::Pages => view! { <Pages/> }.into_any(),
    }
}

#[component]
fn Unreachable() -> impl IntoView {
    let session = use_session();
    let message = move || match session.access() {
        Access::Failed(failure) => failure.message,
        _ => String::new(),
    };
    view! {
        <main class="gate">
            <div class="card gate-card" role="alert">
                <h1>"The server cannot be reached"</h1>
                <p>{message}</p>
                <button type="button" class="button is-primary" on:click=move |_| session.refresh()>"Try again"</button>
            </div>
        </main>
    }
}

#[component]
fn Pages() -> impl IntoView {
    view! {
        <Shell>
            <FlatRoutes fallback=|| view! { <crate::pages::not_found::NotFoundPage/> }>
                <Route path=path!("/") view=OverviewPage/>
                <Route path=path!("/services") view=ServicesPage/>
                <Route path=path!("/services/:name") view=ServicePage/>
                <Route path=path!("/hosts") view=HostsPage/>
                <Route path=path!("/hosts/:name") view=HostPage/>
                <Route path=path!("/alerts") view=AlertsPage/>
                <Route path=path!("/alerts/:id") view=AlertPage/>
                <Route path=path!("/uptime") view=UptimePage/>
                <Route path=path!("/uptime/:name") view=MonitorPage/>
                <Route path=path!("/events") view=EventsPage/>
                <Route path=path!("/explore") view=ExplorePage/>
                <Route path=path!("/runbooks") view=RunbooksPage/>
                <Route path=path!("/runbooks/:name") view=RunbookPage/>
                <Route path=path!("/settings") view=SettingsPage/>
                <Route path=path!("/setup") view=|| view! { <leptos_router::components::Redirect path="/"/> }/>
            </FlatRoutes>
        </Shell>
    }
}
