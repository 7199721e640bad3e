//! `/api/v1/admin/tsdb/…` for admins, and `/api/v1/status/tsdb`.

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::Timestamp;
use serde::Serialize;
use tsdb::DeleteError;

use super::{
    envelope::{Failure, Success},
    params::Params,
};
use crate::{
    auth::Principal,
    http::{Shared, guard::Admin},
};

/// How many entries of each list are told when nothing is said, as in Prometheus.
const LIMIT: usize = 10;
/// The most that are told.
const MAX_LIMIT: usize = 10_000;

/// Deletes the samples of all series that match, between two times.
pub(super) async fn delete_series(
    _: Admin,
    State(app): State<Shared>,
    Extension(principal): Extension<Principal>,
    params: Params,
) -> Result<Response, Failure> {
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(Failure::bad_data("no match[] parameter provided"));
    }
    let start = params.time("start")?.unwrap_or(Timestamp::MIN / 2);
    let end = params.time("end")?.unwrap_or(Timestamp::MAX / 2);
    if end < start {
        return Err(Failure::bad_data("end timestamp must not be before start timestamp"));
    }
    for matchers in selectors {
        let selector = format!(
            "{{{}}}",
            matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        );
        let work = move |store: &tsdb::Tsdb| store.delete(&matchers, start, end);
        match app.queries.read(work).await {
            Ok(deleted) => tracing::info!(
                audit = true,
                by = %principal.name,
                %selector,
                start_ms = start,
                end_ms = end,
                samples_in_memory = deleted.head_samples,
                blocks = deleted.blocks,
                "series were deleted"
            ),
            Err(DeleteError::Store(error)) => {
                tracing::error!(
                    by = %principal.name,
                    %selector,
                    error = %model::text::causes(&error),
                    "series could not be deleted"
                );
                return Err(Failure::internal("the store could not be written"));
            }
            Err(error) => return Err(Failure::parameter("match[]", error)),
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Frees the room of what was deleted now rather than soon.
pub(super) async fn clean_tombstones(
    _: Admin,
    State(app): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    match app.queries.read(tsdb::Tsdb::clean_deletions).await {
        Ok(blocks) => {
            tracing::info!(
                audit = true,
                by = %principal.name,
                blocks,
                "blocks were written again without what was deleted"
            );
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Err(error) => {
            tracing::error!(
                error = %model::text::causes(&error),
                "what was deleted could not be cleaned up"
            );
            Err(Failure::internal("the store could not be written"))
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    head_stats: HeadStats,
    series_count_by_metric_name: Vec<Entry>,
    label_value_count_by_label_name: Vec<Entry>,
    memory_in_bytes_by_label_name: Vec<Entry>,
    series_count_by_label_value_pair: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadStats {
    num_series: u64,
    num_label_pairs: u64,
    /// Every series has one open chunk.
    chunk_count: u64,
    min_time: Timestamp,
    max_time: Timestamp,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    value: u64,
}

/// What the series in memory are made of.
pub(super) async fn status(State(app): State<Shared>, params: Params) -> Result<Response, Failure> {
    let limit = match params.get("limit").map(str::parse::<usize>) {
        None => LIMIT,
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
        Some(_) => {
            let reason = format!("it must be a whole number from 1 to {MAX_LIMIT}");
            return Err(Failure::parameter("limit", reason));
        }
    };
    let found = app.queries.read(move |store| store.cardinality(limit)).await;
    let entries = |all: Vec<(String, u64)>| {
        all.into_iter().map(|(name, value)| Entry { name, value }).collect::<Vec<_>>()
    };
    let labels = found.labels.iter().take(limit);
    let values = labels.map(|label| (label.name.clone(), label.values)).collect();
    let mut memory: Vec<(String, u64)> =
        found.labels.iter().map(|label| (label.name.clone(), label.bytes)).collect();
    memory.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    memory.truncate(limit);
    let pairs = found.series_by_pair.into_iter();
    let pairs = pairs.map(|((name, value), count)| (format!("{name}={value}"), count)).collect();
    let now = app.clock.now();
    let status = Status {
        head_stats: HeadStats {
            num_series: found.series,
            num_label_pairs: found.pairs,
            chunk_count: found.series,
            min_time: found.oldest.unwrap_or(now),
            max_time: now,
        },
        series_count_by_metric_name: entries(found.metrics),
        label_value_count_by_label_name: entries(values),
        memory_in_bytes_by_label_name: entries(memory),
        series_count_by_label_value_pair: entries(pairs),
    };
    Ok(Success::new(status).into_response())
}
