//! `/api/app/runbooks` and `/api/app/runbooks/{name}`.

use std::collections::{BTreeMap, BTreeSet};

use api_types::{AlertState, Runbook, RunbookRow};
use axum::{
    Json,
    extract::{Path, State},
};
use rules::Rule;

use super::{Shared, error::HttpError};
use crate::{app::App, catalog::alerts, runbooks::name_of};

pub(super) async fn list(State(app): State<Shared>) -> Json<Vec<RunbookRow>> {
    Json(rows(&app))
}

pub(super) async fn page(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Runbook>, HttpError> {
    runbook(&app, &name).map(Json).ok_or_else(|| HttpError::not_found("runbook", &name))
}

/// All runbooks by name, with the rules that link to them.
pub(super) fn rows(app: &App) -> Vec<RunbookRow> {
    let linked = linked_alerts(app);
    app.runbooks
        .pages()
        .iter()
        .map(|(name, page)| RunbookRow {
            name: name.clone(),
            title: page.title.clone(),
            summary: page.summary.clone(),
            alerts: linked
                .get(name)
                .map(|names| names.iter().cloned().collect())
                .unwrap_or_default(),
        })
        .collect()
}

/// One runbook with the alerts that are on.
pub(super) fn runbook(app: &App, name: &str) -> Option<Runbook> {
    let row = rows(app).into_iter().find(|row| row.name == name)?;
    let pages = app.runbooks.pages();
    let active = alerts::rows(&app.alerting.view(), app.queries.store())
        .into_iter()
        .filter(|alert| alert.state != AlertState::Resolved && row.alerts.contains(&alert.name))
        .collect();
    Some(Runbook { blocks: pages.get(name)?.blocks.clone(), row, active })
}

fn linked_alerts(app: &App) -> BTreeMap<String, BTreeSet<String>> {
    let view = app.alerting.view();
    let mut linked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in view.specs.iter().flat_map(|spec| &spec.rules) {
        let Rule::Alerting(rule) = rule else { continue };
        let url = rule.annotations.iter().find(|(name, _)| name == "runbook_url");
        if let Some(name) = url.and_then(|(_, url)| name_of(url.source())) {
            linked.entry(name.to_owned()).or_default().insert(rule.name.clone());
        }
    }
    linked
}
