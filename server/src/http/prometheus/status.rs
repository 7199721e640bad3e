//! `/api/v1/status/…` and what Prometheus tells of scraping, which nobody does here.

use std::{fmt::Write as _, sync::PoisonError};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use model::duration::Pretty;
use serde_json::json;

use super::{
    envelope::{Failure, Success},
    params::Params,
};
use crate::http::{Shared, rfc3339};

/// What of our settings has a place in Prometheus's configuration file. Secrets have none.
pub(super) async fn config(State(app): State<Shared>) -> Response {
    let interval = Pretty(app.config.statsd.flush_interval.0);
    let mut yaml = format!(
        "global:\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n  \
         evaluation_interval: {interval}\n"
    );
    if !app.config.rules.files.is_empty() {
        yaml.push_str("rule_files:\n");
    }
    for file in &app.config.rules.files {
        // Writing to a text does not fail.
        let _written: std::fmt::Result = writeln!(yaml, "- {:?}", file.display().to_string());
    }
    Success::new(json!({ "yaml": yaml })).into_response()
}

/// The settings that Prometheus has as flags, by their names there.
pub(super) async fn flags(State(app): State<Shared>) -> Response {
    let config = &app.config;
    let flags = json!({
        "query.lookback-delta": Pretty(config.query.lookback.0).to_string(),
        "query.max-concurrency": config.query.max_concurrent.to_string(),
        "query.max-samples": config.query.max_samples.to_string(),
        "query.timeout": Pretty(config.query.timeout.0).to_string(),
        "storage.tsdb.path": config.server.data_dir.display().to_string(),
        "storage.tsdb.retention.time": Pretty(config.store.retention.0).to_string(),
        "web.enable-admin-api": "true",
        "web.enable-lifecycle": "true",
        "web.enable-remote-write-receiver": "true",
        "web.external-url": app.external_url,
        "web.listen-address": config.http.listen,
    });
    Success::new(flags).into_response()
}

/// How the process fares.
pub(super) async fn runtime_info(State(app): State<Shared>) -> Response {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let folder = std::env::current_dir().map(|path| path.display().to_string());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let errors = app.reload_errors.read().unwrap_or_else(PoisonError::into_inner).len();
    let info = json!({
        "startTime": rfc3339(app.started_at),
        "CWD": folder.unwrap_or_default(),
        "hostname": host.unwrap_or_default().trim(),
        "serverTime": rfc3339(app.clock.now()),
        "reloadConfigSuccess": errors == 0,
        "lastConfigTime": rfc3339(app.started_at),
        "corruptionCount": app.queries.store().damaged_pages().len(),
        "goroutineCount": 0,
        "GOMAXPROCS": threads,
        "GOMEMLIMIT": i64::MAX,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": Pretty(app.config.store.retention.0).to_string(),
    });
    Success::new(info).into_response()
}

/// Requests are answered only after the replay.
pub(super) async fn wal_replay() -> Response {
    Success::new(json!({ "min": 0, "max": 0, "current": 0, "state": "done" })).into_response()
}

/// Alerts are not sent to an Alertmanager but handled here.
pub(super) async fn alertmanagers() -> Response {
    let none = json!({ "activeAlertmanagers": [], "droppedAlertmanagers": [] });
    Success::new(none).into_response()
}

/// Nothing is scraped: services send.
pub(super) async fn targets() -> Response {
    let none = json!({ "activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {} });
    Success::new(none).into_response()
}

/// Metadata by target, of which there are none.
pub(super) async fn targets_metadata(params: Params) -> Result<Response, Failure> {
    params.limit()?;
    Ok(Success::new(json!([])).into_response())
}

/// Notices to people who look at the UI; ours are elsewhere.
pub(super) async fn notifications() -> Response {
    Success::new(json!([])).into_response()
}

/// What can be asked here that not every Prometheus has. Clients look a name up and take what is not
/// there as absent.
pub(super) async fn features() -> Response {
    let functions: serde_json::Map<_, _> =
        promql::FUNCTIONS.iter().map(|function| (function.name.to_owned(), true.into())).collect();
    let features = json!({
        "api": {
            "admin": true,
            "exclude_alerts": true,
            "label_values_match": true,
            "lifecycle": true,
            "query_stats": true,
            "query_warnings": true,
            "remote_write_receiver": true,
        },
        "promql": {
            "anchored": true,
            "at_modifier": true,
            "bool": true,
            "duration_expr": true,
            "fill": true,
            "group_left": true,
            "negative_offset": true,
            "offset": true,
            "per_query_lookback_delta": true,
            "per_step_stats": true,
            "smoothed": true,
            "subqueries": true,
        },
        "promql_functions": functions,
    });
    Success::new(features).into_response()
}
