//! `/heartbeat/{token}`: a job says that it ran. The token is the only secret it needs.

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Shared, error::HttpError};
use crate::uptime::board::Beat;

#[derive(Debug, Deserialize)]
pub(super) struct Report {
    /// `up` (the default) or `down`.
    status: Option<String>,
    /// Why it is down.
    #[serde(default)]
    msg: String,
}

pub(super) async fn beat(
    State(app): State<Shared>,
    Path(token): Path<String>,
    Query(report): Query<Report>,
) -> Result<&'static str, HttpError> {
    let beat = match report.status.as_deref() {
        None | Some("up") => Beat::Up,
        Some("down") => Beat::Down,
        Some(other) => {
            let message = format!("status `{other}` is unknown, expected `up` or `down`");
            return Err(HttpError::new(StatusCode::BAD_REQUEST, "bad_status", message));
        }
    };
    match app.monitors.beat(&token, beat, &report.msg, app.clock.now()).await {
        Ok(true) => return Ok("ok\n"),
        Ok(false) => {}
        Err(error) => {
            tracing::error!(error = %model::text::causes(&error), "a heartbeat was not taken");
            let message = "the database cannot be written; send the heartbeat again";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(HttpError::new(status, "not_stored", message));
        }
    }
    let message = "no heartbeat monitor has this token";
    Err(HttpError::new(StatusCode::NOT_FOUND, "unknown_token", message))
}
