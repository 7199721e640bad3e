//! `/api/v1/metadata`, and small answers that Grafana asks for.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use model::Storage;
use serde::Serialize;

use super::{
    envelope::{Failure, Success},
    params::Params,
};
use crate::http::Shared;

#[derive(Debug, Serialize)]
struct Entry {
    r#type: &'static str,
    help: String,
    unit: String,
}

/// What is known of metrics, by name.
pub(super) async fn metadata(
    State(app): State<Shared>,
    params: Params,
) -> Result<Response, Failure> {
    // Here 0 asks for nothing, as in Prometheus; elsewhere it asks for everything.
    let limit = if params.get("limit") == Some("0") { 0 } else { params.limit()? };
    let metric = params.get("metric").map(str::to_owned);
    let all = app.queries.read(|store: &tsdb::Tsdb| store.metadata()).await;
    let entries: BTreeMap<String, [Entry; 1]> = all
        .into_iter()
        .filter(|m| metric.as_ref().is_none_or(|metric| m.metric == *metric))
        .take(limit)
        .map(|m| {
            // The name as it was sent helps to find a metric again.
            let help = match (m.help.is_empty(), m.original.is_empty()) {
                (true, false) => format!("Sent as {}", m.original),
                _ => m.help,
            };
            (m.metric, [Entry { r#type: m.kind.as_str(), help, unit: m.unit }])
        })
        .collect();
    Ok(Success::new(entries).into_response())
}

/// The version of Prometheus whose API this is; Grafana chooses its features by it.
const API_VERSION: &str = "3.5.0";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildInfo {
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
    application: &'static str,
}

/// What runs here.
pub(super) async fn build_info() -> Response {
    let info = BuildInfo {
        version: API_VERSION,
        revision: env!("BELLWETHER_COMMIT"),
        branch: "",
        build_user: "",
        build_date: env!("BELLWETHER_BUILD_DATE"),
        go_version: "",
        application: concat!("Bellwether ", env!("CARGO_PKG_VERSION")),
    };
    Success::new(info).into_response()
}
