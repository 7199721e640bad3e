//! What a destination has been told about a group, and whether it has to be told again.

use std::{collections::BTreeSet, time::Duration};

use model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{alert::Alert, receivers::Destination};

/// What one destination was last told about one group. The caller stores it in the same transaction
/// as the notification, under (group key, destination).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupLog {
    /// The group.
    pub group_key: String,
    /// The labels all alerts of the group share.
    pub group_labels: Labels,
    /// Who was told.
    pub destination: Destination,
    /// When that was.
    pub at: Timestamp,
    /// When the destination was first told of the present incident: since then at least one alert of
    /// the group has been on.
    pub opened_at: Timestamp,
    /// The number of the notification among those of this group and destination, strictly increasing
    /// also from one incident to the next.
    pub seq: i64,
    /// Fingerprints of alerts the destination knows as firing and has not been told the end of.
    pub firing: BTreeSet<u64>,
    /// Fingerprints of alerts whose end it has been told.
    pub resolved: BTreeSet<u64>,
    /// The alerts of `firing` as they were told, without runbooks, so that their end can be told
    /// whatever happens to rules, routes and other state meanwhile.
    pub told: Vec<Alert>,
}

impl GroupLog {
    /// Whether nothing is open: a log like this says no more than no log, and may be deleted.
    pub fn is_closed(&self) -> bool {
        self.firing.is_empty()
    }
}

/// Why a destination is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing was open before.
    First,
    /// An alert began to fire.
    NewAlerts,
    /// An alert is over, others go on.
    NewResolved,
    /// Every alert is over.
    AllResolved,
    /// Nothing changed for the repeat interval.
    Repeat,
}

impl Reason {
    /// The reason in words, for people and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first notification",
            Self::NewAlerts => "new alerts",
            Self::NewResolved => "alerts resolved",
            Self::AllResolved => "all alerts resolved",
            Self::Repeat => "reminder",
        }
    }
}

/// What a destination knows of a group, as far as it matters for the decision.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// When it was last told.
    pub at: Timestamp,
    /// Fingerprints of the alerts it knows as firing.
    pub firing: &'a BTreeSet<u64>,
    /// Fingerprints of the alerts whose end it has been told.
    pub resolved: &'a BTreeSet<u64>,
}

/// The state of a group at a flush, as one destination should see it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Fingerprints of the alerts that fire.
    pub firing: &'a BTreeSet<u64>,
    /// Fingerprints of the alerts that are over.
    pub resolved: &'a BTreeSet<u64>,
    /// Whether the destination is told the end of alerts.
    pub send_resolved: bool,
    /// After which time an unchanged group is told again.
    pub repeat_interval: Duration,
}

/// Alertmanager's decision, the first row that holds: no log: firing alerts make a first notification;
/// alerts unknown to the log: new; nothing fires: told if something was open; an end not yet told;
/// the repeat interval is over.
///
/// Source of the order: `notify/notify.go`, the dedup stage.
pub fn decide(known: Option<Known<'_>>, view: View<'_>, now: Timestamp) -> Option<Reason> {
    let Some(log) = known else {
        return (!view.firing.is_empty()).then_some(Reason::First);
    };
    if !view.firing.is_subset(log.firing) {
        return Some(if log.firing.is_empty() { Reason::First } else { Reason::NewAlerts });
    }
    if view.firing.is_empty() {
        return (!log.firing.is_empty()).then_some(Reason::AllResolved);
    }
    if view.send_resolved && !view.resolved.is_subset(log.resolved) {
        return Some(Reason::NewResolved);
    }
    let repeat_ms = i64::try_from(view.repeat_interval.as_millis()).unwrap_or(i64::MAX);
    (log.at < now.saturating_sub(repeat_ms)).then_some(Reason::Repeat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decision_is_alertmanagers() {
        use Reason::{AllResolved, First, NewAlerts, NewResolved, Repeat};
        type Row = (
            &'static str,
            Option<(&'static [u64], &'static [u64], Timestamp)>,
            &'static [u64],
            &'static [u64],
            bool,
            Option<Reason>,
        );
        // Log (firing, resolved, at), firing now, resolved now, send_resolved; now is 1,000 s and the
        // repeat interval 100 s.
        let rows: [Row; 16] = [
            ("no log, firing", None, &[1], &[], true, Some(First)),
            ("no log, only resolved", None, &[], &[1], true, None),
            ("no log, nothing", None, &[], &[], true, None),
            ("same alerts", Some((&[1], &[], 950)), &[1], &[], true, None),
            ("fewer alerts", Some((&[1, 2], &[], 950)), &[1], &[], true, None),
            ("another alert", Some((&[1], &[], 950)), &[1, 2], &[], true, Some(NewAlerts)),
            ("other alerts", Some((&[1], &[], 950)), &[2], &[1], true, Some(NewAlerts)),
            ("nothing was open", Some((&[], &[1], 950)), &[1], &[], true, Some(First)),
            ("all over", Some((&[1], &[], 950)), &[], &[1], true, Some(AllResolved)),
            ("all over, not wanted", Some((&[1], &[], 950)), &[], &[1], false, Some(AllResolved)),
            ("all over, told before", Some((&[], &[1], 950)), &[], &[1], true, None),
            ("one over", Some((&[1, 2], &[], 950)), &[1], &[2], true, Some(NewResolved)),
            ("one over, told before", Some((&[1], &[2], 950)), &[1], &[2], true, None),
            ("one over, not wanted", Some((&[1, 2], &[], 950)), &[1], &[2], false, None),
            ("repeat is due", Some((&[1], &[], 899)), &[1], &[], true, Some(Repeat)),
            ("repeat is not yet due", Some((&[1], &[], 900)), &[1], &[], true, None),
        ];
        for (name, log, firing, resolved, send_resolved, expected) in rows {
            let set = |ids: &[u64]| ids.iter().copied().collect::<BTreeSet<u64>>();
            let log = log.map(|(firing, resolved, at)| (set(firing), set(resolved), at * 1_000));
            let known =
                log.as_ref().map(|(firing, resolved, at)| Known { at: *at, firing, resolved });
            let (firing, resolved) = (set(firing), set(resolved));
            let view = View {
                firing: &firing,
                resolved: &resolved,
                send_resolved,
                repeat_interval: Duration::from_secs(100),
            };
            assert_eq!(decide(known, view, 1_000_000), expected, "{name}");
        }
    }
}
