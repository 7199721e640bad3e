//! What a mail says: subject, text and HTML, from a notification and its pictures.

use std::fmt::{Result, Write as _};

use super::{html, words};
use crate::{alert::Alert, notification::Notification};

/// The most alerts shown in full; the others are listed in one line each.
const SHOWN_IN_FULL: usize = 5;
/// The most alerts listed in one line.
const LISTED: usize = 100;

/// A finished mail without its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// Which alerts are shown how: what fires comes first, and of that what is critical.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    /// Shown in full.
    pub(super) full: Vec<&'a Alert>,
    /// Listed in one line each.
    pub(super) listed: Vec<&'a Alert>,
    /// How many are not shown in full.
    pub(super) more: usize,
}

impl<'a> Outline<'a> {
    pub(super) fn new(notification: &'a Notification) -> Self {
        let mut full: Vec<&Alert> = notification.alerts.iter().collect();
        full.sort_by_key(|alert| (alert.status, !alert.is_critical()));
        let mut listed = full.split_off(full.len().min(SHOWN_IN_FULL));
        let more = listed.len();
        listed.truncate(LISTED);
        Self { full, listed, more }
    }
}

impl Content {
    /// The mail for a notification. `picture_of` gives the content id of an alert's picture.
    pub(super) fn new(
        notification: &Notification,
        picture_of: impl Fn(&Alert) -> Option<String>,
    ) -> Self {
        let outline = Outline::new(notification);
        let subject = words::subject(notification);
        let html = html::page(notification, &outline, &subject, picture_of);
        let mut text = String::new();
        write_text(&mut text, notification, &outline).expect("writing to a text cannot fail");
        Self { subject, text, html }
    }
}

/// The same content for readers without HTML.
fn write_text(out: &mut String, notification: &Notification, outline: &Outline<'_>) -> Result {
    writeln!(out, "{}", words::banner(notification))?;
    for alert in &outline.full {
        write_alert(out, notification, alert)?;
    }
    if outline.more > 0 {
        writeln!(out, "\n{} more:", outline.more)?;
        for alert in &outline.listed {
            writeln!(out, "  {}: {}", words::state(alert), words::headline(alert))?;
        }
        let left_out = outline.more - outline.listed.len();
        if left_out > 0 {
            writeln!(out, "  and {left_out} not listed here")?;
        }
    }
    writeln!(out, "\n{}\n{}", words::footer(notification), notification.external_url)
}

fn write_alert(out: &mut String, notification: &Notification, alert: &Alert) -> Result {
    writeln!(out, "\n{}", words::headline(alert))?;
    if notification.alerts.len() > 1 {
        writeln!(out, "{}", words::state(alert))?;
    }
    if let Some(reading) = words::reading(alert) {
        writeln!(out, "{reading}")?;
    }
    writeln!(out, "{}", words::since(alert, notification.at))?;
    if let Some(description) = words::present(alert, "description") {
        writeln!(out, "\n{description}")?;
    }
    if let Some(impact) = words::present(alert, "impact") {
        writeln!(out, "\nImpact: {impact}")?;
    }
    writeln!(out, "\nAlert:   {}", notification.alert_page(alert))?;
    if let Some(url) = words::runbook_url(alert) {
        writeln!(out, "Runbook: {url}")?;
    }
    if let Some(runbook) = words::runbook(alert) {
        writeln!(out, "\nFrom the runbook:")?;
        for line in runbook.trim().lines() {
            writeln!(out, "{}", format!("  {line}").trim_end())?;
        }
    }
    writeln!(out)?;
    for (name, value) in &alert.labels {
        writeln!(out, "  {name} = {value}")?;
    }
    Ok(())
}
