//! Continuing after a restart or with another configuration.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use model::Timestamp;

use super::{Dispatcher, Held, find_route, to_ms};
use crate::{
    alert::{Alert, AlertStatus},
    config::Config,
    dedup::GroupLog,
    group::Group,
};

impl Dispatcher {
    /// Starts from stored state instead of what is held: the open logs, and every alert that fires or
    /// is over but not yet told. An alert a log knows as firing that is not among `alerts` counts as
    /// over. Groups that were never flushed are due when their group wait is over, which may be now.
    pub fn restore(&mut self, logs: &[GroupLog], alerts: &[Alert], now: Timestamp) {
        self.groups.clear();
        self.alerts.clear();
        self.in_flight.clear();
        self.logs.clear();
        for log in logs.iter().cloned() {
            self.keep_log(log);
        }
        self.apply(alerts, now);
        let mut ended: HashMap<u64, &Alert> = alerts
            .iter()
            .filter(|alert| alert.status_at(now) == AlertStatus::Resolved)
            .map(|alert| (alert.fingerprint(), alert))
            .collect();
        for log in logs.iter().filter(|log| !log.is_closed()) {
            self.reopen(log, &mut ended, now);
        }
        for group in self.groups.values_mut().filter(|group| !group.is_flushed) {
            let wait = find_route(&self.tree, group).map_or(0, |route| to_ms(route.group_wait));
            let first = group.members.iter().filter_map(|id| self.alerts.get(id));
            let started = first.map(|held| held.alert.starts_at).min().unwrap_or(now);
            group.due = started.saturating_add(wait).clamp(now, now + wait);
        }
    }

    /// Makes sure that everything a destination was told of is in the group it was told in.
    fn reopen(&mut self, log: &GroupLog, ended: &mut HashMap<u64, &Alert>, now: Timestamp) {
        let group = self
            .groups
            .entry(log.group_key.clone())
            .or_insert_with_key(|key| Group::new(key.clone(), log.group_labels.clone(), now));
        let interval =
            find_route(&self.tree, group).map_or(Duration::ZERO, |route| route.group_interval);
        let due = log.at.saturating_add(to_ms(interval)).max(now);
        group.due = if group.is_flushed { group.due.min(due) } else { due };
        group.is_flushed = true;
        for told in &log.told {
            let fingerprint = told.fingerprint();
            if group.members.contains(&fingerprint) {
                continue;
            }
            let held = self.alerts.entry(fingerprint).or_insert_with(|| {
                let alert = ended.remove(&fingerprint).cloned().unwrap_or_else(|| Alert {
                    status: AlertStatus::Resolved,
                    ends_at: Some(now),
                    ..told.clone()
                });
                Held { alert, groups: 0 }
            });
            held.groups += 1;
            group.members.insert(fingerprint);
            group.closing.insert(fingerprint);
        }
    }

    /// Continues with another configuration. Groups that stay keep their timers; whoever was told of an
    /// alert and is no longer routed to hears its end.
    pub fn reload(&mut self, config: Arc<Config>, now: Timestamp) {
        let mut next = Self::new(config);
        next.silences = std::mem::take(&mut self.silences);
        let logs: Vec<GroupLog> =
            std::mem::take(&mut self.logs).into_values().flat_map(BTreeMap::into_values).collect();
        let alerts: Vec<Alert> =
            std::mem::take(&mut self.alerts).into_values().map(|held| held.alert).collect();
        next.restore(&logs, &alerts, now);
        for (key, group) in &mut next.groups {
            let Some(before) = self.groups.get_mut(key) else { continue };
            group.withheld = std::mem::take(&mut before.withheld);
            let interval =
                find_route(&next.tree, group).map_or(0, |route| to_ms(route.group_interval));
            group.due = if before.is_flushed {
                before.due.clamp(now, now + interval)
            } else {
                group.due.min(before.due.max(now))
            };
            group.is_flushed |= before.is_flushed;
        }
        *self = next;
    }
}
