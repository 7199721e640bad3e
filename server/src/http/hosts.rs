//! `/api/app/hosts/{name}`.

use api_types::HostPage;
use axum::{
    Json,
    extract::{Path, State},
};

use super::{Shared, error::HttpError};
use crate::catalog::{alerts, hosts};

pub(super) async fn host(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<HostPage>, HttpError> {
    let now = app.clock.now();
    let inventory = app.inventory.get(&app.queries, now).await;
    let mut by_host =
        alerts::by_label(&alerts::rows(&app.alerting.view(), app.queries.store()), "host");
    let rows = hosts::rows(&app.queries, &inventory, &by_host, now).await;
    let row = rows
        .into_iter()
        .find(|row| row.name == name)
        .ok_or_else(|| HttpError::not_found("host", &name))?;
    let alerts = by_host.remove(&name).unwrap_or_default();
    Ok(Json(hosts::page(&app.queries, row, alerts, now).await))
}
