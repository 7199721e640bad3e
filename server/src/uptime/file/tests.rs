use super::*;

fn read(text: &str) -> Result<Vec<Monitor>, FileErrors> {
    let mut reader = Reader::default();
    reader.read(Path::new("m.yml"), text);
    reader.finish()
}

#[track_caller]
fn check_errors(text: &str, expected: &[&str]) {
    let errors = read(text).unwrap_err().to_string();
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_short_definition_gets_the_defaults() {
    let text = "monitors:\n  - name: shop\n    kind: http\n    url: https://shop.example/health\n";
    let [monitor] = &read(text).unwrap()[..] else { panic!("one monitor") };
    assert_eq!(monitor.interval, Duration::from_secs(30));
    assert_eq!(monitor.timeout, Duration::from_secs(10));
    assert_eq!(monitor.failures, 2);
    assert_eq!(monitor.degraded_above, None);
    assert_eq!(monitor.alert.severity, "page");
    let Kind::Http(http) = &monitor.kind else { panic!("http") };
    assert_eq!(http.status, [200..=399]);
    assert!(http.tls_verify);
    assert_eq!(monitor.policy().silent_after_ms, 70_000);
}

#[test]
fn every_key_is_read() {
    let text = r#"
monitors:
  - name: api
    kind: http
    group: Shop
    url: https://api.example/v1?key=abc#part
    method: POST
    headers: { Authorization: "Bearer x", X-Number: 5 }
    body: "{}"
    status: 200, 301-302
    body_contains: '"ok"'
    redirects: 0
    tls_verify: false
    interval: 1m
    timeout: 5s
    failures: 3
    degraded_above: 500ms
    labels: { service: api, team: 7 }
    severity: ticket
    owner: shop
    impact: Orders fail.
    runbook: api-down
  - name: db
    kind: tcp
    address: "[::1]:5432"
    paused: true
  - name: backup
    kind: heartbeat
    interval: 1d
    grace: 1h
    token: abcdefghijklmnop
"#;
    let monitors = read(text).unwrap();
    let [api, db, backup] = &monitors[..] else { panic!("three monitors") };
    let Kind::Http(http) = &api.kind else { panic!("http") };
    assert_eq!(http.status, [200..=200, 301..=302]);
    assert_eq!(http.headers.len(), 2);
    assert_eq!((http.redirects, http.tls_verify), (0, false));
    assert_eq!(http.body_contains.as_deref(), Some("\"ok\""));
    assert_eq!(api.target(), "https://api.example/v1?…");
    assert_eq!(api.degraded_above, Some(Duration::from_millis(500)));
    assert_eq!(api.labels["team"], "7");
    assert_eq!(api.alert.runbook, "api-down");
    assert!(!format!("{api:?}").contains("Bearer"), "secrets are not shown");
    assert_eq!(db.target(), "[::1]:5432");
    assert!(db.paused && !db.is_probed());
    let Kind::Heartbeat(heartbeat) = &backup.kind else { panic!("heartbeat") };
    assert_eq!(heartbeat.grace, Duration::from_hours(1));
    assert_eq!(backup.policy().silent_after_ms, 25 * 3_600_000);
    assert!(!format!("{backup:?}").contains("abcdef"), "secrets are not shown");
}

#[test]
fn every_mistake_is_reported_with_its_place_and_a_remedy() {
    check_errors(
        "monitors:
  - name: a
    kind: http
    url: ftp://x
    colour: red
    timeout: soon
  - name: a
    kind: tcp
    address: nowhere
    failures: 0
    labels: { monitor: x, 'a-b': y }
  - kind: ping
    host: x
",
        &[
            "m.yml:2:5: url: scheme `ftp` must be http or https",
            "m.yml:5:5: a monitor has no key `colour`; remove it or check its spelling",
            "m.yml:6:14: `timeout` must be a duration like 500ms, 30s or 5m",
            "m.yml:7:5: `a` is defined at m.yml:2 too; give it another name",
            "m.yml:7:5: address `nowhere` must be like host:5432 or [::1]:5432",
            "m.yml:7:5: `failures` must be at least 1",
            "m.yml:11:15: label `monitor` is set by the monitor itself; rename it",
            "m.yml:11:27: `a-b` is not a label name; use letters, digits and _",
            "m.yml:12:5: a monitor needs `name`",
            "m.yml:12:5: unknown kind `ping`; use http, tcp or heartbeat",
        ],
    );
}

#[test]
fn mistakes_in_single_keys_point_at_the_key() {
    for (name, keys, expected) in [
        (
            "unknown key",
            "colour: red",
            "4:5: a monitor has no key `colour`; remove it or check its spelling",
        ),
        ("duration", "timeout: soon", "4:14: `timeout` must be a duration like 500ms, 30s or 5m"),
        (
            "overlap",
            "timeout: 31s",
            "2:5: `timeout` is longer than `interval`; checks would overlap",
        ),
        ("no failures", "failures: 0", "2:5: `failures` must be at least 1"),
        (
            "label",
            "labels: { monitor: x }",
            "4:15: label `monitor` is set by the monitor itself; rename it",
        ),
        (
            "label name",
            "labels: { a-b: x }",
            "4:15: `a-b` is not a label name; use letters, digits and _",
        ),
        ("bool", "paused: maybe", "4:13: `paused` must be true or false"),
        (
            "status",
            "status: 99-1000",
            "2:5: status `99-1000` must be like 200, 200-399 or 200,301-302",
        ),
        ("header", "headers: { 'a b': c }", "4:16: `a b` is not a valid header"),
        ("severity", "severity: high", "2:5: severity `high` must be page, ticket or info"),
        ("severity", "impact: '{{ $labels'", "2:5: `impact` is not a template: unclosed action"),
        ("short interval", "interval: 10ms", "2:5: `interval` must be from 1s to 366d"),
    ] {
        let text =
            format!("monitors:\n  - name: a\n    kind: http\n    {keys}\n    url: http://x\n");
        let errors = read(&text).unwrap_err().to_string();
        assert_eq!(errors, format!("m.yml:{expected}"), "{name}");
    }
}

#[test]
fn text_that_is_not_yaml_or_not_a_monitor_file_is_named() {
    check_errors("- a\n", &["m.yml:1:1: a monitor file must be a map of keys and values"]);
    check_errors("monitors: 5\n", &["m.yml:1:11: expected a list, each item on a line with `- `"]);
    assert!(read("monitors: [").unwrap_err().to_string().starts_with("m.yml:"));
    assert_eq!(read("").unwrap(), []);
    assert_eq!(read("# nothing yet\n").unwrap(), []);
}

#[test]
fn a_heartbeat_takes_its_token_from_a_file_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = "monitors:\n- {name: b, kind: heartbeat, interval: 1h, token_file: b.token}\n";
    let path = folder.path().join("m.yml");
    std::fs::write(&path, text).unwrap();
    let error = load(std::slice::from_ref(&path)).unwrap_err().to_string();
    assert!(error.contains("b.token") && error.contains("/dev/urandom"), "{error}");
    std::fs::write(folder.path().join("b.token"), "0123456789abcdef\n").unwrap();
    let monitors = load(&[path]).unwrap();
    let Kind::Heartbeat(heartbeat) = &monitors[0].kind else { panic!("heartbeat") };
    assert_eq!(heartbeat.token.0, "0123456789abcdef");
}

#[test]
fn tokens_must_be_long_and_unique() {
    let text = "monitors:
- {name: a, kind: heartbeat, token: short}
- {name: b, kind: heartbeat, token: 0123456789abcdef}
- {name: c, kind: heartbeat, token: 0123456789abcdef}
";
    let errors = read(text).unwrap_err().0;
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!((errors[0].line, errors[1].line), (2, 4));
}

#[test]
fn the_shipped_example_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/monitors/example.yml");
    let monitors = load(&[path]).unwrap();
    assert!(monitors.iter().all(|monitor| monitor.target().contains("127.0.0.1:8080")));
}

#[test]
fn a_file_that_is_not_there_is_an_error_of_that_file() {
    let error = load(&[PathBuf::from("/nonexistent/m.yml")]).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/m.yml:0:0: cannot read the file"), "{error}");
}
