use db::meta::checks::{CheckCommit, CheckRow, CheckTransitionRow};

use crate::Stores;

fn check(id: &str, status: &str, at: i64) -> CheckRow {
    CheckRow {
        id: id.into(),
        name: "db.up".into(),
        host: "db-1".into(),
        tags: "{}".into(),
        status: status.into(),
        is_stale: false,
        message: "no answer".into(),
        since_at: at,
        heard_at: at,
    }
}

fn transition(check: &str, status: &str, at: i64) -> CheckTransitionRow {
    CheckTransitionRow {
        check: check.into(),
        at,
        status: status.into(),
        is_stale: status == "unknown",
        message: String::new(),
    }
}

on_both_engines!(
    the_latest_state_replaces_the_one_before_and_survives_a_restart,
    a_commit_is_all_or_nothing,
    the_history_is_bounded_by_age_and_by_number,
    a_forgotten_check_takes_its_history_with_it,
);

async fn the_latest_state_replaces_the_one_before_and_survives_a_restart(stores: Stores) {
    let first = CheckCommit {
        states: vec![check("a", "ok", 1), check("b", "ok", 1)],
        ..CheckCommit::default()
    };
    stores.meta.commit_checks(&first).await.unwrap();
    let stale = CheckRow { is_stale: true, heard_at: 1, ..check("a", "unknown", 9) };
    let second = CheckCommit { states: vec![stale.clone()], ..CheckCommit::default() };
    stores.meta.commit_checks(&second).await.unwrap();
    let stores = stores.reopen().await;
    assert_eq!(stores.meta.checks().await.unwrap(), [stale, check("b", "ok", 1)]);
}

async fn a_commit_is_all_or_nothing(stores: Stores) {
    let commit = CheckCommit {
        states: vec![check("a", "ok", 1)],
        transitions: vec![transition("missing", "ok", 1)],
        ..CheckCommit::default()
    };
    stores.meta.commit_checks(&commit).await.unwrap_err();
    assert_eq!(stores.meta.checks().await.unwrap(), []);
}

async fn the_history_is_bounded_by_age_and_by_number(stores: Stores) {
    let meta = &stores.meta;
    let commit = CheckCommit {
        states: vec![check("a", "ok", 1), check("b", "ok", 1)],
        transitions: (1..=5)
            .map(|at| transition("a", "ok", at))
            .chain([transition("b", "unknown", 1), transition("b", "ok", 4)])
            .collect(),
        removed: Vec::new(),
    };
    meta.commit_checks(&commit).await.unwrap();
    assert_eq!(
        meta.check_transitions("a", 2).await.unwrap(),
        [transition("a", "ok", 5), transition("a", "ok", 4)]
    );
    assert_eq!(meta.forget_check_transitions(2, 3).await.unwrap(), 3);
    let times = async |id: &str| -> Vec<i64> {
        let rows = meta.check_transitions(id, 100).await.unwrap();
        rows.iter().map(|row| row.at).collect()
    };
    assert_eq!(times("a").await, [5, 4, 3]);
    assert_eq!(times("b").await, [4]);
}

async fn a_forgotten_check_takes_its_history_with_it(stores: Stores) {
    let commit = CheckCommit {
        states: vec![check("a", "ok", 1)],
        transitions: vec![transition("a", "ok", 1)],
        removed: Vec::new(),
    };
    stores.meta.commit_checks(&commit).await.unwrap();
    let gone = CheckCommit { removed: vec!["a".into()], ..CheckCommit::default() };
    stores.meta.commit_checks(&gone).await.unwrap();
    assert_eq!(stores.meta.checks().await.unwrap(), []);
    assert_eq!(stores.meta.check_transitions("a", 9).await.unwrap(), []);
}
