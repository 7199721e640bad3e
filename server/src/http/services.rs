//! `/api/app/services/{name}`.

use std::collections::BTreeSet;

use api_types::ServicePage;
use axum::{
    Json,
    extract::{Path, State},
};

use super::{Shared, error::HttpError, runbooks};
use crate::catalog::{alerts, services};

pub(super) async fn service(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<ServicePage>, HttpError> {
    let now = app.clock.now();
    let inventory = app.inventory.get(&app.queries, now).await;
    let metrics =
        inventory.services.get(&name).ok_or_else(|| HttpError::not_found("service", &name))?;
    let mut by_service =
        alerts::by_label(&alerts::rows(&app.alerting.view(), app.queries.store()), "service");
    let mut monitors = app.monitors.by_service(&app.monitors.rows(now));
    let around = services::Around { alerts: &by_service, monitors: &monitors, now };
    let row = services::rows(&app.queries, &inventory, Some(&name), &around)
        .await
        .pop()
        .ok_or_else(|| HttpError::not_found("service", &name))?;
    let alerts = by_service.remove(&name).unwrap_or_default();
    let linked: BTreeSet<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    let runbooks = runbooks::rows(&app)
        .into_iter()
        .filter(|row| row.alerts.iter().any(|alert| linked.contains(alert.as_str())))
        .collect();
    let monitors = monitors.remove(&name).unwrap_or_default();
    Ok(Json(services::page(row, metrics, alerts, monitors, runbooks)))
}
