use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PROBE: Policy =
    Policy { interval_ms: 30, silent_after_ms: 70, silence: Silence::Unknown, failures: 2 };
const HEARTBEAT: Policy =
    Policy { interval_ms: 60, silent_after_ms: 90, silence: Silence::Down, failures: 1 };

fn feed(ledger: &mut Ledger, checks: &[(Timestamp, Finding)]) {
    for (index, (at, finding)) in checks.iter().enumerate() {
        let sequence = ledger.sequence.map_or(index as u64, |last| last + 1);
        ledger.check(Check { at: *at, sequence, finding: *finding, detail: "refused" });
    }
}

fn timeline(ledger: &Ledger) -> Vec<(Timestamp, State)> {
    ledger.intervals().map(|i| (i.start, i.state)).collect()
}

#[test]
fn checks_become_states_by_the_rules_of_confirmation() {
    use Finding::{Failed, Good, Slow};
    use State::{Degraded, Down, Unknown, Up};
    for (name, checks, expected) in [
        ("nothing is known before the first check", vec![(10, Good)], vec![(0, Unknown), (10, Up)]),
        (
            "down begins at the first failed check",
            vec![(10, Good), (40, Failed), (70, Failed), (100, Failed)],
            vec![(0, Unknown), (10, Up), (40, Down)],
        ),
        (
            "a single failure is not downtime",
            vec![(10, Good), (40, Failed), (70, Good), (100, Failed), (130, Good)],
            vec![(0, Unknown), (10, Up)],
        ),
        (
            "the first good check ends it",
            vec![(10, Failed), (40, Failed), (70, Good)],
            vec![(0, Unknown), (10, Down), (70, Up)],
        ),
        (
            "slow needs confirmation as well",
            vec![(10, Good), (40, Slow), (70, Good), (100, Slow), (130, Slow)],
            vec![(0, Unknown), (10, Up), (100, Degraded)],
        ),
        (
            "slow then failed is degraded at once and down when confirmed",
            vec![(10, Good), (40, Slow), (70, Failed), (100, Failed)],
            vec![(0, Unknown), (10, Up), (40, Degraded), (70, Down)],
        ),
        (
            "a slow answer ends downtime",
            vec![(10, Failed), (40, Failed), (70, Slow), (100, Good)],
            vec![(0, Unknown), (10, Down), (70, Degraded), (100, Up)],
        ),
        (
            "a check within the limit bridges the time since the last",
            vec![(10, Good), (80, Good)],
            vec![(0, Unknown), (10, Up)],
        ),
        (
            "later than that nothing is known from the missed check on",
            vec![(10, Good), (81, Good)],
            vec![(0, Unknown), (10, Up), (40, Unknown), (81, Up)],
        ),
        (
            "a failure before the gap does not confirm one after it",
            vec![(10, Good), (40, Failed), (200, Failed), (230, Good)],
            vec![(0, Unknown), (10, Up), (70, Unknown), (230, Up)],
        ),
    ] {
        let mut ledger = Ledger::new(PROBE, 0);
        feed(&mut ledger, &checks);
        assert_eq!(timeline(&ledger), expected, "{name}");
    }
}

#[test]
fn an_unconfirmed_failure_is_kept_as_a_blip() {
    let mut ledger = Ledger::new(PROBE, 0);
    feed(&mut ledger, &[(10, Finding::Good), (40, Finding::Failed), (70, Finding::Good)]);
    let expected = Blip { at: 40, failures: 1, detail: "refused".to_owned() };
    assert_eq!(ledger.blips(), &[expected]);
    assert_eq!(ledger.memory().blips_total, 1);
    assert_eq!(ledger.totals(0, 100).down_ms, 0);
}

#[test]
fn a_silent_prober_is_unknown_from_the_missed_check_on() {
    let mut ledger = Ledger::new(PROBE, 0);
    feed(&mut ledger, &[(10, Finding::Failed), (40, Finding::Failed)]);
    ledger.advance(110);
    assert_eq!(ledger.current().state, State::Down);
    ledger.advance(111);
    assert_eq!((ledger.current().start, ledger.current().state), (70, State::Unknown));
}

#[test]
fn a_job_that_does_not_report_is_down_since_it_was_due() {
    let mut ledger = Ledger::new(HEARTBEAT, 0);
    ledger.advance(10_000);
    assert_eq!(ledger.current().state, State::Unknown, "no beat ever came");
    feed(&mut ledger, &[(10_000, Finding::Good)]);
    ledger.advance(10_090);
    assert_eq!(ledger.current().state, State::Up);
    ledger.advance(10_091);
    assert_eq!((ledger.current().start, ledger.current().state), (10_060, State::Down));
    feed(&mut ledger, &[(10_200, Finding::Good), (10_210, Finding::Failed)]);
    let tail = timeline(&ledger).split_off(2);
    assert_eq!(tail, [(10_060, State::Down), (10_200, State::Up), (10_210, State::Down)]);
}

#[test]
fn late_and_repeated_checks_change_nothing_and_are_counted() {
    let mut ledger = Ledger::new(PROBE, 0);
    let check = |at, sequence, finding| Check { at, sequence, finding, detail: "" };
    assert_eq!(ledger.check(check(10, 5, Finding::Good)), Applied::Taken);
    assert_eq!(ledger.check(check(10, 5, Finding::Failed)), Applied::Duplicate);
    assert_eq!(ledger.check(check(9, 4, Finding::Failed)), Applied::Late);
    assert_eq!(timeline(&ledger), [(0, State::Unknown), (10, State::Up)]);
    assert_eq!((ledger.memory().duplicates, ledger.memory().late), (1, 1));
    assert!(ledger.memory().failing.is_none());
}

#[test]
fn a_clock_set_back_keeps_history_and_the_present_state_right() {
    let mut ledger = Ledger::new(PROBE, 0);
    feed(&mut ledger, &[(10, Finding::Good), (1000, Finding::Good)]);
    let check = Check { at: 20, sequence: 7, finding: Finding::Failed, detail: "" };
    assert_eq!(ledger.check(check), Applied::TakenAfterClockStep);
    let check = Check { at: 50, sequence: 8, ..check };
    assert_eq!(ledger.check(check), Applied::TakenAfterClockStep);
    assert_eq!(ledger.current().state, State::Down);
    assert_eq!(ledger.memory().clock_steps, 2);
    feed(&mut ledger, &[(1030, Finding::Good)]);
    let expected =
        [(0, State::Unknown), (10, State::Up), (40, State::Unknown), (1000, State::Down)];
    assert_eq!(timeline(&ledger)[..4], expected);
    assert_eq!(timeline(&ledger)[4..], [(1030, State::Up)]);
}

#[test]
fn our_own_downtime_is_unknown_from_the_last_time_we_were_alive() {
    for (name, alive_until, now, expected) in [
        ("short", 100, 170, vec![(0, State::Unknown), (10, State::Up)]),
        ("long", 100, 171, vec![(0, State::Unknown), (10, State::Up), (100, State::Unknown)]),
        ("not alive since the last row", 5, 500, vec![(0, State::Unknown)]),
    ] {
        let mut before = Ledger::new(PROBE, 0);
        feed(&mut before, &[(10, Finding::Good)]);
        let rows = before.intervals().cloned().collect();
        let after = Ledger::restore(PROBE, rows, before.memory().clone(), alive_until, now);
        assert_eq!(timeline(&after), expected, "{name}");
    }
}

#[test]
fn a_restart_gives_a_job_a_whole_interval_to_report() {
    let mut before = Ledger::new(HEARTBEAT, 0);
    feed(&mut before, &[(10, Finding::Good)]);
    let rows = before.intervals().cloned().collect();
    let mut after = Ledger::restore(HEARTBEAT, rows, before.memory().clone(), 50, 120);
    after.advance(210);
    assert_eq!(after.current().state, State::Up);
    after.advance(211);
    assert_eq!((after.current().start, after.current().state), (180, State::Down));
}

#[test]
fn damaged_rows_are_mended_into_a_gapless_run() {
    let row = |start, end, state| Interval { start, end, state, reason: String::new() };
    let rows = vec![
        row(50, Some(60), State::Down),
        row(0, Some(30), State::Up),
        row(20, Some(40), State::Degraded),
        row(70, None, State::Up),
        row(80, Some(90), State::Down),
    ];
    let ledger = Ledger::restore(PROBE, rows, Memory::default(), 90, 90);
    let expected = [
        (0, State::Up),
        (20, State::Degraded),
        (40, State::Unknown),
        (50, State::Down),
        (60, State::Unknown),
        (70, State::Up),
        (80, State::Down),
        (90, State::Unknown),
    ];
    assert_eq!(timeline(&ledger), expected);
    let ends: Vec<_> = ledger.intervals().map(|i| i.end).collect();
    let starts: Vec<_> = ledger.intervals().skip(1).map(|i| Some(i.start)).chain([None]).collect();
    assert_eq!(ends, starts);
}

#[test]
fn a_stored_run_that_is_older_than_the_rows_changes_nothing_before_them() {
    let row = Interval { start: 50, end: None, state: State::Up, reason: String::new() };
    let run = Run { start: 10, count: 1, detail: String::new() };
    let memory = Memory { last_check: Some(50), failing: Some(run), ..Memory::default() };
    let mut ledger = Ledger::restore(PROBE, vec![row], memory, 60, 60);
    feed(&mut ledger, &[(70, Finding::Failed)]);
    assert_eq!(timeline(&ledger), [(50, State::Down)]);
}

#[test]
fn old_intervals_are_forgotten_and_count_as_unknown() {
    let mut ledger = Ledger::new(PROBE, 0);
    feed(&mut ledger, &[(10, Finding::Failed), (40, Finding::Failed), (70, Finding::Good)]);
    ledger.prune(70);
    assert_eq!(timeline(&ledger), [(70, State::Up)]);
    let totals = ledger.totals(0, 100);
    assert_eq!((totals.unknown_ms, totals.up_ms, totals.down_ms), (70, 30, 0));
}

/// What happens to a monitor; times are relative to the event before.
#[derive(Debug, Clone, Copy)]
enum Event {
    Check(i64, Finding),
    Tick(i64),
    Hold(i64, bool),
    Release(i64),
    Restore,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let finding = prop_oneof![
        3 => Just(Finding::Good),
        2 => Just(Finding::Slow),
        3 => Just(Finding::Failed),
    ];
    let gap = prop_oneof![4 => 1..40_i64, 1 => 60..80_i64, 1 => 1..300_i64];
    let event = prop_oneof![
        12 => (gap.clone(), finding).prop_map(|(after, finding)| Event::Check(after, finding)),
        3 => gap.clone().prop_map(Event::Tick),
        1 => (gap.clone(), any::<bool>()).prop_map(|(after, paused)| Event::Hold(after, paused)),
        2 => gap.prop_map(Event::Release),
        1 => Just(Event::Restore),
    ];
    proptest::collection::vec(event, 0..40)
}

/// A segment of checks without silence or a hold in it.
type Segment = Vec<(i64, Finding)>;

/// The state of every single millisecond, from the whole history at once.
fn oracle(history: &[Event], failures: usize) -> Vec<State> {
    let mut now = 0;
    let mut held: Option<(i64, State)> = None;
    let mut holds = Vec::new();
    let mut segments: Vec<Segment> = vec![Vec::new()];
    for event in history {
        match *event {
            Event::Check(after, finding) => {
                now += after;
                if held.is_none() {
                    let segment = segments.last_mut().expect("there is always one");
                    if segment.last().is_some_and(|(last, _)| now - last > PROBE.silent_after_ms) {
                        segments.push(Vec::new());
                    }
                    segments.last_mut().expect("there is always one").push((now, finding));
                }
            }
            Event::Tick(after) => now += after,
            Event::Hold(after, paused) => {
                now += after;
                let state = if paused { State::Paused } else { State::Maintenance };
                if let Some((from, before)) = held.replace((now, state)) {
                    holds.push((from, now, before));
                }
                segments.push(Vec::new());
            }
            Event::Release(after) => {
                now += after;
                if let Some((from, state)) = held.take() {
                    holds.push((from, now, state));
                }
            }
            Event::Restore => {}
        }
    }
    holds.extend(held.map(|(from, state)| (from, now, state)));
    let mut states = vec![State::Unknown; usize::try_from(now).expect("time grows")];
    for (index, segment) in segments.iter().enumerate() {
        let next = segments[index + 1..].iter().flatten().next().map(|(at, _)| *at);
        let hold = holds
            .iter()
            .map(|(from, ..)| *from)
            .find(|from| segment.last().is_some_and(|(at, _)| at <= from));
        let horizon = [next, hold].into_iter().flatten().min().unwrap_or(now);
        paint_segment(&mut states, segment, horizon, failures);
    }
    for (from, to, state) in holds {
        states[from as usize..to as usize].fill(state);
    }
    states
}

/// Paints the states between the checks of one segment, looking at whole runs of bad checks.
fn paint_segment(states: &mut [State], segment: &Segment, horizon: i64, failures: usize) {
    let run = |index: usize, at_least: Finding| {
        let start = segment[..index].iter().rposition(|(_, f)| *f < at_least).map_or(0, |i| i + 1);
        let after = segment[index..].iter().position(|(_, f)| *f < at_least);
        start..after.map_or(segment.len(), |after| index + after)
    };
    let mut before = State::Unknown;
    for (index, (at, finding)) in segment.iter().enumerate() {
        let slow_is_confirmed = || run(index, Finding::Slow).len() >= failures;
        let state = match (finding, before) {
            (Finding::Good, _) => State::Up,
            (Finding::Failed, _) if run(index, Finding::Failed).len() >= failures => State::Down,
            (_, State::Up) if slow_is_confirmed() => State::Degraded,
            (Finding::Slow, State::Up) => State::Up,
            (Finding::Slow, _) => State::Degraded,
            (Finding::Failed, before) => before,
        };
        let end = match segment.get(index + 1) {
            Some((next, _)) => *next,
            None if horizon - at > PROBE.silent_after_ms => at + PROBE.interval_ms,
            None => horizon,
        };
        states[*at as usize..end as usize].fill(state);
        before = state;
    }
}

/// What a store would hold after every commit.
#[derive(Debug, Default)]
struct Stored {
    intervals: BTreeMap<Timestamp, Interval>,
    memory: Memory,
}

impl Stored {
    fn commit(&mut self, ledger: &mut Ledger) {
        let changes = ledger.take_changes();
        self.intervals.retain(|start, _| !changes.removed.contains(start));
        self.intervals.extend(changes.intervals.into_iter().map(|i| (i.start, i)));
        if changes.memory {
            self.memory = ledger.memory().clone();
        }
    }
}

fn check_against_oracle(history: &[Event], failures: u32) -> Result<(), TestCaseError> {
    let policy = Policy { failures, ..PROBE };
    let mut ledger = Ledger::new(policy, 0);
    let mut stored = Stored::default();
    stored.commit(&mut ledger);
    let (mut now, mut sequence) = (0, 0);
    for event in history {
        match *event {
            Event::Check(after, finding) => {
                now += after;
                sequence += 1;
                ledger.check(Check { at: now, sequence, finding, detail: "" });
            }
            Event::Tick(after) => {
                now += after;
                ledger.advance(now);
            }
            Event::Hold(after, paused) => {
                now += after;
                let state = if paused { State::Paused } else { State::Maintenance };
                ledger.hold(now, state, "");
            }
            Event::Release(after) => {
                now += after;
                ledger.release(now);
            }
            Event::Restore => {
                // What the store has is enough to go on, but for the time of the last check, which a
                // real restart replaces by the time the program was last alive.
                stored.memory.last_check = ledger.memory.last_check;
                prop_assert_eq!(&stored.memory, ledger.memory());
                let rows: Vec<_> = stored.intervals.values().cloned().collect();
                let (closed, open) = mended(rows, &mut BTreeSet::new()).expect("rows were stored");
                ledger.closed = closed;
                ledger.open = open;
                ledger.memory = stored.memory.clone();
            }
        }
        stored.commit(&mut ledger);
        prop_assert!(stored.intervals.values().eq(ledger.intervals()), "{stored:?} {ledger:?}");
    }
    ledger.advance(now);
    let expected = oracle(history, failures as usize);
    for (at, state) in expected.iter().enumerate() {
        let totals = ledger.totals(at as i64, at as i64 + 1);
        let mut one = Totals::default();
        one.add(*state, 1);
        prop_assert_eq!(totals, one, "at {} ms", at);
    }
    let mut sum = Totals::default();
    let (from, to) = (now / 3, now - now / 5);
    expected[from as usize..to as usize].iter().for_each(|state| sum.add(*state, 1));
    prop_assert_eq!(ledger.totals(from, to), sum);
    for pair in timeline(&ledger).windows(2) {
        prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1, "{:?}", pair);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn property_the_timeline_is_that_of_a_brute_force_model(history in events(), failures in 1..4_u32) {
        check_against_oracle(&history, failures)?;
    }
}
