//! Who may call what: the session cookie or a bearer token becomes a [`Principal`], and a handler asks
//! for the role it needs by its argument.

use api_types::Role;
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};

use super::{Shared, error::HttpError};
use crate::{
    auth::{self, Principal},
    config::auth::AuthMode,
};

/// The cookie that holds a session's secret.
pub(super) const COOKIE: &str = "bellwether_session";

/// Finds out who calls and leaves it in the request; it refuses nobody.
pub(super) async fn identify(
    State(app): State<Shared>,
    mut request: axum::extract::Request,
    next: Next,
) -> Result<Response, HttpError> {
    if let Some(principal) = principal(&app, request.headers()).await? {
        request.extensions_mut().insert(principal);
    }
    Ok(next.run(request).await)
}

/// Refuses whoever is not at least a viewer.
pub(super) async fn require_viewer(
    request: axum::extract::Request,
    next: Next,
) -> Result<Response, HttpError> {
    if request.extensions().get::<Principal>().is_none() {
        return Err(HttpError::unauthorized());
    }
    Ok(next.run(request).await)
}

async fn principal(app: &Shared, headers: &HeaderMap) -> Result<Option<Principal>, HttpError> {
    if app.config.auth.mode == AuthMode::None {
        return Ok(Some(Principal { name: "anonymous".into(), role: Role::Admin }));
    }
    let now = app.clock.now();
    if let Some(secret) = bearer(headers) {
        let ask = auth::token(&app.meta, secret);
        return Ok(app.auth.recognize(secret, now, ask).await?);
    }
    match session_secret(headers) {
        Some(secret) => {
            let ask = auth::session(&app.meta, secret, now);
            Ok(app.auth.recognize(secret, now, ask).await?)
        }
        None => Ok(None),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// The secret of the session cookie.
pub(super) fn session_secret(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// An argument for handlers that only an admin may call.
#[derive(Debug)]
pub(super) struct Admin;

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpError> {
        require(parts, Role::Admin).map(|()| Self)
    }
}

/// An argument for handlers that only an editor or an admin may call.
#[derive(Debug)]
pub(super) struct Editor;

impl<S: Send + Sync> FromRequestParts<S> for Editor {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpError> {
        require(parts, Role::Editor).map(|()| Self)
    }
}

/// Refuses a caller below `role`.
fn require(parts: &Parts, role: Role) -> Result<(), HttpError> {
    let principal = parts.extensions.get::<Principal>().ok_or_else(HttpError::unauthorized)?;
    if principal.role < role {
        let message = match role {
            Role::Admin => format!("`{}` is not an admin", principal.name),
            Role::Editor | Role::Viewer => {
                format!("`{}` may only read, this needs the role editor", principal.name)
            }
        };
        return Err(HttpError::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; bellwether_session=secret; c=d".parse().unwrap());
        assert_eq!(session_secret(&headers), Some("secret"));
        headers.insert(header::COOKIE, "xbellwether_session=secret".parse().unwrap());
        assert_eq!(session_secret(&headers), None);
    }
}
