use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use model::Clock;
use proptest::prelude::*;
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, sleep},
};

use super::{
    memory::{MemoryOutbox, State},
    *,
};
use crate::{
    alert::tests::firing,
    config::WebhookConfig,
    notification::tests::notification,
    receivers::{Delivery, Receiver, Registry, webhook::Webhook},
    secret::SecretUrl,
};

/// Wall time that follows tokio's, which tests pause.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.0.elapsed().as_millis() as i64
    }
}

/// Answers as told, then `Done`; remembers what it was sent and how many at a time.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Delivery>>,
    takes: Duration,
    sent: Mutex<Vec<Notification>>,
    active: AtomicUsize,
    most_active: AtomicUsize,
}

impl Receiver for Scripted {
    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            let active = self.active.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_active.fetch_max(active, Ordering::SeqCst);
            sleep(self.takes).await;
            self.active.fetch_sub(1, Ordering::SeqCst);
            let answer = self.answers.lock().unwrap().pop_front();
            let answer = answer.unwrap_or(Delivery::Done { provider_ref: None });
            if matches!(answer, Delivery::Done { .. }) {
                self.sent.lock().unwrap().push(notification.clone());
            }
            answer
        })
    }
}

fn row(id: u128, key: &str, seq: i64) -> NewRow {
    let mut notification = notification(vec![firing("alertname=x", 0)]);
    notification.id = Uuid::from_u128(id);
    notification.group_key = key.to_owned();
    notification.at = 0;
    NewRow::new(&notification, seq)
}

fn retry(reason: &str) -> Delivery {
    Delivery::Retry { reason: reason.to_owned(), after: None }
}

fn options() -> WorkerOptions {
    WorkerOptions { random: || 0.5, ..WorkerOptions::default() }
}

struct Bench {
    store: Arc<MemoryOutbox>,
    receiver: Arc<Scripted>,
    clock: Arc<TokioClock>,
}

impl Bench {
    fn new(receiver: Scripted) -> Self {
        Self {
            store: Arc::default(),
            receiver: Arc::new(receiver),
            clock: Arc::new(TokioClock(Instant::now())),
        }
    }

    fn worker(&self, options: WorkerOptions) -> Worker {
        let mut registry = Registry::default();
        registry.insert("team/webhook/0", Arc::clone(&self.receiver) as _);
        Worker::new(Arc::clone(&self.store) as _, registry, Arc::clone(&self.clock) as _, options)
    }

    fn sent(&self) -> Vec<u128> {
        self.receiver.sent.lock().unwrap().iter().map(|n| n.id.as_u128()).collect()
    }

    fn states(&self) -> Vec<State> {
        self.store.rows().into_iter().map(|(_, state)| state).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_delivered_in_order_and_a_failure_holds_only_its_own_key() {
    let bench = Bench::new(Scripted::default());
    bench.receiver.answers.lock().unwrap().push_back(retry("busy"));
    for new in [row(3, "a", 3), row(1, "a", 1), row(2, "a", 2), row(9, "b", 1)] {
        bench.store.insert(new);
    }
    bench.worker(options()).run(sleep(Duration::from_secs(5))).await;
    assert_eq!(bench.sent(), [9, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_step_tries_each_due_row_once() {
    let bench = Bench::new(Scripted::default());
    bench.receiver.answers.lock().unwrap().push_back(retry("busy"));
    bench.store.insert(row(1, "a", 1));
    let worker = bench.worker(options());
    assert_eq!(worker.step().await, Ok(1));
    assert_eq!(worker.step().await, Ok(0));
    let (waiting, state) = bench.store.rows().remove(0);
    assert_eq!((waiting.attempts, waiting.next_at, state), (1, 500, State::Waiting));
    assert_eq!(worker.counts(), Counts { retried: 1, ..Counts::default() });
    let stats = bench.store.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.oldest_waiting), (1, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_is_kept_as_dead_with_its_reason() {
    let bench = Bench::new(Scripted::default());
    let rejected = Delivery::Rejected { reason: "answered 404".to_owned() };
    bench.receiver.answers.lock().unwrap().push_back(rejected);
    let mut elsewhere = row(2, "b", 1);
    elsewhere.destination = "gone/webhook/0".to_owned();
    let mut damaged = row(3, "c", 1);
    damaged.payload = serde_json::json!({"id": 7});
    for new in [row(1, "a", 1), elsewhere, damaged] {
        bench.store.insert(new);
    }
    let worker = bench.worker(options());
    worker.step().await.unwrap();
    let reasons: Vec<String> = bench
        .states()
        .into_iter()
        .map(|state| if let State::Dead(reason) = state { reason } else { format!("{state:?}") })
        .collect();
    for (reason, expected) in
        reasons.iter().zip(["no longer configured", "answered 404", "is damaged"])
    {
        assert!(reason.contains(expected), "{reason}");
    }
    assert_eq!(worker.counts().dead, 3);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_fails_for_too_long_is_given_up() {
    let bench = Bench::new(Scripted::default());
    bench.receiver.answers.lock().unwrap().extend((0..100).map(|_| retry("down")));
    bench.store.insert(row(1, "a", 1));
    let options = WorkerOptions { give_up_after: Duration::from_hours(1), ..options() };
    bench.worker(options).run(sleep(Duration::from_hours(2))).await;
    let [State::Dead(reason)] = &bench.states()[..] else { panic!("{:?}", bench.states()) };
    assert!(reason.starts_with("given up after 1h") && reason.ends_with(": down"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_never_ends_is_cut_off_and_repeated() {
    let bench = Bench::new(Scripted { takes: Duration::from_hours(1), ..Scripted::default() });
    bench.store.insert(row(1, "a", 1));
    let worker = bench.worker(options());
    worker.step().await.unwrap();
    assert_eq!(bench.clock.now(), 30_000);
    assert_eq!((bench.states(), worker.counts().retried), (vec![State::Waiting], 1));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_sent_at_a_time() {
    let bench = Bench::new(Scripted { takes: Duration::from_millis(100), ..Scripted::default() });
    for i in 0..20 {
        bench.store.insert(row(i, &format!("key {i}"), 1));
    }
    let options = WorkerOptions { concurrency: 3, ..options() };
    bench.worker(options).run(sleep(Duration::from_secs(5))).await;
    assert_eq!(bench.sent().len(), 20);
    assert_eq!(bench.receiver.most_active.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_attempts_finish_for_a_while() {
    for (takes, finished) in [(5, 1), (20, 0)] {
        let bench =
            Bench::new(Scripted { takes: Duration::from_secs(takes), ..Scripted::default() });
        bench.store.insert(row(1, "a", 1));
        bench.worker(options()).run(sleep(Duration::from_secs(1))).await;
        assert_eq!(bench.sent().len(), finished, "an attempt of {takes} s");
        assert_eq!(bench.clock.now(), if finished == 1 { 5_000 } else { 11_000 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_row_need_not_wait_for_the_poll() {
    let bench = Bench::new(Scripted::default());
    let options = WorkerOptions { poll_interval: Duration::from_hours(1), ..options() };
    let worker = bench.worker(options);
    let wake = worker.wake_handle();
    let write = async {
        sleep(Duration::from_secs(5)).await;
        bench.store.insert(row(1, "a", 1));
        wake.wake();
        sleep(Duration::from_secs(1)).await;
    };
    worker.run(write).await;
    assert_eq!(bench.sent(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_death_between_sending_and_marking_repeats_the_same_id() {
    let bench = Bench::new(Scripted::default());
    bench.store.insert(row(1, "a", 1));
    bench.store.insert(row(2, "a", 2));
    bench.store.fail_next_marks(1);
    bench.worker(options()).step().await.unwrap();
    // The process starts again; the lease still holds both back.
    let worker = bench.worker(options());
    assert_eq!(worker.step().await, Ok(0));
    worker.run(sleep(Duration::from_secs(62))).await;
    assert_eq!(bench.sent(), [1, 1, 2]);
}

/// A receiver with a bug.
#[derive(Debug)]
struct Broken;

impl Receiver for Broken {
    fn send<'a>(&'a self, _notification: &'a Notification) -> BoxFuture<'a, Delivery> {
        Box::pin(async { panic!("a bug in a receiver") })
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a bug in a receiver")]
async fn a_panic_of_a_receiver_is_the_workers_own() {
    let bench = Bench::new(Scripted::default());
    let worker = bench.worker(options());
    let mut registry = Registry::default();
    registry.insert("team/webhook/0", Arc::new(Broken));
    worker.set_registry(registry);
    bench.store.insert(row(1, "a", 1));
    worker.run(sleep(Duration::from_secs(5))).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever receivers answer and whenever marking fails: nothing is lost, nothing is sent more
    /// often than marking failed, and every key arrives in order.
    #[test]
    fn property_nothing_is_lost_and_order_is_kept(
        keys in proptest::collection::vec(0..3_u8, 1..12),
        answers in proptest::collection::vec(any::<bool>(), 0..20),
        failing_marks in 0..5_usize,
        concurrency in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (sent, states) = runtime.block_on(async {
            let bench = Bench::new(Scripted::default());
            let answers = answers
                .iter()
                .map(|ok| if *ok { Delivery::Done { provider_ref: None } } else { retry("no") });
            bench.receiver.answers.lock().unwrap().extend(answers);
            for (i, key) in keys.iter().enumerate() {
                bench.store.insert(row(i as u128, &key.to_string(), i as i64));
            }
            bench.store.fail_next_marks(failing_marks);
            let options = WorkerOptions { concurrency, ..options() };
            // Two lives of the process, the second after every lease has run out.
            bench.worker(options.clone()).run(sleep(Duration::from_secs(2))).await;
            bench.worker(options).run(sleep(Duration::from_hours(3))).await;
            (bench.sent(), bench.states())
        });
        prop_assert!(states.iter().all(|state| matches!(state, State::Sent(_))), "{:?}", states);
        prop_assert!(sent.len() <= keys.len() + failing_marks);
        let mut arrived: BTreeMap<u8, Vec<u128>> = BTreeMap::new();
        for id in sent {
            arrived.entry(keys[id as usize]).or_default().push(id);
        }
        prop_assert!(arrived.values().all(|ids| ids.is_sorted()), "{:?}", arrived);
    }
}

/// What a test server answers; `None` is never.
type Answers = Vec<Option<&'static str>>;

/// An HTTP server that notes when it was asked and under which id.
async fn server(answers: Answers, listener: TcpListener, log: Arc<Mutex<Vec<(i64, String)>>>) {
    let start = Instant::now();
    let mut unanswered = Vec::new();
    for answer in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"}") {
            stream.read_buf(&mut bytes).await.unwrap();
        }
        let text = String::from_utf8(bytes).unwrap();
        let id = text.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap();
        log.lock().unwrap().push((start.elapsed().as_millis() as i64, id.to_owned()));
        match answer {
            Some(head) => {
                let end = "content-length: 0\r\nconnection: close\r\n\r\n";
                let answer = format!("HTTP/1.1 {head}\r\n{end}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            None => unanswered.push(stream),
        }
    }
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_webhook_is_tried_until_it_accepts_and_waits_as_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let webhook = WebhookConfig::new(SecretUrl::parse(&url).unwrap());
    let bench = Bench::new(Scripted::default());
    let worker =
        bench.worker(WorkerOptions { poll_interval: Duration::from_millis(100), ..options() });
    let mut registry = Registry::default();
    registry.insert("team/webhook/0", Arc::new(Webhook::try_new(&webhook).unwrap()));
    worker.set_registry(registry);
    bench.store.insert(row(1, "a", 1));
    let log = Arc::new(Mutex::new(Vec::new()));
    let answers = vec![
        Some("500 Internal Server Error"),
        Some("429 Too Many Requests\r\nretry-after: 7"),
        None,
        Some("200 OK"),
    ];
    tokio::select! {
        () = worker.run(sleep(Duration::from_mins(1))) => {}
        () = server(answers, listener, Arc::clone(&log)) => unreachable!(),
    }
    assert_eq!(bench.states(), [State::Sent(None)]);
    let log = log.lock().unwrap();
    assert!(log.iter().all(|(_, id)| *id == Uuid::from_u128(1).to_string()));
    // Half of 1 s; the 7 s asked for and half of 2 s; the timeout of 10 s and half of 4 s. Each is
    // noticed at the next poll.
    let waits: Vec<i64> = log.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    for (wait, expected) in waits.iter().zip([500, 8_000, 12_000]) {
        assert!((expected..=expected + 200).contains(wait), "{waits:?}");
    }
    assert_eq!(waits.len(), 3);
}
