//! From a flush to notifications: rules are evaluated, alerts grouped and routed, and everything that
//! was decided is committed at once.
//!
//! All of it runs on the flush thread. Readers see the [`View`] of the last evaluation and never wait
//! for a running one.
//!
//! Of several processes one evaluates, under a lease. The others show what it stored; when one of them
//! takes over it goes on from there.

pub(crate) mod condition;
pub(crate) mod convert;
pub(crate) mod facts;
pub(crate) mod load;
pub(crate) mod outbox;
pub(crate) mod pictures;
mod stored;
pub(crate) mod view;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use api_types::LiveEvent;
use db::{DbError, Lease, Meta, meta::alerts::AlertCommit};
use model::Timestamp;
use notify::{Dispatcher, outbox::Wake};
use rules::{Changes, EngineQuery, Expander, GroupSpec, RuleSet, Sink, query::Timed};
use tokio::{runtime::Handle, sync::broadcast, time::Instant};

pub(crate) use view::View;

use facts::Facts;
use stored::Stored;

use crate::{
    cluster::{Held, Leases, Role},
    query::Queries,
};

/// How long the evaluation of all rules may take.
const EVALUATION_TIMEOUT: Duration = Duration::from_secs(30);
/// When something is tried again that the database refused.
const RETRY_MS: i64 = 1_000;

struct State {
    rules: RuleSet,
    specs: Arc<Vec<GroupSpec>>,
    facts: Facts,
    receivers: Arc<notify::Config>,
    dispatcher: Dispatcher,
    /// The token of the lease under which this state began; `None` while another process evaluates.
    token: Option<i64>,
    /// When taking over is tried again after it failed.
    retry_at: Timestamp,
    /// What a failed commit left to be written.
    unwritten: AlertCommit,
}

/// The alert engine of the process.
pub(crate) struct Alerting {
    state: Mutex<State>,
    view: RwLock<Arc<View>>,
    queries: Queries,
    meta: Meta,
    leases: Arc<Leases>,
    runtime: Handle,
    live: broadcast::Sender<LiveEvent>,
    expander: Expander,
    context: convert::AlertContext,
    wake: Wake,
    commit_errors: AtomicU64,
}

impl std::fmt::Debug for Alerting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerting").finish_non_exhaustive()
    }
}

/// What the engine is made of.
pub(crate) struct Parts {
    pub(crate) groups: Vec<GroupSpec>,
    pub(crate) receivers: Arc<notify::Config>,
    pub(crate) queries: Queries,
    pub(crate) meta: Meta,
    pub(crate) leases: Arc<Leases>,
    pub(crate) runtime: Handle,
    pub(crate) live: broadcast::Sender<LiveEvent>,
    pub(crate) expander: Expander,
    pub(crate) context: convert::AlertContext,
    pub(crate) wake: Wake,
}

impl Alerting {
    /// Continues from what is stored.
    ///
    /// # Errors
    /// When the stored state cannot be read.
    pub(crate) async fn restore(
        parts: Parts,
        last_flush: Option<Timestamp>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        // First the lease, then the state: nobody else changes it after that.
        let held = parts.leases.held(Role::Rules);
        let stored = Stored::read(&parts.meta, now).await?;
        let facts = Facts::new(&parts.groups);
        let mut state = State {
            rules: RuleSet::default(),
            specs: Arc::new(parts.groups),
            facts,
            dispatcher: Dispatcher::new(Arc::clone(&parts.receivers)),
            receivers: parts.receivers,
            token: None,
            retry_at: 0,
            unwritten: AlertCommit::default(),
        };
        match held {
            Some(held) => {
                let down_since = last_flush.max(held.before);
                state.take_over(stored, &held.lease, down_since, &parts.context, now);
            }
            None => state.stand_by(stored, now),
        }
        let view = state.view(Duration::ZERO);
        Ok(Self {
            state: Mutex::new(state),
            view: RwLock::new(Arc::new(view)),
            queries: parts.queries,
            meta: parts.meta,
            leases: parts.leases,
            runtime: parts.runtime,
            live: parts.live,
            expander: parts.expander,
            context: parts.context,
            wake: parts.wake,
            commit_errors: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic on the flush thread stops the process; until then the state is read as it is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state after the last evaluation.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Commits of alert states that failed.
    pub(crate) fn commit_errors(&self) -> u64 {
        self.commit_errors.load(Ordering::Relaxed)
    }

    /// Evaluates the groups that are due at `timestamp`, then notifies; while another process does that,
    /// shows what it stored. Blocks.
    pub(crate) fn evaluate(&self, timestamp: Timestamp, sink: &dyn Sink) {
        let mut state = self.lock();
        let Some(lease) = self.hold(&mut state, timestamp) else { return };
        let started = Instant::now();
        // What is found out without the lease would count for nothing.
        let is_late =
            || started.elapsed() > EVALUATION_TIMEOUT || self.leases.held(Role::Rules).is_none();
        let query = EngineQuery {
            engine: self.queries.engine(),
            storage: &**self.queries.store(),
            context: promql::Context { is_late: Some(&is_late), ..promql::Context::default() },
        };
        let query = Timed { query: &query, elapsed: &|| started.elapsed() };
        let evaluations = state.rules.evaluate_due(timestamp, &query, sink, &self.expander);
        let mut changes = Changes::default();
        for evaluation in evaluations {
            changes.append(evaluation.changes);
        }
        state.take_in(&changes, &self.context, timestamp);
        self.commit(&mut state, &lease, timestamp);
        self.publish(state.view(started.elapsed()));
        self.announce(&changes);
    }

    /// The lease, if this process evaluates now. On the way it takes over or gives up, as the case may be.
    fn hold(&self, state: &mut State, now: Timestamp) -> Option<Lease> {
        let held = self.leases.held(Role::Rules);
        if let Some(Held { lease, .. }) = &held
            && state.token == Some(lease.token)
        {
            return Some(lease.clone());
        }
        let stored = match self.runtime.block_on(Stored::read(&self.meta, now)) {
            Ok(stored) => stored,
            Err(error) => {
                // What is known of the alerts stays visible meanwhile.
                state.retry_at = now + RETRY_MS;
                tracing::error!(error = format!("{error:#}"), "cannot read the stored alerts");
                return None;
            }
        };
        let lease = if let Some(Held { lease, before }) = held {
            state.take_over(stored, &lease, before, &self.context, now);
            let alerts = state.rules.instances().count();
            tracing::info!(alerts, "rules are evaluated here from now on");
            Some(lease)
        } else {
            state.stand_by(stored, now);
            None
        };
        self.publish(state.view(Duration::ZERO));
        lease
    }

    /// Whether a lease was taken and nothing was evaluated under it yet.
    pub(crate) fn is_taking_over(&self) -> bool {
        let held = self.leases.held(Role::Rules);
        held.is_some_and(|held| self.lock().token != Some(held.lease.token))
    }

    /// Goes on from what another process stored. Returns whether that could be read; if not it is to be
    /// tried again at [`Self::next_due`]. Blocks.
    pub(crate) fn take_over(&self, now: Timestamp) -> bool {
        self.hold(&mut self.lock(), now).is_some()
    }

    fn publish(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// When a group of alerts is to be looked at next; never while another process does that.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let held = self.leases.held(Role::Rules)?;
        let state = self.lock();
        if state.token == Some(held.lease.token) {
            state.dispatcher.next_due()
        } else {
            Some(state.retry_at)
        }
    }

    /// Notifies for the groups that are due, between two evaluations. Blocks.
    pub(crate) fn dispatch(&self, now: Timestamp) {
        let mut state = self.lock();
        if let Some(lease) = self.hold(&mut state, now) {
            self.commit(&mut state, &lease, now);
        }
    }

    /// Takes other rules and receivers; alerts whose rule is gone end.
    pub(crate) fn reload(
        &self,
        groups: Vec<GroupSpec>,
        receivers: Arc<notify::Config>,
        now: Timestamp,
    ) {
        let mut state = self.lock();
        state.facts = Facts::new(&groups);
        state.specs = Arc::new(groups.clone());
        let reload = state.rules.reload(groups, now);
        state.receivers = Arc::clone(&receivers);
        state.dispatcher.reload(receivers, now);
        if state.token.is_some() {
            state.take_in(&reload.changes, &self.context, now);
            self.announce(&reload.changes);
        }
        self.publish(state.view(Duration::ZERO));
        tracing::info!(
            rules.unchanged = reload.unchanged,
            rules.changed = reload.changed,
            rules.added = reload.added,
            rules.removed = reload.removed,
            "rule groups were reloaded"
        );
    }

    /// Writes what was decided together with the notifications it leads to: all or nothing.
    fn commit(&self, state: &mut State, lease: &Lease, now: Timestamp) {
        let tick = state.dispatcher.tick(now);
        let mut commit = std::mem::take(&mut state.unwritten);
        for flush in &tick.flushes {
            let (log, row) = outbox::rows_of(flush, &self.context.external_url);
            commit.group_logs.push(log);
            commit.outbox.extend(row);
        }
        if commit.is_empty() {
            state.dispatcher.commit(&tick.flushes);
            return;
        }
        match self.runtime.block_on(self.meta.commit_alerts(lease, &commit)) {
            Ok(()) => {
                state.dispatcher.commit(&tick.flushes);
                if !commit.outbox.is_empty() {
                    self.wake.wake();
                }
            }
            Err(error) => {
                self.commit_errors.fetch_add(1, Ordering::Relaxed);
                if matches!(error, DbError::TakenOver { .. }) {
                    // What was decided here counts no more; the state is read anew before it is used.
                    self.leases.lost(lease);
                    state.token = None;
                }
                outbox::log_failure("alert states could not be stored, trying again", &error);
                state.dispatcher.abort(&tick.flushes, now + RETRY_MS);
                // The dispatcher decides again; only the states must not be forgotten.
                commit.group_logs.clear();
                commit.outbox.clear();
                state.unwritten = commit;
            }
        }
    }

    fn announce(&self, changes: &Changes) {
        for transition in &changes.transitions {
            tracing::info!(
                alert = %transition.labels,
                state = transition.to.as_str(),
                value = transition.value,
                "an alert changed its state"
            );
            // Without a listener there is nobody to tell.
            drop(self.live.send(LiveEvent::Alert {
                at_ms: transition.at,
                id: transition.episode.to_string(),
                name: transition.labels.value_or_empty("alertname").to_owned(),
                to: convert::state(transition.to),
            }));
        }
    }
}

impl State {
    /// Goes on from what is stored. The rules were last evaluated at `down_since`, if that is known.
    fn take_over(
        &mut self,
        stored: Stored,
        lease: &Lease,
        down_since: Option<Timestamp>,
        context: &convert::AlertContext,
        now: Timestamp,
    ) {
        self.rules = RuleSet::new(self.specs.to_vec());
        let changes = self.rules.restore(stored.instances, down_since, now);
        self.dispatcher = Dispatcher::new(Arc::clone(&self.receivers));
        // Alerts whose rule is gone ended just now; somebody may have been told that they fire.
        let alerts = context.alerts(self.rules.instances().chain(&changes.instances), &self.facts);
        self.dispatcher.restore(&stored.logs, &alerts, now);
        self.unwritten = AlertCommit::default();
        convert::add_changes(&mut self.unwritten, &changes);
        self.token = Some(lease.token);
    }

    /// Shows what is stored, and decides nothing.
    fn stand_by(&mut self, stored: Stored, now: Timestamp) {
        self.rules = RuleSet::new(self.specs.to_vec());
        self.rules.restore(stored.instances, Some(now), now);
        self.dispatcher = Dispatcher::new(Arc::clone(&self.receivers));
        self.unwritten = AlertCommit::default();
        self.token = None;
    }

    /// Notes what must be written, and hands the alerts to the dispatcher: those that go on firing too,
    /// for their value and texts may be new.
    fn take_in(&mut self, changes: &Changes, context: &convert::AlertContext, now: Timestamp) {
        convert::add_changes(&mut self.unwritten, changes);
        let instances = self.rules.instances().chain(&changes.instances);
        self.dispatcher.apply(&context.alerts(instances, &self.facts), now);
    }

    fn view(&self, duration: Duration) -> View {
        View::new(&self.rules, Arc::clone(&self.specs), self.facts.clone(), duration)
    }
}
