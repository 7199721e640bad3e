//! `/-/healthy`, `/-/ready`, `/-/reload`, `/info`, `/metrics`.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tsdb::Health;

use super::{Shared, error::HttpError, guard::Admin, rfc3339};

/// The process answers, before it is started too.
pub(super) fn alive() -> &'static str {
    "Bellwether is healthy.\n"
}

/// The process answers. It succeeds while samples cannot be written, and says so: whoever restarts what
/// is not healthy would lose what waits in memory.
pub(super) async fn healthy(State(app): State<Shared>) -> String {
    match writing_fails(&app) {
        None => alive().to_owned(),
        Some(text) => format!("Bellwether runs, but {text}\n"),
    }
}

/// The store is replayed and every listener is bound; else why not. Queries are answered and data is
/// taken while samples cannot be written, so this succeeds then, and says so.
pub(super) async fn ready(State(app): State<Shared>) -> Response {
    match app.not_ready() {
        None => match writing_fails(&app) {
            None => "Bellwether is ready.\n".into_response(),
            Some(text) => format!("Bellwether is ready, but {text}\n").into_response(),
        },
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("Not ready: {reason}\n")).into_response()
        }
    }
}

/// What there is to say while samples cannot be written; causes are for those who have signed in.
fn writing_fails(app: &Shared) -> Option<String> {
    let Health::Failing { waiting_frames, .. } = app.queries.store().health() else { return None };
    Some(format!("samples cannot be written: {waiting_frames} flushes wait in memory"))
}

/// Reads rules, receivers, monitors and runbooks again. Any error keeps the old set.
pub(super) async fn reload(_: Admin, State(app): State<Shared>) -> Result<Response, HttpError> {
    match app.reload().await {
        Ok(()) => Ok("Reloaded.\n".into_response()),
        Err(errors) => {
            Err(HttpError::new(StatusCode::BAD_REQUEST, "bad_configuration", errors.join("\n")))
        }
    }
}

#[derive(Debug, Serialize)]
struct Info {
    version: &'static str,
    commit: &'static str,
    build_date: &'static str,
    start_time: String,
    current_time: String,
    uptime_seconds: i64,
    uptime: String,
}

/// What runs and since when.
pub(super) async fn info(State(app): State<Shared>) -> Response {
    let now = app.clock.now();
    let seconds = (now - app.started_at).max(0) / 1000;
    let whole = std::time::Duration::from_secs(seconds.unsigned_abs());
    Json(Info {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("BELLWETHER_COMMIT"),
        build_date: env!("BELLWETHER_BUILD_DATE"),
        start_time: rfc3339(app.started_at),
        current_time: rfc3339(now),
        uptime_seconds: seconds,
        uptime: model::duration::Pretty(whole).to_string(),
    })
    .into_response()
}

/// The server's own metrics.
pub(super) async fn metrics(State(app): State<Shared>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, OPEN_METRICS)], app.telemetry().await.open_metrics()).into_response()
}
