//! `/api/app/session` and `/api/app/setup`: signing in and out, and the first admin.

use api_types::{Session, SetupRequest, SignInRequest, User};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    Shared,
    error::HttpError,
    guard::{COOKIE, session_secret},
};
use crate::auth::{self, Principal, SESSION_LENGTH};

/// Who is signed in; public, so that the browser knows which page to show.
pub(super) async fn show(
    State(app): State<Shared>,
    principal: Option<Extension<Principal>>,
) -> Result<Json<Session>, HttpError> {
    let user = principal.map(|Extension(principal)| user_of(principal));
    let needs_setup = user.is_none() && app.meta.accounts().await?.is_empty();
    Ok(Json(session(user, needs_setup)))
}

/// Signs in.
pub(super) async fn sign_in(
    State(app): State<Shared>,
    Json(request): Json<SignInRequest>,
) -> Result<Response, HttpError> {
    let now = app.clock.now();
    let (principal, secret) =
        auth::sign_in(&app.meta, &request.name, &request.password, now).await?;
    Ok(signed_in(&app, principal, &secret))
}

/// Makes the first admin and signs in.
pub(super) async fn set_up(
    State(app): State<Shared>,
    Json(request): Json<SetupRequest>,
) -> Result<Response, HttpError> {
    let SetupRequest { token, name, password } = request;
    let now = app.clock.now();
    let (principal, secret) = auth::set_up(&app.meta, &token, &name, &password, now).await?;
    tracing::info!(account = %principal.name, "the first admin was made");
    Ok(signed_in(&app, principal, &secret))
}

/// Signs out.
pub(super) async fn sign_out(
    State(app): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    if let Some(secret) = session_secret(&headers) {
        auth::sign_out(&app.meta, secret).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, &app, "", 0);
    Ok(response)
}

fn signed_in(app: &Shared, principal: Principal, secret: &str) -> Response {
    let mut response = Json(session(Some(user_of(principal)), false)).into_response();
    set_cookie(&mut response, app, secret, SESSION_LENGTH.as_secs());
    response
}

fn set_cookie(response: &mut Response, app: &Shared, secret: &str, max_age: u64) {
    // Over plain HTTP a browser would refuse a `Secure` cookie.
    let secure = if app.external_url.starts_with("https://") { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

fn user_of(principal: Principal) -> User {
    User { name: principal.name, role: principal.role }
}

fn session(user: Option<User>, needs_setup: bool) -> Session {
    Session { user, needs_setup, version: env!("CARGO_PKG_VERSION").to_owned() }
}
