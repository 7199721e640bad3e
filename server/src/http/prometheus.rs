//! Prometheus's HTTP API: the same paths, parameters, JSON and errors, so that Grafana and promtool
//! work unchanged. Source: `web/api/v1/api.go` in Prometheus.

mod admin;
mod envelope;
mod exemplars;
mod federate;
mod import;
mod metadata;
mod params;
mod query;
mod read;
mod rules;
mod series;
mod status;
mod stream;
mod tree;
mod value;
pub(crate) mod write;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

pub(super) use params::parse_time;

use super::Shared;

/// What a Prometheus scrapes, which is not below `/api/v1`.
pub(super) fn federation() -> Router<Shared> {
    Router::new().route("/federate", get(federate::federate))
}

/// The routes below `/api/v1`.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/format_query", get(query::format).post(query::format))
        .route("/parse_query", get(tree::parse).post(tree::parse))
        .route("/series", get(series::series).post(series::series))
        .route("/labels", get(series::label_names).post(series::label_names))
        .route("/label/{name}/values", get(series::label_values))
        .route("/metadata", get(metadata::metadata))
        .route("/query_exemplars", get(exemplars::exemplars).post(exemplars::exemplars))
        .route("/targets", get(status::targets))
        .route("/targets/metadata", get(status::targets_metadata))
        .route("/alertmanagers", get(status::alertmanagers))
        .route("/features", get(status::features))
        .route("/notifications", get(status::notifications))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/walreplay", get(status::wal_replay))
        .route("/status/buildinfo", get(metadata::build_info))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/status/tsdb", get(admin::status))
        .route("/admin/tsdb/delete_series", post(admin::delete_series).put(admin::delete_series))
        .route(
            "/admin/tsdb/clean_tombstones",
            post(admin::clean_tombstones).put(admin::clean_tombstones),
        )
        .route("/read", post(read::read))
        .route("/write", post(write::write))
        .route("/import", post(import::import).layer(DefaultBodyLimit::disable()))
}
