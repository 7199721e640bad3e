use super::*;
use crate::{
    alert::{EpisodeId, Reason},
    group::tests::{World, specs},
};

const MINUTE: i64 = 60_000;

fn flush(set: &mut RuleSet, world: &World, timestamp: Timestamp) -> Changes {
    let mut changes = Changes::default();
    for evaluation in set.evaluate_due(timestamp, world, world, &Expander::default()) {
        changes.append(evaluation.changes);
    }
    changes
}

fn one_group(rule: &str) -> Vec<GroupSpec> {
    specs(&format!("groups:\n- name: g\n  rules:\n  - {rule}\n"))
}

fn firing_world() -> World {
    let mut world = World::default();
    world.answer("raw", &[("a", 1.0)]);
    world
}

#[test]
fn groups_without_an_interval_run_at_every_flush_and_others_in_their_slots() {
    let mut set = RuleSet::new(specs(
        "groups:
- name: often
  rules: [{record: r, expr: raw}]
- name: seldom
  interval: 1m
  rules: [{record: s, expr: raw}]
",
    ));
    let counts: Vec<usize> = (0..13).map(|i| set.due(600_000 + i * 10_000).len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 13 + 2);
    assert_eq!(counts[0], 1);
}

#[test]
fn equal_groups_go_on_untouched_by_a_reload() {
    let rule = "{alert: A, expr: raw, for: 5m}";
    let mut set = RuleSet::new(one_group(rule));
    let world = firing_world();
    flush(&mut set, &world, 0);
    let moved = specs(&format!("# a line more\ngroups:\n- name: g\n  rules:\n  - {rule}\n"));
    let reload = set.reload(moved, MINUTE);
    assert_eq!((reload.unchanged, reload.changed, reload.added, reload.removed), (1, 0, 0, 0));
    assert!(reload.changes.is_empty());
    assert_eq!(set.groups()[0].spec().position.line, 3, "its place is the new one");
    assert_eq!(flush(&mut set, &world, 5 * MINUTE).transitions[0].reason, Reason::HoldOver);
}

#[test]
fn rules_of_equal_name_and_labels_keep_their_state_when_a_group_changes() {
    let mut set = RuleSet::new(one_group("{alert: A, expr: raw, for: 5m}"));
    let mut world = firing_world();
    world.answer("raw + 0", &[("a", 1.0)]);
    flush(&mut set, &world, 0);
    let changed = "{record: x, expr: other}\n  - {alert: A, expr: raw + 0, for: 2m}";
    let reload = set.reload(one_group(changed), MINUTE);
    assert_eq!((reload.unchanged, reload.changed), (0, 1));
    let changes = flush(&mut set, &world, 2 * MINUTE);
    assert_eq!(changes.instances[0].active_at, 0);
    assert_eq!(changes.transitions[0].reason, Reason::HoldOver);
}

#[test]
fn alerts_of_rules_that_are_gone_are_resolved_and_their_series_end() {
    for (name, after, is_group_gone) in [
        ("the group is gone", Vec::new(), true),
        ("the rule is gone", one_group("{alert: B, expr: none}"), false),
        ("its labels changed", one_group("{alert: A, expr: none, labels: {a: b}}"), false),
    ] {
        let mut set = RuleSet::new(one_group("{alert: A, expr: raw}"));
        let world = firing_world();
        flush(&mut set, &world, 0);
        let reload = set.reload(after, MINUTE);
        assert_eq!(reload.removed, usize::from(is_group_gone), "{name}");
        let [transition] = reload.changes.transitions.as_slice() else { panic!("{reload:?}") };
        assert_eq!((transition.to, transition.reason), (State::Resolved, Reason::RuleRemoved));
        assert_eq!(reload.changes.instances[0].resolved_at, Some(MINUTE), "{name}");
        assert_eq!(world.live().len(), 2, "{name}");
        flush(&mut set, &world, MINUTE);
        assert!(world.live().is_empty(), "{name}: {:?}", world.live());
    }
}

#[test]
fn a_series_that_another_rule_takes_up_does_not_end() {
    let mut set = RuleSet::new(one_group("{record: r, expr: raw}"));
    let world = firing_world();
    flush(&mut set, &world, 0);
    let other = "groups:\n- name: other\n  rules:\n  - {record: r, expr: raw, labels: {m: ''}}\n";
    set.reload(specs(other), MINUTE);
    flush(&mut set, &world, MINUTE);
    assert_eq!(world.live(), [r#"r{instance="a"} 1"#]);
    set.reload(one_group("{record: r, expr: raw, labels: {m: ''}}"), 2 * MINUTE);
    set.reload(one_group("{record: r, expr: raw}\n  - {record: s, expr: raw}"), 2 * MINUTE);
    flush(&mut set, &world, 2 * MINUTE);
    assert_eq!(world.live(), [r#"r{instance="a"} 1"#, r#"s{instance="a"} 1"#]);
}

#[test]
fn instances_go_on_after_a_restart_and_the_time_down_does_not_count() {
    let rules = || one_group("{alert: A, expr: raw, for: 10m, keep_firing_for: 10m}");
    let mut world = firing_world();
    let mut before = RuleSet::new(rules());
    flush(&mut before, &world, 0);
    flush(&mut before, &world, 4 * MINUTE);
    let stored: Vec<Instance> = before.instances().cloned().collect();

    // Down from minute 4 to minute 64: six minutes are left to hold.
    let mut set = RuleSet::new(rules());
    assert!(set.restore(stored, Some(4 * MINUTE), 64 * MINUTE).is_empty());
    assert!(flush(&mut set, &world, 69 * MINUTE).is_empty());
    let changes = flush(&mut set, &world, 70 * MINUTE);
    assert_eq!(changes.transitions[0].to, State::Firing);

    // Recovering for two minutes, then down for an hour: eight minutes are left.
    world.answer("raw", &[]);
    flush(&mut set, &world, 71 * MINUTE);
    flush(&mut set, &world, 73 * MINUTE);
    let stored: Vec<Instance> = set.instances().cloned().collect();
    let mut set = RuleSet::new(rules());
    set.restore(stored, None, 133 * MINUTE);
    assert!(flush(&mut set, &world, 140 * MINUTE).is_empty());
    let changes = flush(&mut set, &world, 141 * MINUTE);
    assert_eq!(changes.transitions[0].reason, Reason::KeepFiringOver);
}

#[test]
fn a_firing_alert_is_the_same_episode_after_a_restart() {
    let world = firing_world();
    let mut before = RuleSet::new(one_group("{alert: A, expr: raw}"));
    let episode = flush(&mut before, &world, 0).instances[0].episode;
    let mut set = RuleSet::new(one_group("{alert: A, expr: raw}"));
    set.restore(before.instances().cloned().collect(), Some(0), MINUTE);
    assert!(flush(&mut set, &world, MINUTE).is_empty(), "no new notification");
    assert_eq!(set.instances().next().unwrap().episode, episode);
}

#[test]
fn a_stored_alert_whose_rule_is_gone_is_resolved_at_the_start() {
    let world = firing_world();
    let mut before = RuleSet::new(one_group("{alert: A, expr: raw}"));
    flush(&mut before, &world, 0);
    let mut set = RuleSet::new(one_group("{alert: B, expr: raw}"));
    let changes = set.restore(before.instances().cloned().collect(), Some(0), MINUTE);
    assert_eq!(changes.transitions[0].reason, Reason::RuleRemoved);
    assert_eq!(set.instances().count(), 0);
    flush(&mut set, &world, MINUTE);
    assert!(world.live().iter().all(|series| !series.contains("\"A\"")), "its series end");
}

#[test]
fn of_two_stored_episodes_the_one_that_goes_on_is_restored() {
    let mut world = firing_world();
    let rules = || one_group("{alert: A, expr: raw}");
    let mut before = RuleSet::new(rules());
    flush(&mut before, &world, 0);
    world.answer("raw", &[]);
    flush(&mut before, &world, MINUTE);
    let resolved = before.instances().next().unwrap().clone();
    world.answer("raw", &[("a", 1.0)]);
    flush(&mut before, &world, 2 * MINUTE);
    let firing = before.instances().next().unwrap().clone();
    for stored in [vec![resolved.clone(), firing.clone()], vec![firing.clone(), resolved]] {
        let mut set = RuleSet::new(rules());
        set.restore(stored, None, 3 * MINUTE);
        let episodes: Vec<EpisodeId> = set.instances().map(|i| i.episode).collect();
        assert_eq!(episodes, [firing.episode]);
        world.answer("raw", &[]);
        flush(&mut set, &world, 4 * MINUTE);
        assert!(world.live().is_empty(), "series written before the restart end too");
    }
}
