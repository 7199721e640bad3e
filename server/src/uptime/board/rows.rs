//! Rows of the store to ledgers and back.
//!
//! A monitor's state row holds its ledger's memory as JSON. The row with the empty name, which no
//! monitor can have, holds the time at which the program was last alive.

use std::collections::{BTreeMap, HashMap};

use db::meta::monitors::{IntervalRow, MonitorStateRow};
use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::uptime::ledger::{Interval, Ledger, Memory, Policy, Silence, State};

/// The name of the row that belongs to no monitor.
const PROGRAM: &str = "";

#[derive(Serialize, Deserialize)]
struct Alive {
    alive_until: Timestamp,
}

/// What the store had of earlier runs, as read from it.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    intervals: HashMap<String, Vec<Interval>>,
    memories: HashMap<String, Memory>,
    alive_until: Option<Timestamp>,
}

/// A stored row that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredError {
    /// An interval's state is none of ours.
    #[error("interval of monitor `{monitor}` at {start_at} has the unknown state `{state}`")]
    State {
        /// The monitor.
        monitor: String,
        /// The start of the interval.
        start_at: Timestamp,
        /// What is stored.
        state: String,
    },
    /// A state row is not what this program writes.
    #[error("cannot read the stored state of monitor `{monitor}`")]
    Memory {
        /// The monitor.
        monitor: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Stored {
    /// Reads rows in any order.
    ///
    /// # Errors
    /// The first row that another program or version wrote.
    pub(crate) fn read(
        intervals: Vec<IntervalRow>,
        states: Vec<MonitorStateRow>,
    ) -> Result<Self, StoredError> {
        let mut stored = Self::default();
        for IntervalRow { monitor, start_at, end_at, state, reason } in intervals {
            let Some(known) = State::from_name(&state) else {
                return Err(StoredError::State { monitor, start_at, state });
            };
            let interval = Interval { start: start_at, end: end_at, state: known, reason };
            stored.intervals.entry(monitor).or_default().push(interval);
        }
        for MonitorStateRow { monitor, body } in states {
            let result = if monitor == PROGRAM {
                serde_json::from_str(&body)
                    .map(|alive: Alive| stored.alive_until = Some(alive.alive_until))
            } else {
                serde_json::from_str(&body)
                    .map(|memory| drop(stored.memories.insert(monitor.clone(), memory)))
            };
            result.map_err(|source| StoredError::Memory { monitor, source })?;
        }
        Ok(stored)
    }

    /// All ledgers, each with the policy of its definition.
    pub(super) fn into_ledgers(
        mut self,
        policies: &HashMap<&str, Policy>,
        now: Timestamp,
    ) -> BTreeMap<String, Ledger> {
        // A ledger without a definition pauses at once, so its policy decides nothing but how long
        // an absence of the program it forgives.
        let nobody =
            Policy { interval_ms: 0, silent_after_ms: 0, silence: Silence::Unknown, failures: 1 };
        let alive_until = self.alive_until.unwrap_or(Timestamp::MIN);
        self.intervals
            .into_iter()
            .map(|(name, rows)| {
                let policy = policies.get(name.as_str()).copied().unwrap_or(nobody);
                let memory = self.memories.remove(&name).unwrap_or_default();
                let ledger = Ledger::restore(policy, rows, memory, alive_until, now);
                (name, ledger)
            })
            .collect()
    }
}

/// The row that says that the program is alive.
pub(super) fn alive(now: Timestamp) -> MonitorStateRow {
    MonitorStateRow { monitor: PROGRAM.to_owned(), body: to_json(&Alive { alive_until: now }) }
}

pub(super) fn memory_to_json(memory: &Memory) -> String {
    to_json(memory)
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of numbers and texts always have a JSON form")
}
