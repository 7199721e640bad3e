use std::collections::BTreeMap;

use model::ManualClock;
use tempfile::TempDir;

use super::*;

struct Fixture {
    _folder: TempDir,
    meta: Meta,
    events: Events,
    live: broadcast::Receiver<LiveEvent>,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let meta = Meta::open(&folder.path().join("meta.db")).await.unwrap();
    let (live, receiver) = broadcast::channel(16);
    let events = Events::restore(Parts {
        meta: meta.clone(),
        live,
        outside: Arc::default(),
        books: Arc::default(),
        clock: Arc::new(ManualClock::new(50)),
        checks: BoardOptions { ttl_ms: 100, max_checks: 10 },
    })
    .await
    .unwrap();
    Fixture { _folder: folder, meta, events, live: receiver }
}

fn event(title: &str) -> Incoming {
    Incoming::Event(EventRow {
        at: 1,
        title: title.into(),
        alert_type: "info".into(),
        priority: "normal".into(),
        ..EventRow::default()
    })
}

fn report(status: CheckStatus) -> Incoming {
    Incoming::Report(Report {
        name: "db".into(),
        host: String::new(),
        tags: BTreeMap::new(),
        status,
        message: String::new(),
        at: 10,
    })
}

async fn run(events: &Events, waiting: Vec<Incoming>) {
    let (sender, queue) = mpsc::channel(16);
    for incoming in waiting {
        sender.try_send(incoming).unwrap();
    }
    let stop = CancellationToken::new();
    stop.cancel();
    events.run(queue, stop).await;
}

#[tokio::test]
async fn what_is_in_the_queue_at_the_end_is_stored_and_told() {
    let mut fixture = fixture().await;
    let waiting = vec![event("a"), report(CheckStatus::Critical), event("b")];
    run(&fixture.events, waiting).await;
    let search = super::super::search(&[], |_| None).unwrap();
    let found = fixture.events.search(&search).await.unwrap();
    assert_eq!(found.iter().map(|event| &*event.title).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(fixture.events.books().stored(), 2);
    let check = fixture.events.checks().remove(0);
    let detail = fixture.events.check(&check.id).await.unwrap().unwrap();
    assert_eq!((detail.check, detail.transitions.len()), (check.clone(), 1));
    assert_eq!(fixture.events.check("none").await.unwrap(), None);
    let told = [fixture.live.try_recv().unwrap(), fixture.live.try_recv().unwrap()];
    let expected = [
        LiveEvent::Check { at_ms: 10, id: check.id, name: "db".into(), to: CheckStatus::Critical },
        LiveEvent::Events { at_ms: 50, count: 2 },
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_could_not_be_written_until_the_end_is_counted() {
    let fixture = fixture().await;
    fixture.meta.close().await;
    run(&fixture.events, vec![event("a"), report(CheckStatus::Ok)]).await;
    let books = fixture.events.books();
    assert_eq!((books.lost(Loss::NotWritten), books.write_errors(), books.stored()), (1, 1, 0));
    assert!(fixture.events.is_failing());
    // The state is still there, for pages and rules.
    assert_eq!(fixture.events.check_counts()[0], (CheckStatus::Ok, 1));
}
