//! `/api/app/overview`.

use api_types::Overview;
use axum::{Json, extract::State};

use super::Shared;
use crate::catalog;

pub(super) async fn overview(State(app): State<Shared>) -> Json<Overview> {
    Json(catalog::overview::overview(&app).await)
}
