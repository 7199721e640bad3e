//! `/api/v1/rules` and `/api/v1/alerts`.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use model::number::Shortest;
use rules::{AlertingRule, Instance, RecordingRule, Rule, State as AlertState};
use serde::Serialize;

use super::{
    envelope::{Failure, Success},
    params::Params,
    value::LabelMap,
};
use crate::{
    alerting::{View, view::RuleView},
    http::Shared,
    http::rfc3339,
};

#[derive(Debug, Serialize)]
struct Groups<'a> {
    groups: Vec<Group<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Group<'a> {
    name: &'a str,
    file: &'a str,
    rules: Vec<RuleJson<'a>>,
    interval: f64,
    limit: usize,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum RuleJson<'a> {
    Alerting(AlertingJson<'a>),
    Recording(RecordingJson<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertingJson<'a> {
    state: &'static str,
    name: &'a str,
    query: &'a str,
    duration: f64,
    keep_firing_for: f64,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'a str, &'a str>,
    alerts: Vec<AlertJson<'a>>,
    #[serde(flatten)]
    fares: Fares<'a>,
    r#type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordingJson<'a> {
    name: &'a str,
    query: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(flatten)]
    fares: Fares<'a>,
    r#type: &'static str,
}

/// How a rule fares.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fares<'a> {
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    last_evaluation: String,
    evaluation_time: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertJson<'a> {
    labels: LabelMap<'a>,
    annotations: &'a BTreeMap<String, String>,
    state: &'static str,
    active_at: String,
    value: String,
}

/// The rule groups with their alerts; `type=alert|record` and `rule_name[]` choose.
pub(super) async fn rules(State(app): State<Shared>, params: Params) -> Result<Response, Failure> {
    let wants = match params.get("type") {
        None => None,
        Some(kind @ ("alert" | "record")) => Some(kind),
        Some(_) => return Err(Failure::parameter("type", "expected alert or record")),
    };
    let view = app.alerting.view();
    let fallback = app.config.statsd.flush_interval.0;
    let groups = view
        .specs
        .iter()
        .zip(&view.groups)
        .map(|(spec, group)| Group {
            name: &spec.name,
            file: &spec.file,
            interval: spec.interval.unwrap_or(fallback).as_secs_f64(),
            limit: spec.limit.unwrap_or(0),
            rules: spec
                .rules
                .iter()
                .zip(&group.rules)
                .filter(|(rule, _)| match rule {
                    Rule::Alerting(_) => wants != Some("record"),
                    Rule::Recording(_) => wants != Some("alert"),
                })
                .map(|(rule, state)| match rule {
                    Rule::Alerting(rule) => RuleJson::Alerting(alerting(rule, state, &view)),
                    Rule::Recording(rule) => RuleJson::Recording(recording(rule, state)),
                })
                .collect(),
        })
        .collect();
    Ok(Success::new(Groups { groups }).into_response())
}

#[derive(Debug, Serialize)]
struct Alerts<'a> {
    alerts: Vec<AlertJson<'a>>,
}

/// All alerts that are pending or fire.
pub(super) async fn alerts(State(app): State<Shared>) -> Response {
    let view = app.alerting.view();
    let alerts = view.instances.iter().filter(|i| i.state != AlertState::Resolved);
    Success::new(Alerts { alerts: alerts.map(alert).collect() }).into_response()
}

fn alerting<'a>(rule: &'a AlertingRule, state: &'a RuleView, view: &'a View) -> AlertingJson<'a> {
    let alerts: Vec<&Instance> = view
        .instances
        .iter()
        .filter(|i| i.rule_uid == state.uid && i.state != AlertState::Resolved)
        .collect();
    let is_firing = alerts.iter().any(|instance| instance.state != AlertState::Pending);
    AlertingJson {
        state: match (alerts.is_empty(), is_firing) {
            (true, _) => "inactive",
            (false, true) => "firing",
            (false, false) => "pending",
        },
        name: &rule.name,
        query: rule.expr.text(),
        duration: rule.hold.as_secs_f64(),
        keep_firing_for: rule.keep_firing.as_secs_f64(),
        labels: rule.labels.iter().map(|(n, t)| (n.as_str(), t.source())).collect(),
        annotations: rule.annotations.iter().map(|(n, t)| (n.as_str(), t.source())).collect(),
        alerts: alerts.into_iter().map(alert).collect(),
        fares: fares(state),
        r#type: "alerting",
    }
}

fn recording<'a>(rule: &'a RecordingRule, state: &'a RuleView) -> RecordingJson<'a> {
    RecordingJson {
        name: &rule.metric,
        query: rule.expr.text(),
        labels: rule.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect(),
        fares: fares(state),
        r#type: "recording",
    }
}

fn fares(state: &RuleView) -> Fares<'_> {
    Fares {
        health: state.health.as_str(),
        last_error: state.last_error.as_deref(),
        last_evaluation: state.last_evaluation.map_or_else(|| rfc3339(0), rfc3339),
        evaluation_time: state.last_duration.as_secs_f64(),
    }
}

fn alert(instance: &Instance) -> AlertJson<'_> {
    AlertJson {
        labels: LabelMap(&instance.labels),
        annotations: &instance.annotations,
        state: if instance.state == AlertState::Pending { "pending" } else { "firing" },
        active_at: rfc3339(instance.active_at),
        value: exponential(instance.value),
    }
}

/// A number as Prometheus writes an alert's value, which is Go's shortest notation with an exponent of
/// at least two digits: `2.5e+02`.
fn exponential(value: f64) -> String {
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => Shortest::Plain(value).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_alerts_are_written_as_go_does() {
        for (value, expected) in [
            (0.0, "0e+00"),
            (5.0, "5e+00"),
            (-250.0, "-2.5e+02"),
            (0.001, "1e-03"),
            (1e300, "1e+300"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(exponential(value), expected);
        }
    }
}
