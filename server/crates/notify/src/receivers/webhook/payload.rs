//! The JSON of Alertmanager's webhook, version 4.
//!
//! Field names and their meaning follow `notify/webhook/webhook.go` and `template/template.go` of
//! Alertmanager, with `notification_id` and `notification_reason` added.

use std::collections::BTreeMap;

use model::{Labels, Timestamp};
use serde::Serialize;

use crate::{
    alert::{Alert, AlertStatus, fingerprint_text},
    dedup::Reason,
    notification::Notification,
};

/// The end of an alert that fires.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// The body of a request.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message<'a> {
    receiver: &'a str,
    status: &'static str,
    alerts: Vec<MessageAlert<'a>>,
    group_labels: BTreeMap<&'a str, &'a str>,
    common_labels: Labels,
    common_annotations: Labels,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: usize,
    #[serde(rename = "notification_id")]
    notification_id: String,
    #[serde(rename = "notification_reason")]
    notification_reason: Reason,
}

/// One alert of a request.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageAlert<'a> {
    status: &'static str,
    labels: &'a Labels,
    annotations: &'a Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: String,
}

impl<'a> Message<'a> {
    /// The body for a notification with at most `max_alerts` alerts; 0 is no limit.
    pub fn new(notification: &'a Notification, max_alerts: usize) -> Self {
        let alerts = &notification.alerts;
        let shown = if max_alerts == 0 { alerts.len() } else { alerts.len().min(max_alerts) };
        Self {
            receiver: &notification.destination.receiver,
            status: notification.status().as_str(),
            alerts: alerts.iter().take(shown).map(MessageAlert::new).collect(),
            group_labels: notification.group_labels.iter().collect(),
            common_labels: notification.common_labels(),
            common_annotations: notification.common_annotations(),
            external_url: &notification.external_url,
            version: "4",
            group_key: &notification.group_key,
            truncated_alerts: alerts.len() - shown,
            notification_id: notification.id.to_string(),
            notification_reason: notification.reason,
        }
    }
}

impl<'a> MessageAlert<'a> {
    fn new(alert: &'a Alert) -> Self {
        let end = alert.ends_at.filter(|_| alert.status == AlertStatus::Resolved);
        Self {
            status: alert.status.as_str(),
            labels: &alert.labels,
            annotations: &alert.annotations,
            starts_at: rfc3339(alert.starts_at),
            ends_at: end.map_or_else(|| NO_END.to_owned(), rfc3339),
            generator_url: &alert.generator_url,
            fingerprint: fingerprint_text(alert.fingerprint()),
        }
    }
}

/// RFC 3339 in UTC with as many decimals as needed, as Go writes it.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| NO_END.to_owned(), |at| at.to_string())
}
