use super::*;

const OPTIONS: BoardOptions = BoardOptions { ttl_ms: 100, max_checks: 3 };

fn board(rows: Vec<CheckRow>, now: Timestamp) -> Board {
    Board::restore(OPTIONS, rows, now).unwrap()
}

fn report(name: &str, status: CheckStatus, at: Timestamp) -> Report {
    Report {
        name: name.into(),
        host: "web-1".into(),
        tags: [("env".to_owned(), "prod".to_owned())].into(),
        status,
        message: format!("{} at {at}", status.as_str()),
        at,
    }
}

/// Status, whether stale, since when.
fn state(board: &Board) -> (CheckStatus, bool, Timestamp) {
    let row = board.rows().remove(0);
    (row.status, row.is_stale, row.since_ms)
}

#[test]
fn a_state_lasts_from_its_first_report() {
    let mut board = board(Vec::new(), 0);
    assert!(board.report(report("db", CheckStatus::Ok, 10)).unwrap().is_some());
    assert_eq!(board.report(report("db", CheckStatus::Ok, 20)), Ok(None));
    assert_eq!(state(&board), (CheckStatus::Ok, false, 10));
    let change = board.report(report("db", CheckStatus::Critical, 30)).unwrap().unwrap();
    assert_eq!((change.at, change.to), (30, CheckStatus::Critical));
    assert_eq!(state(&board), (CheckStatus::Critical, false, 30));
    let row = board.rows().remove(0);
    assert_eq!((&*row.message, row.heard_ms), ("critical at 30", 30));
    let commit = board.take_commit();
    let history: Vec<_> = commit.transitions.iter().map(|t| (t.at, &*t.status)).collect();
    assert_eq!(history, [(10, "ok"), (30, "critical")]);
    assert_eq!(commit.states.len(), 1);
}

#[test]
fn an_older_report_changes_nothing() {
    let mut board = board(Vec::new(), 0);
    board.report(report("db", CheckStatus::Ok, 10)).unwrap();
    assert_eq!(board.report(report("db", CheckStatus::Critical, 9)), Err(Loss::OutOfOrder));
    assert_eq!(state(&board), (CheckStatus::Ok, false, 10));
}

#[test]
fn another_host_or_tag_is_another_check_up_to_the_limit() {
    let mut board = board(Vec::new(), 0);
    let one = report("db", CheckStatus::Ok, 1);
    board.report(one.clone()).unwrap();
    board.report(Report { host: "web-2".into(), ..one.clone() }).unwrap();
    board.report(Report { tags: BTreeMap::new(), ..one.clone() }).unwrap();
    assert_eq!(board.rows().len(), 3);
    assert_eq!(board.report(report("other", CheckStatus::Ok, 1)), Err(Loss::CheckLimit));
    assert_eq!(board.report(one), Ok(None));
}

#[test]
fn silence_makes_a_check_unknown_from_the_end_of_its_time_to_live() {
    let mut board = board(Vec::new(), 0);
    board.report(report("db", CheckStatus::Ok, 10)).unwrap();
    assert_eq!(board.tick(110), []);
    assert_eq!(board.tick(111).len(), 1);
    assert_eq!(state(&board), (CheckStatus::Unknown, true, 110));
    assert_eq!(board.tick(500), []);
    assert_eq!(board.samples()[0].1, 3.0);
    // It comes back, even with the same status that it reports itself.
    assert!(board.report(report("db", CheckStatus::Unknown, 600)).unwrap().is_some());
    assert_eq!(state(&board), (CheckStatus::Unknown, false, 600));
}

#[test]
fn a_check_is_forgotten_after_a_week_of_silence() {
    let mut board = board(Vec::new(), 0);
    board.report(report("db", CheckStatus::Ok, 0)).unwrap();
    board.take_commit();
    board.tick(FORGET_MS);
    assert_eq!(board.rows().len(), 1);
    board.tick(FORGET_MS + 1);
    assert_eq!(board.rows(), []);
    let commit = board.take_commit();
    assert_eq!((commit.states.len(), commit.transitions.len(), commit.removed.len()), (0, 0, 1));
    // When it comes back before that is written, it is not removed.
    board.report(report("db", CheckStatus::Ok, FORGET_MS + 2)).unwrap();
    board.take_back(commit);
    assert_eq!(board.take_commit().removed, [""; 0]);
}

#[test]
fn after_a_restart_everything_goes_on_and_nobody_is_silent_at_once() {
    let mut before = board(Vec::new(), 0);
    before.report(report("db", CheckStatus::Warning, 10)).unwrap();
    let rows = before.rows();
    let mut after = board(before.take_commit().states, 10_000);
    assert_eq!(after.rows(), rows);
    assert_eq!(after.tick(10_100), []);
    assert_eq!(after.report(report("db", CheckStatus::Warning, 10_050)), Ok(None));
    assert_eq!(after.samples(), before.samples());
    assert_eq!(after.tick(10_151).len(), 1);
}

#[test]
fn that_a_check_was_heard_of_is_written_now_and_then() {
    let mut board = board(Vec::new(), 0);
    board.report(report("db", CheckStatus::Ok, 0)).unwrap();
    board.take_commit();
    board.report(report("db", CheckStatus::Ok, REFRESH_MS - 1)).unwrap();
    assert!(board.take_commit().is_empty());
    board.report(report("db", CheckStatus::Ok, REFRESH_MS)).unwrap();
    assert_eq!(board.take_commit().states[0].heard_at, REFRESH_MS);
}

#[test]
fn what_could_not_be_written_is_written_later_in_order() {
    let mut board = board(Vec::new(), 0);
    board.report(report("db", CheckStatus::Ok, 1)).unwrap();
    let failed = board.take_commit();
    board.report(report("db", CheckStatus::Critical, 2)).unwrap();
    assert_eq!(board.take_back(failed), 0);
    let commit = board.take_commit();
    let times: Vec<_> = commit.transitions.iter().map(|t| t.at).collect();
    assert_eq!((times, &*commit.states[0].status), (vec![1, 2], "critical"));
    for at in 0..=MAX_PENDING as i64 {
        let status = if at % 2 == 0 { CheckStatus::Ok } else { CheckStatus::Warning };
        board.report(report("db", status, 10 + at)).unwrap();
    }
    let failed = board.take_commit();
    assert_eq!(board.take_back(failed), 1);
}

#[test]
fn the_sample_names_check_host_and_tags() {
    let mut board = board(Vec::new(), 0);
    let tags = [("host".to_owned(), "x".to_owned()), ("a".to_owned(), "b".to_owned())].into();
    board.report(Report { tags, ..report("db.up", CheckStatus::Warning, 0) }).unwrap();
    let (labels, value) = board.samples().remove(0);
    let expected = r#"service_check_status{a="b", check="db.up", host="web-1"}"#;
    assert_eq!((labels.to_string(), value), (expected.to_owned(), 1.0));
}

#[test]
fn what_needs_attention_comes_first() {
    let mut board =
        Board::restore(BoardOptions { max_checks: 9, ..OPTIONS }, Vec::new(), 0).unwrap();
    for (name, status) in [
        ("b", CheckStatus::Ok),
        ("a", CheckStatus::Ok),
        ("u", CheckStatus::Unknown),
        ("w", CheckStatus::Warning),
        ("c", CheckStatus::Critical),
    ] {
        board.report(report(name, status, 0)).unwrap();
    }
    let names: Vec<String> = board.rows().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["c", "w", "u", "a", "b"]);
    assert_eq!(board.counts().map(|(_, count)| count), [2, 1, 1, 1]);
}

#[test]
fn of_what_two_processes_heard_the_newer_counts() {
    let (mut here, mut there) = (board(Vec::new(), 0), board(Vec::new(), 0));
    here.report(report("db", CheckStatus::Ok, 10)).unwrap();
    there.report(report("db", CheckStatus::Critical, 20)).unwrap();
    let stored = there.take_commit().states;
    here.merge(stored.clone(), 30).unwrap();
    assert_eq!(state(&here), (CheckStatus::Critical, false, 20));
    here.report(report("db", CheckStatus::Ok, 25)).unwrap();
    here.merge(stored.clone(), 30).unwrap();
    assert_eq!(state(&here), (CheckStatus::Ok, false, 25), "what was stored is older");
    // Only one of them looks for silence.
    there.tick(200);
    here.merge(there.take_commit().states, 200).unwrap();
    assert_eq!(state(&here), (CheckStatus::Ok, false, 25));
    there.merge(here.take_commit().states, 200).unwrap();
    there.tick(200);
    here.merge(there.take_commit().states, 200).unwrap();
    assert_eq!(state(&here), (CheckStatus::Unknown, true, 125));
}

#[test]
fn what_another_process_forgot_is_forgotten() {
    let mut board = board(Vec::new(), 0);
    board.report(report("db", CheckStatus::Ok, 10)).unwrap();
    board.merge(Vec::new(), 10 + FORGET_MS).unwrap();
    assert_eq!(board.rows().len(), 1, "it may not be stored yet");
    board.merge(Vec::new(), 11 + FORGET_MS).unwrap();
    assert_eq!(board.rows(), []);
    assert!(board.take_commit().is_empty());
}
