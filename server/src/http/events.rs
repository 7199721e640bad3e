//! `/api/app/events`, `/api/app/checks` and `/api/app/checks/{id}`.

use api_types::{Check, CheckDetail, CheckList, CheckStatus, Event, EventList, NewEvent};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
};

use model::duration::Pretty;

use super::{Shared, error::HttpError, guard::Editor, prometheus::parse_time};
use crate::events::{self, Cursor};

/// Parameters in order; a name may come several times.
type Parameters = Query<Vec<(String, String)>>;

pub(super) async fn list(
    State(app): State<Shared>,
    Query(parameters): Parameters,
) -> Result<Json<EventList>, HttpError> {
    let mut search = events::search(&parameters, parse_time).map_err(bad_parameter)?;
    let limit = search.limit as usize;
    // One more than a page tells whether there is a next one.
    search.limit += 1;
    let mut events = app.events.search(&search).await?;
    let next = (events.len() > limit).then(|| {
        events.truncate(limit);
        events.last().map(|event| Cursor { at: event.at_ms, id: event.id }.to_string())
    });
    Ok(Json(EventList { events, next: next.flatten() }))
}

pub(super) async fn post(
    _: Editor,
    State(app): State<Shared>,
    body: Result<Json<NewEvent>, JsonRejection>,
) -> Result<(StatusCode, Json<Event>), HttpError> {
    let bad = |message| HttpError::new(StatusCode::BAD_REQUEST, "bad_event", message);
    let Json(event) = body.map_err(|rejection| bad(rejection.body_text()))?;
    let now = app.clock.now();
    let event = events::new_event(event, now).map_err(bad)?;
    let kept = app.config.events.retention;
    if event.at < now - kept.as_ms() || event.at > now + events::AHEAD_MS {
        return Err(bad(format!(
            "`at_ms` must lie between {} ago, which is how long events are kept, and 10m from now",
            Pretty(kept.0)
        )));
    }
    Ok((StatusCode::CREATED, Json(app.events.post(event).await?)))
}

pub(super) async fn checks(
    State(app): State<Shared>,
    Query(parameters): Parameters,
) -> Result<Json<CheckList>, HttpError> {
    let mut checks = app.events.checks();
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        match name.as_str() {
            "q" => {
                let words = value.to_lowercase();
                checks.retain(|check| words.split_whitespace().all(|word| mentions(check, word)));
            }
            "name" => checks.retain(|check| check.name == *value),
            "host" => checks.retain(|check| check.host == *value),
            "tag" => checks.retain(|check| has_tag(check, value)),
            "status" => {
                let status = CheckStatus::parse(value).ok_or_else(|| {
                    bad_parameter(format!(
                        "`status` is `{value}`, expected ok, warning, critical or unknown"
                    ))
                })?;
                checks.retain(|check| check.status == status);
            }
            _ => {
                return Err(bad_parameter(format!(
                    "`{name}` is unknown, expected q, name, host, tag or status"
                )));
            }
        }
    }
    Ok(Json(CheckList { checks }))
}

pub(super) async fn check(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<CheckDetail>, HttpError> {
    let detail = app.events.check(&id).await?;
    detail.map(Json).ok_or_else(|| HttpError::not_found("service check", &id))
}

/// Whether a word in lower case stands in name, host, message or tags.
fn mentions(check: &Check, word: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(word);
    has(&check.name)
        || has(&check.host)
        || has(&check.message)
        || check.tags.iter().any(|(name, value)| has(&format!("{name}:{value}")))
}

/// Whether a check has the tag `name:value`, or `name` with any value.
fn has_tag(check: &Check, tag: &str) -> bool {
    let (name, value) = tag.split_once(':').map_or((tag, None), |(n, v)| (n, Some(v)));
    check.tags.iter().any(|(n, v)| n == name && value.is_none_or(|value| v == value))
}

fn bad_parameter(message: String) -> HttpError {
    HttpError::new(StatusCode::BAD_REQUEST, "bad_parameter", message)
}
