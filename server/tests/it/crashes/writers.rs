//! Several senders of remote write at once, each with many series in a request.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{task::JoinSet, time::sleep};

use super::{Acknowledged, setting};
use crate::{
    postgres::keep_in,
    support::{
        Folder, Server,
        http::Http,
        postgres::Postgres,
        remote_writer::{now, write},
    },
};

const KILLS: u64 = 6;
const KILLS_ON_POSTGRES: u64 = 3;
const WRITERS: u64 = 4;
const SERIES: u64 = 300;
/// Between the samples of a series.
const STEP_MS: i64 = 20;
/// Rounds read in one query, so that its answer stays small.
const ROUNDS_PER_LOOK: u64 = 100;

/// What a writer sends for a series in a round; no two are equal.
fn value(writer: u64, series: u64, round: u64) -> f64 {
    (round * SERIES + series) as f64 + writer as f64 / 8.0
}

fn name(writer: u64, series: u64) -> String {
    format!("bulk_{writer}_{series:03}")
}

fn time(start: i64, round: u64) -> i64 {
    start + round as i64 * STEP_MS
}

/// Writes round after round until the server is gone. A round is sent again until it is acknowledged.
async fn write_rounds(http: Http, writer: u64, acknowledged: Arc<Acknowledged>, start: i64) {
    let names: Vec<String> = (0..SERIES).map(|series| name(writer, series)).collect();
    loop {
        let round = acknowledged.stored.load(Ordering::Relaxed) + 1;
        acknowledged.sent.store(round, Ordering::Relaxed);
        let rows: Vec<_> = names
            .iter()
            .zip(0..)
            .map(|(name, series)| (&**name, time(start, round), value(writer, series, round)))
            .collect();
        if !write(&http, &rows).await {
            return;
        }
        acknowledged.stored.store(round, Ordering::Relaxed);
    }
}

/// Checks that each series has every round after `from` that was acknowledged, with its value, and that the
/// one that was under way is in all of them or in none.
async fn expect_rounds(server: &Server, writer: u64, from: u64, sent: &Sent, place: &str) {
    let place = format!("{place}, writer {writer}");
    let mut next = from;
    while next < sent.last {
        let until = sent.last.min(next + ROUNDS_PER_LOOK);
        let range_ms = (until - next) as i64 * STEP_MS;
        let at = time(sent.start, until) as f64 / 1e3;
        let query = format!("{{__name__=~\"bulk_{writer}_.*\"}}[{range_ms}ms]");
        let answer =
            server.http.get(&format!("/api/v1/query?query={query}&time={at:.3}")).await.ok();
        let found = answer["data"]["result"].as_array().unwrap();
        let mut lasts = BTreeSet::new();
        let mut names = BTreeSet::new();
        for series in found {
            let name = series["metric"]["__name__"].as_str().unwrap().to_owned();
            let number: u64 = name.rsplit('_').next().unwrap().parse().unwrap();
            let values = series["values"].as_array().unwrap();
            for (pair, round) in values.iter().zip(next + 1..) {
                let at = (pair[0].as_f64().unwrap() * 1e3).round() as i64;
                let stored: f64 = pair[1].as_str().unwrap().parse().unwrap();
                let expected = (time(sent.start, round), value(writer, number, round));
                assert_eq!((at, stored), expected, "{place}, {name}: round {round}");
            }
            lasts.insert(next + values.len() as u64);
            names.insert(name);
        }
        if sent.stored > next {
            let all: BTreeSet<String> = (0..SERIES).map(|series| name(writer, series)).collect();
            assert_eq!(names, all, "{place}: rounds from {next}");
        }
        assert!(lasts.len() <= 1, "{place}: a request was stored in part: {lasts:?}");
        let last = lasts.first().copied().unwrap_or(next);
        assert!(
            (sent.stored.min(until)..=until).contains(&last),
            "{place}: {} were acknowledged, {last} are there",
            sent.stored
        );
        next = until;
    }
}

/// What a writer has sent.
struct Sent {
    start: i64,
    /// The last round that was acknowledged.
    stored: u64,
    /// The last round that was sent.
    last: u64,
}

impl Sent {
    fn of(acknowledged: &Acknowledged, start: i64) -> Self {
        Self {
            start,
            stored: acknowledged.stored.load(Ordering::Relaxed),
            last: acknowledged.sent.load(Ordering::Relaxed),
        }
    }
}

#[expect(clippy::print_stderr, reason = "a run that failed is repeated by its seed")]
async fn kill_while_many_write(folder: &Folder, kills: u64) {
    let kills = setting("BELLWETHER_TEST_KILLS").unwrap_or(kills);
    let seed = setting("BELLWETHER_TEST_SEED").unwrap_or_else(rand::random);
    eprintln!("{kills} kills, BELLWETHER_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let start = now() - 600_000;
    let books: Vec<Arc<Acknowledged>> = (0..WRITERS).map(|_| Arc::default()).collect();
    let mut server = Server::start(folder).await;
    for kill in 1..=kills {
        let place = format!("kill {kill}, seed {seed}");
        let before: Vec<Sent> = books.iter().map(|book| Sent::of(book, start)).collect();
        let mut writers = JoinSet::new();
        for (writer, book) in (0..).zip(&books) {
            writers.spawn(write_rounds(server.http.clone(), writer, Arc::clone(book), start));
        }
        sleep(Duration::from_millis(dice.random_range(1..600))).await;
        server.kill_9().await;
        while let Some(ended) = writers.join_next().await {
            ended.unwrap();
        }
        server = Server::start(folder).await;
        for ((writer, book), before) in (0..).zip(&books).zip(before) {
            expect_rounds(&server, writer, before.stored, &Sent::of(book, start), &place).await;
        }
    }
    // What was there after one restart is there after all of them.
    let mut written = 0;
    for (writer, book) in (0..).zip(&books) {
        let sent = Sent::of(book, start);
        expect_rounds(&server, writer, 0, &sent, &format!("the end, seed {seed}")).await;
        written += sent.stored;
    }
    assert!(written > 0, "nothing was acknowledged");
    let (status, log) = server.terminate().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn every_acknowledged_sample_of_many_writers_is_there_after_each_kill_9() {
    let folder = Folder::new();
    kill_while_many_write(&folder, KILLS).await;
    let checked = folder.run(&["check", "--data", "data"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[tokio::test]
async fn every_acknowledged_sample_of_many_writers_is_in_postgresql_after_each_kill_9() {
    let postgres = Postgres::start().await;
    let folder = Folder::new();
    keep_in(&folder, &postgres, &postgres.url(), "");
    kill_while_many_write(&folder, KILLS_ON_POSTGRES).await;
}
