//! The board of monitors in the running process: results in, ledger committed, samples and events out.
//!
//! Of several processes one probes and keeps the ledger, under a lease. The others show what it stored,
//! and hand it the heartbeats that they get.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use api_types::{LiveEvent, MonitorPage, MonitorRow};
use db::{
    DbError, Lease, Meta,
    meta::monitors::{BeatRow, LedgerCommit},
};
use jiff::tz::TimeZone;
use model::Timestamp;
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Leases, Role},
    pipeline::Outside,
    uptime::{
        board::{Beat, Board, Changes, KEPT_MS, Stored},
        ledger::State,
        monitor::Monitor,
        schedule::CheckResult,
    },
};

/// How often the board is read while another process keeps it.
const READ_INTERVAL_MS: i64 = 5_000;

struct Inner {
    board: Board,
    /// The token of the lease under which the board began; `None` while another process keeps it.
    token: Option<i64>,
    /// When the board was last read while another process keeps it.
    read_at: Timestamp,
    /// What a failed commit left to be written.
    unwritten: Changes,
}

/// All monitors.
pub(crate) struct Monitors {
    inner: Mutex<Inner>,
    definitions: watch::Sender<Arc<Vec<Monitor>>>,
    /// What is probed here: the definitions, or nothing while another process does that.
    probed: watch::Sender<Arc<Vec<Monitor>>>,
    meta: Meta,
    leases: Arc<Leases>,
    live: broadcast::Sender<LiveEvent>,
    outside: Arc<Outside>,
    /// Held over a commit, so that rows are written in the order in which they were decided.
    committing: tokio::sync::Mutex<()>,
    commit_errors: AtomicU64,
}

impl std::fmt::Debug for Monitors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitors").finish_non_exhaustive()
    }
}

impl Monitors {
    /// Continues the stored ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) async fn restore(
        definitions: Vec<Monitor>,
        meta: Meta,
        leases: Arc<Leases>,
        live: broadcast::Sender<LiveEvent>,
        outside: Arc<Outside>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        // First the lease, then the state: nobody else changes it after that.
        let held = leases.held(Role::Monitors);
        let (board, changes) = Board::new(&definitions, stored(&meta, now).await?, now);
        let unwritten = if held.is_some() { changes } else { Changes::default() };
        let token = held.map(|held| held.lease.token);
        let definitions = Arc::new(definitions);
        let probed = if token.is_some() { Arc::clone(&definitions) } else { Arc::default() };
        Ok(Self {
            inner: Mutex::new(Inner { board, token, read_at: now, unwritten }),
            definitions: watch::Sender::new(definitions),
            probed: watch::Sender::new(probed),
            meta,
            leases,
            live,
            outside,
            committing: tokio::sync::Mutex::default(),
            commit_errors: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic stops the process; until then the board is read as it is.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is probed by this process; the schedule follows it.
    pub(crate) fn probed(&self) -> watch::Receiver<Arc<Vec<Monitor>>> {
        self.probed.subscribe()
    }

    /// The lease, if the board is kept here.
    fn held(&self) -> Option<Lease> {
        let lease = self.leases.held(Role::Monitors)?.lease;
        (self.lock().token == Some(lease.token)).then_some(lease)
    }

    /// Takes over or gives up the board as the lease says. While another process keeps it, reads it anew.
    async fn hold(&self, now: Timestamp, is_reachable: bool) -> anyhow::Result<()> {
        if self.held().is_some() {
            return Ok(());
        }
        let held = self.leases.held(Role::Monitors);
        if held.is_none() {
            self.probed.send_if_modified(|probed| {
                let is_change = !probed.is_empty();
                *probed = Arc::default();
                is_change
            });
            let mut inner = self.lock();
            inner.token = None;
            if !is_reachable || (0..READ_INTERVAL_MS).contains(&(now - inner.read_at)) {
                return Ok(());
            }
        }
        let definitions = Arc::clone(&self.definitions.borrow());
        let (board, changes) = Board::new(&definitions, stored(&self.meta, now).await?, now);
        let mut inner = self.lock();
        inner.board = board;
        inner.read_at = now;
        inner.unwritten = Changes::default();
        let Some(held) = held else { return Ok(()) };
        inner.unwritten = changes;
        inner.token = Some(held.lease.token);
        drop(inner);
        self.probed.send_replace(definitions);
        tracing::info!("monitors are checked here from now on");
        Ok(())
    }

    /// Takes the heartbeats that other processes got.
    async fn take_beats(&self, lease: &Lease) -> Result<(), DbError> {
        for row in self.meta.waiting_beats().await? {
            let beat = if row.is_up { Beat::Up } else { Beat::Down };
            let changes = self.lock().board.beat(&row.token, beat, &row.message, row.at);
            // Together with what it changed, so that it is taken once.
            self.settle_with(lease, changes.unwrap_or_default(), Some(row.id)).await;
        }
        Ok(())
    }

    /// Changes of the ledger that could not be stored so far.
    pub(crate) fn commit_errors(&self) -> u64 {
        self.commit_errors.load(Ordering::Relaxed)
    }

    /// How many monitors are in each state.
    pub(crate) fn counts(&self) -> [(State, usize); 6] {
        self.lock().board.counts()
    }

    /// All monitors as the pages list them.
    pub(crate) fn rows(&self, now: Timestamp) -> Vec<MonitorRow> {
        self.lock().board.rows(now, &TimeZone::system())
    }

    /// Those of `rows` that have a `service` label, by its value.
    pub(crate) fn by_service(&self, rows: &[MonitorRow]) -> BTreeMap<String, Vec<MonitorRow>> {
        let definitions = self.definitions.borrow();
        let mut by: BTreeMap<String, Vec<MonitorRow>> = BTreeMap::new();
        for row in rows {
            let definition = definitions.iter().find(|monitor| monitor.name == row.name);
            if let Some(service) = definition.and_then(|monitor| monitor.labels.get("service")) {
                by.entry(service.to_owned()).or_default().push(row.clone());
            }
        }
        by
    }

    /// One monitor's page.
    pub(crate) fn page(&self, name: &str, now: Timestamp) -> Option<MonitorPage> {
        self.lock().board.page(name, now, &TimeZone::system())
    }

    /// Takes results until `stop`.
    pub(crate) async fn run(
        &self,
        mut results: mpsc::Receiver<CheckResult>,
        stop: CancellationToken,
    ) {
        loop {
            let result = tokio::select! {
                () = stop.cancelled() => return,
                result = results.recv() => result,
            };
            let Some(result) = result else { return };
            // One that was under way when another process took over tells nothing.
            let Some(lease) = self.held() else { continue };
            let changes = self.lock().board.apply(result);
            self.settle_with(&lease, changes, None).await;
        }
    }

    /// Takes a heartbeat; false when no monitor has the token.
    ///
    /// # Errors
    /// When it is to be handed to another process and cannot be.
    pub(crate) async fn beat(
        &self,
        token: &str,
        beat: Beat,
        message: &str,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        let held = self.held();
        let Some(changes) = self.lock().board.beat(token, beat, message, now) else {
            return Ok(false);
        };
        if let Some(lease) = held {
            self.settle_with(&lease, changes, None).await;
            return Ok(true);
        }
        let row = BeatRow {
            id: 0,
            at: now,
            token: token.to_owned(),
            is_up: beat == Beat::Up,
            message: message.to_owned(),
        };
        self.meta.add_beat(&row).await.map(|()| true)
    }

    /// Takes other definitions; ledgers stay with their names.
    pub(crate) async fn reload(&self, definitions: Vec<Monitor>, now: Timestamp) {
        let changes = self.lock().board.reload(&definitions, now);
        let definitions = Arc::new(definitions);
        self.definitions.send_replace(Arc::clone(&definitions));
        if let Some(lease) = self.held() {
            self.probed.send_replace(definitions);
            self.settle_with(&lease, changes, None).await;
        }
    }

    /// At each flush: states silence, and hands the samples to the flush. What another process does is not
    /// read while the database is not reachable. Blocks.
    pub(crate) fn tick(&self, now: Timestamp, runtime: &Handle, is_reachable: bool) {
        if let Err(error) = runtime.block_on(self.hold(now, is_reachable)) {
            tracing::error!(error = format!("{error:#}"), "cannot read the uptime ledger");
        }
        let Some(lease) = self.held() else { return };
        if let Err(error) = runtime.block_on(self.take_beats(&lease)) {
            tracing::error!(error = %model::text::causes(&error), "cannot read heartbeats that others got");
        }
        let (changes, samples) = {
            let mut inner = self.lock();
            (inner.board.tick(now), inner.board.samples())
        };
        self.outside.push(samples.into_iter().map(|sample| (sample.labels, sample.value)));
        runtime.block_on(self.settle_with(&lease, changes, None));
    }

    /// Tells about changes and commits them, together with a heartbeat of another process that they are
    /// due to. What cannot be stored waits for the next commit.
    async fn settle_with(&self, lease: &Lease, changes: Changes, beat: Option<i64>) {
        for transition in &changes.transitions {
            tracing::info!(
                monitor = transition.monitor,
                state = transition.to.as_str(),
                "a monitor changed its state"
            );
            // Without a listener there is nobody to tell.
            drop(self.live.send(transition.event()));
        }
        {
            let mut inner = self.lock();
            inner.unwritten.merge(changes);
            inner.unwritten.commit.beats.extend(beat);
        }
        let _order = self.committing.lock().await;
        let waiting = std::mem::take(&mut self.lock().unwritten);
        if waiting.commit == LedgerCommit::default() {
            return;
        }
        if let Err(error) = self.meta.commit_ledger(lease, &waiting.commit).await {
            self.commit_errors.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %model::text::causes(&error), "the uptime ledger could not be stored, trying again");
            if matches!(error, DbError::TakenOver { .. }) {
                self.leases.lost(lease);
                return;
            }
            let mut inner = self.lock();
            let later = std::mem::replace(&mut inner.unwritten, waiting);
            inner.unwritten.merge(later);
        }
    }
}

/// The ledger as it is in the database.
async fn stored(meta: &Meta, now: Timestamp) -> anyhow::Result<Stored> {
    let stored = Stored::read(meta.intervals(now - KEPT_MS).await?, meta.monitor_states().await?)?;
    Ok(stored)
}
