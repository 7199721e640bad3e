//! The ledger of one monitor: checks in, a timeline of states out.
//!
//! The timeline is a run of half-open intervals `[start, end)` in milliseconds without a gap; the
//! last one is open, and neighbors differ in state. Rules:
//!
//! - A check speaks from its start until the next one. A worse state needs `failures` checks in a row
//!   and then begins at the first of them; a better state begins at the first good check.
//! - Failed checks that were not confirmed are a [`Blip`]: kept, shown, and not downtime.
//! - Silence: without a check for longer than the policy allows, the time from the missed check on is
//!   `UNKNOWN` for a probe (the prober did not work) and `DOWN` for a heartbeat (the job did not run).
//! - Time never runs backwards here. A check from before the ledger's last entry, which only a clock
//!   that was set back can bring, counts as of that entry and is counted; history is never rewritten.
//!
//! Pure: no clock, no input or output. What has to be stored is collected in [`LedgerChanges`].

use std::collections::{BTreeSet, VecDeque};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::percent::Totals;

mod timeline;

#[cfg(test)]
mod tests;

use timeline::mended;
pub(crate) use timeline::{Interval, State};

/// How many unconfirmed failures are kept for display.
const BLIPS_KEPT: usize = 50;

/// What one check found, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Finding {
    /// As it should be.
    Good,
    /// Right, but slower than the monitor allows.
    Slow,
    /// Wrong, or no answer.
    Failed,
}

/// One check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check<'a> {
    /// When it began.
    pub(crate) at: Timestamp,
    /// Grows from check to check of a monitor within one process; tells late from set back.
    pub(crate) sequence: u64,
    /// Its outcome.
    pub(crate) finding: Finding,
    /// The error, or what was slow.
    pub(crate) detail: &'a str,
}

/// What silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The prober did not work: nothing is known.
    Unknown,
    /// The job that should have reported did not.
    Down,
}

/// How checks become states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Time between two checks; silence begins this long after the last one.
    pub(crate) interval_ms: i64,
    /// Silence is stated when more than this has passed since the last check.
    pub(crate) silent_after_ms: i64,
    /// What silence means.
    pub(crate) silence: Silence,
    /// Checks in a row that confirm a worse state; at least 1.
    pub(crate) failures: u32,
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Counted.
    Taken,
    /// Counted as of the ledger's last entry, because the clock was set back.
    TakenAfterClockStep,
    /// Seen before; nothing changed.
    Duplicate,
    /// A newer one was taken already; nothing changed.
    Late,
}

/// Failures that ended before they were confirmed. Not downtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blip {
    /// The first failed check.
    pub(crate) at: Timestamp,
    /// How many failed.
    pub(crate) failures: u32,
    /// The error of the first.
    pub(crate) detail: String,
}

/// Consecutive checks that may confirm a worse state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    start: Timestamp,
    count: u32,
    detail: String,
}

/// What a ledger has to remember between checks besides its intervals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    last_check: Option<Timestamp>,
    failing: Option<Run>,
    slow: Option<Run>,
    blips: VecDeque<Blip>,
    /// How many runs of failures ended before they were confirmed.
    pub(crate) blips_total: u64,
    /// Checks ignored because they were seen before.
    pub(crate) duplicates: u64,
    /// Checks ignored because a newer one was taken already.
    pub(crate) late: u64,
    /// Checks moved forward because the clock was set back.
    pub(crate) clock_steps: u64,
}

/// What changed since the last call of [`Ledger::take_changes`]. Deletions come first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LedgerChanges {
    /// Starts of intervals that are no more.
    pub(crate) removed: Vec<Timestamp>,
    /// New and changed intervals, by start.
    pub(crate) intervals: Vec<Interval>,
    /// Whether [`Ledger::memory`] has to be stored.
    pub(crate) memory: bool,
}

impl LedgerChanges {
    /// Whether there is nothing to store.
    pub(crate) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.intervals.is_empty() && !self.memory
    }
}

/// The timeline of one monitor; see the module's documentation.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    policy: Policy,
    closed: Vec<Interval>,
    open: Interval,
    memory: Memory,
    sequence: Option<u64>,
    changed: BTreeSet<Timestamp>,
    removed: BTreeSet<Timestamp>,
    memory_changed: bool,
}

impl Ledger {
    /// A timeline that begins at `now` with nothing known.
    pub(crate) fn new(policy: Policy, now: Timestamp) -> Self {
        let open = Interval {
            start: now,
            end: None,
            state: State::Unknown,
            reason: "not checked yet".to_owned(),
        };
        Self {
            policy,
            closed: Vec::new(),
            changed: BTreeSet::from([now]),
            open,
            memory: Memory::default(),
            sequence: None,
            removed: BTreeSet::new(),
            memory_changed: true,
        }
    }

    /// Continues a stored timeline after a restart. Rows may come in any order; what does not fit
    /// together is made to: overlaps end where the next begins, and a hole is `UNKNOWN`.
    ///
    /// `alive_until` is the last time at which this program is known to have worked. If it was away
    /// for longer than the policy's silence, the time since then is `UNKNOWN`.
    pub(crate) fn restore(
        policy: Policy,
        rows: Vec<Interval>,
        memory: Memory,
        alive_until: Timestamp,
        now: Timestamp,
    ) -> Self {
        let mut ledger = Self::new(policy, now);
        ledger.memory = memory;
        let mut changed = BTreeSet::new();
        if let Some((closed, open)) = mended(rows, &mut changed) {
            ledger.closed = closed;
            ledger.open = open;
            ledger.changed = changed;
            ledger.memory_changed = false;
            ledger.resume(alive_until, now);
        }
        ledger
    }

    fn resume(&mut self, alive_until: Timestamp, now: Timestamp) {
        let alive_until = alive_until.max(self.floor());
        if self.memory.last_check.is_none() {
            return;
        }
        if now - alive_until > self.policy.silent_after_ms {
            self.drop_runs();
            if self.open.state.is_checked() {
                self.transition(alive_until, State::Unknown, "bellwether was not running");
            }
        }
        self.memory.last_check = Some(match self.policy.silence {
            Silence::Unknown => alive_until,
            // A beat may have been lost meanwhile, so the job gets a whole interval to send the next.
            Silence::Down => alive_until.max(now),
        });
    }

    /// Takes one check.
    pub(crate) fn check(&mut self, check: Check<'_>) -> Applied {
        if let Some(last) = self.sequence
            && check.sequence <= last
        {
            self.memory_changed = true;
            return if check.sequence == last {
                self.memory.duplicates += 1;
                Applied::Duplicate
            } else {
                self.memory.late += 1;
                Applied::Late
            };
        }
        self.sequence = Some(check.sequence);
        let at = check.at.max(self.floor());
        let applied = if at == check.at {
            Applied::Taken
        } else {
            self.memory.clock_steps += 1;
            self.memory_changed = true;
            Applied::TakenAfterClockStep
        };
        self.advance(at);
        // Later times need not be stored: a restart resumes from the time the program was last alive.
        self.memory_changed |= self.memory.last_check.is_none();
        self.memory.last_check = Some(at);
        if self.open.state.is_checked() {
            match check.finding {
                Finding::Good => {
                    self.drop_runs();
                    self.transition(at, State::Up, "");
                }
                Finding::Slow => self.slow(at, check.detail),
                Finding::Failed => self.failed(at, check.detail),
            }
        }
        applied
    }

    fn slow(&mut self, at: Timestamp, detail: &str) {
        self.drop_failing();
        count(&mut self.memory.slow, at, detail);
        self.memory_changed = true;
        if self.open.state == State::Up {
            self.confirm_slow();
        } else {
            self.transition(at, State::Degraded, detail);
        }
    }

    fn failed(&mut self, at: Timestamp, detail: &str) {
        self.memory_changed = true;
        count(&mut self.memory.slow, at, detail);
        let failing = count(&mut self.memory.failing, at, detail);
        if failing.count >= self.policy.failures {
            let Run { start, detail, .. } = failing.clone();
            self.transition(start, State::Down, &detail);
        } else if self.open.state == State::Up {
            self.confirm_slow();
        }
    }

    fn confirm_slow(&mut self) {
        if let Some(run) = self.memory.slow.clone()
            && run.count >= self.policy.failures
        {
            self.transition(run.start, State::Degraded, &run.detail);
        }
    }

    /// States silence, if there is any. Calling it often or never gives the same timeline once the
    /// next check came.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        let Some(last) = self.memory.last_check else { return };
        if now - last <= self.policy.silent_after_ms || !self.open.state.is_checked() {
            return;
        }
        self.drop_runs();
        let silent_from = last + self.policy.interval_ms;
        match self.policy.silence {
            Silence::Unknown => self.transition(silent_from, State::Unknown, "no check was made"),
            Silence::Down => self.transition(silent_from, State::Down, "no heartbeat came"),
        }
    }

    /// Sets the timeline to `MAINTENANCE` or `PAUSED` until [`Self::release`]; checks do not change it.
    pub(crate) fn hold(&mut self, now: Timestamp, state: State, reason: &str) {
        debug_assert!(!state.is_checked(), "only maintenance and pause hold a timeline");
        let now = now.max(self.floor());
        self.advance(now);
        self.drop_runs();
        self.transition(now, state, reason);
    }

    /// Ends what [`Self::hold`] began; nothing is known until the next check.
    pub(crate) fn release(&mut self, now: Timestamp) {
        if !self.open.state.is_checked() {
            let now = now.max(self.floor());
            self.transition(now, State::Unknown, "not checked yet");
            self.memory.last_check = None;
            self.memory_changed = true;
        }
    }

    /// Follows a changed definition. What was decided stays.
    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Forgets intervals that ended before `before`.
    pub(crate) fn prune(&mut self, before: Timestamp) {
        let old = self.closed.partition_point(|i| i.end.is_some_and(|end| end <= before));
        self.closed.drain(..old);
    }

    /// The interval that lasts.
    pub(crate) fn current(&self) -> &Interval {
        &self.open
    }

    /// All intervals in order; the last one is open.
    pub(crate) fn intervals(&self) -> impl DoubleEndedIterator<Item = &Interval> {
        self.closed.iter().chain(std::iter::once(&self.open))
    }

    /// Unconfirmed failures, oldest first; the last fifty.
    #[cfg_attr(not(test), expect(dead_code, reason = "the API has no field for it yet"))]
    pub(crate) fn blips(&self) -> &VecDeque<Blip> {
        &self.memory.blips
    }

    /// What has to be stored besides the intervals.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Milliseconds in each state within `[from, to)`. They add up to the length of the window: time
    /// before the timeline begins is `UNKNOWN`.
    pub(crate) fn totals(&self, from: Timestamp, to: Timestamp) -> Totals {
        let mut totals = Totals::default();
        if from >= to {
            return totals;
        }
        let begin = self.closed.first().unwrap_or(&self.open).start;
        totals.add(State::Unknown, begin.min(to) - from.min(begin));
        let first = self.closed.partition_point(|i| i.end.is_some_and(|end| end <= from));
        for interval in self.closed[first..].iter().chain(std::iter::once(&self.open)) {
            let start = interval.start.max(from);
            let end = interval.end.unwrap_or(to).min(to);
            if start >= to {
                break;
            }
            totals.add(interval.state, (end - start).max(0));
        }
        totals
    }

    /// What changed since the last call.
    pub(crate) fn take_changes(&mut self) -> LedgerChanges {
        let changed = std::mem::take(&mut self.changed);
        let from = changed.first().copied().unwrap_or(Timestamp::MAX);
        let first = self.closed.partition_point(|i| i.start < from);
        let intervals = self.closed[first..].iter().chain(std::iter::once(&self.open));
        LedgerChanges {
            removed: std::mem::take(&mut self.removed).into_iter().collect(),
            intervals: intervals.filter(|i| changed.contains(&i.start)).cloned().collect(),
            memory: std::mem::take(&mut self.memory_changed),
        }
    }

    /// Nothing can be entered before this.
    fn floor(&self) -> Timestamp {
        self.memory.last_check.map_or(self.open.start, |last| last.max(self.open.start))
    }

    fn transition(&mut self, at: Timestamp, state: State, reason: &str) {
        if self.open.state == state {
            return;
        }
        // What was stored of a run may be older than the rows that were stored with it.
        let at = at.max(self.open.start);
        if at > self.open.start {
            let next = Interval { start: at, end: None, state, reason: reason.to_owned() };
            let mut ended = std::mem::replace(&mut self.open, next);
            ended.end = Some(at);
            self.changed.insert(ended.start);
            self.closed.push(ended);
        } else if let Some(mut before) = self.closed.pop_if(|before| before.state == state) {
            // The open interval never lasted: the one before goes on.
            before.end = None;
            let vanished = std::mem::replace(&mut self.open, before);
            self.changed.remove(&vanished.start);
            self.removed.insert(vanished.start);
        } else {
            self.open.state = state;
            reason.clone_into(&mut self.open.reason);
        }
        self.removed.remove(&self.open.start);
        self.changed.insert(self.open.start);
    }

    fn drop_runs(&mut self) {
        self.drop_failing();
        self.memory_changed |= self.memory.slow.take().is_some();
    }

    fn drop_failing(&mut self) {
        let Some(run) = self.memory.failing.take() else { return };
        self.memory_changed = true;
        if run.count < self.policy.failures {
            self.memory.blips_total += 1;
            if self.memory.blips.len() == BLIPS_KEPT {
                self.memory.blips.pop_front();
            }
            let Run { start, count, detail } = run;
            self.memory.blips.push_back(Blip { at: start, failures: count, detail });
        }
    }
}

fn count<'a>(run: &'a mut Option<Run>, at: Timestamp, detail: &str) -> &'a Run {
    let run = run.get_or_insert_with(|| Run { start: at, count: 0, detail: detail.to_owned() });
    run.count = run.count.saturating_add(1);
    run
}
