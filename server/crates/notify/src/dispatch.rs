//! The dispatcher: alerts in, flushes out. A plain state machine without clock, tasks or storage.
//!
//! The caller feeds alerts with [`Dispatcher::apply`], calls [`Dispatcher::tick`] when
//! [`Dispatcher::next_due`] has come, stores what the tick returns in one transaction and then calls
//! [`Dispatcher::commit`], or [`Dispatcher::abort`] if the transaction failed. Both must follow the tick
//! directly. After a restart [`Dispatcher::restore`] continues from the stored logs and alerts.

mod restore;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use model::{Labels, Timestamp};

use crate::{
    alert::{Alert, AlertStatus},
    config::Config,
    dedup::GroupLog,
    group::{Flush, Group, Moment, Muted, Suppression, Target},
    inhibit::Inhibitor,
    receivers::{Destination, destinations},
    route::{Route, RouteTree},
    silence::{self, Silence},
};

/// What a tick decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tick {
    /// What has to be told, in order of time due and group key.
    pub flushes: Vec<Flush>,
    /// What was withheld, each alert once per destination and reason.
    pub muted: Vec<Muted>,
}

/// A group as shown to people.
#[derive(Debug, Clone)]
pub struct GroupView<'a> {
    /// Its key.
    pub key: &'a str,
    /// What its alerts share.
    pub labels: &'a Labels,
    /// Who is told; empty when the route is gone.
    pub receiver: &'a str,
    /// When it is looked at next.
    pub due: Timestamp,
    /// Its alerts, in order of fingerprint.
    pub alerts: Vec<&'a Alert>,
}

/// The state machine.
#[derive(Debug)]
pub struct Dispatcher {
    config: Arc<Config>,
    tree: RouteTree,
    /// Destinations of each receiver and whether they hear of ends.
    destinations: HashMap<String, Vec<(Destination, bool)>>,
    alerts: HashMap<u64, Held>,
    groups: BTreeMap<String, Group>,
    /// Open logs only, by group key and destination.
    logs: BTreeMap<String, BTreeMap<Destination, GroupLog>>,
    silences: Vec<Silence>,
    /// Groups that were flushed and wait for the commit, with the ended alerts they were flushed with.
    in_flight: BTreeMap<String, Vec<(u64, Timestamp)>>,
}

/// An alert and how many groups it is in.
#[derive(Debug)]
struct Held {
    alert: Alert,
    groups: usize,
}

impl Dispatcher {
    /// An empty dispatcher.
    pub fn new(config: Arc<Config>) -> Self {
        let tree = RouteTree::new(&config.route);
        let mut by_receiver: HashMap<String, Vec<(Destination, bool)>> = HashMap::new();
        for (destination, integration) in destinations(&config) {
            by_receiver
                .entry(destination.receiver.clone())
                .or_default()
                .push((destination, integration.send_resolved()));
        }
        Self {
            config,
            tree,
            destinations: by_receiver,
            alerts: HashMap::new(),
            groups: BTreeMap::new(),
            logs: BTreeMap::new(),
            silences: Vec::new(),
            in_flight: BTreeMap::new(),
        }
    }

    /// Takes alerts as they stand. Nothing changes by an alert that is older than what is known (by
    /// `updated_at`), by the end of an earlier episode, and by the end of an alert that is unknown.
    pub fn apply(&mut self, alerts: &[Alert], now: Timestamp) {
        for alert in alerts {
            self.apply_one(alert, now);
        }
    }

    fn apply_one(&mut self, alert: &Alert, now: Timestamp) {
        let fingerprint = alert.fingerprint();
        if let Some(held) = self.alerts.get_mut(&fingerprint) {
            let is_older_episode =
                held.alert.episode != alert.episode && alert.starts_at < held.alert.starts_at;
            let is_over = alert.status_at(now) == AlertStatus::Resolved;
            if held.alert.updated_at > alert.updated_at || (is_older_episode && is_over) {
                return;
            }
            held.alert = alert.clone();
        }
        if alert.status_at(now) == AlertStatus::Resolved {
            return;
        }
        let held = self
            .alerts
            .entry(fingerprint)
            .or_insert_with(|| Held { alert: alert.clone(), groups: 0 });
        for route in self.tree.matching(&alert.labels) {
            let labels = route.group_by.group_labels(&alert.labels);
            let key = route.group_key(&labels);
            let group_wait = to_ms(route.group_wait);
            let group = self
                .groups
                .entry(key)
                .or_insert_with_key(|key| Group::new(key.clone(), labels, now + group_wait));
            held.groups += usize::from(group.add(fingerprint));
            if !group.is_flushed && alert.starts_at.saturating_add(group_wait) < now {
                group.due = group.due.min(now);
            }
        }
    }

    /// When [`Dispatcher::tick`] has something to do next; `None` while there is no group.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.groups.values().map(|group| group.due).min()
    }

    /// Flushes the groups that are due. Groups that are due again before the commit wait for it.
    pub fn tick(&mut self, now: Timestamp) -> Tick {
        let mut due: Vec<(Timestamp, String)> = self
            .groups
            .values()
            .filter(|group| group.due <= now && !self.in_flight.contains_key(&group.key))
            .map(|group| (group.due, group.key.clone()))
            .collect();
        due.sort();
        let mut tick = Tick::default();
        if due.is_empty() {
            return tick;
        }
        let inhibitor = self.inhibitor(now);
        for (_, key) in due {
            self.flush_group(&key, &inhibitor, now, &mut tick);
        }
        tick
    }

    /// Takes the flushes of the last tick as told.
    pub fn commit(&mut self, flushes: &[Flush]) {
        for flush in flushes {
            self.keep_log(flush.log.clone());
        }
        for flush in flushes {
            if let Some(ended) = self.in_flight.remove(flush.group_key()) {
                self.forget_ended(flush.group_key(), &ended);
            }
        }
    }

    /// Takes the flushes of the last tick as not told; their groups are due again at `retry_at`.
    pub fn abort(&mut self, flushes: &[Flush], retry_at: Timestamp) {
        for flush in flushes {
            self.in_flight.remove(flush.group_key());
            if let Some(group) = self.groups.get_mut(flush.group_key()) {
                group.due = retry_at;
            }
        }
    }

    fn keep_log(&mut self, log: GroupLog) {
        if !log.is_closed() {
            let logs = self.logs.entry(log.group_key.clone()).or_default();
            logs.insert(log.destination.clone(), log);
        } else if let Some(logs) = self.logs.get_mut(&log.group_key) {
            logs.remove(&log.destination);
            if logs.is_empty() {
                self.logs.remove(&log.group_key);
            }
        }
    }

    /// Replaces all silences, from the next tick on.
    pub fn set_silences(&mut self, silences: Vec<Silence>) {
        self.silences = silences;
    }

    /// The alerts that fire, or are over and not yet told.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().map(|held| &held.alert)
    }

    /// The groups in order of key.
    pub fn groups(&self) -> impl Iterator<Item = GroupView<'_>> {
        self.groups.values().map(|group| GroupView {
            key: &group.key,
            labels: &group.labels,
            receiver: find_route(&self.tree, group).map_or("", |route| &route.receiver),
            due: group.due,
            alerts: group
                .members
                .iter()
                .filter_map(|id| self.alerts.get(id))
                .map(|held| &held.alert)
                .collect(),
        })
    }

    /// What mutes these labels on every route at `now`: inhibition, else the longest silence.
    pub fn suppression(&self, labels: &Labels, now: Timestamp) -> Option<Suppression> {
        self.muted_by(labels, &self.inhibitor(now), None, now)
    }

    fn inhibitor(&self, now: Timestamp) -> Inhibitor {
        let firing = self
            .alerts
            .values()
            .filter(|held| held.alert.status_at(now) == AlertStatus::Firing)
            .map(|held| &held.alert.labels);
        Inhibitor::new(&self.config.inhibit_rules, &firing)
    }

    /// Alertmanager's order: inhibition, time, silence.
    fn muted_by(
        &self,
        labels: &Labels,
        inhibitor: &Inhibitor,
        by_time: Option<&Suppression>,
        now: Timestamp,
    ) -> Option<Suppression> {
        if let Some(by) = inhibitor.inhibiting(labels) {
            return Some(Suppression::Inhibited { by });
        }
        by_time.cloned().or_else(|| {
            silence::muting(&self.silences, labels, now)
                .map(|silence| Suppression::Silenced { id: silence.id, until: silence.ends_at })
        })
    }

    fn flush_group(&mut self, key: &str, inhibitor: &Inhibitor, now: Timestamp, tick: &mut Tick) {
        let Some(group) = self.groups.get(key) else {
            return;
        };
        let route = find_route(&self.tree, group).unwrap_or(self.tree.root());
        let next_due = now + to_ms(route.group_interval);
        let by_time = self.time_suppression(route, now);
        let alerts: BTreeMap<u64, Alert> = group
            .members
            .iter()
            .filter_map(|id| Some((*id, self.alerts.get(id)?.alert.snapshot(now))))
            .collect();
        let muted = alerts
            .iter()
            .filter_map(|(id, alert)| {
                Some((*id, self.muted_by(&alert.labels, inhibitor, by_time.as_ref(), now)?))
            })
            .collect();
        let moment = Moment { group, now, alerts, muted };
        let mut withheld = Vec::new();
        let mut flushes = Vec::new();
        for target in self.targets(group) {
            flushes.extend(moment.flush(target));
            withheld.extend(moment.withheld(target));
        }
        let ended: Vec<(u64, Timestamp)> = moment
            .alerts
            .iter()
            .filter(|(_, alert)| alert.status == AlertStatus::Resolved)
            .map(|(id, alert)| (*id, alert.updated_at))
            .collect();
        if let Some(group) = self.groups.get_mut(key) {
            group.due = next_due;
            group.is_flushed = true;
            withheld.retain(|muted| {
                group.withheld.insert((
                    muted.destination.clone(),
                    muted.fingerprint,
                    muted.by.clone(),
                ))
            });
        }
        if flushes.is_empty() {
            self.forget_ended(key, &ended);
        } else {
            self.in_flight.insert(key.to_owned(), ended);
        }
        tick.flushes.append(&mut flushes);
        tick.muted.append(&mut withheld);
    }

    /// Those the route tells, and those with an open log.
    fn targets<'a>(&'a self, group: &'a Group) -> Vec<Target<'a>> {
        let route = find_route(&self.tree, group);
        let repeat_interval = route.unwrap_or(self.tree.root()).repeat_interval;
        let routed: &[(Destination, bool)] = route
            .and_then(|route| self.destinations.get(&route.receiver))
            .map_or(&[], Vec::as_slice);
        let logs = self.logs.get(&group.key);
        let mut targets: Vec<Target<'a>> = routed
            .iter()
            .map(|(destination, send_resolved)| Target {
                destination,
                is_routed: true,
                send_resolved: *send_resolved,
                repeat_interval,
                log: logs.and_then(|logs| logs.get(destination)),
            })
            .collect();
        let known: BTreeSet<&Destination> = routed.iter().map(|(d, _)| d).collect();
        let open = logs.into_iter().flat_map(BTreeMap::values);
        for log in open.filter(|log| !known.contains(&log.destination)) {
            // A destination that is no longer configured cannot be told; its log is closed quietly.
            let send_resolved = self
                .destinations
                .get(&log.destination.receiver)
                .and_then(|all| all.iter().find(|(known, _)| *known == log.destination))
                .is_some_and(|(_, send_resolved)| *send_resolved);
            targets.push(Target {
                destination: &log.destination,
                is_routed: false,
                send_resolved,
                repeat_interval,
                log: Some(log),
            });
        }
        targets
    }

    fn time_suppression(&self, route: &Route, now: Timestamp) -> Option<Suppression> {
        let holds = |name: &String| {
            self.config
                .time_intervals
                .get(name)
                .is_some_and(|intervals| intervals.iter().any(|interval| interval.contains(now)))
        };
        if let Some(interval) = route.mute_time_intervals.iter().find(|name| holds(name)) {
            return Some(Suppression::MuteTime { interval: interval.clone() });
        }
        let active = &route.active_time_intervals;
        (!active.is_empty() && !active.iter().any(holds)).then_some(Suppression::OutsideActiveTime)
    }

    /// Lets go of alerts that were over at the flush, unless something was heard of them since.
    fn forget_ended(&mut self, key: &str, ended: &[(u64, Timestamp)]) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        for (fingerprint, updated_at) in ended {
            let Some(held) = self.alerts.get_mut(fingerprint) else {
                continue;
            };
            if held.alert.updated_at != *updated_at || !group.members.contains(fingerprint) {
                continue;
            }
            group.remove(*fingerprint);
            held.groups -= 1;
            if held.groups == 0 {
                self.alerts.remove(fingerprint);
            }
        }
        if group.members.is_empty() {
            self.groups.remove(key);
        }
    }
}

/// The route of a group, by the part of its key before the labels; `None` when a reload removed it.
fn find_route<'a>(tree: &'a RouteTree, group: &Group) -> Option<&'a Route> {
    let suffix = format!(":{}", group.labels);
    tree.find(group.key.strip_suffix(&suffix)?)
}

fn to_ms(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX / 4)
}
