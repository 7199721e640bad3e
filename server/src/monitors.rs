//! The board of monitors in the running process: results in, ledger committed, samples and events out.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use api_types::{LiveEvent, MonitorPage, MonitorRow};
use db::{Meta, meta::monitors::LedgerCommit};
use jiff::tz::TimeZone;
use model::Timestamp;
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    pipeline::Outside,
    uptime::{
        board::{Beat, Board, Changes, KEPT_MS, Stored},
        ledger::State,
        monitor::Monitor,
        schedule::CheckResult,
    },
};

struct Inner {
    board: Board,
    /// What a failed commit left to be written.
    unwritten: Changes,
}

/// All monitors.
pub(crate) struct Monitors {
    inner: Mutex<Inner>,
    definitions: watch::Sender<Arc<Vec<Monitor>>>,
    meta: Meta,
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
        live: broadcast::Sender<LiveEvent>,
        outside: Arc<Outside>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let stored =
            Stored::read(meta.intervals(now - KEPT_MS).await?, meta.monitor_states().await?)?;
        let (board, unwritten) = Board::new(&definitions, stored, now);
        Ok(Self {
            inner: Mutex::new(Inner { board, unwritten }),
            definitions: watch::Sender::new(Arc::new(definitions)),
            meta,
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

    /// What is watched; the schedule follows it.
    pub(crate) fn definitions(&self) -> watch::Receiver<Arc<Vec<Monitor>>> {
        self.definitions.subscribe()
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
            let changes = self.lock().board.apply(result);
            self.settle(changes).await;
        }
    }

    /// Takes a heartbeat; false when no monitor has the token.
    pub(crate) async fn beat(
        &self,
        token: &str,
        beat: Beat,
        message: &str,
        now: Timestamp,
    ) -> bool {
        let changes = self.lock().board.beat(token, beat, message, now);
        match changes {
            None => false,
            Some(changes) => {
                self.settle(changes).await;
                true
            }
        }
    }

    /// Takes other definitions; ledgers stay with their names.
    pub(crate) async fn reload(&self, definitions: Vec<Monitor>, now: Timestamp) {
        let changes = self.lock().board.reload(&definitions, now);
        self.definitions.send_replace(Arc::new(definitions));
        self.settle(changes).await;
    }

    /// At each flush: states silence, and hands the samples to the flush. Blocks.
    pub(crate) fn tick(&self, now: Timestamp, runtime: &Handle) {
        let (changes, samples) = {
            let mut inner = self.lock();
            (inner.board.tick(now), inner.board.samples())
        };
        self.outside.push(samples.into_iter().map(|sample| (sample.labels, sample.value)));
        runtime.block_on(self.settle(changes));
    }

    /// Tells about changes and commits them. What cannot be stored waits for the next commit.
    async fn settle(&self, changes: Changes) {
        for transition in &changes.transitions {
            tracing::info!(
                monitor = transition.monitor,
                state = transition.to.as_str(),
                "a monitor changed its state"
            );
            // Without a listener there is nobody to tell.
            drop(self.live.send(transition.event()));
        }
        self.lock().unwritten.merge(changes);
        let _order = self.committing.lock().await;
        let waiting = std::mem::take(&mut self.lock().unwritten);
        if waiting.commit == LedgerCommit::default() {
            return;
        }
        if let Err(error) = self.meta.commit_ledger(&waiting.commit).await {
            self.commit_errors.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %model::text::causes(&error), "the uptime ledger could not be stored, trying again");
            let mut inner = self.lock();
            let later = std::mem::replace(&mut inner.unwritten, waiting);
            inner.unwritten.merge(later);
        }
    }
}
