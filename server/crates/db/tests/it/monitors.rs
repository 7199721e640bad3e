use db::meta::monitors::{BeatRow, IntervalRow, LedgerCommit, MonitorStateRow};

use crate::Stores;

fn interval(start_at: i64, end_at: Option<i64>, state: &str) -> IntervalRow {
    IntervalRow {
        monitor: "web".into(),
        start_at,
        end_at,
        state: state.into(),
        reason: String::new(),
    }
}

on_both_engines!(
    a_retro_dated_change_is_one_commit,
    old_intervals_are_forgotten_and_the_open_one_stays,
    heartbeats_wait_until_they_are_taken_in,
);

async fn a_retro_dated_change_is_one_commit(stores: Stores) {
    let first = LedgerCommit {
        intervals: vec![interval(0, Some(100), "up"), interval(100, None, "degraded")],
        states: vec![MonitorStateRow { monitor: "web".into(), body: "1".into() }],
        ..LedgerCommit::default()
    };
    stores.meta.commit_ledger(&stores.lease, &first).await.unwrap();
    let second = LedgerCommit {
        removed: vec![("web".into(), 100)],
        intervals: vec![interval(0, Some(90), "up"), interval(90, None, "down")],
        states: vec![MonitorStateRow { monitor: "web".into(), body: "2".into() }],
        ..LedgerCommit::default()
    };
    stores.meta.commit_ledger(&stores.lease, &second).await.unwrap();
    let stores = stores.reopen().await;
    assert_eq!(stores.meta.intervals(0).await.unwrap(), second.intervals);
    assert_eq!(stores.meta.intervals(90).await.unwrap(), [interval(90, None, "down")]);
    assert_eq!(stores.meta.monitor_states().await.unwrap(), second.states);
}

async fn old_intervals_are_forgotten_and_the_open_one_stays(stores: Stores) {
    let commit = LedgerCommit {
        intervals: vec![
            interval(0, Some(10), "up"),
            interval(10, Some(90), "down"),
            interval(90, None, "up"),
        ],
        ..LedgerCommit::default()
    };
    stores.meta.commit_ledger(&stores.lease, &commit).await.unwrap();
    assert_eq!(stores.meta.forget_intervals(50).await.unwrap(), 1);
    assert_eq!(stores.meta.intervals(0).await.unwrap(), commit.intervals[1..]);
}

async fn heartbeats_wait_until_they_are_taken_in(stores: Stores) {
    for (at, is_up) in [(5, true), (4, false)] {
        let message = "disk full".to_owned();
        let beat = BeatRow { id: 0, at, token: "secret".to_owned(), is_up, message };
        stores.meta.add_beat(&beat).await.unwrap();
    }
    let waiting = stores.meta.waiting_beats().await.unwrap();
    let seen: Vec<(i64, bool, &str)> =
        waiting.iter().map(|beat| (beat.at, beat.is_up, &*beat.message)).collect();
    assert_eq!(seen, [(5, true, "disk full"), (4, false, "disk full")]);
    let taken = LedgerCommit { beats: vec![waiting[0].id], ..LedgerCommit::default() };
    stores.meta.commit_ledger(&stores.lease, &taken).await.unwrap();
    assert_eq!(stores.meta.waiting_beats().await.unwrap(), waiting[1..]);
}
