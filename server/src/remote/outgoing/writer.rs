//! From committed samples to packed requests in the buffer.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use db::outgoing::RequestRow;
use model::{Clock, Labels, Metadata, MetricKind, Storage as _, Timestamp};
use remote::{Encoder, Protocol};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::CancellationToken;
use tsdb::Tsdb;

use super::{
    Row,
    endpoint::{Endpoint, Loss},
};

/// Batches are put together up to this many samples, so that small ones do not make small requests.
const GROUP_SAMPLES: usize = 100_000;
/// The most bytes of a request before it is packed.
const MAX_REQUEST_BYTES: usize = 8 << 20;
/// How often is looked for what became known of metrics.
const METADATA_INTERVAL_MS: i64 = 5_000;
/// What is known of metrics goes in requests of this many, in protocol 1.0.
const METADATA_PER_REQUEST: usize = 1_000;
/// The pause after the buffer could not be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Encodes, packs and queues.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// The last place given, by endpoint.
    pub(super) last_seq: Vec<u64>,
    pub(super) batches: mpsc::Receiver<Vec<Row>>,
    /// Samples in `batches`.
    pub(super) waiting: Arc<AtomicU64>,
    pub(super) buffer: db::Outgoing,
    pub(super) store: Arc<Tsdb>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metadata: KnownMetadata,
}

/// What is known of metrics.
#[derive(Debug, Default)]
pub(super) struct KnownMetadata {
    by_name: BTreeMap<String, Metadata>,
    read_at: Option<Timestamp>,
}

impl KnownMetadata {
    /// Reads again when it is time, and returns what is new or changed.
    fn refresh(&mut self, store: &Tsdb, now: Timestamp) -> Vec<Metadata> {
        if self.read_at.is_some_and(|read_at| now - read_at < METADATA_INTERVAL_MS) {
            return Vec::new();
        }
        self.read_at = Some(now);
        let mut new = Vec::new();
        for metadata in store.metadata() {
            if self.by_name.get(&metadata.metric) != Some(&metadata) {
                new.push(metadata.clone());
                self.by_name.insert(metadata.metric.clone(), metadata);
            }
        }
        new
    }

    /// What is known of a series' metric. The series of a classic histogram have longer names than it.
    fn of(&self, labels: &Labels) -> Option<&Metadata> {
        let name = labels.metric_name()?;
        self.by_name.get(name).or_else(|| {
            let endings = ["_bucket", "_sum", "_count"];
            let family = endings.iter().find_map(|ending| name.strip_suffix(ending))?;
            self.by_name.get(family).filter(|metadata| metadata.kind == MetricKind::Histogram)
        })
    }
}

impl Writer {
    /// Queues what comes until `stop`, and then what is left.
    pub(super) fn run(mut self, runtime: &Handle, stop: &CancellationToken) {
        loop {
            let batch = runtime.block_on(async {
                tokio::select! {
                    () = stop.cancelled() => None,
                    batch = self.batches.recv() => batch,
                }
            });
            let is_stopping = batch.is_none();
            let rows = self.group(batch.unwrap_or_default());
            if !rows.is_empty() {
                self.queue(&rows, runtime, stop);
            } else if is_stopping {
                return;
            }
        }
    }

    /// Adds the batches that wait already.
    fn group(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        while rows.len() < GROUP_SAMPLES
            && let Ok(more) = self.batches.try_recv()
        {
            rows.extend(more);
        }
        self.waiting.fetch_sub(rows.len() as u64, Ordering::Relaxed);
        rows
    }

    fn queue(&mut self, rows: &[Row], runtime: &Handle, stop: &CancellationToken) {
        let now = self.clock.now();
        let news = self.metadata.refresh(&self.store, now);
        for number in 0..self.endpoints.len() {
            let endpoint = Arc::clone(&self.endpoints[number]);
            let mut messages = Vec::new();
            if endpoint.protocol == Protocol::V1 {
                let parts = news.chunks(METADATA_PER_REQUEST);
                messages.extend(parts.map(|part| (0, remote::metadata_request(part))));
            }
            self.encode(&endpoint, rows, &mut messages);
            let requests: Vec<RequestRow> = messages
                .into_iter()
                .map(|(samples, message)| self.request(number, now, samples, &message))
                .collect();
            self.push(&endpoint, &requests, runtime, stop);
        }
    }

    /// Adds messages with the number of their samples.
    fn encode(&self, endpoint: &Endpoint, rows: &[Row], messages: &mut Vec<(u64, Vec<u8>)>) {
        let mut encoder = Encoder::new(endpoint.protocol);
        for (labels, timestamp, value) in rows {
            if !endpoint.filter.wants(labels) {
                continue;
            }
            let is_asked = endpoint.protocol == Protocol::V2;
            let known = if is_asked { self.metadata.of(labels) } else { None };
            encoder.push(labels, *timestamp, value, known);
            let samples = encoder.samples() + encoder.histograms();
            if samples >= endpoint.max_samples || encoder.len_bytes() >= MAX_REQUEST_BYTES {
                let full = std::mem::replace(&mut encoder, Encoder::new(endpoint.protocol));
                messages.push((samples, full.finish()));
            }
        }
        let samples = encoder.samples() + encoder.histograms();
        if samples > 0 {
            messages.push((samples, encoder.finish()));
        }
    }

    /// The next request of an endpoint.
    fn request(
        &mut self,
        number: usize,
        created: Timestamp,
        samples: u64,
        message: &[u8],
    ) -> RequestRow {
        let endpoint = &self.endpoints[number];
        self.last_seq[number] += 1;
        RequestRow {
            endpoint: endpoint.name.clone(),
            seq: self.last_seq[number],
            created,
            protocol: endpoint.protocol.as_str().to_owned(),
            samples,
            body: remote::pack(message).expect("a request is far below 4 GiB"),
        }
    }

    /// Writes until it works; what comes meanwhile waits in a bounded queue. Gives up at the stop.
    fn push(
        &self,
        endpoint: &Endpoint,
        requests: &[RequestRow],
        runtime: &Handle,
        stop: &CancellationToken,
    ) {
        let Some(first) = requests.first() else { return };
        let samples = requests.iter().map(|request| request.samples).sum();
        let bytes = requests.iter().map(|request| request.body.len() as u64).sum();
        let count = requests.len() as u64;
        // Before they are there: the sender counts down as soon as it has sent one.
        endpoint.books.add_backlog(count, samples, bytes, first.created);
        while let Err(error) = runtime.block_on(self.buffer.push(requests)) {
            let error = model::text::causes(&error);
            tracing::error!(
                endpoint = endpoint.name,
                error,
                "samples to be sent cannot be buffered"
            );
            endpoint.books.fail(&error, self.clock.now());
            if stop.is_cancelled() {
                endpoint.books.take_backlog(count, samples, bytes);
                endpoint.books.lose(Loss::QueueFull, samples);
                return;
            }
            runtime.block_on(async {
                tokio::select! {
                    () = tokio::time::sleep(RETRY_PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        runtime.block_on(self.enforce_bound(endpoint));
        endpoint.queued.notify_one();
    }

    async fn enforce_bound(&self, endpoint: &Endpoint) {
        let books = &endpoint.books;
        loop {
            let over = books.backlog_bytes.load(Ordering::Relaxed);
            let over = over.saturating_sub(endpoint.buffer_bytes);
            if over == 0 {
                return;
            }
            let kept = endpoint.on_its_way.load(Ordering::Relaxed);
            match self.buffer.drop_oldest(&endpoint.name, kept, over).await {
                Ok(dropped) if dropped.requests > 0 => {
                    books.take_backlog(dropped.requests, dropped.samples, dropped.bytes);
                    books.lose(Loss::BufferFull, dropped.samples);
                }
                // Only the request on its way is left.
                Ok(_) => return,
                Err(error) => {
                    let error = model::text::causes(&error);
                    tracing::error!(
                        endpoint = endpoint.name,
                        error,
                        "the buffer cannot be trimmed"
                    );
                    return;
                }
            }
        }
    }
}
