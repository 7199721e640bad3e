//! The running process: what it is made of, how it starts, reloads and stops.

mod databases;
pub(crate) mod folder;
mod listeners;
pub(crate) mod mappings;
mod measure;
mod offline;
mod reload;
mod start;
mod store;
pub(crate) mod tasks;

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use api_types::LiveEvent;
use db::{Meta, Samples};
use model::{Clock, Timestamp};
use notify::outbox::Worker;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tsdb::Health;

pub(crate) use databases::open_meta;
use folder::DataFolder;
pub(crate) use offline::open_offline;
pub(crate) use start::{Running, start};

use crate::{
    alerting::{Alerting, pictures::StorePictures},
    auth::AuthMemory,
    cardinality::History,
    catalog::inventory::InventoryCache,
    cluster::{Leases, NodeLabel, Role},
    config::{Config, store::Engine},
    events::{Events, Intake},
    http::prometheus::write::WriteGate,
    listen::{Listener, Sources},
    monitors::Monitors,
    pipeline::{Outside, PipelineStats},
    query::Queries,
    remote::{outgoing::Outgoing, receive::Receiver},
    runbooks::RunbookShelf,
    self_statsd::SelfStatsd,
    store::Holds,
};

/// Everything that handlers and tasks share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started_at: Timestamp,
    /// How people reach this server, without a slash at the end.
    pub(crate) external_url: String,
    /// Claimed for as long as the process runs.
    #[expect(dead_code, reason = "it is held, not read")]
    pub(crate) folder: DataFolder,
    pub(crate) samples: Samples,
    pub(crate) meta: Meta,
    /// Who came in lately.
    pub(crate) auth: AuthMemory,
    /// What this process does that only one does at a time.
    pub(crate) leases: Arc<Leases>,
    /// What this node puts on the series it makes.
    pub(crate) node: NodeLabel,
    pub(crate) queries: Queries,
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) receivers: RwLock<Arc<notify::Config>>,
    pub(crate) worker: Worker,
    pub(crate) pictures: Arc<StorePictures>,
    pub(crate) monitors: Arc<Monitors>,
    pub(crate) probes_skipped: Arc<AtomicU64>,
    pub(crate) runbooks: Arc<RunbookShelf>,
    pub(crate) inventory: InventoryCache,
    pub(crate) cardinality: History,
    pub(crate) store_holds: Arc<Holds>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) events: Arc<Events>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) outside: Arc<Outside>,
    pub(crate) remote: Arc<Receiver>,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) write_gate: WriteGate,
    pub(crate) pipeline: Arc<PipelineStats>,
    pub(crate) live: broadcast::Sender<LiveEvent>,
    pub(crate) self_statsd: Option<SelfStatsd>,
    /// Cancelled when the process begins to stop.
    pub(crate) stopping: CancellationToken,
    /// Errors of the last reload; empty when it went well.
    pub(crate) reload_errors: RwLock<Vec<String>>,
}

impl App {
    /// Why the process is not ready; `None` when it is.
    pub(crate) fn not_ready(&self) -> Option<&'static str> {
        self.stopping.is_cancelled().then_some("the server is stopping")
    }

    /// Who is told about alerts.
    pub(crate) fn receivers(&self) -> Arc<notify::Config> {
        Arc::clone(&self.receivers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who sends StatsD.
    pub(crate) fn source_rows(&self) -> Vec<api_types::Source> {
        let series = self.pipeline.series_by_source();
        let books = self.sources.books();
        books
            .into_iter()
            .map(|(id, books)| api_types::Source {
                address: books
                    .sender
                    .as_ref()
                    .map_or_else(|| "others".to_owned(), |sender| sender.origin.to_string()),
                transport: books
                    .sender
                    .as_ref()
                    .map_or("", |sender| sender.transport.as_str())
                    .to_owned(),
                datagrams: books.tally.datagrams,
                lines: books.tally.lines,
                bad_lines: books.tally.rejected.total(),
                bytes: books.tally.bytes,
                series: series.get(&id).copied().unwrap_or_default() as u64,
                last_seen_ms: books.last_seen,
            })
            .collect()
    }

    /// What is wrong with the server itself, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let below = match self.config.store.engine {
            Engine::Sqlite => "the disk of the data folder",
            Engine::Postgres => "the database",
        };
        if let Health::Failing { error, waiting_frames, dropped_samples, .. } =
            self.queries.store().health()
        {
            problems.push(format!(
                "Samples cannot be written ({error}): {waiting_frames} flushes wait in memory, \
                 {dropped_samples} samples were dropped. Check {below}."
            ));
        }
        let pages = self.queries.store().damaged_pages().len();
        let blocks = self.queries.store().damaged_blocks().len();
        if pages + blocks > 0 {
            problems.push(format!(
                "{pages} pages and {blocks} indexes of samples are damaged and left out of answers. See what is lost with \
                 `bellwether check --data {}`, and look after the disk.",
                self.config.server.data_dir.display()
            ));
        }
        let lapsed: Vec<&str> = Role::ALL
            .into_iter()
            .filter(|role| self.leases.has_lapsed(*role))
            .map(Role::as_str)
            .collect();
        if !lapsed.is_empty() {
            problems.push(format!(
                "This server no longer does what only one does at a time ({}), because it cannot renew \
                 its lease ({}). Check {below}.",
                lapsed.join(", "),
                self.leases.error()
            ));
        }
        let is_alone = !self.samples.is_shared();
        if is_alone && Role::ALL.into_iter().any(|role| self.leases.held(role).is_none()) {
            problems.push(
                "Another process runs on this data folder and took over; what this one decides is \
                 refused. Stop one of them."
                    .to_owned(),
            );
        }
        for endpoint in &self.outgoing.endpoints {
            if let Some((since, error)) = endpoint.books.failing() {
                let seconds = (self.clock.now() - since).max(0) / 1000;
                let waiting = endpoint.books.backlog_samples.load(Ordering::Relaxed);
                problems.push(format!(
                    "Samples cannot be sent to `{}` for {seconds} s ({error}); {waiting} wait.",
                    endpoint.name
                ));
            }
        }
        let reload_errors = self.reload_errors.read().unwrap_or_else(PoisonError::into_inner);
        if !reload_errors.is_empty() {
            problems.push(format!(
                "The last reload failed, the old configuration is in use: {}",
                reload_errors.join("; ")
            ));
        }
        if self.events.is_failing() {
            problems.push(format!(
                "Events and service checks cannot be written; they wait in memory until it works \
                 again. Check {below}."
            ));
        }
        for listener in &self.listeners {
            let wanted = self.config.statsd.receive_buffer.0;
            let Some(granted) = listener.granted_buffer else { continue };
            if (granted as u64) < wanted {
                problems.push(format!(
                    "The kernel granted {} KiB of the {} KiB socket buffer asked for on {}; allow \
                     more with `sysctl -w net.core.rmem_max={wanted}`.",
                    granted / 1024,
                    wanted / 1024,
                    listener.endpoint
                ));
            }
        }
        problems
    }
}

/// The only reader of the wall clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others are handed")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as Timestamp)
    }
}
