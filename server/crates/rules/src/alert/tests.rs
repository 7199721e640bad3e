use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    query::Row,
    rule::{AlertingRule, Expression, RuleUid},
};

const MINUTE: i64 = 60_000;

fn rule(hold_minutes: u64, keep_firing_minutes: u64) -> AlertingRule {
    AlertingRule {
        hold: Duration::from_mins(hold_minutes),
        keep_firing: Duration::from_mins(keep_firing_minutes),
        ..AlertingRule::new("A", Expression::parse("up == 0").unwrap())
    }
}

fn found(instance: &str, value: f64) -> Found {
    let labels = Labels::from_pairs([("alertname", "A"), ("instance", instance)]);
    let annotations = BTreeMap::from([("v".to_owned(), value.to_string())]);
    Found { labels, annotations, value }
}

/// A rule with its instances, evaluated minute by minute.
struct Machine {
    rule: AlertingRule,
    limit: Option<usize>,
    instances: Instances,
}

impl Machine {
    fn new(hold_minutes: u64, keep_firing_minutes: u64) -> Self {
        let rule = rule(hold_minutes, keep_firing_minutes);
        Self { rule, limit: None, instances: Instances::default() }
    }

    fn at(&mut self, minute: i64, instances: &[&str]) -> Outcome {
        self.try_at(minute, instances).unwrap()
    }

    fn try_at(&mut self, minute: i64, instances: &[&str]) -> Result<Outcome, DuplicateLabels> {
        let now = Evaluated {
            rule: &self.rule,
            uid: RuleUid(7),
            group: "g",
            timestamp: minute * MINUTE,
            limit: self.limit,
        };
        let rows = instances.iter().map(|instance| found(instance, minute as f64)).collect();
        self.instances.evaluate(now, rows)
    }

    /// The state after each minute, with the reason when it changed: `pending*condition_holds`.
    fn story(&mut self, presence: &str) -> Vec<String> {
        let step = |(minute, c): (usize, char)| {
            let outcome = self.at(minute as i64, if c == '1' { &["a"] } else { &[] });
            let state = self.instances.iter().next().map_or("none", |i| i.state.as_str());
            match outcome.changes.transitions.first() {
                Some(transition) => format!("{state}*{}", transition.reason.as_str()),
                None => state.to_owned(),
            }
        };
        presence.chars().enumerate().map(step).collect()
    }

    fn samples(&self) -> Vec<String> {
        let mut rows: Vec<Row> = Vec::new();
        self.instances.samples(&mut rows);
        rows.iter()
            .map(|(labels, value)| match value {
                Value::Float(value) => format!("{labels} {value}"),
                Value::Histogram(_) => labels.to_string(),
            })
            .collect()
    }
}

#[test]
fn states_follow_the_condition_over_time() {
    for (name, hold, keep, presence, expected) in [
        ("for=0 fires at once", 0, 0, "11", "firing*condition_holds firing"),
        (
            "for counts from the first evaluation",
            2,
            0,
            "1111",
            "pending*condition_holds pending firing*hold_over firing",
        ),
        (
            "a pending alert vanishes",
            2,
            0,
            "1101",
            "pending*condition_holds pending none pending*condition_holds",
        ),
        (
            "a firing alert is resolved at once",
            0,
            0,
            "100",
            "firing*condition_holds resolved*condition_gone resolved",
        ),
        (
            "a resolved alert that comes back is a new episode",
            1,
            0,
            "11011",
            "pending*condition_holds firing*hold_over resolved*condition_gone \
             pending*condition_holds firing*hold_over",
        ),
        (
            "keep_firing_for counts from the first absence",
            0,
            2,
            "10000",
            "firing*condition_holds recovering*condition_gone recovering \
             resolved*keep_firing_over resolved",
        ),
        (
            "a recovering alert that comes back goes on firing",
            0,
            2,
            "1001000",
            "firing*condition_holds recovering*condition_gone recovering firing*condition_back \
             recovering*condition_gone recovering resolved*keep_firing_over",
        ),
    ] {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(Machine::new(hold, keep).story(presence), expected, "{name}");
    }
}

#[test]
fn an_episode_keeps_its_id_and_the_next_has_another() {
    let mut machine = Machine::new(1, 1);
    let mut ids = Vec::new();
    for (minute, is_there) in [1, 1, 0, 1, 0, 0, 1].iter().enumerate() {
        let outcome = machine.at(minute as i64, if *is_there == 1 { &["a"] } else { &[] });
        ids.extend(outcome.changes.transitions.iter().map(|t| (t.to, t.episode)));
    }
    let states: Vec<&str> = ids.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(
        states,
        ["pending", "firing", "recovering", "firing", "recovering", "resolved", "pending"]
    );
    assert!(ids[..6].iter().all(|(_, id)| *id == ids[0].1));
    assert_ne!(ids[6].1, ids[0].1);
    assert!(ids[6].1 > ids[0].1, "ids sort by time");
}

#[test]
fn times_and_values_are_kept() {
    let mut machine = Machine::new(1, 1);
    for minute in 0..3 {
        machine.at(minute, &["a"]);
    }
    machine.at(3, &[]);
    let outcome = machine.at(4, &[]);
    let [instance] = outcome.changes.instances.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((instance.active_at, instance.fired_at), (0, Some(MINUTE)));
    assert_eq!(instance.keep_firing_since, Some(3 * MINUTE));
    assert_eq!((instance.resolved_at, instance.last_eval), (Some(4 * MINUTE), 4 * MINUTE));
    // Value and texts are those of the last time the condition held.
    assert_eq!((instance.value, instance.annotations["v"].as_str()), (2.0, "2"));
    assert_eq!(outcome.changes.transitions[0].from, Some(State::Recovering));
}

#[test]
fn nothing_is_to_be_stored_while_no_state_changes() {
    let mut machine = Machine::new(0, 0);
    machine.at(0, &["a"]);
    assert!(machine.at(1, &["a"]).changes.is_empty());
}

#[test]
fn a_pending_alert_that_vanishes_is_dropped_without_history() {
    let mut machine = Machine::new(5, 0);
    let began = machine.at(0, &["a"]).changes;
    let ended = machine.at(1, &[]).changes;
    assert_eq!(ended.dropped, [began.instances[0].episode]);
    assert!(ended.transitions.is_empty());
}

#[test]
fn a_raised_hold_duration_makes_a_young_firing_alert_pending_again() {
    let mut machine = Machine::new(0, 0);
    machine.at(0, &["a"]);
    machine.rule = rule(5, 0);
    let changes = machine.at(1, &["a"]).changes;
    assert_eq!(changes.transitions[0].reason, Reason::HoldRaised);
    assert_eq!(changes.instances[0].state, State::Pending);
    assert_eq!(changes.instances[0].fired_at, None);
    assert_eq!(machine.at(5, &["a"]).changes.transitions[0].to, State::Firing);
}

#[test]
fn a_resolved_alert_is_kept_for_15_minutes() {
    let mut machine = Machine::new(0, 0);
    machine.at(0, &["a"]);
    machine.at(1, &[]);
    machine.at(16, &[]);
    assert_eq!(machine.instances.iter().count(), 1);
    let outcome = machine.at(17, &[]);
    assert_eq!(machine.instances.iter().count(), 0);
    assert!(outcome.changes.is_empty(), "its history stays");
}

#[test]
fn two_alerts_with_equal_labels_fail_the_rule_and_change_nothing() {
    let mut machine = Machine::new(0, 0);
    machine.at(0, &["a"]);
    let error = machine.try_at(1, &["b", "b"]).unwrap_err();
    assert!(error.to_string().starts_with("vector contains metrics with the same labelset"));
    let states: Vec<_> = machine.instances.iter().map(|i| (i.state, i.last_eval)).collect();
    assert_eq!(states, [(State::Firing, 0)]);
}

#[test]
fn over_the_limit_known_alerts_go_on_and_new_ones_are_left_out() {
    let mut machine = Machine::new(0, 0);
    machine.limit = Some(2);
    machine.at(0, &["c"]);
    let outcome = machine.at(1, &["a", "b", "c", "d"]);
    assert_eq!(outcome.overflow, 2);
    let names: Vec<_> =
        machine.instances.iter().map(|i| i.labels.value_or_empty("instance")).collect();
    assert_eq!(names, ["a", "c"]);
    // A place becomes free when an alert ends.
    let outcome = machine.at(2, &["a", "b", "d"]);
    assert_eq!((outcome.overflow, machine.instances.active()), (1, 2));
}

#[test]
fn the_series_say_what_prometheus_says() {
    let mut machine = Machine::new(1, 5);
    machine.at(1, &["a"]);
    assert_eq!(
        machine.samples(),
        [
            r#"ALERTS{alertname="A", alertstate="pending", instance="a"} 1"#,
            r#"ALERTS_FOR_STATE{alertname="A", instance="a"} 60"#,
        ]
    );
    machine.at(2, &["a"]);
    machine.at(3, &[]);
    assert_eq!(
        machine.samples()[0],
        r#"ALERTS{alertname="A", alertstate="firing", instance="a"} 1"#,
        "recovering is firing to others"
    );
    machine.at(9, &[]);
    assert!(machine.samples().is_empty());
}

#[test]
fn instances_and_ids_survive_json() {
    let mut machine = Machine::new(0, 0);
    let mut instance = machine.at(0, &["a"]).changes.instances.remove(0);
    for value in [1.5, f64::INFINITY, f64::NEG_INFINITY] {
        instance.value = value;
        let json = serde_json::to_string(&instance).unwrap();
        assert_eq!(serde_json::from_str::<Instance>(&json).unwrap(), instance, "{json}");
    }
    instance.value = f64::NAN;
    let json = serde_json::to_string(&instance).unwrap();
    assert!(serde_json::from_str::<Instance>(&json).unwrap().value.is_nan());
}

#[test]
fn an_episode_id_is_a_uuid_of_version_7() {
    let id = EpisodeId::derive(RuleUid(1), 2, 1_700_000_000_000);
    let text = id.to_string();
    assert_eq!(&text[..13], "018bcfe5-6800");
    assert_eq!(&text[14..15], "7");
    assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
    assert_eq!(text.parse::<EpisodeId>().unwrap(), id);
    for bad in [
        "",
        "018bcfe5",
        "018bcfe5-6800-7000-8000-00000000000g",
        "018bcfe56800700080000000000000000000",
    ] {
        assert!(bad.parse::<EpisodeId>().is_err(), "{bad}");
    }
}

/// Prometheus's algorithm for one series, written down once more: whether it fires, since when it
/// is active, kept and resolved.
#[derive(Default)]
struct Model {
    active: Option<(bool, i64, Option<i64>, Option<i64>)>,
}

impl Model {
    fn step(&mut self, ts: i64, is_there: bool, hold: i64, keep: i64) -> &'static str {
        if is_there && self.active.is_none_or(|(.., resolved)| resolved.is_some()) {
            self.active = Some((false, ts, None, None));
        }
        if let Some((is_firing, active_at, kept, resolved)) = &mut self.active {
            let mut is_kept = false;
            if is_there {
                *kept = None;
            } else {
                if *is_firing && keep > 0 && resolved.is_none() {
                    is_kept = ts - *kept.get_or_insert(ts) < keep;
                }
                let is_old = resolved.is_some_and(|at| ts - at > RESOLVED_RETENTION_MS);
                if !*is_firing || is_old {
                    self.active = None;
                    return "none";
                }
                if resolved.is_none() && !is_kept {
                    *resolved = Some(ts);
                }
            }
            if (is_there || is_kept) && !*is_firing && ts - *active_at >= hold {
                *is_firing = true;
            }
            return match (*is_firing, resolved.is_some()) {
                (_, true) => "resolved",
                (true, _) => "firing",
                (false, _) => "pending",
            };
        }
        "none"
    }
}

proptest! {
    #[test]
    fn property_states_are_those_of_prometheus(
        steps in proptest::collection::vec((1_i64..6, any::<bool>()), 0..60),
        hold in 0_u64..6,
        keep in 0_u64..6,
    ) {
        let (mut machine, mut model, mut minute) = (Machine::new(hold, keep), Model::default(), 0);
        for (gap, is_there) in steps {
            minute += gap;
            let before = machine.instances.iter().next().cloned();
            let outcome = machine.at(minute, if is_there { &["a"] } else { &[] });
            let after = machine.instances.iter().next();
            let expected =
                model.step(minute * MINUTE, is_there, hold as i64 * MINUTE, keep as i64 * MINUTE);
            let state = match after.map(|instance| instance.state) {
                None => "none",
                Some(State::Recovering) => "firing",
                Some(state) => state.as_str(),
            };
            prop_assert_eq!(state, expected);
            // What is stored is always the present state.
            let changed = before.as_ref().map(|i| (i.episode, i.state))
                != after.map(|i| (i.episode, i.state));
            let forgotten = after.is_none() && before.is_some_and(|i| i.state == State::Resolved);
            prop_assert_eq!(!outcome.changes.is_empty(), changed && !forgotten);
        }
    }
}
