//! `/render/chart.png` and `/render/chart.svg`: a picture of a query.

use axum::{
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chart::{
    Theme, Window,
    still::{self, Still, StillError},
};
use promql::Range;
use serde::Deserialize;

use super::{Shared, error::HttpError};
use crate::{
    query::{QueryError, QueryOptions, blocking},
    render,
};

/// Points across a picture; more than there are pixels would be thinned out again.
const MAX_POINTS: i64 = 1_000;
const DEFAULT_SPAN_MS: i64 = 3_600_000;

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    query: String,
    /// Seconds since the epoch; an hour before the end by default.
    start: Option<f64>,
    /// Seconds since the epoch; now by default.
    end: Option<f64>,
    width: Option<u32>,
    height: Option<u32>,
    /// `light` (the default) or `dark`.
    theme: Option<String>,
    threshold: Option<f64>,
    #[serde(default)]
    title: String,
}

pub(super) async fn chart(
    State(app): State<Shared>,
    Path(picture): Path<String>,
    Query(request): Query<Request>,
) -> Result<Response, HttpError> {
    let is_png = match picture.as_str() {
        "chart.png" => true,
        "chart.svg" => false,
        other => return Err(HttpError::not_found("picture", other)),
    };
    let range = range(&request, app.clock.now())?;
    let (output, _) = app
        .queries
        .range(&request.query, range, QueryOptions::default())
        .await
        .map_err(|error| bad_query(&error))?;
    let still = Still {
        width: request.width.unwrap_or(640),
        height: request.height.unwrap_or(260),
        theme: theme(request.theme.as_deref())?,
        title: request.title,
        thresholds: request.threshold.into_iter().collect(),
        series: render::lines(&output.value, range, |_| true),
        start_ms: range.start,
        step_ms: range.step_ms,
        window: Window::new(range.start as f64, range.end as f64),
        ..Still::default()
    };
    blocking(move || {
        if is_png {
            still::png(&still)
                .map(|png| ([(header::CONTENT_TYPE, "image/png")], png).into_response())
        } else {
            still::svg(&still)
                .map(|svg| ([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response())
        }
    })
    .await
    .map_err(|error| match error {
        StillError::Size { .. } => bad("bad_size", error.to_string()),
        error => HttpError::internal(&error),
    })
}

fn range(request: &Request, now: i64) -> Result<Range, HttpError> {
    let ms = |seconds: f64| (seconds * 1000.0) as i64;
    let end = request.end.map_or(now, ms);
    let start = request.start.map_or(end - DEFAULT_SPAN_MS, ms);
    if start >= end {
        return Err(bad("bad_range", "`start` must be before `end`"));
    }
    let step_ms = ((end - start) / MAX_POINTS).max(1_000);
    Ok(Range { start: start - start.rem_euclid(step_ms), end, step_ms })
}

fn theme(name: Option<&str>) -> Result<Theme, HttpError> {
    match name {
        None | Some("light") => Ok(Theme::LIGHT),
        Some("dark") => Ok(Theme::DARK),
        Some(other) => {
            Err(bad("bad_theme", format!("theme `{other}` is unknown, expected `light` or `dark`")))
        }
    }
}

fn bad(code: &'static str, message: impl Into<String>) -> HttpError {
    HttpError::new(StatusCode::BAD_REQUEST, code, message)
}

fn bad_query(error: &QueryError) -> HttpError {
    match error {
        QueryError::Parse(_) => bad("bad_query", error.to_string()),
        QueryError::Eval(_) => {
            HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "query_failed", error.to_string())
        }
    }
}
