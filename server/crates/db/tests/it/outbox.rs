use db::meta::{
    alerts::AlertCommit,
    outbox::{GroupLogRow, OutboxCounts, OutboxRow},
};

use crate::Stores;

fn row(id: &str, destination: &str, key: &str, seq: i64) -> OutboxRow {
    OutboxRow {
        id: id.into(),
        destination: destination.into(),
        kind: "webhook".into(),
        dedup_key: key.into(),
        seq,
        status: "firing".into(),
        payload: "{}".into(),
        created_at: seq,
        next_at: 10,
        episodes: vec!["episode".into()],
    }
}

async fn put(stores: &Stores, rows: Vec<OutboxRow>) {
    stores
        .meta
        .commit_alerts(&stores.lease, &AlertCommit { outbox: rows, ..AlertCommit::default() })
        .await
        .expect("commits");
}

async fn lease(stores: &Stores, now: i64) -> Vec<String> {
    let leased = stores.meta.lease_outbox(&stores.lease, now, now + 60, 10).await.expect("leases");
    leased.into_iter().map(|row| row.id).collect()
}

on_both_engines!(
    rows_of_one_key_go_in_order_and_others_do_not_wait,
    a_lease_that_ran_out_is_given_again,
    leases_of_a_process_that_died_are_taken_back,
    a_retry_waits_counts_and_keeps_the_error,
    a_dead_letter_is_visible_and_lets_the_next_pass,
    the_same_notification_is_refused_and_its_commit_with_it,
    a_group_log_is_overwritten,
    only_what_is_done_is_forgotten,
    a_key_may_be_long,
);

async fn rows_of_one_key_go_in_order_and_others_do_not_wait(stores: Stores) {
    let meta = &stores.meta;
    put(
        &stores,
        vec![row("a1", "hook", "a", 1), row("a2", "hook", "a", 2), row("b1", "hook", "b", 3)],
    )
    .await;
    assert_eq!(lease(&stores, 9).await, Vec::<String>::new());
    assert_eq!(lease(&stores, 10).await, ["a1", "b1"]);
    assert_eq!(lease(&stores, 11).await, Vec::<String>::new());
    meta.outbox_sent(&stores.lease, "a1", 12, "ref").await.unwrap();
    assert_eq!(lease(&stores, 12).await, ["a2"]);
}

async fn a_lease_that_ran_out_is_given_again(stores: Stores) {
    put(&stores, vec![row("a1", "hook", "a", 1)]).await;
    assert_eq!(lease(&stores, 10).await, ["a1"]);
    let stores = stores.reopen().await;
    assert_eq!(lease(&stores, 69).await, Vec::<String>::new());
    assert_eq!(lease(&stores, 70).await, ["a1"]);
}

async fn leases_of_a_process_that_died_are_taken_back(stores: Stores) {
    put(&stores, vec![row("a1", "hook", "a", 1), row("b1", "hook", "b", 2)]).await;
    assert_eq!(lease(&stores, 10).await, ["a1", "b1"]);
    stores.meta.outbox_sent(&stores.lease, "b1", 11, "").await.unwrap();
    let stores = stores.reopen().await;
    assert_eq!(stores.meta.take_over_outbox(&stores.lease).await.unwrap(), 1);
    assert_eq!(lease(&stores, 11).await, ["a1"], "what was sent stays sent");
}

async fn a_retry_waits_counts_and_keeps_the_error(stores: Stores) {
    let meta = &stores.meta;
    put(&stores, vec![row("a1", "hook", "a", 1)]).await;
    lease(&stores, 10).await;
    meta.outbox_retry(&stores.lease, "a1", 30, "status 500").await.unwrap();
    assert_eq!(lease(&stores, 29).await, Vec::<String>::new());
    let again = meta.lease_outbox(&stores.lease, 30, 90, 10).await.unwrap();
    assert_eq!((&*again[0].id, again[0].attempts), ("a1", 1));
    let delivery = &meta.deliveries("episode").await.unwrap()[0];
    assert_eq!((&*delivery.state, &*delivery.last_error), ("leased", "status 500"));
}

async fn a_dead_letter_is_visible_and_lets_the_next_pass(stores: Stores) {
    let meta = &stores.meta;
    put(&stores, vec![row("a1", "hook", "a", 1), row("a2", "hook", "a", 2)]).await;
    lease(&stores, 10).await;
    meta.outbox_dead(&stores.lease, "a1", "status 400").await.unwrap();
    assert_eq!(lease(&stores, 10).await, ["a2"]);
    assert_eq!(meta.dead_letters(10).await.unwrap()[0].last_error, "status 400");
    let counts = meta.outbox_counts().await.unwrap();
    assert_eq!(counts, OutboxCounts { oldest_pending: Some(2), pending: 1, sent: 0, dead: 1 });
}

async fn the_same_notification_is_refused_and_its_commit_with_it(stores: Stores) {
    let meta = &stores.meta;
    put(&stores, vec![row("a1", "hook", "a", 1)]).await;
    let twice = AlertCommit {
        outbox: vec![row("b1", "hook", "b", 1), row("other", "hook", "a", 1)],
        ..AlertCommit::default()
    };
    meta.commit_alerts(&stores.lease, &twice).await.unwrap_err();
    assert_eq!(meta.outbox_counts().await.unwrap().pending, 1);
}

async fn a_group_log_is_overwritten(stores: Stores) {
    let meta = &stores.meta;
    for at in [1, 2] {
        let log = GroupLogRow {
            group_key: "{}".into(),
            receiver: "ops".into(),
            at,
            body: format!("{at}"),
        };
        let commit = AlertCommit { group_logs: vec![log], ..AlertCommit::default() };
        meta.commit_alerts(&stores.lease, &commit).await.unwrap();
    }
    let logs = meta.group_logs().await.unwrap();
    assert_eq!((logs.len(), logs[0].at, &*logs[0].body), (1, 2, "2"));
}

async fn only_what_is_done_is_forgotten(stores: Stores) {
    let meta = &stores.meta;
    put(&stores, vec![row("a1", "hook", "a", 1), row("b1", "hook", "b", 2)]).await;
    meta.outbox_sent(&stores.lease, "a1", 5, "").await.unwrap();
    assert_eq!(meta.forget_notifications(100).await.unwrap(), 1);
    assert_eq!(meta.outbox_counts().await.unwrap().pending, 1);
}

async fn a_key_may_be_long(stores: Stores) {
    let meta = &stores.meta;
    // Not the same letter again and again, which a database would pack.
    let key: String =
        (0..20_000_u32).map(|i| char::from(b'a' + (i * i % 977 % 26) as u8)).collect();
    for at in [1, 2] {
        let log =
            GroupLogRow { group_key: key.clone(), receiver: "ops".into(), at, body: "{}".into() };
        let commit = AlertCommit {
            group_logs: vec![log],
            outbox: vec![row(&format!("a{at}"), "hook", &key, at)],
            ..AlertCommit::default()
        };
        meta.commit_alerts(&stores.lease, &commit).await.unwrap();
    }
    assert_eq!(meta.group_logs().await.unwrap().len(), 1);
    assert_eq!(lease(&stores, 10).await, ["a1"]);
    meta.commit_alerts(
        &stores.lease,
        &AlertCommit { outbox: vec![row("other", "hook", &key, 2)], ..AlertCommit::default() },
    )
    .await
    .unwrap_err();
}
