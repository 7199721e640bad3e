use std::path::Path;

use model::{ManualClock, Metadata, MetricKind, NativeHistogram};
use remote::{Message, Protocol};
use tokio_util::sync::CancellationToken;
use tsdb::{Batch, engine::MemoryEngine};

use super::*;
use crate::query::blocking;

const NOW: Timestamp = 1_700_000_000_000;

fn store() -> Arc<Tsdb> {
    Arc::new(Tsdb::open(Arc::new(MemoryEngine::new()), tsdb::Options::default()).unwrap().0)
}

fn table(name: &str, protocol: u8) -> EndpointTable {
    EndpointTable {
        name: Some(name.to_owned()),
        // Nothing listens there.
        url: "http://127.0.0.1:9/write".to_owned(),
        protocol,
        ..EndpointTable::default()
    }
}

async fn open(
    folder: &Path,
    tables: &[EndpointTable],
    store: Arc<Tsdb>,
) -> (Outgoing, Workers, db::Outgoing) {
    let path = folder.join("outgoing.db");
    let clock = Arc::new(ManualClock::new(NOW));
    let (outgoing, workers) = Outgoing::open(tables, &path, store, clock).await.unwrap();
    (outgoing, workers, db::Outgoing::open(&path).await.unwrap())
}

/// Lets the thread write what was offered, as at a stop.
async fn write_all(workers: Workers) {
    let runtime = Handle::current();
    let stop = CancellationToken::new();
    stop.cancel();
    blocking(move || workers.writer.unwrap().run(&runtime, &stop)).await;
}

fn row(name: &str, at: Timestamp, value: f64) -> Row {
    (Labels::from_pairs([("__name__", name)]), at, Value::Float(value))
}

/// Every sample that waits for an endpoint, request by request.
async fn waiting(buffer: &db::Outgoing, endpoint: &str) -> Vec<Vec<(String, Timestamp, f64)>> {
    let mut requests = Vec::new();
    while let Some(request) = buffer.first(endpoint).await.unwrap() {
        buffer.remove(endpoint, request.seq).await.unwrap();
        let protocol =
            Protocol::ALL.into_iter().find(|known| known.as_str() == request.protocol).unwrap();
        let bytes = remote::unpack(&request.body, usize::MAX).unwrap();
        let message = Message::open(protocol, &bytes, 0).unwrap();
        let mut rows = Vec::new();
        for series in message.series() {
            let series = series.unwrap();
            let labels = series.labels().unwrap().to_string();
            rows.extend(series.samples().map(|sample| {
                let (at, value) = sample.unwrap();
                (labels.clone(), at, value)
            }));
        }
        assert_eq!(request.samples, rows.len() as u64);
        requests.push(rows);
    }
    requests
}

#[tokio::test]
async fn what_was_offered_is_written_at_the_stop_in_requests_of_bounded_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut small = table("small", 1);
    small.max_samples_per_send = 2;
    let mut chosen = table("chosen", 2);
    chosen.keep = vec!["a".to_owned()];
    let (outgoing, workers, buffer) = open(folder.path(), &[small, chosen], store()).await;
    outgoing.offer(vec![row("a", 1, 1.0), row("b", 1, 2.0), row("c", 1, 3.0)]);
    outgoing.offer(vec![row("a", 2, 4.0)]);
    write_all(workers).await;

    let sample = |name: &str, at, value| (name.to_owned(), at, value);
    let [small, chosen] = &*outgoing.endpoints else { panic!("two endpoints") };
    assert_eq!(small.books.backlog_samples.load(Ordering::Relaxed), 4);
    assert_eq!(chosen.books.backlog_requests.load(Ordering::Relaxed), 1);
    assert_eq!(
        waiting(&buffer, "small").await,
        [[sample("a", 1, 1.0), sample("b", 1, 2.0)], [sample("c", 1, 3.0), sample("a", 2, 4.0)]]
    );
    assert_eq!(waiting(&buffer, "chosen").await, [[sample("a", 1, 1.0), sample("a", 2, 4.0)]]);
}

#[tokio::test]
async fn what_is_known_of_metrics_goes_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    let known = Metadata {
        metric: "took".to_owned(),
        kind: MetricKind::Histogram,
        unit: "seconds".to_owned(),
        help: String::new(),
        original: "the.took".to_owned(),
    };
    let batch = Batch { metadata: std::slice::from_ref(&known), ..Batch::default() };
    assert_eq!(store.commit(&batch).appended, 0);
    let tables = [table("one", 1), table("two", 2)];
    let (outgoing, workers, buffer) = open(folder.path(), &tables, store).await;
    let histogram = Value::Histogram(Arc::new(NativeHistogram::default()));
    let labels = |name: &str| Labels::from_pairs([("__name__", name)]);
    outgoing.offer(vec![
        (labels("took"), 1, histogram),
        (labels("took_count"), 1, Value::Float(1.0)),
        (labels("other_count"), 1, Value::Float(1.0)),
    ]);
    write_all(workers).await;

    let sent = Metadata { original: String::new(), ..known };
    let request = buffer.first("one").await.unwrap().unwrap();
    let bytes = remote::unpack(&request.body, usize::MAX).unwrap();
    let message = Message::open(Protocol::V1, &bytes, 0).unwrap();
    let found: Vec<_> = message.metadata().map(Result::unwrap).collect();
    assert_eq!((request.samples, found), (0, vec![sent.clone()]));

    let request = buffer.first("two").await.unwrap().unwrap();
    let bytes = remote::unpack(&request.body, usize::MAX).unwrap();
    let message = Message::open(Protocol::V2, &bytes, 0).unwrap();
    let found: Vec<_> = message
        .series()
        .map(|series| {
            let series = series.unwrap();
            let labels = series.labels().unwrap();
            let said = series.metadata().unwrap();
            said.map(|said| said.for_metric(labels.metric_name().unwrap()))
        })
        .collect();
    assert_eq!(found, [Some(sent.clone()), Some(sent), None]);
}

#[tokio::test]
async fn samples_that_find_no_room_in_memory_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (outgoing, workers, buffer) = open(folder.path(), &[table("a", 1)], store()).await;
    for at in 0..MAX_WAITING_BATCHES as i64 + 3 {
        outgoing.offer(vec![row("m", at, 0.0)]);
    }
    assert_eq!(outgoing.endpoints[0].books.lost(Loss::QueueFull), 3);
    write_all(workers).await;
    let written: usize = waiting(&buffer, "a").await.iter().map(Vec::len).sum();
    assert_eq!(written, MAX_WAITING_BATCHES);
    assert_eq!(outgoing.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_restart_goes_on_and_forgets_endpoints_that_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let tables = [table("kept", 1), table("gone", 1)];
    let (outgoing, workers, _) = open(folder.path(), &tables, store()).await;
    outgoing.offer(vec![row("m", 1, 1.0)]);
    write_all(workers).await;

    let (outgoing, workers, buffer) = open(folder.path(), &tables[..1], store()).await;
    assert_eq!(outgoing.endpoints[0].books.backlog_samples.load(Ordering::Relaxed), 1);
    outgoing.offer(vec![row("m", 2, 2.0)]);
    write_all(workers).await;
    let sample = |at, value| ("m".to_owned(), at, value);
    assert_eq!(waiting(&buffer, "kept").await, [[sample(1, 1.0)], [sample(2, 2.0)]]);
    assert_eq!(waiting(&buffer, "gone").await, Vec::<Vec<_>>::new());

    let (outgoing, _, _) = open(folder.path(), &[], store()).await;
    assert!(!outgoing.is_enabled());
}
