//! From a flush to notifications: rules are evaluated, alerts grouped and routed, and everything that
//! was decided is committed at once.
//!
//! All of it runs on the flush thread. Readers see the [`View`] of the last evaluation and never wait
//! for a running one.

pub(crate) mod condition;
pub(crate) mod convert;
pub(crate) mod facts;
pub(crate) mod load;
pub(crate) mod outbox;
pub(crate) mod pictures;
pub(crate) mod view;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use api_types::LiveEvent;
use db::{Meta, meta::alerts::AlertCommit};
use model::Timestamp;
use notify::{Dispatcher, dedup::GroupLog, outbox::Wake};
use rules::{
    Changes, EngineQuery, Expander, GroupSpec, Instance, RuleSet, Sink,
    alert::RESOLVED_RETENTION_MS, query::Timed,
};
use tokio::{runtime::Handle, sync::broadcast, time::Instant};

pub(crate) use view::View;

use facts::Facts;

use crate::query::Queries;

/// How long the evaluation of all rules may take.
const EVALUATION_TIMEOUT: Duration = Duration::from_secs(30);
/// When a dispatch is tried again after its commit failed.
const RETRY_MS: i64 = 1_000;

struct State {
    rules: RuleSet,
    specs: Arc<Vec<GroupSpec>>,
    facts: Facts,
    dispatcher: Dispatcher,
    /// What a failed commit left to be written.
    unwritten: AlertCommit,
}

/// The alert engine of the process.
pub(crate) struct Alerting {
    state: Mutex<State>,
    view: RwLock<Arc<View>>,
    queries: Queries,
    meta: Meta,
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
        let stored = parts.meta.live_instances(now - RESOLVED_RETENTION_MS).await?;
        let instances: Vec<Instance> =
            stored.iter().map(|row| serde_json::from_str(&row.body)).collect::<Result<_, _>>()?;
        let logs: Vec<GroupLog> = parts
            .meta
            .group_logs()
            .await?
            .iter()
            .map(|row| serde_json::from_str(&row.body))
            .collect::<Result<_, _>>()?;
        let facts = Facts::new(&parts.groups);
        let specs = Arc::new(parts.groups.clone());
        let mut rules = RuleSet::new(parts.groups);
        let changes = rules.restore(instances, last_flush, now);
        let mut dispatcher = Dispatcher::new(parts.receivers);
        // Alerts whose rule is gone ended just now; somebody may have been told that they fire.
        let alerts = parts.context.alerts(rules.instances().chain(&changes.instances), &facts);
        dispatcher.restore(&logs, &alerts, now);
        let mut unwritten = AlertCommit::default();
        convert::add_changes(&mut unwritten, &changes);
        let state = State { rules, specs, facts, dispatcher, unwritten };
        let view = state.view(Duration::ZERO);
        Ok(Self {
            state: Mutex::new(state),
            view: RwLock::new(Arc::new(view)),
            queries: parts.queries,
            meta: parts.meta,
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

    /// Evaluates the groups that are due at `timestamp`, then notifies. Blocks.
    pub(crate) fn evaluate(&self, timestamp: Timestamp, sink: &dyn Sink) {
        let started = Instant::now();
        let is_late = || started.elapsed() > EVALUATION_TIMEOUT;
        let query = EngineQuery {
            engine: self.queries.engine(),
            storage: &**self.queries.store(),
            context: promql::Context { is_late: Some(&is_late), ..promql::Context::default() },
        };
        let query = Timed { query: &query, elapsed: &|| started.elapsed() };
        let mut state = self.lock();
        let evaluations = state.rules.evaluate_due(timestamp, &query, sink, &self.expander);
        let mut changes = Changes::default();
        for evaluation in evaluations {
            changes.append(evaluation.changes);
        }
        state.take_in(&changes, &self.context, timestamp);
        self.commit(&mut state, timestamp);
        self.publish(state.view(started.elapsed()));
        self.announce(&changes);
    }

    fn publish(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// When a group of alerts is to be looked at next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.lock().dispatcher.next_due()
    }

    /// Notifies for the groups that are due, between two evaluations. Blocks.
    pub(crate) fn dispatch(&self, now: Timestamp) {
        self.commit(&mut self.lock(), now);
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
        state.dispatcher.reload(receivers, now);
        state.take_in(&reload.changes, &self.context, now);
        self.publish(state.view(Duration::ZERO));
        self.announce(&reload.changes);
        tracing::info!(
            rules.unchanged = reload.unchanged,
            rules.changed = reload.changed,
            rules.added = reload.added,
            rules.removed = reload.removed,
            "rule groups were reloaded"
        );
    }

    /// Writes what was decided together with the notifications it leads to: all or nothing.
    fn commit(&self, state: &mut State, now: Timestamp) {
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
        match self.runtime.block_on(self.meta.commit_alerts(&commit)) {
            Ok(()) => {
                state.dispatcher.commit(&tick.flushes);
                if !commit.outbox.is_empty() {
                    self.wake.wake();
                }
            }
            Err(error) => {
                self.commit_errors.fetch_add(1, Ordering::Relaxed);
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
