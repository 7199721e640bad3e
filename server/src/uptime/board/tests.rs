use std::{sync::Arc, time::Duration};

use api_types::{LiveEvent, MonitorState};
use jiff::tz::TimeZone;
use model::{is_stale, labels::METRIC_NAME};

use super::*;
use crate::uptime::{file, probe::Phases};

const MINUTE: i64 = 60_000;

fn monitors(items: &[&str]) -> Vec<Monitor> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.yml");
    let items: Vec<_> = items.iter().map(|item| format!("- {{{item}}}")).collect();
    let items = items.join("\n");
    std::fs::write(&path, format!("monitors:\n{items}\n")).unwrap();
    file::load(&[path]).unwrap()
}

const SHOP: &str = "name: shop, kind: http, url: 'https://shop.example/', group: Web, degraded_above: 1s, labels: {service: shop}";
const JOB: &str = "name: job, kind: heartbeat, interval: 10m, grace: 1m, token: 0123456789abcdef";

fn result(monitor: &str, sequence: u64, at: Timestamp, success: bool, took: u64) -> CheckResult {
    let took = Duration::from_millis(took);
    let detail = if success { "" } else { "connection refused" }.to_owned();
    let phases = Phases { connect: Some(took), ..Phases::default() };
    let probe =
        ProbeResult { success, duration: took, phases, detail, certificate_expires: Some(9_500) };
    CheckResult { monitor: Arc::from(monitor), sequence, at, probe }
}

fn new(items: &[&str], now: Timestamp) -> (Board, Changes) {
    Board::new(&monitors(items), Stored::default(), now)
}

fn states(board: &Board) -> Vec<(String, MonitorState, i64)> {
    let rows = board.rows(1000 * MINUTE, &TimeZone::UTC);
    rows.into_iter().map(|row| (row.name, row.state, row.since_ms)).collect()
}

#[test]
fn results_become_states_rows_and_transitions() {
    let (mut board, first) = new(&[SHOP], 0);
    assert_eq!(first.commit.intervals.len(), 1, "the open unknown interval");
    let up = board.apply(result("shop", 1, 1_000, true, 20));
    assert_eq!(up.transitions.len(), 1);
    assert!(board.apply(result("shop", 2, 31_000, false, 20)).transitions.is_empty());
    let down = board.apply(result("shop", 3, 61_000, false, 20));
    let expected = Transition {
        monitor: "shop".to_owned(),
        from: State::Up,
        to: State::Down,
        since: 31_000,
        reason: "connection refused".to_owned(),
    };
    assert_eq!(down.transitions, [expected]);
    let expected =
        LiveEvent::Monitor { at_ms: 31_000, name: "shop".to_owned(), to: MonitorState::Down };
    assert_eq!(down.transitions[0].event(), expected);
    let rows: Vec<_> = down
        .commit
        .intervals
        .iter()
        .map(|row| (row.start_at, row.end_at, row.state.as_str()))
        .collect();
    assert_eq!(rows, [(1_000, Some(31_000), "up"), (31_000, None, "down")]);
    assert_eq!(board.apply(result("gone", 4, 61_000, true, 1)), Changes::default());
}

#[test]
fn slow_answers_are_degraded_by_the_definition() {
    let (mut board, _) = new(&[SHOP], 0);
    let changes = board.apply(result("shop", 1, 1_000, true, 1_001));
    assert_eq!(changes.transitions[0].to, State::Degraded);
    assert_eq!(changes.transitions[0].reason, "took 1.0s, more than 1s");
    let changes = board.apply(result("shop", 2, 2_000, true, 1_000));
    assert_eq!(changes.transitions[0].to, State::Up);
}

#[test]
fn a_job_reports_by_its_token() {
    let (mut board, _) = new(&[JOB], 0);
    assert_eq!(board.beat("wrong", Beat::Up, "", 1_000), None);
    let token = "0123456789abcdef";
    let changes = board.beat(token, Beat::Up, "", 1_000).unwrap();
    assert_eq!(changes.transitions[0].to, State::Up);
    let changes = board.beat(token, Beat::Down, "disk\nfull", 2_000).unwrap();
    assert_eq!(
        (changes.transitions[0].to, &*changes.transitions[0].reason),
        (State::Down, "disk full")
    );
    board.beat(token, Beat::Up, "", 3_000).unwrap();
    assert!(board.tick(3_000 + 11 * MINUTE).transitions.is_empty());
    let changes = board.tick(3_001 + 11 * MINUTE);
    assert_eq!(
        (changes.transitions[0].to, changes.transitions[0].since),
        (State::Down, 3_000 + 10 * MINUTE)
    );
}

#[test]
fn a_reload_keeps_ledgers_by_name_and_pauses_what_is_gone() {
    let (mut board, _) = new(&[SHOP, JOB], 0);
    board.apply(result("shop", 1, 1_000, true, 20));
    board.reload(&monitors(&[JOB]), 5_000);
    assert_eq!(states(&board).len(), 1);
    let changes = board.reload(&monitors(&[SHOP, JOB]), 9_000);
    let expected = [
        ("job".to_owned(), MonitorState::Unknown, 0),
        ("shop".to_owned(), MonitorState::Unknown, 9_000),
    ];
    assert_eq!(states(&board), expected);
    assert_eq!(changes.transitions[0].from, State::Paused);
    board.apply(result("shop", 2, 10_000, true, 20));
    let page = board.page("shop", 20_000, &TimeZone::UTC).unwrap();
    let today = page.row.days.last().unwrap();
    assert_eq!((today.unknown_ms, today.up_ms, today.excluded_ms), (2_000, 14_000, 4_000));
    let paused = format!("{SHOP}, paused: true");
    board.reload(&monitors(&[&paused]), 30_000);
    assert_eq!(states(&board), [("shop".to_owned(), MonitorState::Paused, 30_000)]);
}

#[test]
fn stored_rows_continue_and_the_time_away_is_unknown() {
    let (mut board, mut changes) = new(&[SHOP, JOB], 0);
    changes.merge(board.apply(result("shop", 7, MINUTE, true, 20)));
    changes.merge(board.tick(2 * MINUTE));
    let LedgerCommit { intervals, states: rows, removed, .. } = changes.commit;
    assert_eq!(removed, []);
    let stored = Stored::read(intervals, rows).unwrap();
    let (board, _) = Board::new(&monitors(&[SHOP, JOB]), stored, 10 * MINUTE);
    let expected = [
        ("job".to_owned(), MonitorState::Unknown, 0),
        ("shop".to_owned(), MonitorState::Unknown, 2 * MINUTE),
    ];
    assert_eq!(states(&board), expected);
}

#[test]
fn rows_of_another_program_are_refused_by_name() {
    let row = IntervalRow {
        monitor: "a".to_owned(),
        start_at: 5,
        end_at: None,
        state: "sideways".to_owned(),
        reason: String::new(),
    };
    let error = Stored::read(vec![row], Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "interval of monitor `a` at 5 has the unknown state `sideways`");
    let row = MonitorStateRow { monitor: "a".to_owned(), body: "[".to_owned() };
    let error = Stored::read(Vec::new(), vec![row]).unwrap_err().to_string();
    assert_eq!(error, "cannot read the stored state of monitor `a`");
}

#[test]
fn samples_say_what_the_ledger_says_and_end_when_nothing_is_known() {
    let (mut board, _) = new(&[SHOP], 0);
    let names = |board: &mut Board| -> Vec<(String, f64)> {
        let samples = board.samples();
        samples.iter().map(|s| (s.labels.to_string(), s.value)).collect()
    };
    let labels = r#"{group="Web", kind="http", monitor="shop", service="shop"}"#;
    let before =
        [(format!("monitor_state{labels}"), 0.0), (format!("monitor_blips_total{labels}"), 0.0)];
    assert_eq!(names(&mut board), before);
    board.apply(result("shop", 1, 1_000, true, 20));
    board.apply(result("shop", 2, 31_000, false, 20));
    let phase = r#"{group="Web", kind="http", monitor="shop", phase="connect", service="shop"}"#;
    let expected = [
        (format!("monitor_state{labels}"), 1.0),
        (format!("monitor_blips_total{labels}"), 0.0),
        (format!("monitor_up{labels}"), 1.0),
        (format!("monitor_duration_seconds{labels}"), 0.02),
        (format!("monitor_phase_duration_seconds{phase}"), 0.02),
        (format!("monitor_certificate_expiry_timestamp_seconds{labels}"), 9.5),
    ];
    assert_eq!(names(&mut board), expected);
    board.apply(result("shop", 3, 61_000, false, 20));
    assert_eq!(names(&mut board)[2].1, 0.0);
    board.tick(10 * MINUTE);
    let samples = board.samples();
    assert_eq!(samples.len(), 6);
    assert_eq!(samples[0].labels.get(METRIC_NAME), Some("monitor_state"));
    assert!(samples[2..].iter().all(|sample| is_stale(sample.value)));
    assert_eq!(board.samples().len(), 2, "the end is said once");
}

#[test]
fn the_page_has_figures_bars_and_outages() {
    let (mut board, _) = new(&[SHOP], 0);
    for (sequence, minute, success) in [(1, 0, true), (2, 1, false), (3, 2, false), (4, 3, true)] {
        board.apply(result("shop", sequence, minute * MINUTE, success, 20));
    }
    let page = board.page("shop", 4 * MINUTE, &TimeZone::UTC).unwrap();
    assert_eq!(page.row.uptime.day.ratio, Some(0.5));
    assert_eq!(page.row.uptime.day.down_ms, 2 * MINUTE);
    assert_eq!(page.row.uptime.day.coverage, 1.0);
    assert_eq!(page.row.uptime.day.change_points, None, "nothing is known of the day before");
    assert_eq!(page.row.days.len(), 90);
    assert_eq!(page.outages.len(), 1);
    assert_eq!((page.outages[0].start_ms, page.outages[0].end_ms), (MINUTE, Some(3 * MINUTE)));
    assert_eq!(page.panels[0].queries[0].expr, r#"monitor_duration_seconds{monitor="shop"}"#);
    assert_eq!(page.row.detail, "");
    assert!(board.page("gone", 0, &TimeZone::UTC).is_none());
}

#[test]
fn merged_changes_are_what_the_calls_did_one_by_one() {
    let row = |start_at, end_at| IntervalRow {
        monitor: "a".to_owned(),
        start_at,
        end_at,
        state: "up".to_owned(),
        reason: String::new(),
    };
    let changes = |removed: &[i64], intervals: &[IntervalRow]| Changes {
        commit: LedgerCommit {
            removed: removed.iter().map(|start| ("a".to_owned(), *start)).collect(),
            intervals: intervals.to_vec(),
            states: Vec::new(),
            beats: Vec::new(),
        },
        transitions: Vec::new(),
    };
    let mut merged = changes(&[], &[row(0, None)]);
    merged.merge(changes(&[], &[row(0, Some(5)), row(5, None)]));
    assert_eq!(merged, changes(&[], &[row(0, Some(5)), row(5, None)]));
    merged.merge(changes(&[5], &[row(0, None)]));
    assert_eq!(merged, changes(&[5], &[row(0, None)]));
}
