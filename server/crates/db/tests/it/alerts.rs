use db::meta::alerts::{AlertCommit, InstanceRow, TransitionRow};

use crate::Stores;

fn instance(episode: &str, state: &str, active_at: i64, resolved_at: Option<i64>) -> InstanceRow {
    InstanceRow {
        episode: episode.into(),
        name: "HighLoad".into(),
        state: state.into(),
        active_at,
        resolved_at,
        body: "{}".into(),
    }
}

fn transition(episode: &str, at: i64, state: &str) -> TransitionRow {
    TransitionRow {
        episode: episode.into(),
        at,
        state: state.into(),
        value: 1.5,
        reason: String::new(),
    }
}

on_both_engines!(
    an_evaluation_is_committed_as_a_whole_or_not_at_all,
    live_instances_are_those_not_over_or_over_lately,
    history_grows_with_the_instance_and_goes_with_it,
    a_value_that_is_not_a_number_comes_back_as_such,
    old_episodes_are_forgotten,
);

async fn an_evaluation_is_committed_as_a_whole_or_not_at_all(stores: Stores) {
    let meta = &stores.meta;
    let bad = AlertCommit {
        instances: vec![instance("a", "pending", 1, None)],
        // The history of an episode that does not exist violates the foreign key.
        transitions: vec![transition("missing", 1, "pending")],
        ..AlertCommit::default()
    };
    meta.commit_alerts(&stores.lease, &bad).await.unwrap_err();
    assert_eq!(meta.live_instances(0).await.unwrap(), []);
}

async fn live_instances_are_those_not_over_or_over_lately(stores: Stores) {
    let commit = AlertCommit {
        instances: vec![
            instance("a", "firing", 1, None),
            instance("b", "resolved", 2, Some(50)),
            instance("c", "resolved", 3, Some(500)),
            instance("d", "pending", 4, None),
        ],
        ..AlertCommit::default()
    };
    stores.meta.commit_alerts(&stores.lease, &commit).await.unwrap();
    let stores = stores.reopen().await;
    let live = stores.meta.live_instances(100).await.unwrap();
    assert_eq!(live.iter().map(|i| &*i.episode).collect::<Vec<_>>(), ["a", "c", "d"]);
    let over = stores.meta.resolved_instances(1).await.unwrap();
    assert_eq!(over, [instance("c", "resolved", 3, Some(500))]);
}

async fn history_grows_with_the_instance_and_goes_with_it(stores: Stores) {
    let meta = &stores.meta;
    for (at, state) in [(1, "pending"), (5, "firing")] {
        let commit = AlertCommit {
            instances: vec![instance("a", state, 1, None)],
            transitions: vec![transition("a", at, state)],
            ..AlertCommit::default()
        };
        meta.commit_alerts(&stores.lease, &commit).await.unwrap();
    }
    let history = meta.transitions("a").await.unwrap();
    assert_eq!(history, [transition("a", 1, "pending"), transition("a", 5, "firing")]);
    let dropped = AlertCommit { dropped: vec!["a".into()], ..AlertCommit::default() };
    meta.commit_alerts(&stores.lease, &dropped).await.unwrap();
    assert_eq!(meta.transitions("a").await.unwrap(), []);
    assert_eq!(meta.instance("a").await.unwrap(), None);
}

async fn a_value_that_is_not_a_number_comes_back_as_such(stores: Stores) {
    let meta = &stores.meta;
    let commit = AlertCommit {
        instances: vec![instance("a", "firing", 1, None)],
        transitions: vec![TransitionRow { value: f64::NAN, ..transition("a", 1, "firing") }],
        ..AlertCommit::default()
    };
    meta.commit_alerts(&stores.lease, &commit).await.unwrap();
    assert!(meta.transitions("a").await.unwrap()[0].value.is_nan());
}

async fn old_episodes_are_forgotten(stores: Stores) {
    let meta = &stores.meta;
    let commit = AlertCommit {
        instances: vec![instance("a", "resolved", 1, Some(5)), instance("b", "firing", 1, None)],
        ..AlertCommit::default()
    };
    meta.commit_alerts(&stores.lease, &commit).await.unwrap();
    assert_eq!(meta.forget_instances(10).await.unwrap(), 1);
    assert_eq!(meta.instance("a").await.unwrap(), None);
    assert!(meta.instance("b").await.unwrap().is_some());
}
