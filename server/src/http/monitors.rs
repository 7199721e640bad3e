//! `/api/app/monitors` and `/api/app/monitors/{name}`.

use api_types::{MonitorPage, MonitorRow};
use axum::{
    Json,
    extract::{Path, State},
};

use super::{Shared, error::HttpError};

pub(super) async fn list(State(app): State<Shared>) -> Json<Vec<MonitorRow>> {
    Json(app.monitors.rows(app.clock.now()))
}

pub(super) async fn page(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<MonitorPage>, HttpError> {
    let page = app.monitors.page(&name, app.clock.now());
    page.map(Json).ok_or_else(|| HttpError::not_found("monitor", &name))
}
