//! All monitors with their ledgers.
//!
//! A plain struct: the caller owns it, calls it from one place, commits the [`Changes`] and appends the
//! samples. Definitions come and go with reloads; a ledger stays with the name. While a name has no
//! definition its timeline is `PAUSED`.

use std::collections::{BTreeMap, HashMap, HashSet};

use db::meta::monitors::{IntervalRow, LedgerCommit, MonitorStateRow};
use model::Timestamp;

use super::{
    ledger::{Check, Finding, Ledger, State},
    monitor::{Kind, Monitor},
    probe::ProbeResult,
    schedule::CheckResult,
};

mod rows;
mod samples;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use rows::Stored;

/// Intervals older than this are dropped from memory: two quarters and a bit.
pub(crate) const KEPT_MS: i64 = 200 * 86_400_000;
/// A heartbeat's message is cut to this many characters.
const MESSAGE_LIMIT: usize = 300;

/// What has to be stored and told after a call. Rows are absolute, so that a commit that failed can be
/// merged with what came later and tried again.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Rows to store.
    pub(crate) commit: LedgerCommit,
    /// States that changed, for the log and the live stream.
    pub(crate) transitions: Vec<Transition>,
}

/// A monitor's state changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transition {
    /// The monitor's name.
    pub(crate) monitor: String,
    /// The state before.
    pub(crate) from: State,
    /// The state now.
    pub(crate) to: State,
    /// Since when; may lie in the past.
    pub(crate) since: Timestamp,
    /// Why; empty for `UP`.
    pub(crate) reason: String,
}

/// What a job reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// It worked.
    Up,
    /// It failed.
    Down,
}

/// All monitors with their ledgers; see the module's documentation.
#[derive(Debug)]
pub(crate) struct Board {
    entries: BTreeMap<String, Entry>,
    /// Ledgers of names without a definition.
    retired: BTreeMap<String, Ledger>,
    /// Tokens of heartbeats with the monitors' names.
    tokens: HashMap<String, String>,
    beats: u64,
    series: samples::Series,
}

#[derive(Debug)]
struct Entry {
    monitor: Monitor,
    ledger: Ledger,
    last: Option<ProbeResult>,
}

impl Changes {
    /// Adds what a later call returned.
    pub(crate) fn merge(&mut self, later: Self) {
        let Self { commit, transitions } = later;
        let removed = commit.removed.iter().map(|(name, start)| (name.as_str(), *start));
        let written = commit.intervals.iter().map(|row| (row.monitor.as_str(), row.start_at));
        let replaced: HashSet<(&str, Timestamp)> = removed.chain(written).collect();
        let mine = &mut self.commit;
        mine.intervals.retain(|row| !replaced.contains(&(row.monitor.as_str(), row.start_at)));
        let replaced: HashSet<&str> =
            commit.states.iter().map(|state| state.monitor.as_str()).collect();
        mine.states.retain(|state| !replaced.contains(state.monitor.as_str()));
        // Deletions are carried out first, so that a row which came back stays.
        mine.removed.extend(commit.removed);
        mine.intervals.extend(commit.intervals);
        mine.states.extend(commit.states);
        mine.beats.extend(commit.beats);
        self.transitions.extend(transitions);
    }
}

impl Board {
    /// Continues what was stored, or begins with nothing. The changes have to be stored like any
    /// others.
    pub(crate) fn new(monitors: &[Monitor], stored: Stored, now: Timestamp) -> (Self, Changes) {
        let mut board = Self {
            entries: BTreeMap::new(),
            retired: BTreeMap::new(),
            tokens: HashMap::new(),
            beats: 0,
            series: samples::Series::default(),
        };
        let policies: HashMap<_, _> =
            monitors.iter().map(|monitor| (monitor.name.as_str(), monitor.policy())).collect();
        board.retired = stored.into_ledgers(&policies, now);
        let changes = board.reload(monitors, now);
        (board, changes)
    }

    /// Takes over definitions. Names that are gone pause; names that come back go on.
    pub(crate) fn reload(&mut self, monitors: &[Monitor], now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        let mut before = std::mem::take(&mut self.entries);
        self.tokens.clear();
        for monitor in monitors {
            if let Kind::Heartbeat(heartbeat) = &monitor.kind {
                self.tokens.insert(heartbeat.token.0.clone(), monitor.name.clone());
            }
            let (mut ledger, last) = match before.remove(&monitor.name) {
                Some(entry) => (entry.ledger, entry.last),
                None => match self.retired.remove(&monitor.name) {
                    Some(ledger) => (ledger, None),
                    None => (Ledger::new(monitor.policy(), now), None),
                },
            };
            let from = ledger.current().state;
            ledger.set_policy(monitor.policy());
            if monitor.paused {
                ledger.hold(now, State::Paused, "paused in the configuration");
            } else {
                ledger.release(now);
            }
            collect(&monitor.name, &mut ledger, from, &mut changes);
            let entry = Entry { monitor: monitor.clone(), ledger, last };
            self.entries.insert(monitor.name.clone(), entry);
        }
        self.retired.extend(before.into_iter().map(|(name, entry)| (name, entry.ledger)));
        for (name, ledger) in &mut self.retired {
            let from = ledger.current().state;
            ledger.hold(now, State::Paused, "not in the configuration");
            collect(name, ledger, from, &mut changes);
        }
        changes
    }

    /// Takes the result of a probe. One of a monitor that a reload removed meanwhile changes nothing.
    pub(crate) fn apply(&mut self, result: CheckResult) -> Changes {
        let mut changes = Changes::default();
        let Some(entry) = self.entries.get_mut(&*result.monitor) else { return changes };
        let CheckResult { probe, sequence, at, .. } = result;
        let slow = entry.monitor.degraded_above.filter(|above| probe.duration > *above);
        let (finding, detail) = match slow {
            _ if !probe.success => (Finding::Failed, probe.detail.clone()),
            Some(above) => {
                (Finding::Slow, format!("took {:.1?}, more than {above:?}", probe.duration))
            }
            None => (Finding::Good, String::new()),
        };
        entry.last = Some(probe);
        entry.check(Check { at, sequence, finding, detail: &detail }, &mut changes);
        changes
    }

    /// Takes a heartbeat; `None` when no monitor has the token.
    pub(crate) fn beat(
        &mut self,
        token: &str,
        beat: Beat,
        message: &str,
        now: Timestamp,
    ) -> Option<Changes> {
        let name = self.tokens.get(token)?;
        let entry = self.entries.get_mut(name)?;
        self.beats += 1;
        let message: String = message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MESSAGE_LIMIT)
            .collect();
        let (finding, detail) = match beat {
            Beat::Up => (Finding::Good, String::new()),
            Beat::Down if message.trim().is_empty() => {
                (Finding::Failed, "the job reported a failure".to_owned())
            }
            Beat::Down => (Finding::Failed, message.trim().to_owned()),
        };
        let mut changes = Changes::default();
        let check = Check { at: now, sequence: self.beats, finding, detail: &detail };
        entry.check(check, &mut changes);
        Some(changes)
    }

    /// States silence and notes that the program is alive; call it at every flush.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        for (name, entry) in &mut self.entries {
            let from = entry.ledger.current().state;
            entry.ledger.advance(now);
            entry.ledger.prune(now - KEPT_MS);
            collect(name, &mut entry.ledger, from, &mut changes);
        }
        changes.commit.states.push(rows::alive(now));
        changes
    }

    /// How many monitors are in each state, in the order of severity: down, degraded, unknown, up,
    /// maintenance, paused.
    pub(crate) fn counts(&self) -> [(State, usize); 6] {
        let order = [
            State::Down,
            State::Degraded,
            State::Unknown,
            State::Up,
            State::Maintenance,
            State::Paused,
        ];
        order.map(|state| {
            let has = |entry: &&Entry| entry.ledger.current().state == state;
            (state, self.entries.values().filter(has).count())
        })
    }
}

impl Entry {
    fn check(&mut self, check: Check<'_>, changes: &mut Changes) {
        let from = self.ledger.current().state;
        self.ledger.check(check);
        collect(&self.monitor.name, &mut self.ledger, from, changes);
    }
}

/// Moves what changed in a ledger into rows.
fn collect(name: &str, ledger: &mut Ledger, from: State, changes: &mut Changes) {
    let changed = ledger.take_changes();
    if changed.is_empty() {
        return;
    }
    let current = ledger.current();
    if current.state != from {
        changes.transitions.push(Transition {
            monitor: name.to_owned(),
            from,
            to: current.state,
            since: current.start,
            reason: current.reason.clone(),
        });
    }
    let commit = &mut changes.commit;
    commit.removed.extend(changed.removed.into_iter().map(|start| (name.to_owned(), start)));
    commit.intervals.extend(changed.intervals.into_iter().map(|interval| IntervalRow {
        monitor: name.to_owned(),
        start_at: interval.start,
        end_at: interval.end,
        state: interval.state.as_str().to_owned(),
        reason: interval.reason,
    }));
    if changed.memory {
        commit.states.push(MonitorStateRow {
            monitor: name.to_owned(),
            body: rows::memory_to_json(ledger.memory()),
        });
    }
}
