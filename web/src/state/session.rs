//! Who is signed in.

use api_types::Session;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::{self, Failure};

/// What is known about the session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Access {
    /// The server was not asked yet.
    Asking,
    /// It did not answer.
    Failed(Failure),
    /// What it said.
    Known(Session),
}

/// The session, as a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionState {
    access: RwSignal<Access>,
}

impl SessionState {
    /// Asks the server who is signed in.
    pub(crate) fn provide() -> Self {
        let state = Self { access: RwSignal::new(Access::Asking) };
        state.refresh();
        provide_context(state);
        state
    }

    pub(crate) fn access(self) -> Access {
        self.access.get()
    }

    /// Whether a user is signed in.
    pub(crate) fn is_signed_in(self) -> bool {
        self.access
            .with(|access| matches!(access, Access::Known(session) if session.user.is_some()))
    }

    /// Asks again, after signing in or out.
    pub(crate) fn refresh(self) {
        spawn_local(async move {
            let access = match api::get::<Session>("/api/app/session", None).await {
                Ok(session) => Access::Known(session),
                Err(failure) => Access::Failed(failure),
            };
            self.access.set(access);
        });
    }

    /// The server refused a request for want of a session: ask who is signed in, which leads to the
    /// sign-in page.
    pub(crate) fn expired(self) {
        if self
            .access
            .with_untracked(|access| matches!(access, Access::Known(s) if s.user.is_some()))
        {
            self.refresh();
        }
    }
}

/// The session of the application.
pub(crate) fn use_session() -> SessionState {
    expect_context()
}
