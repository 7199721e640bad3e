use std::path::Path;

use proptest::prelude::*;

use super::*;

const FULL: &str = r#"
global:
  resolve_timeout: 10m
  smtp_smarthost: mail.example.org:465
  smtp_from: "Bellwether <alerts@example.org>"
  smtp_auth_username: alerts
  smtp_auth_password: hunter2
  http_config:
    basic_auth: {username: ann, password: hunter3}
route:
  receiver: team
  group_by: [alertname, cluster]
  group_wait: 10s
  routes:
    - receiver: pager
      matchers: [severity="page", 'team=~"a|b"']
      match: {env: production}
      match_re: {job: "api|web"}
      continue: true
      mute_time_intervals: [nights]
receivers:
  - name: team
    email_configs:
      - to: "ann@example.org, Bob <bob@example.org>"
      - to: carol@example.org
        smarthost: "[::1]:2525"
        require_tls: false
        send_resolved: false
  - name: pager
    webhook_configs:
      - url: https://hooks.example.org/secret-path
        signing_secret: hunter4
        max_alerts: 20
        timeout: 3s
      - url: http://127.0.0.1:9/
        http_config:
          authorization: {credentials: hunter5}
          follow_redirects: false
inhibit_rules:
  - source_matchers: [severity="page"]
    target_match: {severity: ticket}
    equal: [service]
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: "22:00", end_time: "24:00"}, {start_time: "00:00", end_time: "06:00"}]
        weekdays: ["monday:friday", saturday]
        days_of_month: ["1:5", "-3:-1"]
        months: ["january:march", 12]
        years: [2026]
        location: Europe/Berlin
"#;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("alerting.yml"))
}

#[test]
fn alertmanagers_format_is_read() {
    let config = parse(FULL).unwrap();
    assert_eq!(config.resolve_timeout, Duration::from_mins(10));
    let route = &config.route.routes[0];
    let matchers: Vec<String> = route.matchers.iter().map(ToString::to_string).collect();
    assert_eq!(
        matchers,
        [r#"severity="page""#, r#"team=~"a|b""#, r#"env="production""#, r#"job=~"api|web""#]
    );
    assert!(route.continues);
    assert_eq!(config.inhibit_rules[0].equal, ["service"]);
    let night = &config.time_intervals["nights"][0];
    assert_eq!(night.times, [(1320, 1440), (0, 360)]);
    assert_eq!(night.weekdays, [(1, 5), (6, 6)]);
    assert_eq!(night.months, [(1, 3), (12, 12)]);
    assert_eq!(night.location.iana_name(), Some("Europe/Berlin"));
}

#[test]
fn receivers_take_what_they_do_not_say_from_the_global_section() {
    let config = parse(FULL).unwrap();
    let emails: Vec<&EmailConfig> = config.receivers[0]
        .integrations
        .iter()
        .filter_map(|i| if let Integration::Email(email) = i { Some(&**email) } else { None })
        .collect();
    assert_eq!((emails[0].host.as_str(), emails[0].port), ("mail.example.org", 465));
    assert_eq!((emails[1].host.as_str(), emails[1].port), ("::1", 2525));
    assert_eq!(emails.iter().map(|e| e.require_tls).collect::<Vec<_>>(), [true, false]);
    assert_eq!(emails.iter().map(|e| e.send_resolved).collect::<Vec<_>>(), [true, false]);
    assert!(emails.iter().all(|e| e.auth.as_ref().is_some_and(|(user, _)| user == "alerts")));
    let authorizations: Vec<bool> = config.receivers[1]
        .integrations
        .iter()
        .map(|i| {
            matches!(i, Integration::Webhook(w)
                if matches!(w.http.authorization, Some(Authorization::Basic(..))))
        })
        .collect();
    assert_eq!(authorizations, [true, false]);
}

#[test]
fn mails_fall_back_to_the_servers_own_smtp_settings() {
    let smtp = SmtpDefaults {
        from: Some("bell@example.org".to_owned()),
        smarthost: Some(("relay".to_owned(), 25)),
        require_tls: Some(false),
        ..SmtpDefaults::default()
    };
    let text = "
global: {smtp_from: alerts@example.org}
route: {receiver: a}
receivers: [{name: a, email_configs: [{to: ann@example.org}]}]
";
    let config = Config::parse_with(text, Path::new("alerting.yml"), &smtp).unwrap();
    let Integration::Email(email) = &config.receivers[0].integrations[0] else {
        panic!("expected a mail")
    };
    assert_eq!(
        (email.from.as_str(), email.host.as_str(), email.port),
        ("alerts@example.org", "relay", 25)
    );
    assert!(!email.require_tls);
}

#[test]
fn secrets_are_in_no_debug_output() {
    let shown = format!("{:?}", parse(FULL).unwrap());
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(!shown.contains("secret-path"), "{shown}");
}

#[test]
fn secrets_are_read_from_files_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hook"), "http://127.0.0.1:9/key\n").unwrap();
    let text =
        "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url_file: hook}]}]\n";
    let config = Config::parse(text, &folder.path().join("alerting.yml")).unwrap();
    let Integration::Webhook(webhook) = &config.receivers[0].integrations[0] else {
        panic!("expected a webhook")
    };
    assert_eq!(webhook.url.expose().path(), "/key");
}

#[test]
fn every_problem_is_reported_at_its_place() {
    let text = r#"global:
  smtp_form: x@example.org
  slack_api_url: https://example.org
route:
  receiver: nobody
  group_wait: 10x
  group_interval: 0s
  routes:
    - matchers: [severity, "a=~("]
      mute_time_intervals: [never]
receivers:
  - name: a
    slack_configs: [{channel: x}]
    email_configs:
      - to: not an address
    webhook_configs:
      - url: ftp://example.org
      - url_file: missing
  - name: a
templates: [x]
"#;
    let errors = parse(text).unwrap_err().to_string();
    let expected = [
        "alerting.yml:2:3: unknown key `smtp_form` in global",
        "alerting.yml:3:3: `slack_api_url` is not supported yet; remove it",
        "alerting.yml:5:13: receiver `nobody` is not defined",
        "alerting.yml:6:15: group_wait: `10x` is not a duration",
        "alerting.yml:7:19: group_interval must be more than zero",
        "alerting.yml:9:18: `severity` is not a matcher",
        "alerting.yml:9:28: invalid regular expression `(`: unclosed group",
        "alerting.yml:10:29: time interval `never` is not defined",
        "alerting.yml:13:5: `slack_configs` is not supported yet; remove it",
        "alerting.yml:15:9: no sender: set `from` here or `smtp_from` in `global`",
        "alerting.yml:15:9: no mail server: set `smarthost` here",
        "alerting.yml:15:13: bad address in `to`",
        "alerting.yml:17:14: bad webhook address: scheme `ftp`, expected http or https",
        "alerting.yml:18:19: cannot read url_file missing",
        "alerting.yml:19:5: receiver `a` is defined twice",
        "alerting.yml:20:1: `templates` is not supported yet; remove it",
    ];
    let lines: Vec<&str> = errors.lines().collect();
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\nexpected {expected}\nin\n{errors}");
    }
    assert_eq!(lines.len(), expected.len(), "{errors}");
}

#[test]
fn what_cannot_work_is_refused() {
    let with = |rest: &str| format!("receivers: [{{name: a}}]\n{rest}");
    for (name, text, expected) in [
        ("not yaml", "a: [".to_owned(), "not valid YAML"),
        ("empty", String::new(), "no `route`"),
        ("not a map", "[]".to_owned(), "must be a map"),
        ("no receiver", with("route: {}"), "the first route needs a `receiver`"),
        (
            "matchers at the root",
            with("route: {receiver: a, matchers: [x=y]}"),
            "takes every alert",
        ),
        ("all labels and more", with("route: {receiver: a, group_by: ['...', x]}"), "stands alone"),
        ("label twice", with("route: {receiver: a, group_by: [x, x]}"), "is twice in"),
        (
            "a flag that is none",
            with("route: {receiver: a, routes: [{continue: maybe}]}"),
            "continue is `maybe`, expected true or false",
        ),
        (
            "a zone that is none",
            with(
                "route: {receiver: a}\ntime_intervals: [{name: x, time_intervals: [{location: Mars}]}]",
            ),
            "unknown time zone `Mars`",
        ),
        (
            "an empty range",
            with(
                "route: {receiver: a}\ntime_intervals: [{name: x, time_intervals: [{times: [{start_time: '10:00', end_time: '09:00'}]}]}]",
            ),
            "ends before it begins",
        ),
    ] {
        let errors = parse(&text).unwrap_err().to_string();
        assert!(errors.contains(expected), "{name}: {errors}");
    }
}

#[test]
fn without_a_file_everyone_is_told_through_one_route() {
    let url = crate::secret::SecretUrl::parse("http://127.0.0.1:9/").unwrap();
    let webhook = Integration::Webhook(Box::new(WebhookConfig::new(url)));
    let config = Config::with_integrations(vec![webhook]);
    assert_eq!(config.route.receiver.as_deref(), Some("default"));
    assert_eq!(config.receivers[0].integrations.len(), 1);
}

proptest! {
    /// Any YAML in any place is read or refused with a place, never a panic.
    #[test]
    fn property_a_changed_configuration_is_read_or_refused(
        line in 0..FULL.lines().count(),
        replacement in "[a-z ]{0,12}[:\\[{}\\]\"'#&*!|>%@,-]{0,4}[a-z0-9 ]{0,4}",
    ) {
        let lines: Vec<&str> = FULL
            .lines()
            .enumerate()
            .map(|(i, text)| if i == line { replacement.as_str() } else { text })
            .collect();
        if let Err(errors) = parse(&lines.join("\n")) {
            prop_assert!(!errors.0.is_empty());
            prop_assert!(errors.0.iter().all(|error| error.line > 0), "{}", errors);
        }
    }
}
