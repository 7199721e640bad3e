//! Sending on what was stored: every committed flush, recording rule and received request goes to every
//! endpoint whose filter wants it.
//!
//! Whoever commits samples offers them here and goes on. One thread encodes and packs them into
//! requests and writes these to a buffer on disk, which is a database of its own. A task for each
//! endpoint sends its requests one after the other, so that samples arrive in order, and removes them
//! when they were taken.
//!
//! Bounds: [`MAX_WAITING_SAMPLES`] samples wait for the thread; beyond it new ones are dropped. The
//! buffer of an endpoint has a size; beyond it the oldest requests are dropped. Both are counted.
//! What was offered and is not in the buffer yet is lost with the process, a fraction of a second.

pub(crate) mod endpoint;
pub(crate) mod filter;
mod sender;
mod writer;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, anyhow};
use model::{Clock, Labels, Timestamp, Value};
use tokio::{runtime::Handle, sync::mpsc};
use tsdb::Tsdb;

use self::{
    endpoint::{Endpoint, Loss},
    sender::Sender,
    writer::{KnownMetadata, Writer},
};
use crate::{app::tasks::Tasks, config::remote_write::EndpointTable};

/// A sample with the labels of its series.
pub(crate) type Row = (Labels, Timestamp, Value);

/// Samples in memory before they are in the buffer.
const MAX_WAITING_SAMPLES: u64 = 4_000_000;
/// Batches in memory before they are in the buffer.
const MAX_WAITING_BATCHES: usize = 4_096;

/// Where committed samples are offered.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// In the order of the configuration.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    batches: Option<mpsc::Sender<Vec<Row>>>,
    waiting: Arc<AtomicU64>,
}

/// What has to run so that samples are sent.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    writer: Option<Writer>,
    senders: Vec<Sender>,
}

impl Outgoing {
    /// Opens the buffer and goes on with what waits in it.
    ///
    /// # Errors
    /// When the buffer cannot be opened, or the certificates of an endpoint cannot be used.
    pub(crate) async fn open(
        tables: &[EndpointTable],
        path: &std::path::Path,
        store: Arc<Tsdb>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<(Self, Workers)> {
        if tables.is_empty() && !path.exists() {
            return Ok(Self::default_pair());
        }
        let buffer = db::Outgoing::open(path).await?;
        let backlogs = buffer.backlogs().await?;
        let mut outgoing = Self::default();
        let mut workers = Workers::default();
        let mut last_seq = Vec::new();
        for table in tables {
            let name = table.name();
            let fail = |error: String| anyhow!("remote write endpoint `{name}`: {error}");
            let endpoint = Arc::new(Endpoint::try_new(table).map_err(fail)?);
            let backlog = backlogs.iter().find(|(of, _)| *of == name);
            let backlog = backlog.map(|(_, backlog)| backlog.clone()).unwrap_or_default();
            let now = clock.now();
            endpoint.books.add_backlog(backlog.requests, backlog.samples, backlog.bytes, now);
            last_seq.push(backlog.last_seq);
            let (endpoint_of_sender, buffer) = (Arc::clone(&endpoint), buffer.clone());
            workers.senders.push(
                Sender::try_new(endpoint_of_sender, table, buffer, Arc::clone(&clock))
                    .map_err(fail)?,
            );
            outgoing.endpoints.push(endpoint);
        }
        for (name, backlog) in backlogs {
            if !outgoing.endpoints.iter().any(|endpoint| endpoint.name == name) {
                forget(&buffer, &name, &backlog).await?;
            }
        }
        if tables.is_empty() {
            return Ok(Self::default_pair());
        }
        let (sender, batches) = mpsc::channel(MAX_WAITING_BATCHES);
        outgoing.batches = Some(sender);
        workers.writer = Some(Writer {
            endpoints: outgoing.endpoints.clone(),
            last_seq,
            batches,
            waiting: Arc::clone(&outgoing.waiting),
            buffer,
            store,
            clock,
            metadata: KnownMetadata::default(),
        });
        Ok((outgoing, workers))
    }

    fn default_pair() -> (Self, Workers) {
        (Self::default(), Workers::default())
    }

    /// Whether anything is sent on; if not, nothing need be offered.
    pub(crate) fn is_enabled(&self) -> bool {
        self.batches.is_some()
    }

    /// Has samples sent on that were committed. Never blocks.
    pub(crate) fn offer(&self, rows: Vec<Row>) {
        let Some(batches) = self.batches.as_ref().filter(|_| !rows.is_empty()) else { return };
        let count = rows.len() as u64;
        let waiting = self.waiting.fetch_add(count, Ordering::Relaxed);
        if waiting + count > MAX_WAITING_SAMPLES || batches.try_send(rows).is_err() {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            self.endpoints.iter().for_each(|endpoint| endpoint.books.lose(Loss::QueueFull, count));
        }
    }
}

impl Workers {
    /// Starts everything. It must stop after whoever offers samples.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn start(self, tasks: &Tasks, runtime: &Handle) -> anyhow::Result<()> {
        for sender in self.senders {
            tasks.spawn("remote-write-send", |stop| sender.run(stop));
        }
        if let Some(writer) = self.writer {
            let runtime = runtime.clone();
            tasks.spawn_thread("remote-write-queue", move |stop| writer.run(&runtime, &stop))?;
        }
        Ok(())
    }
}

/// Removes what waits for an endpoint that is no longer configured.
async fn forget(
    buffer: &db::Outgoing,
    name: &str,
    backlog: &db::outgoing::Backlog,
) -> anyhow::Result<()> {
    while buffer
        .drop_oldest(name, 0, backlog.bytes + 1)
        .await
        .with_context(|| format!("cannot remove what waits for the endpoint `{name}`"))?
        .requests
        > 0
    {}
    tracing::warn!(
        endpoint = name,
        requests = backlog.requests,
        samples = backlog.samples,
        "an endpoint is no longer configured, and what waited for it was removed"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
