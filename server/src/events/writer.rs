//! The part of the process that stores events and keeps the states of service checks.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use api_types::{
    AlertType, Check, CheckDetail, CheckStatus, CheckTransition, Event, LiveEvent, Priority,
};
use db::{
    DbError, Meta,
    meta::events::{EventRow, EventSearch},
};
use model::{Clock, Metadata, MetricKind, Timestamp, text::causes};
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc},
};
use tokio_util::sync::CancellationToken;

use super::{
    Books, Incoming, Loss,
    board::{Board, BoardOptions, Change, STATUS_METRIC},
    incoming::Report,
};
use crate::pipeline::Outside;

/// What is written in one transaction at most.
const BATCH: usize = 256;
/// How often what a flush found out is written.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a failed write waits for its next try.
const RETRY: Duration = Duration::from_secs(1);
/// Changes of a check's state that are kept and shown at most.
const HISTORY: u32 = 200;

/// What it is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) meta: Meta,
    pub(crate) live: broadcast::Sender<LiveEvent>,
    pub(crate) outside: Arc<Outside>,
    pub(crate) books: Arc<Books>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) checks: BoardOptions,
}

/// All events and service checks.
#[derive(Debug)]
pub(crate) struct Events {
    meta: Meta,
    live: broadcast::Sender<LiveEvent>,
    outside: Arc<Outside>,
    books: Arc<Books>,
    clock: Arc<dyn Clock>,
    board: Mutex<Board>,
    is_failing: AtomicBool,
}

impl Events {
    /// Continues the stored states.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn restore(parts: Parts) -> anyhow::Result<Self> {
        let rows = parts.meta.checks().await?;
        let board = Board::restore(parts.checks, rows, parts.clock.now())
            .context("a stored service check cannot be read")?;
        parts.outside.describe([Metadata {
            metric: STATUS_METRIC.to_owned(),
            kind: MetricKind::Gauge,
            unit: String::new(),
            help: "Status of a service check: 0 OK, 1 warning, 2 critical, 3 unknown or silent."
                .to_owned(),
            original: String::new(),
        }]);
        Ok(Self {
            meta: parts.meta,
            live: parts.live,
            outside: parts.outside,
            books: parts.books,
            clock: parts.clock,
            board: Mutex::new(board),
            is_failing: AtomicBool::new(false),
        })
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // A panic stops the process; until then the board is read as it is.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was counted.
    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    /// Whether the last write failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Stores what comes through the queue until `stop`, then what is still in it.
    pub(crate) async fn run(&self, mut queue: mpsc::Receiver<Incoming>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut ticks = tokio::time::interval(INTERVAL);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                received = queue.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        break;
                    }
                }
                _ = ticks.tick() => {}
            }
            let mut events = self.sort(&mut batch);
            while !self.write(&mut events).await && !stop.is_cancelled() {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
            self.give_up(&events);
        }
        queue.close();
        while let Ok(last) = queue.try_recv() {
            batch.push(last);
        }
        let mut events = self.sort(&mut batch);
        self.write(&mut events).await;
        self.give_up(&events);
    }

    /// Takes reports into the board and returns the events.
    fn sort(&self, batch: &mut Vec<Incoming>) -> Vec<EventRow> {
        let mut events = Vec::new();
        for incoming in batch.drain(..) {
            match incoming {
                Incoming::Event(event) => events.push(event),
                Incoming::Report(report) => self.take(report),
            }
        }
        events
    }

    fn take(&self, report: Report) {
        let taken = self.board().report(report);
        match taken {
            Ok(change) => {
                self.books.reports.fetch_add(1, Ordering::Relaxed);
                if let Some(change) = change {
                    self.tell(change);
                }
            }
            Err(loss) => {
                self.books.lose(loss, 1);
            }
        }
    }

    /// Writes events and changed checks; empties `events` when they are stored.
    async fn write(&self, events: &mut Vec<EventRow>) -> bool {
        let mut result = Ok(());
        if !events.is_empty() {
            result = self.store(events).await.map(|_| events.clear());
        }
        let commit = self.board().take_commit();
        if !commit.is_empty() {
            let written = self.meta.commit_checks(&commit).await;
            if written.is_err() {
                let lost = self.board().take_back(commit);
                self.books.lose(Loss::NotWritten, lost);
            }
            result = result.and(written);
        }
        if let Err(error) = &result {
            self.books.write_errors.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %causes(error), "events could not be stored, trying again");
        }
        self.is_failing.store(result.is_err(), Ordering::Relaxed);
        result.is_ok()
    }

    fn give_up(&self, events: &[EventRow]) {
        if !events.is_empty() {
            self.books.lose(Loss::NotWritten, events.len());
            tracing::error!(events = events.len(), "events were not stored before the end");
        }
    }

    /// Stores events and tells about them.
    async fn store(&self, events: &[EventRow]) -> Result<Vec<i64>, DbError> {
        let ids = self.meta.add_events(events).await?;
        self.books.stored.fetch_add(ids.len() as u64, Ordering::Relaxed);
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        // Without a listener there is nobody to tell.
        drop(self.live.send(LiveEvent::Events { at_ms: self.clock.now(), count }));
        Ok(ids)
    }

    fn tell(&self, change: Change) {
        tracing::info!(
            check = change.name,
            status = change.to.as_str(),
            "a service check changed its status"
        );
        let Change { id, name, at, to } = change;
        drop(self.live.send(LiveEvent::Check { at_ms: at, id, name, to }));
    }

    /// Stores one event at once.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn post(&self, mut event: EventRow) -> Result<Event, DbError> {
        let ids = self.store(std::slice::from_ref(&event)).await?;
        event.id = ids.first().copied().unwrap_or_default();
        Ok(shown(event))
    }

    /// Events that match, the newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn search(&self, search: &EventSearch) -> Result<Vec<Event>, DbError> {
        Ok(self.meta.events(search).await?.into_iter().map(shown).collect())
    }

    /// At each flush, by the process that evaluates rules: finds silent checks and hands the samples to the
    /// flush. Waits for nothing.
    pub(crate) fn tick(&self, now: Timestamp) {
        let (changes, samples) = {
            let mut board = self.board();
            (board.tick(now), board.samples())
        };
        for change in changes {
            self.tell(change);
        }
        self.outside.push(samples);
    }

    /// Takes in what other processes on the same database heard, before a tick. What cannot be read now is
    /// read the next time. Blocks.
    pub(crate) fn merge(&self, runtime: &Handle) {
        let merged = match runtime.block_on(self.meta.checks()) {
            Ok(rows) => {
                self.board().merge(rows, self.clock.now()).map_err(|error| error.to_string())
            }
            Err(error) => Err(causes(&error)),
        };
        if let Err(error) = merged {
            tracing::error!(error, "service checks of other nodes cannot be read");
        }
    }

    /// All service checks, those in trouble first.
    pub(crate) fn checks(&self) -> Vec<Check> {
        self.board().rows()
    }

    /// How many checks have each status.
    pub(crate) fn check_counts(&self) -> [(CheckStatus, usize); 4] {
        self.board().counts()
    }

    /// A service check with its history.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub(crate) async fn check(&self, id: &str) -> Result<Option<CheckDetail>, DbError> {
        let Some(check) = self.board().row(id) else { return Ok(None) };
        let transitions = self.meta.check_transitions(id, HISTORY).await?;
        let transitions = transitions.into_iter().map(|row| CheckTransition {
            at_ms: row.at,
            status: CheckStatus::parse(&row.status).unwrap_or(CheckStatus::Unknown),
            is_stale: row.is_stale,
            message: row.message,
        });
        Ok(Some(CheckDetail { check, transitions: transitions.collect() }))
    }

    /// Forgets what is older than `before`.
    ///
    /// # Errors
    /// When the commit failed.
    pub(crate) async fn forget(&self, before: Timestamp) -> Result<(), DbError> {
        self.meta.forget_events(before).await?;
        self.meta.forget_check_transitions(before, HISTORY).await?;
        Ok(())
    }
}

fn shown(row: EventRow) -> Event {
    Event {
        id: row.id,
        at_ms: row.at,
        title: row.title,
        text: row.text,
        host: row.host,
        source: row.source,
        alert_type: AlertType::parse(&row.alert_type).unwrap_or_default(),
        priority: if row.priority == "low" { Priority::Low } else { Priority::Normal },
        aggregation_key: row.aggregation_key,
        tags: row.tags,
    }
}

#[cfg(test)]
mod tests;
