//! What one destination is told at one moment: the payload of an outbox row.

use model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    alert::{Alert, AlertStatus},
    dedup::Reason,
    receivers::Destination,
};

/// A notification, complete: sending it needs nothing else but the receiver's settings and a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Its identity, the same for every attempt.
    pub id: Uuid,
    /// When it was decided.
    pub at: Timestamp,
    /// Who is told.
    pub destination: Destination,
    /// The group.
    pub group_key: String,
    /// The labels all alerts of the group share.
    pub group_labels: Labels,
    /// Why now.
    pub reason: Reason,
    /// When the present incident of the group was first told to this destination.
    pub opened_at: Timestamp,
    /// Where people reach this server, without a slash at the end.
    pub external_url: String,
    /// Firing alerts and those that are over and not yet told, in order of labels; never empty.
    pub alerts: Vec<Alert>,
}

impl Notification {
    /// Firing while any alert is.
    pub fn status(&self) -> AlertStatus {
        if self.firing().next().is_some() { AlertStatus::Firing } else { AlertStatus::Resolved }
    }

    /// The alerts that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.status == AlertStatus::Firing)
    }

    /// The alerts that are over.
    pub fn resolved(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.status == AlertStatus::Resolved)
    }

    /// Labels with the same value on all alerts.
    pub fn common_labels(&self) -> Labels {
        common(self.alerts.iter().map(|alert| &alert.labels))
    }

    /// Annotations with the same text on all alerts.
    pub fn common_annotations(&self) -> Labels {
        common(self.alerts.iter().map(|alert| &alert.annotations))
    }

    /// The page of an alert in the web UI.
    pub fn alert_page(&self, alert: &Alert) -> String {
        format!("{}/alerts/{}", self.external_url, alert.episode)
    }
}

fn common<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = sets.next() else {
        return Labels::empty();
    };
    sets.fold(first.clone(), |common, labels| {
        common.without(|name| labels.get(name) != common.get(name))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::receivers::Kind;

    /// A first notification of the receiver `team` about these alerts, decided at 1,700,000,100 s.
    pub(crate) fn notification(alerts: Vec<Alert>) -> Notification {
        Notification {
            id: Uuid::from_u64_pair(0x0123_4567_89ab_7cde, 0x8f01_2345_6789_abcd),
            at: 1_700_000_100_000,
            destination: Destination {
                receiver: "team".to_owned(),
                kind: Kind::Webhook,
                position: 0,
            },
            group_key: r#"{}:{alertname="HighErrorRate"}"#.to_owned(),
            group_labels: Labels::from_pairs([("alertname", "HighErrorRate")]),
            reason: Reason::First,
            opened_at: 1_700_000_100_000,
            external_url: "https://bell.example".to_owned(),
            alerts,
        }
    }

    #[test]
    fn common_labels_have_one_value_on_all() {
        let sets = [
            Labels::from_pairs([("a", "1"), ("b", "2"), ("c", "3")]),
            Labels::from_pairs([("a", "1"), ("b", "9")]),
        ];
        assert_eq!(common(sets.iter()), Labels::from_pairs([("a", "1")]));
        assert_eq!(common(std::iter::empty()), Labels::empty());
    }
}
