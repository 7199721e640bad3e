//! The states of all service checks. A check is what has a name, a host and tags of its own.
//!
//! Pure state: reports and times in, changes out. A change of status is to be written at once; that a
//! check was heard of again, or gives another reason, is written once in a while.

use std::collections::{BTreeMap, BTreeSet};

use api_types::{Check, CheckStatus};
use db::meta::checks::{CheckCommit, CheckRow, CheckTransitionRow};
use model::{Labels, Timestamp, labels::METRIC_NAME};

use super::{Loss, incoming::Report};

/// The metric that rules alert on: the number of the status.
pub(super) const STATUS_METRIC: &str = "service_check_status";
/// How old the stored time of a report may be.
const REFRESH_MS: i64 = 60_000;
/// A check that was silent for so long is forgotten.
const FORGET_MS: i64 = 7 * 86_400_000;
/// Changes of states that wait for a database that cannot be written.
const MAX_PENDING: usize = 10_000;

/// The bounds of a board.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoardOptions {
    /// A check that was silent for longer is stale.
    pub(crate) ttl_ms: i64,
    /// The most checks.
    pub(crate) max_checks: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    labels: Labels,
    name: String,
    host: String,
    tags: BTreeMap<String, String>,
    status: CheckStatus,
    is_stale: bool,
    message: String,
    since: Timestamp,
    heard: Timestamp,
    stored_heard: Timestamp,
}

/// A change of a check's state, for those who are looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) at: Timestamp,
    pub(crate) to: CheckStatus,
}

/// All service checks.
#[derive(Debug)]
pub(crate) struct Board {
    options: BoardOptions,
    started: Timestamp,
    checks: BTreeMap<String, Entry>,
    dirty: BTreeSet<String>,
    transitions: Vec<CheckTransitionRow>,
    removed: BTreeSet<String>,
}

impl Board {
    /// Continues what was stored. A check has its time to live from now on: nobody could be heard
    /// before.
    ///
    /// # Errors
    /// When a row is not as this server writes them.
    pub(crate) fn restore(
        options: BoardOptions,
        rows: Vec<CheckRow>,
        now: Timestamp,
    ) -> Result<Self, serde_json::Error> {
        let mut checks = BTreeMap::new();
        for row in rows {
            let tags: BTreeMap<String, String> = serde_json::from_str(&row.tags)?;
            let entry = Entry {
                labels: labels(&row.name, &row.host, &tags),
                status: CheckStatus::parse(&row.status).unwrap_or(CheckStatus::Unknown),
                name: row.name,
                host: row.host,
                tags,
                is_stale: row.is_stale,
                message: row.message,
                since: row.since_at,
                heard: row.heard_at,
                stored_heard: row.heard_at,
            };
            checks.insert(row.id, entry);
        }
        Ok(Self {
            options,
            started: now,
            checks,
            dirty: BTreeSet::new(),
            transitions: Vec::new(),
            removed: BTreeSet::new(),
        })
    }

    /// Takes what is stored by all processes, where that is newer, and forgets what another one forgot.
    ///
    /// # Errors
    /// When a row is not as this server writes them; then nothing changed.
    pub(crate) fn merge(
        &mut self,
        rows: Vec<CheckRow>,
        now: Timestamp,
    ) -> Result<(), serde_json::Error> {
        let stored: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
        let is_newer = |row: &CheckRow, entry: &Entry| {
            let was_silenced = row.is_stale && !entry.is_stale && row.heard_at == entry.heard;
            row.heard_at > entry.heard || was_silenced
        };
        let is_news =
            |row: &CheckRow| self.checks.get(&row.id).is_none_or(|entry| is_newer(row, entry));
        let rows = rows.into_iter().filter(is_news).collect();
        for (id, entry) in Self::restore(self.options, rows, self.started)?.checks {
            self.dirty.remove(&id);
            self.checks.insert(id, entry);
        }
        self.checks.retain(|id, entry| stored.contains(id) || now - entry.heard <= FORGET_MS);
        self.transitions.retain(|transition| self.checks.contains_key(&transition.check));
        Ok(())
    }

    /// Takes what a client said.
    ///
    /// # Errors
    /// [`Loss::OutOfOrder`] when something newer is known, [`Loss::CheckLimit`] for a new check over
    /// the limit.
    pub(crate) fn report(&mut self, report: Report) -> Result<Option<Change>, Loss> {
        let labels = labels(&report.name, &report.host, &report.tags);
        let id = format!("{:?}", labels.id());
        let Some(entry) = self.checks.get_mut(&id) else {
            if self.checks.len() >= self.options.max_checks {
                return Err(Loss::CheckLimit);
            }
            self.removed.remove(&id);
            let entry = Entry {
                labels,
                name: report.name,
                host: report.host,
                tags: report.tags,
                status: report.status,
                is_stale: false,
                message: report.message,
                since: report.at,
                heard: report.at,
                stored_heard: report.at,
            };
            self.checks.insert(id.clone(), entry);
            return Ok(self.note(&id));
        };
        if report.at < entry.heard {
            return Err(Loss::OutOfOrder);
        }
        entry.heard = report.at;
        entry.message = report.message;
        if entry.status == report.status && !entry.is_stale {
            if entry.heard - entry.stored_heard >= REFRESH_MS {
                self.dirty.insert(id);
            }
            return Ok(None);
        }
        entry.status = report.status;
        entry.is_stale = false;
        // A silence may have been found after the time that a late report names.
        entry.since = report.at.max(entry.since);
        Ok(self.note(&id))
    }

    /// Finds checks that were silent for too long, and forgets those that were for very long.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<Change> {
        let (mut silent, mut gone) = (Vec::new(), Vec::new());
        for (id, entry) in &mut self.checks {
            let quiet_since = entry.heard.max(self.started);
            if now - quiet_since > FORGET_MS {
                gone.push(id.clone());
            } else if !entry.is_stale && now - quiet_since > self.options.ttl_ms {
                entry.is_stale = true;
                entry.status = CheckStatus::Unknown;
                entry.since = (quiet_since + self.options.ttl_ms).max(entry.since);
                silent.push(id.clone());
            }
        }
        for id in gone {
            self.checks.remove(&id);
            self.dirty.remove(&id);
            self.transitions.retain(|transition| transition.check != id);
            self.removed.insert(id);
        }
        silent.iter().filter_map(|id| self.note(id)).collect()
    }

    /// Notes the present state as a change.
    fn note(&mut self, id: &str) -> Option<Change> {
        let entry = self.checks.get(id)?;
        self.dirty.insert(id.to_owned());
        self.transitions.push(CheckTransitionRow {
            check: id.to_owned(),
            at: entry.since,
            status: entry.status.as_str().to_owned(),
            is_stale: entry.is_stale,
            message: entry.message.clone(),
        });
        Some(Change {
            id: id.to_owned(),
            name: entry.name.clone(),
            at: entry.since,
            to: entry.status,
        })
    }

    /// What is to be written; it is no longer to be written after that.
    pub(crate) fn take_commit(&mut self) -> CheckCommit {
        let mut states = Vec::with_capacity(self.dirty.len());
        for id in std::mem::take(&mut self.dirty) {
            let Some(entry) = self.checks.get_mut(&id) else { continue };
            entry.stored_heard = entry.heard;
            states.push(entry.row(id));
        }
        CheckCommit {
            states,
            transitions: std::mem::take(&mut self.transitions),
            removed: std::mem::take(&mut self.removed).into_iter().collect(),
        }
    }

    /// Takes back what could not be written. Beyond a limit the oldest changes are lost; returns how
    /// many. The present states never are.
    pub(crate) fn take_back(&mut self, commit: CheckCommit) -> usize {
        self.dirty.extend(commit.states.into_iter().map(|row| row.id));
        let mut transitions = commit.transitions;
        transitions.append(&mut self.transitions);
        // Of checks that were forgotten meanwhile there is nothing to write.
        transitions.retain(|transition| self.checks.contains_key(&transition.check));
        let lost = transitions.len().saturating_sub(MAX_PENDING);
        transitions.drain(..lost);
        self.transitions = transitions;
        let known = |id: &String| self.checks.contains_key(id);
        self.removed.extend(commit.removed.into_iter().filter(|id| !known(id)));
        lost
    }

    /// The status of each check as a sample.
    pub(crate) fn samples(&self) -> Vec<(Labels, f64)> {
        let sample = |entry: &Entry| (entry.labels.clone(), f64::from(entry.status.number()));
        self.checks.values().map(sample).collect()
    }

    /// How many checks have each status.
    pub(crate) fn counts(&self) -> [(CheckStatus, usize); 4] {
        CheckStatus::ALL.map(|status| {
            (status, self.checks.values().filter(|entry| entry.status == status).count())
        })
    }

    /// All checks: those in trouble first, then by name, host and tags.
    pub(crate) fn rows(&self) -> Vec<Check> {
        let mut rows: Vec<Check> =
            self.checks.iter().map(|(id, entry)| entry.check(id.clone())).collect();
        rows.sort_by(|a, b| {
            let key = |check: &Check| trouble(check.status);
            key(a)
                .cmp(&key(b))
                .then_with(|| (&a.name, &a.host, &a.tags).cmp(&(&b.name, &b.host, &b.tags)))
        });
        rows
    }

    /// One check.
    pub(crate) fn row(&self, id: &str) -> Option<Check> {
        self.checks.get(id).map(|entry| entry.check(id.to_owned()))
    }
}

impl Entry {
    fn row(&self, id: String) -> CheckRow {
        let tags: serde_json::Map<String, serde_json::Value> =
            self.tags.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        CheckRow {
            id,
            name: self.name.clone(),
            host: self.host.clone(),
            tags: serde_json::Value::Object(tags).to_string(),
            status: self.status.as_str().to_owned(),
            is_stale: self.is_stale,
            message: self.message.clone(),
            since_at: self.since,
            heard_at: self.heard,
        }
    }

    fn check(&self, id: String) -> Check {
        Check {
            id,
            name: self.name.clone(),
            host: self.host.clone(),
            tags: self.tags.clone().into_iter().collect(),
            status: self.status,
            is_stale: self.is_stale,
            message: self.message.clone(),
            since_ms: self.since,
            heard_ms: self.heard,
        }
    }
}

/// The place of a status in a list of what needs attention.
fn trouble(status: CheckStatus) -> u8 {
    match status {
        CheckStatus::Critical => 0,
        CheckStatus::Warning => 1,
        CheckStatus::Unknown => 2,
        CheckStatus::Ok => 3,
    }
}

/// The labels of a check's metric; they are its identity.
fn labels(name: &str, host: &str, tags: &BTreeMap<String, String>) -> Labels {
    let own = [(METRIC_NAME, STATUS_METRIC), ("check", name), ("host", host)];
    let tags = tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // Of equal names the last one counts.
    Labels::from_pairs(tags.chain(own))
}

#[cfg(test)]
mod tests;
