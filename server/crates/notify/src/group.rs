//! A group of alerts and what a flush of it tells each destination.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    alert::{Alert, AlertStatus},
    dedup::{GroupLog, Known, Reason, View, decide},
    notification::Notification,
    outbox::NewRow,
    receivers::Destination,
};

/// Why an alert is not told although it fires.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// Another alert that fires says as much.
    Inhibited {
        /// That alert's fingerprint.
        by: u64,
    },
    /// The route is silent in this time interval.
    MuteTime {
        /// The interval's name.
        interval: String,
    },
    /// The route is silent outside its active time intervals.
    OutsideActiveTime,
    /// A person muted it.
    Silenced {
        /// The silence.
        id: Uuid,
        /// When the silence ends.
        until: Timestamp,
    },
}

/// A notification that was withheld: "would have notified, but".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Muted {
    /// Who would have been told.
    pub destination: Destination,
    /// The alert's fingerprint.
    pub fingerprint: u64,
    /// The alert's episode.
    pub episode: Uuid,
    /// Why it was withheld.
    pub by: Suppression,
}

/// What one destination is to be told now. The caller stores the log and the outbox row of
/// [`Flush::row`] in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Flush {
    /// Why.
    pub reason: Reason,
    /// The alerts as they stand, in order of labels. Empty when only the log changes, because the
    /// destination does not want to hear of ends.
    pub alerts: Vec<Alert>,
    /// The log from now on; a [closed](GroupLog::is_closed) one may be deleted.
    pub log: GroupLog,
}

impl Flush {
    /// Who is told.
    pub fn destination(&self) -> &Destination {
        &self.log.destination
    }

    /// The group.
    pub fn group_key(&self) -> &str {
        &self.log.group_key
    }

    /// The outbox row, under a fresh id; `None` when only the log changes. `external_url` is where
    /// people reach this server.
    pub fn row(&self, external_url: &str) -> Option<NewRow> {
        if self.alerts.is_empty() {
            return None;
        }
        let notification = Notification {
            id: crate::outbox::new_id(self.log.at),
            at: self.log.at,
            destination: self.log.destination.clone(),
            group_key: self.log.group_key.clone(),
            group_labels: self.log.group_labels.clone(),
            reason: self.reason,
            opened_at: self.log.opened_at,
            external_url: external_url.trim_end_matches('/').to_owned(),
            alerts: self.alerts.clone(),
        };
        Some(NewRow::new(&notification, self.log.seq))
    }
}

/// A group: alerts of one route with equal group labels.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) key: String,
    pub(crate) labels: Labels,
    /// When it is flushed next.
    pub(crate) due: Timestamp,
    /// Whether it was flushed before; until then an old alert may hasten it.
    pub(crate) is_flushed: bool,
    /// Fingerprints of the alerts in it.
    pub(crate) members: BTreeSet<u64>,
    /// Those of the members that no longer belong here by routing, but whose end must be told to
    /// whoever was told of them.
    pub(crate) closing: BTreeSet<u64>,
    /// What was reported as withheld, so that it is reported once.
    pub(crate) withheld: BTreeSet<(Destination, u64, Suppression)>,
}

impl Group {
    pub(crate) fn new(key: String, labels: Labels, due: Timestamp) -> Self {
        Self {
            key,
            labels,
            due,
            is_flushed: false,
            members: BTreeSet::new(),
            closing: BTreeSet::new(),
            withheld: BTreeSet::new(),
        }
    }

    /// Adds an alert by routing; `true` when it was not a member.
    pub(crate) fn add(&mut self, fingerprint: u64) -> bool {
        self.closing.remove(&fingerprint);
        self.members.insert(fingerprint)
    }

    pub(crate) fn remove(&mut self, fingerprint: u64) {
        self.members.remove(&fingerprint);
        self.closing.remove(&fingerprint);
        self.withheld.retain(|(_, withheld, _)| *withheld != fingerprint);
    }
}

/// A group at the moment of a flush.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) group: &'a Group,
    pub(crate) now: Timestamp,
    /// The members as they stand now.
    pub(crate) alerts: BTreeMap<u64, Alert>,
    /// Which of them are muted, and why.
    pub(crate) muted: BTreeMap<u64, Suppression>,
}

/// A destination as the flush sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) destination: &'a Destination,
    /// Whether the group's route tells it; if not, it only hears the end of what it was told.
    pub(crate) is_routed: bool,
    pub(crate) send_resolved: bool,
    pub(crate) repeat_interval: Duration,
    pub(crate) log: Option<&'a GroupLog>,
}

impl Moment<'_> {
    /// What the destination is told now.
    ///
    /// Muted alerts are left out before the decision, as Alertmanager does. The exception is ours: the
    /// end of an alert the destination was told of is always told, and an alert it was told of stays in
    /// its log while it is muted.
    pub(crate) fn flush(&self, target: Target<'_>) -> Option<Flush> {
        let is_told = |id: &u64| target.log.is_some_and(|log| log.firing.contains(id));
        let belongs = |id: &u64| target.is_routed && !self.group.closing.contains(id);
        let is_muted = |id: &u64| self.muted.contains_key(id);
        let with_status = |status: AlertStatus| {
            self.alerts.iter().filter(move |(_, alert)| alert.status == status).map(|(id, _)| *id)
        };
        let firing: BTreeSet<u64> = with_status(AlertStatus::Firing)
            .filter(|id| !is_muted(id) && (belongs(id) || is_told(id)))
            .collect();
        let told_and_muted: BTreeSet<u64> =
            with_status(AlertStatus::Firing).filter(|id| is_muted(id) && is_told(id)).collect();
        let resolved: BTreeSet<u64> = with_status(AlertStatus::Resolved)
            .filter(|id| is_told(id) || (!is_muted(id) && belongs(id)))
            .collect();
        // What is muted now takes no part in the decision, neither as firing nor as told before.
        let told_and_visible: BTreeSet<u64> =
            target.log.map_or(BTreeSet::new(), |log| &log.firing - &told_and_muted);
        let known = target.log.map(|log| Known {
            at: log.at,
            firing: &told_and_visible,
            resolved: &log.resolved,
        });
        let view = View {
            firing: &firing,
            resolved: &resolved,
            send_resolved: target.send_resolved,
            repeat_interval: target.repeat_interval,
        };
        let nothing_belongs_here = !firing.iter().any(belongs);
        let ended = resolved.iter().any(is_told);
        let reason = decide(known, view, self.now)
            .filter(|reason| *reason != Reason::Repeat || !nothing_belongs_here);
        match reason {
            Some(reason) => {
                let wanted = |id: &u64| {
                    firing.contains(id) || (target.send_resolved && resolved.contains(id))
                };
                Some(self.tell(target, reason, wanted, &(&firing | &told_and_muted), &resolved))
            }
            // Nobody is told, but what is over is no longer open, or its return would go unnoticed.
            None if ended => {
                let open = &firing | &told_and_muted;
                Some(self.tell(target, Reason::NewResolved, |_| false, &open, &resolved))
            }
            None => None,
        }
    }

    fn tell(
        &self,
        target: Target<'_>,
        reason: Reason,
        wanted: impl Fn(&u64) -> bool,
        open: &BTreeSet<u64>,
        resolved: &BTreeSet<u64>,
    ) -> Flush {
        let open_before = target.log.filter(|log| !log.is_closed());
        let of = |ids: &mut dyn Iterator<Item = (&u64, &Alert)>| {
            let mut alerts: Vec<Alert> = ids.map(|(_, alert)| alert.clone()).collect();
            alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
            alerts
        };
        let alerts = of(&mut self.alerts.iter().filter(|(id, _)| wanted(id)));
        // A log that changes without a notification keeps the time of the last one, for repeats.
        let at = match target.log {
            Some(log) if alerts.is_empty() => log.at,
            _ => self.now,
        };
        Flush {
            reason,
            alerts,
            log: GroupLog {
                group_key: self.group.key.clone(),
                group_labels: self.group.labels.clone(),
                destination: target.destination.clone(),
                at,
                opened_at: open_before.map_or(self.now, |log| log.opened_at),
                // Millisecond times grow from incident to incident even when no log is left.
                seq: target.log.map_or(self.now, |log| self.now.max(log.seq + 1)),
                firing: open.clone(),
                resolved: resolved.clone(),
                told: of(&mut self.alerts.iter().filter(|(id, _)| open.contains(id)))
                    .into_iter()
                    .map(|alert| Alert { runbook: None, ..alert })
                    .collect(),
            },
        }
    }

    /// What the destination would have been told of, were it not muted.
    pub(crate) fn withheld(&self, target: Target<'_>) -> Vec<Muted> {
        self.muted
            .iter()
            .filter(|(id, _)| {
                target.is_routed
                    && !self.group.closing.contains(id)
                    && !target.log.is_some_and(|log| log.firing.contains(id))
            })
            .filter_map(|(id, by)| {
                let alert = self.alerts.get(id).filter(|a| a.status == AlertStatus::Firing)?;
                Some(Muted {
                    destination: target.destination.clone(),
                    fingerprint: *id,
                    episode: alert.episode,
                    by: by.clone(),
                })
            })
            .collect()
    }
}
