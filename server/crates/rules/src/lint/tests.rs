use super::*;
use crate::file;

const GOOD: &str = "annotations: {summary: s, runbook_url: r}";

#[track_caller]
fn check(rule: &str, expected: &[&str]) {
    let yaml = format!("groups:\n- name: g\n  rules:\n  - {{{rule}}}\n");
    let findings = lint(&file::parse("a.yml", &yaml).unwrap());
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, expected, "{rule}");
}

#[test]
fn what_keeps_a_person_from_acting_is_found() {
    for (rule, expected) in [
        (format!("alert: A, expr: up == 0, labels: {{severity: ticket}}, {GOOD}"), &[][..]),
        (
            "alert: A, expr: up".to_owned(),
            &["no_summary", "no_runbook", "no_comparison", "no_severity"],
        ),
        (
            format!("alert: A, expr: up == 0, labels: {{severity: critical}}, {GOOD}"),
            &["unusual_severity"],
        ),
        (
            format!("alert: A, expr: up == 0, labels: {{severity: page}}, {GOOD}"),
            &["page_without_for"],
        ),
        (format!("alert: A, expr: up == 0, for: 1m, labels: {{severity: page}}, {GOOD}"), &[]),
        (
            format!("alert: A, expr: absent(up), labels: {{severity: info}}, {GOOD}"),
            &["absent_without_for"],
        ),
        (
            format!(
                "alert: A, expr: a and b, labels: {{severity: info, v: '{{{{ $value }}}}'}}, {GOOD}"
            ),
            &["value_in_label"],
        ),
        (
            format!(
                "alert: A, expr: a unless b, labels: {{severity: '{{{{ $labels.s }}}}'}}, {GOOD}"
            ),
            &[],
        ),
        ("record: r, expr: up".to_owned(), &[]),
    ] {
        check(&rule, expected);
    }
}

#[test]
fn a_finding_names_its_place_and_its_remedy() {
    let yaml = format!("groups:\n- name: g\n  rules:\n  - {{alert: A, expr: up == 0, {GOOD}}}\n");
    let findings = lint(&file::parse("a.yml", &yaml).unwrap());
    assert_eq!(
        findings[0].to_string(),
        "a.yml:4:5: warning: `A` has no label `severity` [no_severity] (set the label `severity` to \
         page, ticket or info)"
    );
}
