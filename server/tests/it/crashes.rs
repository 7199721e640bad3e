//! `kill -9` again and again, at moments drawn by lot, while StatsD and remote write come in.
//!
//! 20 times by default; `BELLWETHER_TEST_KILLS` says how often, and `cargo xtask test --long` asks for
//! 200. `BELLWETHER_TEST_SEED` repeats the draw of a run whose seed was printed.

mod writers;

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{task::JoinSet, time::sleep};

use crate::support::{
    Folder, Server,
    remote_writer::{now, write},
};

const KILLS: u64 = 20;

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests asks for the long mode by it"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// What a sender of remote writes knows to be stored.
#[derive(Debug, Default)]
struct Acknowledged {
    /// The last value sent.
    sent: AtomicU64,
    /// The last value acknowledged.
    stored: AtomicU64,
}

/// Writes 1, 2, 3 …, each under a time of its own, until the server is gone. A value is sent again until
/// it is acknowledged.
async fn write_on(http: crate::support::http::Http, acknowledged: Arc<Acknowledged>, start: i64) {
    loop {
        let value = acknowledged.stored.load(Ordering::Relaxed) + 1;
        acknowledged.sent.store(value, Ordering::Relaxed);
        let row = ("written", start + value as i64, value as f64);
        if !write(&http, &[row]).await {
            return;
        }
        acknowledged.stored.store(value, Ordering::Relaxed);
    }
}

/// Checks that the series of remote write is 1, 2, 3 … without a gap or a repetition.
async fn expect_written(server: &Server, acknowledged: &Acknowledged, place: &str) {
    let stored = acknowledged.stored.load(Ordering::Relaxed);
    let sent = acknowledged.sent.load(Ordering::Relaxed);
    let answer = server.http.get("/api/v1/query?query=written[1d]").await.ok();
    let values = answer["data"]["result"][0]["values"].as_array().cloned().unwrap_or_default();
    let values: Vec<u64> =
        values.iter().map(|pair| pair[1].as_str().unwrap().parse().unwrap()).collect();
    let expected: Vec<u64> = (1..=values.len() as u64).collect();
    assert_eq!(values, expected, "{place}: every value once, in order");
    assert!(
        (stored..=sent).contains(&(values.len() as u64)),
        "{place}: {stored} were acknowledged"
    );
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a run that failed is repeated by its seed")]
async fn nothing_acknowledged_is_lost_or_there_twice_however_often_the_server_is_killed() {
    let kills = setting("BELLWETHER_TEST_KILLS").unwrap_or(KILLS);
    let seed = setting("BELLWETHER_TEST_SEED").unwrap_or_else(rand::random);
    eprintln!("{kills} kills, BELLWETHER_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = Folder::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let acknowledged = Arc::new(Acknowledged::default());
    // A write a millisecond later each: more than a thousand in a second would be ahead of the queries.
    let start = now() - 600_000;
    let mut server = Server::start(&folder).await;
    // What a query has shown of the counter, which is therefore stored.
    let mut seen = 0.0;
    for kill in 1..=kills {
        let place = format!("kill {kill}, seed {seed}");
        let mut writer = JoinSet::new();
        writer.spawn(write_on(server.http.clone(), Arc::clone(&acknowledged), start));
        let mut sent = seen;
        for _ in 0..dice.random_range(1..60) {
            sleep(Duration::from_millis(dice.random_range(1..30))).await;
            socket.send_to(b"jobs:1|c\nwork:7|ms", server.statsd).unwrap();
            sent += 1.0;
        }
        if dice.random_bool(0.5) {
            seen = server.value("jobs").await.unwrap_or(seen);
        }
        server.kill_9().await;
        writer.join_next().await.unwrap().unwrap();

        server = Server::start(&folder).await;
        expect_written(&server, &acknowledged, &place).await;
        let after = server.value("jobs").await.unwrap_or_default();
        assert!((seen..=sent).contains(&after), "{place}: {seen} <= {after} <= {sent}");
        seen = after;
    }
    let before = seen;
    server.send("jobs:1000|c");
    server.flushed().await;
    assert_eq!(server.value("jobs").await, Some(before + 1000.0), "the counter goes on");
    assert_eq!(server.value("resets(jobs[1d])").await, Some(0.0));
    let checked = folder.run(&["check", "--data", "data"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
