use std::time::Duration;

use db::{
    DbError, Lease, Takeover,
    meta::{alerts::AlertCommit, monitors::LedgerCommit},
};

use crate::{Stores, stores::HOUR};

/// Has run out when it is looked at next.
const NO_TIME: Duration = Duration::ZERO;

async fn take(stores: &Stores, names: &[&str], holder: &str, lasts: Duration) -> Vec<Lease> {
    let taken = stores.meta.take_leases(names, holder, lasts, Takeover::WhenExpired).await;
    taken.expect("asks").into_iter().map(|taken| taken.lease).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "callers have no use for a result that failed")]
fn is_taken_over<T: std::fmt::Debug>(result: Result<T, DbError>) -> bool {
    matches!(result, Err(DbError::TakenOver { .. }))
}

on_both_engines!(
    a_lease_has_one_holder_until_it_runs_out,
    a_lease_that_ran_out_is_renewed_unless_somebody_took_it,
    what_is_given_back_is_free_at_once,
    a_holder_known_to_be_dead_is_not_waited_for,
    nothing_is_written_with_a_lease_that_was_taken_over,
    samples_are_refused_from_a_node_that_was_taken_over,
    of_two_that_ask_one_gets_all,
);

async fn a_lease_has_one_holder_until_it_runs_out(stores: Stores) {
    let first = take(&stores, &["rules"], "a", HOUR).await;
    assert_eq!(first[0].token, 1);
    assert_eq!(take(&stores, &["rules"], "b", HOUR).await, []);
    assert_eq!(stores.meta.renew_leases(&first, NO_TIME).await.unwrap(), [true]);
    let second = take(&stores, &["rules"], "b", HOUR).await;
    assert_eq!(second[0].token, 2);
    assert_eq!(stores.meta.renew_leases(&first, HOUR).await.unwrap(), [false]);
    let rows = stores.meta.leases().await.unwrap();
    let row = rows.iter().find(|row| row.name == "rules").unwrap();
    assert_eq!((&*row.holder, row.token), ("b", 2));
    assert!(row.lasts.is_some_and(|lasts| lasts <= HOUR), "{row:?}");
}

async fn a_lease_that_ran_out_is_renewed_unless_somebody_took_it(stores: Stores) {
    let leases = take(&stores, &["outbox", "rules"], "a", NO_TIME).await;
    take(&stores, &["rules"], "b", HOUR).await;
    assert_eq!(stores.meta.renew_leases(&leases, HOUR).await.unwrap(), [true, false]);
    assert_eq!(take(&stores, &["outbox"], "b", HOUR).await, []);
}

async fn what_is_given_back_is_free_at_once(stores: Stores) {
    let leases = take(&stores, &["rules"], "a", HOUR).await;
    stores.meta.return_leases(&leases).await.unwrap();
    let taken = stores.meta.take_leases(&["rules"], "b", HOUR, Takeover::WhenExpired).await;
    let taken = taken.unwrap();
    assert_eq!(taken[0].lease.token, 2);
    assert!(taken[0].renewed_at.is_some_and(|at| at > 0), "{taken:?}");
    stores.meta.return_leases(&leases).await.unwrap();
    assert_eq!(take(&stores, &["rules"], "c", HOUR).await, [], "only the holder gives back");
}

async fn a_holder_known_to_be_dead_is_not_waited_for(stores: Stores) {
    take(&stores, &["rules"], "a", HOUR).await;
    let taken = stores.meta.take_leases(&["rules"], "b", HOUR, Takeover::AtOnce).await.unwrap();
    assert_eq!(taken[0].lease.token, 2);
}

async fn nothing_is_written_with_a_lease_that_was_taken_over(stores: Stores) {
    let meta = &stores.meta;
    let old = take(&stores, &["rules"], "a", NO_TIME).await.remove(0);
    meta.commit_alerts(&old, &AlertCommit::default()).await.unwrap();
    take(&stores, &["rules"], "b", HOUR).await;
    assert!(is_taken_over(meta.commit_alerts(&old, &AlertCommit::default()).await));
    assert!(is_taken_over(meta.commit_ledger(&old, &LedgerCommit::default()).await));
    assert!(is_taken_over(meta.lease_outbox(&old, 0, 1, 1).await));
    assert!(is_taken_over(meta.take_over_outbox(&old).await));
    assert!(is_taken_over(meta.outbox_sent(&old, "x", 1, "").await));
    assert!(is_taken_over(meta.outbox_retry(&old, "x", 1, "").await));
    assert!(is_taken_over(meta.outbox_dead(&old, "x", "").await));
}

async fn samples_are_refused_from_a_node_that_was_taken_over(stores: Stores) {
    // In files the two stores are apart, and only one process opens them.
    if stores.is_in_files() {
        return;
    }
    let old = take(&stores, &["node/a"], "a", NO_TIME).await.remove(0);
    let samples = stores.samples.as_node(1, old);
    let frame = db::samples::FrameRow { seq: 1, epoch: 1, timestamp: 1, bytes: vec![1] };
    samples.append_frame(&frame).await.unwrap();
    take(&stores, &["node/a"], "b", HOUR).await;
    assert!(is_taken_over(samples.append_frame(&frame).await));
    assert!(is_taken_over(samples.change_blocks(None, &[], 1).await));
    assert!(is_taken_over(samples.delete_pages(1).await));
}

async fn of_two_that_ask_one_gets_all(stores: Stores) {
    let names = ["rules", "monitors", "outbox"];
    let turned = ["outbox", "monitors", "rules"];
    let (one, two) =
        tokio::join!(take(&stores, &names, "a", HOUR), take(&stores, &turned, "b", HOUR));
    assert_eq!([one.len(), two.len()].into_iter().max(), Some(3));
    assert_eq!(one.len() + two.len(), 3);
}
