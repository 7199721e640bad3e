//! The sentences of a mail.

use model::Timestamp;

use super::template::is_web_address;
use crate::{
    alert::{ALERT_NAME, Alert, AlertStatus},
    notification::Notification,
    threshold::Comparison,
};

/// The most characters of a subject.
const MAX_SUBJECT: usize = 120;

/// `[FIRING] HighErrorRate: checkout (5.2% > 1%)`, or with several alerts their number, the common
/// name and the targets.
pub(super) fn subject(notification: &Notification) -> String {
    let status = notification.status();
    let counted: Vec<&Alert> =
        notification.alerts.iter().filter(|alert| alert.status == status).collect();
    let word = status.as_str().to_uppercase();
    let subject = match counted.as_slice() {
        [alert] => format!("[{word}] {}", subject_of_one(alert)),
        several => {
            let names = match notification.common_labels().get(ALERT_NAME) {
                Some(name) => format!("{name}: {}", listed(several.iter().map(|a| a.target()))),
                None => listed(several.iter().map(|a| a.name())),
            };
            format!("[{word}:{}] {}", several.len(), names.trim_end_matches([':', ' ']))
        }
    };
    shortened(&one_line(&subject), MAX_SUBJECT)
}

fn subject_of_one(alert: &Alert) -> String {
    let name = if alert.name().is_empty() { "alert" } else { alert.name() };
    let target = match alert.target() {
        "" => String::new(),
        target => format!(": {target}"),
    };
    let detail = match alert.status {
        AlertStatus::Firing => alert.reading(),
        AlertStatus::Resolved => length(alert).map(|length| format!("after {length}")),
    };
    let detail = detail.map_or(String::new(), |detail| format!(" ({detail})"));
    format!("{name}{target}{detail}")
}

/// Different texts in order, with commas.
fn listed<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut unique: Vec<&str> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !unique.contains(&text) {
            unique.push(text);
        }
    }
    unique.join(", ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

/// How long an alert that is over was on.
fn length(alert: &Alert) -> Option<String> {
    let end = alert.ends_at.filter(|_| alert.status == AlertStatus::Resolved)?;
    Some(duration_text(end - alert.starts_at))
}

/// The line at the top: `FIRING · page`, `2 FIRING, 1 RESOLVED`, `RESOLVED after 12 min`.
pub(super) fn banner(notification: &Notification) -> String {
    if let [alert] = notification.alerts.as_slice() {
        return state(alert);
    }
    match (notification.firing().count(), notification.resolved().count()) {
        (firing, 0) => format!("{firing} FIRING"),
        (0, resolved) => format!("{resolved} RESOLVED"),
        (firing, resolved) => format!("{firing} FIRING, {resolved} RESOLVED"),
    }
}

/// `FIRING · page` or `RESOLVED after 12 min`.
pub(super) fn state(alert: &Alert) -> String {
    match (alert.status, length(alert), alert.labels.get("severity")) {
        (AlertStatus::Resolved, Some(length), _) => format!("RESOLVED after {length}"),
        (AlertStatus::Resolved, None, _) => "RESOLVED".to_owned(),
        (AlertStatus::Firing, _, Some(severity)) => format!("FIRING · {severity}"),
        (AlertStatus::Firing, _, None) => "FIRING".to_owned(),
    }
}

/// What is wrong in words, the summary or else name and target; marked when it is over.
pub(super) fn headline(alert: &Alert) -> String {
    let what = match (alert.annotation("summary"), alert.target()) {
        (Some(summary), _) => one_line(summary),
        (None, "") => alert.name().to_owned(),
        (None, target) => format!("{} on {target}", alert.name()),
    };
    match alert.status {
        AlertStatus::Firing => what,
        AlertStatus::Resolved => format!("Over: {what}"),
    }
}

/// `5.2%, above the limit of 1%`, while it fires.
pub(super) fn reading(alert: &Alert) -> Option<String> {
    let value = alert.value.filter(|_| alert.status == AlertStatus::Firing)?;
    let value = alert.unit.format(value);
    let Some(threshold) = alert.threshold else { return Some(value) };
    let place = match threshold.comparison {
        Comparison::Greater => "above",
        Comparison::GreaterOrEqual => "at or above",
        Comparison::Less => "below",
        Comparison::LessOrEqual => "at or below",
        Comparison::Equal => "equal to",
        Comparison::NotEqual => "different from",
    };
    Some(format!("{value}, {place} the limit of {}", alert.unit.format(threshold.bound)))
}

/// Since when and for how long, or from when to when.
pub(super) fn since(alert: &Alert, now: Timestamp) -> String {
    let start = time_text(alert.starts_at);
    match alert.ends_at.filter(|_| alert.status == AlertStatus::Resolved) {
        Some(end) => format!("From {start} to {}", time_text(end)),
        None => format!("Since {start}, for {}", duration_text(now - alert.starts_at)),
    }
}

fn time_text(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| at.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Who was told and why.
pub(super) fn footer(notification: &Notification) -> String {
    format!(
        "Sent to {} ({}), group {}.",
        notification.destination.receiver,
        notification.reason.as_str(),
        notification.group_labels
    )
}

/// An annotation that speaks of the present, so only while the alert fires: `description`, `impact`.
pub(super) fn present<'a>(alert: &'a Alert, name: &str) -> Option<&'a str> {
    alert.annotation(name).filter(|_| alert.status == AlertStatus::Firing)
}

/// The address of the runbook, when it is one a mail can link to.
pub(super) fn runbook_url(alert: &Alert) -> Option<&str> {
    alert.annotation("runbook_url").filter(|url| is_web_address(url))
}

/// What to do, for as long as there is something to do.
pub(super) fn runbook(alert: &Alert) -> Option<&str> {
    let text = alert.runbook.as_deref().filter(|text| !text.trim().is_empty());
    text.filter(|_| alert.status == AlertStatus::Firing)
}

/// A length in the largest two units: `42 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
fn duration_text(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let pair = |major: i64, major_unit: &str, minor: i64, minor_unit: &str| {
        if minor == 0 {
            format!("{major} {major_unit}")
        } else {
            format!("{major} {major_unit} {minor} {minor_unit}")
        }
    };
    if days > 0 {
        pair(days, "d", hours, "h")
    } else if hours > 0 {
        pair(hours, "h", minutes, "min")
    } else if minutes > 0 {
        pair(minutes, "min", seconds % 60, "s")
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_at_most_two_units() {
        for (ms, expected) in [
            (-5, "0 s"),
            (42_900, "42 s"),
            (720_000, "12 min"),
            (90_000, "1 min 30 s"),
            (12_000_000, "3 h 20 min"),
            (187_200_000, "2 d 4 h"),
        ] {
            assert_eq!(duration_text(ms), expected);
        }
    }
}
