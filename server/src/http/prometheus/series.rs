//! `/api/v1/series`, `/api/v1/labels`, `/api/v1/label/<name>/values`.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use model::{Labels, Matcher, Storage, StorageError, Timestamp, storage::Select};
use tsdb::Tsdb;

use super::{
    envelope::{Failure, Success},
    params::Params,
    value::LabelMap,
};
use crate::http::Shared;

const TRUNCATED: &str = "results truncated due to limit";

/// Which series a request is about.
struct Scope {
    /// Series that match any of these; without one, all series.
    selectors: Vec<Vec<Matcher>>,
    start: Timestamp,
    end: Timestamp,
    max_series: usize,
}

impl Scope {
    fn new(app: &Shared, params: &Params) -> Result<Self, Failure> {
        let start = params.time("start")?.unwrap_or(Timestamp::MIN / 2);
        let end = params.time("end")?.unwrap_or(Timestamp::MAX / 2);
        if end < start {
            return Err(Failure::bad_data("end timestamp must not be before start timestamp"));
        }
        let selectors = params.selectors()?;
        Ok(Self { selectors, start, end, max_series: app.config.query.max_series })
    }

    /// What `read` finds for each selector, all together ascending and without duplicates.
    fn collect<T: Ord>(
        &self,
        mut read: impl FnMut(&Select<'_>) -> Result<Vec<T>, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        let all: [Vec<Matcher>; 1] = [Vec::new()];
        let selectors = if self.selectors.is_empty() { &all[..] } else { &self.selectors[..] };
        let mut found = Vec::new();
        for matchers in selectors {
            let (start, end, max_series) = (self.start, self.end, self.max_series);
            found.append(&mut read(&Select { matchers, start, end, max_series })?);
        }
        // What a single selector finds is in order already.
        if selectors.len() > 1 {
            found.sort();
            found.dedup();
        }
        Ok(found)
    }
}

/// The label sets of series.
pub(super) async fn series(State(app): State<Shared>, params: Params) -> Result<Response, Failure> {
    let scope = Scope::new(&app, &params)?;
    if scope.selectors.is_empty() {
        return Err(Failure::bad_data("no match[] parameter provided"));
    }
    let limit = params.limit()?;
    let found: Vec<Labels> =
        app.queries.read(move |store: &Tsdb| scope.collect(|s| store.series(s))).await?;
    let shown: Vec<LabelMap<'_>> = found.iter().take(limit).map(LabelMap).collect();
    let is_cut = shown.len() < found.len();
    Ok(Success::new(shown).with_remarks(cut(is_cut), Vec::new()).into_response())
}

/// The names of labels.
pub(super) async fn label_names(
    State(app): State<Shared>,
    params: Params,
) -> Result<Response, Failure> {
    let scope = Scope::new(&app, &params)?;
    let limit = params.limit()?;
    let found =
        app.queries.read(move |store: &Tsdb| scope.collect(|s| store.label_names(s))).await?;
    Ok(texts(found, limit))
}

/// The values of a label.
pub(super) async fn label_values(
    State(app): State<Shared>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Failure> {
    let scope = Scope::new(&app, &params)?;
    let limit = params.limit()?;
    let read = move |store: &Tsdb| scope.collect(|s| store.label_values(&name, s));
    Ok(texts(app.queries.read(read).await?, limit))
}

fn texts(found: Vec<String>, limit: usize) -> Response {
    let is_cut = found.len() > limit;
    let shown: Vec<String> = found.into_iter().take(limit).collect();
    Success::new(shown).with_remarks(cut(is_cut), Vec::new()).into_response()
}

fn cut(is_cut: bool) -> Vec<String> {
    if is_cut { vec![TRUNCATED.to_owned()] } else { Vec::new() }
}
