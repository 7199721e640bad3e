//! Monitors as alerting rules: one alert engine for everything.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use super::monitor::{AlertTexts, Monitor};

/// The name of the generated rule group.
const GROUP: &str = "monitors";

/// The alerting rules of all monitors as a Prometheus rule file. `for` is zero for downtime: the
/// ledger has confirmed it already. Monitors with the same severity, owner, impact and runbook share a
/// rule.
pub(crate) fn monitor_rules(monitors: &[Monitor]) -> String {
    let mut sets: BTreeMap<&AlertTexts, Vec<&str>> = BTreeMap::new();
    for monitor in monitors {
        sets.entry(&monitor.alert).or_default().push(&monitor.name);
    }
    let mut yaml = format!("groups:\n  - name: {GROUP}\n    rules:\n");
    if sets.is_empty() {
        yaml.truncate(yaml.len() - 1);
        yaml.push_str(" []\n");
    }
    let is_only = sets.len() == 1;
    for (texts, names) in sets {
        let matcher = if is_only { String::new() } else { one_of(&names) };
        for rule in &RULES {
            // Writing to a text never fails.
            let _written: fmt::Result = rule.write(texts, &matcher, &mut yaml);
        }
    }
    yaml
}

/// How an alert compares with the urgency of its monitor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// As urgent as the monitor.
    Full,
    /// Can wait for working hours.
    Lesser,
    /// Good to know.
    Low,
}

struct Rule {
    alert: &'static str,
    /// The expression; `$MONITORS` stands for the matcher of the monitors it is about.
    expr: &'static str,
    hold: &'static str,
    urgency: Urgency,
    summary: &'static str,
    description: &'static str,
    /// `None` takes that of the monitor.
    impact: Option<&'static str>,
}

const MATCHER: &str = "$MONITORS";

const RULES: [Rule; 5] = [
    Rule {
        alert: "MonitorDown",
        expr: "monitor_up$MONITORS == 0",
        hold: "0s",
        urgency: Urgency::Full,
        summary: "{{ $labels.monitor }} is down",
        description: "The {{ $labels.kind }} monitor {{ $labels.monitor }} failed several checks in \
                      a row (monitor_up is {{ $value }}, expected 1). Its page shows the error and \
                      since when.",
        impact: None,
    },
    Rule {
        alert: "MonitorDegraded",
        expr: "monitor_state$MONITORS == 2",
        hold: "5m",
        urgency: Urgency::Lesser,
        summary: "{{ $labels.monitor }} answers slowly",
        description: "Checks of {{ $labels.monitor }} have been slower than its degraded_above for \
                      5 minutes (monitor_state is {{ $value }}, 1 is up).",
        impact: None,
    },
    Rule {
        alert: "MonitorUnknown",
        expr: "monitor_state$MONITORS == 0",
        hold: "15m",
        urgency: Urgency::Lesser,
        summary: "nothing is known of {{ $labels.monitor }}",
        description: "No check of {{ $labels.monitor }} has been made for 15 minutes (monitor_state \
                      is {{ $value }}, 1 is up): the prober is overloaded, or the job has never \
                      reported.",
        impact: Some("An outage of {{ $labels.monitor }} would go unnoticed."),
    },
    Rule {
        alert: "MonitorCertificateExpiring",
        expr: "monitor_certificate_expiry_timestamp_seconds$MONITORS - time() < 14 * 86400",
        hold: "1h",
        urgency: Urgency::Lesser,
        summary: "the certificate of {{ $labels.monitor }} expires soon",
        description: "The certificate shown by {{ $labels.monitor }} ends in {{ $value | \
                      humanizeDuration }}; less than 14 days are left.",
        impact: Some("After that, clients refuse to connect."),
    },
    Rule {
        alert: "MonitorFlaky",
        expr: "increase(monitor_blips_total$MONITORS[1h]) > 3",
        hold: "0s",
        urgency: Urgency::Low,
        summary: "checks of {{ $labels.monitor }} fail now and then",
        description: "{{ $value | humanize }} times within an hour checks of {{ $labels.monitor }} \
                      failed and succeeded again before it counted as down (threshold 3).",
        impact: Some("Some users of {{ $labels.monitor }} see errors; an outage may follow."),
    },
];

impl Rule {
    fn write(&self, texts: &AlertTexts, matcher: &str, yaml: &mut String) -> fmt::Result {
        let severity = match self.urgency {
            Urgency::Full => &texts.severity,
            Urgency::Lesser if texts.severity != "info" => "ticket",
            Urgency::Lesser | Urgency::Low => "info",
        };
        writeln!(yaml, "      - alert: {}", self.alert)?;
        writeln!(yaml, "        expr: {}", quoted(&self.expr.replace(MATCHER, matcher)))?;
        writeln!(yaml, "        for: {}", self.hold)?;
        writeln!(yaml, "        labels:")?;
        writeln!(yaml, "          severity: {}", quoted(severity))?;
        if !texts.owner.is_empty() {
            writeln!(yaml, "          owner: {}", quoted(&texts.owner))?;
        }
        let impact = match self.impact {
            Some(impact) => impact,
            None if texts.impact.is_empty() => {
                "Users of {{ $labels.monitor }} are likely to notice."
            }
            None => &texts.impact,
        };
        // The monitor's own runbook is about its downtime.
        let is_own = self.urgency == Urgency::Full;
        let runbook = if is_own { &texts.runbook } else { self.alert };
        writeln!(yaml, "        annotations:")?;
        writeln!(yaml, "          summary: {}", quoted(self.summary))?;
        writeln!(yaml, "          description: {}", quoted(self.description))?;
        writeln!(yaml, "          impact: {}", quoted(impact))?;
        writeln!(yaml, "          runbook_url: {}", quoted(&format!("runbooks/{runbook}")))
    }
}

/// A text in YAML's double quotes, whose escapes contain those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A matcher for exactly these names.
fn one_of(names: &[&str]) -> String {
    let mut pattern = String::new();
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            pattern.push('|');
        }
        for c in name.chars() {
            if !c.is_alphanumeric() && !matches!(c, ' ' | '_') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
    }
    format!("{{monitor=~{}}}", quoted(&pattern))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::uptime::file;

    fn monitors(text: &str) -> Vec<Monitor> {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("m.yml");
        std::fs::write(&path, text).unwrap();
        file::load(&[path]).unwrap()
    }

    #[test]
    fn monitors_with_equal_texts_share_rules() {
        let text = "monitors:
- {name: a, kind: tcp, address: 'a:1'}
- {name: b, kind: tcp, address: 'b:1'}
";
        let yaml = monitor_rules(&monitors(text));
        assert_eq!(yaml.matches("- alert: MonitorDown").count(), 1);
        assert!(yaml.contains(r#"expr: "monitor_up == 0""#), "{yaml}");
        assert!(yaml.contains(r#"severity: "page""#), "{yaml}");
        assert!(yaml.contains(r#"runbook_url: "runbooks/MonitorDown""#), "{yaml}");
    }

    #[test]
    fn monitors_with_other_texts_get_rules_of_their_own() {
        let text = "monitors:
- {name: a.b, kind: tcp, address: 'a:1'}
- {name: 'c \"d\"', kind: tcp, address: 'c:1', severity: ticket, owner: shop, runbook: shop-down}
";
        let yaml = monitor_rules(&monitors(text));
        assert_eq!(yaml.matches("- alert: MonitorDown").count(), 2);
        assert!(yaml.contains(r#"expr: "monitor_up{monitor=~\"a\\\\.b\"} == 0""#), "{yaml}");
        assert!(yaml.contains(r#"owner: "shop""#), "{yaml}");
        assert!(yaml.contains(r#"runbook_url: "runbooks/shop-down""#), "{yaml}");
    }

    #[test]
    fn the_generated_rules_are_a_rule_file_without_findings() {
        let text = "monitors:
- {name: a.b, kind: tcp, address: 'a:1', severity: ticket}
- {name: 'c \"d\"', kind: tcp, address: 'c:1', impact: 'Nobody says \"hello\".'}
";
        let groups = rules::file::parse("monitors", &monitor_rules(&monitors(text))).unwrap();
        assert_eq!(groups[0].rules.len(), 10);
        let findings: Vec<_> = rules::lint::lint(&groups)
            .iter()
            .filter(|finding| finding.severity == rules::lint::Severity::Warning)
            .map(ToString::to_string)
            .collect();
        assert_eq!(findings, [""; 0]);
    }

    #[test]
    fn no_monitors_give_an_empty_group() {
        assert_eq!(monitor_rules(&[]), "groups:\n  - name: monitors\n    rules: []\n");
    }
}
