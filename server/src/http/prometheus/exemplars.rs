//! `/api/v1/query_exemplars`.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use model::{Matcher, Timestamp};
use serde::Serialize;

use super::{
    envelope::{Failure, Success},
    params::Params,
    value::{LabelMap, Number, Seconds},
};
use crate::http::Shared;

#[derive(Serialize)]
struct SeriesItem<'a> {
    #[serde(rename = "seriesLabels")]
    series: LabelMap<'a>,
    exemplars: Vec<ExemplarItem<'a>>,
}

#[derive(Serialize)]
struct ExemplarItem<'a> {
    labels: LabelMap<'a>,
    value: Number,
    timestamp: Seconds,
}

/// The exemplars of the series that the selectors of an expression match.
pub(super) async fn exemplars(
    State(app): State<Shared>,
    params: Params,
) -> Result<Response, Failure> {
    let expr = promql::parse(params.required("query")?)
        .map_err(|error| Failure::parameter("query", error))?;
    let start = params.time("start")?.unwrap_or(Timestamp::MIN);
    let end = params.time("end")?.unwrap_or(Timestamp::MAX);
    if end < start {
        return Err(Failure::bad_data("end timestamp must not be before start timestamp"));
    }
    let selectors: Vec<Vec<Matcher>> =
        expr.selectors().into_iter().map(promql::parser::Selector::all_matchers).collect();
    let found = app.remote.exemplars.select(&selectors, start, end);
    let items: Vec<SeriesItem<'_>> = found
        .iter()
        .map(|(labels, all)| SeriesItem {
            series: LabelMap(labels),
            exemplars: all
                .iter()
                .map(|exemplar| ExemplarItem {
                    labels: LabelMap(&exemplar.labels),
                    value: Number(exemplar.value),
                    timestamp: Seconds(exemplar.timestamp),
                })
                .collect(),
        })
        .collect();
    Ok(Success::new(items).into_response())
}
