//! What is valid in a rule and still not good: an alert that nobody can act on.

use std::fmt;

use promql::parser::{BinaryOp, ExprKind};

use crate::rule::{AlertingRule, GroupSpec, Position, Rule};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Could be better.
    Info,
    /// Will hurt whoever is woken by it.
    Warning,
}

impl Severity {
    /// The word shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
        }
    }
}

/// Something to improve. Displays as `file:line:column: severity: message [code] (remedy)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's file.
    pub file: String,
    /// Where the rule begins.
    pub position: Position,
    /// How much it matters.
    pub severity: Severity,
    /// A stable word for the kind of finding.
    pub code: &'static str,
    /// What is not good.
    pub message: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(
            f,
            "{}:{line}:{column}: {}: {} [{}] ({})",
            self.file,
            self.severity.as_str(),
            self.message,
            self.code,
            self.remedy
        )
    }
}

/// Values of the label `severity` that routes know.
const SEVERITIES: [&str; 3] = ["page", "ticket", "info"];

/// A finding before its place is known.
type Remark = (Severity, &'static str, String, &'static str);

/// Looks at all rules; findings are in order of the rules.
pub fn lint(groups: &[GroupSpec]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for group in groups {
        for rule in &group.rules {
            let Rule::Alerting(rule) = rule else { continue };
            let remarks = [
                annotation(rule, "summary", Severity::Warning),
                annotation(rule, "runbook_url", Severity::Warning),
                comparison(rule),
                severity(rule),
                hold(rule),
                absent(rule),
                value_in_labels(rule),
            ];
            findings.extend(remarks.into_iter().flatten().map(
                |(severity, code, message, remedy)| Finding {
                    file: group.file.clone(),
                    position: rule.position,
                    severity,
                    code,
                    message,
                    remedy,
                },
            ));
        }
    }
    findings
}

fn annotation(rule: &AlertingRule, name: &str, severity: Severity) -> Option<Remark> {
    let is_there = rule.annotations.iter().any(|(n, text)| n == name && !text.source().is_empty());
    let (code, remedy) = match name {
        "summary" => ("no_summary", "say in one line what is wrong, where, and how bad"),
        _ => ("no_runbook", "link the page that says what to do"),
    };
    (!is_there).then(|| (severity, code, format!("`{}` has no `{name}`", rule.name), remedy))
}

/// Without a comparison an alert fires for every series there is, whatever its value.
fn comparison(rule: &AlertingRule) -> Option<Remark> {
    let mut has_condition = false;
    rule.expr.expr().walk(&mut |node| match &node.kind {
        ExprKind::Binary(binary) => {
            has_condition |=
                binary.op.is_comparison() || matches!(binary.op, BinaryOp::Unless | BinaryOp::And);
        }
        ExprKind::Call(call) => has_condition |= call.function.name.starts_with("absent"),
        _ => {}
    });
    (!has_condition).then(|| {
        let message = format!("the expression of `{}` compares nothing", rule.name);
        (Severity::Warning, "no_comparison", message, "compare with a threshold, such as `> 0`")
    })
}

fn severity(rule: &AlertingRule) -> Option<Remark> {
    let remedy = "set the label `severity` to page, ticket or info";
    let label = rule.labels.iter().find(|(name, _)| name == "severity");
    let Some((_, template)) = label else {
        let message = format!("`{}` has no label `severity`", rule.name);
        return Some((Severity::Warning, "no_severity", message, remedy));
    };
    let value = template.source();
    let is_known = SEVERITIES.contains(&value) || value.contains("{{");
    (!is_known).then(|| {
        let message = format!("`{}` has the unusual severity `{value}`", rule.name);
        (Severity::Info, "unusual_severity", message, remedy)
    })
}

fn is_page(rule: &AlertingRule) -> bool {
    rule.labels.iter().any(|(name, value)| name == "severity" && value.source() == "page")
}

fn hold(rule: &AlertingRule) -> Option<Remark> {
    (is_page(rule) && rule.hold.is_zero()).then(|| {
        let message = format!("`{}` pages at the first evaluation", rule.name);
        (Severity::Info, "page_without_for", message, "add `for` with at least two evaluations")
    })
}

/// A restart of the sender makes a series absent for a moment.
fn absent(rule: &AlertingRule) -> Option<Remark> {
    let mut is_absent = false;
    rule.expr.expr().walk(&mut |node| {
        is_absent |= matches!(&node.kind, ExprKind::Call(call) if call.function.name == "absent");
    });
    (is_absent && rule.hold.is_zero()).then(|| {
        let message = format!("`{}` uses absent() without `for`", rule.name);
        (Severity::Warning, "absent_without_for", message, "add `for` longer than a restart takes")
    })
}

/// The value changes at every evaluation, and with it the identity of the alert.
fn value_in_labels(rule: &AlertingRule) -> Option<Remark> {
    let names = ["$value", ".Value", "value", "query"];
    let (name, _) = rule.labels.iter().find(|(_, template)| template.uses(&names))?;
    let message = format!("the label `{name}` of `{}` contains a value", rule.name);
    let remedy = "move it to an annotation: each new value would be a new alert";
    Some((Severity::Warning, "value_in_label", message, remedy))
}

#[cfg(test)]
mod tests;
