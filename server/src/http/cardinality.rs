//! `/api/app/cardinality`: what the series are made of, and who made them.

use std::cmp::Reverse;

use api_types::cardinality::{
    Cardinality, LabelCardinality, MetricCardinality, PairCardinality, WriterCardinality,
};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;

use super::Shared;

/// How many metrics and pairs are told, at most and when nothing is said.
const MAX_LIMIT: usize = 1_000;
const LIMIT: usize = 50;

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    limit: Option<usize>,
}

pub(super) async fn cardinality(
    State(app): State<Shared>,
    Query(request): Query<Request>,
) -> Json<Cardinality> {
    let limit = request.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
    let found = app.queries.read(move |store| store.cardinality(limit)).await;
    let now = app.clock.now();
    let (hour_growth, day_growth) = app.cardinality.series(now).growth(found.series);
    let metric = |(name, series): (String, u64)| {
        let (hour_growth, day_growth) = app.cardinality.metric(now, &name).growth(series);
        MetricCardinality { name, series, hour_growth, day_growth }
    };
    let label = |label: tsdb::LabelCardinality| LabelCardinality {
        name: label.name,
        values: label.values,
        series: label.series,
        bytes: label.bytes,
    };
    let pair = |((name, value), series)| PairCardinality { name, value, series };
    let mut sources = app.source_rows();
    sources.sort_by_key(|source| Reverse(source.series));
    sources.truncate(limit);
    let mut remote_writers: Vec<WriterCardinality> = app
        .remote
        .stats
        .writers()
        .into_iter()
        .map(|(name, books)| WriterCardinality {
            name,
            samples: books.samples,
            last_seen_ms: books.last_seen,
        })
        .collect();
    remote_writers.sort_by_key(|writer| Reverse(writer.samples));
    Json(Cardinality {
        series: found.series,
        hour_growth,
        day_growth,
        metrics: found.metrics.into_iter().map(metric).collect(),
        labels: found.labels.into_iter().map(label).collect(),
        pairs: found.series_by_pair.into_iter().map(pair).collect(),
        sources,
        remote_writers,
    })
}
