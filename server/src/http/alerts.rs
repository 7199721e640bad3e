//! `/api/app/alerts` and `/api/app/alerts/{id}`.

use api_types::{
    AlertDetail, AlertList, AlertSummary, Block, FailingRule, Notification, NotificationState,
    Panel, PanelQuery, Runbook, Threshold, Transition,
};
use axum::{
    Json,
    extract::{Path, State},
};
use db::meta::outbox::DeliveryRow;
use model::duration::Pretty;
use rules::Instance;
use tsdb::Tsdb;

use super::{Shared, error::HttpError, runbooks};
use crate::{
    alerting::{View, facts::RuleFacts},
    catalog::alerts,
    runbooks::name_of,
};

/// Alerts that are over and still listed.
const RESOLVED_LISTED: u32 = 200;

pub(super) async fn list(State(app): State<Shared>) -> Result<Json<AlertList>, HttpError> {
    let view = app.alerting.view();
    let store = app.queries.store();
    let mut rows = alerts::rows(&view, store);
    for row in app.meta.resolved_instances(RESOLVED_LISTED).await? {
        if rows.iter().all(|known| known.id != row.episode) {
            rows.push(stored(&view, &row.body, store)?.1);
        }
    }
    alerts::sort(&mut rows);
    Ok(Json(AlertList {
        alerts: rows,
        rules: u32::try_from(view.rule_count()).unwrap_or(u32::MAX),
        failing_rules: view
            .failing()
            .map(|(group, rule, error)| FailingRule {
                group: group.name.clone(),
                name: rule.name().to_owned(),
                error: error.to_owned(),
            })
            .collect(),
    }))
}

/// The instance of a row of the database.
fn stored(view: &View, body: &str, store: &Tsdb) -> Result<(Instance, AlertSummary), HttpError> {
    let instance: Instance =
        serde_json::from_str(body).map_err(|error| HttpError::internal(&error))?;
    let summary = alerts::summary(&instance, view.facts.get(instance.rule_uid), store);
    Ok((instance, summary))
}

pub(super) async fn detail(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<AlertDetail>, HttpError> {
    let view = app.alerting.view();
    let store = app.queries.store();
    let live = view.instances.iter().find(|instance| instance.episode.to_string() == id);
    let (instance, summary) = if let Some(instance) = live {
        (instance.clone(), alerts::summary(instance, view.facts.get(instance.rule_uid), store))
    } else {
        let row = app.meta.instance(&id).await?;
        let row = row.ok_or_else(|| HttpError::not_found("alert", &id))?;
        stored(&view, &row.body, store)?
    };
    let facts = view.facts.get(instance.rule_uid);
    let transitions = app.meta.transitions(&id).await?;
    let deliveries = app.meta.deliveries(&id).await?;
    let annotation = |name: &str| instance.annotations.get(name).cloned().unwrap_or_default();
    let runbook_url = annotation("runbook_url");
    Ok(Json(AlertDetail {
        description: annotation("description"),
        impact: annotation("impact"),
        annotations: instance.annotations.clone().into_iter().collect(),
        expr: facts.map(|facts| facts.expr.clone()).unwrap_or_default(),
        source: facts.map(|f| format!("{} in {}", f.group, f.file)).unwrap_or_default(),
        hold: facts
            .filter(|facts| !facts.hold.is_zero())
            .map(|facts| Pretty(facts.hold).to_string())
            .unwrap_or_default(),
        panel: facts.map(|facts| panel(facts, &summary)),
        transitions: transitions
            .into_iter()
            .map(|row| Transition {
                at_ms: row.at,
                to: alerts::state_of(&row.state),
                value: row.value,
                reason: row.reason,
            })
            .collect(),
        notifications: deliveries.into_iter().map(notification).collect(),
        runbook: name_of(&runbook_url)
            .and_then(|name| runbooks::runbook(&app, name))
            .map(|runbook| about(runbook, &summary.labels)),
        runbook_url,
        summary,
    }))
}

/// The runbook with its charts narrowed to what the alert is about.
fn about(mut runbook: Runbook, labels: &[(String, String)]) -> Runbook {
    for block in &mut runbook.blocks {
        if let Block::Panel { panel } = block {
            panel.only = labels.to_vec();
        }
    }
    runbook
}

/// The rule's quantity with the threshold.
fn panel(facts: &RuleFacts, summary: &AlertSummary) -> Panel {
    let condition = facts.condition.as_ref();
    Panel {
        id: "alert".to_owned(),
        title: summary.name.clone(),
        queries: vec![PanelQuery {
            expr: condition.map_or_else(|| facts.expr.clone(), |c| c.quantity.clone()),
            legend: summary.target.clone(),
        }],
        unit: summary.unit,
        thresholds: condition
            .map(|c| Threshold { value: c.threshold.bound, label: summary.name.clone() })
            .into_iter()
            .collect(),
        only: summary.labels.clone(),
    }
}

fn notification(row: DeliveryRow) -> Notification {
    let state = match (row.state.as_str(), row.last_error.is_empty()) {
        ("sent", _) => NotificationState::Sent,
        ("dead", _) => NotificationState::Dead,
        (_, true) => NotificationState::Pending,
        (_, false) => NotificationState::Retrying,
    };
    Notification {
        created_ms: row.created_at,
        sent_ms: row.sent_at,
        receiver: row.destination.split('/').next().unwrap_or_default().to_owned(),
        kind: row.kind,
        status: row.status,
        state,
        attempts: row.attempts,
        error: row.last_error,
    }
}
