//! Sign-in.

use serde::{Deserialize, Serialize};

/// What a user may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Changes dashboards, silences and monitors.
    Editor,
    /// Changes users, tokens and settings.
    Admin,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name used to sign in.
    pub name: String,
    /// What the user may do.
    pub role: Role,
}

/// Answer of `GET /api/app/session`, which needs no sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The user; `None` when nobody is signed in.
    pub user: Option<User>,
    /// No user exists yet: the one-time link in the server's log makes the first admin.
    pub needs_setup: bool,
    /// The server's version.
    pub version: String,
}

/// Body of `POST /api/app/session`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignInRequest {
    /// The user's name.
    pub name: String,
    /// The password in clear; the connection protects it.
    pub password: String,
}

/// Body of `POST /api/app/setup`, which makes the first admin and signs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetupRequest {
    /// The secret of the one-time link.
    pub token: String,
    /// The name of the admin.
    pub name: String,
    /// The password, at least eight characters.
    pub password: String,
}
