//! The HTML part, from the templates beside this file.

use super::{
    content::Outline,
    markdown::markdown,
    template::{Html, Slot, fill, fill_part, text_part},
    words,
};
use crate::{
    alert::{Alert, AlertStatus},
    notification::Notification,
};

const LAYOUT: &str = include_str!("layout.html");
const ALERT: &str = include_str!("alert.html");

/// How a state looks: text color class, color on white, and a shape, since color alone says nothing to
/// some.
#[derive(Debug, Clone, Copy)]
struct Look {
    class: &'static str,
    color: &'static str,
    shape: &'static str,
}

const CRITICAL: Look = Look { class: "critical-text", color: "#c62828", shape: "◆" };
const WARNING: Look = Look { class: "warning-text", color: "#8a5a00", shape: "▲" };
const INFO: Look = Look { class: "info-text", color: "#0b6e9e", shape: "■" };
const OK: Look = Look { class: "ok-text", color: "#0a7d55", shape: "●" };

impl Look {
    fn of(alert: &Alert) -> Self {
        match (alert.status, alert.labels.value_or_empty("severity")) {
            (AlertStatus::Resolved, _) => OK,
            (_, "info" | "none") => INFO,
            (_, "ticket" | "warning" | "warn") => WARNING,
            _ => CRITICAL,
        }
    }

    fn slots(self) -> [(&'static str, Slot<'static>); 3] {
        [
            ("class", Slot::Text(self.class)),
            ("color", Slot::Text(self.color)),
            ("shape", Slot::Text(self.shape)),
        ]
    }
}

/// The page. `picture_of` gives the content id of an alert's picture.
pub(super) fn page(
    notification: &Notification,
    outline: &Outline<'_>,
    subject: &str,
    picture_of: impl Fn(&Alert) -> Option<String>,
) -> String {
    let mut alerts = Html::default();
    for (i, alert) in outline.full.iter().enumerate() {
        let is_only = notification.alerts.len() == 1;
        alerts.push(&section(notification, alert, picture_of(alert).as_deref(), (i, is_only)));
    }
    let first = outline.full.first();
    let look = first.map_or(INFO, |alert| Look::of(alert));
    let url = notification.external_url.as_str();
    let link = fill_part("link", &[("url", Slot::Text(url)), ("text", Slot::Text(url))]);
    let [_, color, shape] = look.slots();
    fill(
        LAYOUT,
        &[
            ("subject", Slot::Text(subject)),
            ("preview", Slot::Text(&first.map_or(String::new(), |alert| words::headline(alert)))),
            color,
            shape,
            ("banner", Slot::Text(&words::banner(notification))),
            ("alerts", Slot::Html(&alerts)),
            ("more", Slot::Html(&more(notification, outline))),
            ("footer", Slot::Text(&words::footer(notification))),
            ("link", Slot::Html(&link)),
        ],
    )
    .0
}

/// One alert in full; its position, and whether it is the only one, so that the banner speaks for it.
fn section(
    notification: &Notification,
    alert: &Alert,
    picture: Option<&str>,
    (position, is_only): (usize, bool),
) -> Html {
    let look = Look::of(alert);
    let optional = |part: &str, text: Option<&str>| {
        text.map_or(Html::default(), |text| {
            let [class, color, shape] = look.slots();
            fill_part(part, &[("text", Slot::Text(text)), class, color, shape])
        })
    };
    let state = words::state(alert);
    let reading = words::reading(alert);
    let mut paragraphs = optional("paragraph", words::present(alert, "description"));
    paragraphs.push(&optional("impact", words::present(alert, "impact")));
    let separator = if position > 0 { "border-top:1px solid #e3e7ec;" } else { "" };
    let runbook = words::runbook(alert).map_or(Html::default(), |text| {
        fill_part("runbook", &[("text", Slot::Html(&markdown(text)))])
    });
    fill(
        ALERT,
        &[
            ("separator", Slot::Text(separator)),
            ("state", Slot::Html(&optional("state", (!is_only).then_some(&*state)))),
            ("headline", Slot::Text(&words::headline(alert))),
            ("reading", Slot::Html(&optional("reading", reading.as_deref()))),
            ("since", Slot::Text(&words::since(alert, notification.at))),
            ("paragraphs", Slot::Html(&paragraphs)),
            ("picture", Slot::Html(&optional("picture", picture))),
            ("page", Slot::Text(&notification.alert_page(alert))),
            ("runbook_link", Slot::Html(&optional("runbook-link", words::runbook_url(alert)))),
            ("runbook", Slot::Html(&runbook)),
            ("labels", Slot::Html(&labels(alert))),
        ],
    )
}

fn labels(alert: &Alert) -> Html {
    let mut rows = Html::default();
    for (name, value) in &alert.labels {
        rows.push(&fill_part("label", &[("name", Slot::Text(name)), ("value", Slot::Text(value))]));
    }
    fill_part("labels", &[("rows", Slot::Html(&rows))])
}

/// The alerts that are not shown in full.
fn more(notification: &Notification, outline: &Outline<'_>) -> Html {
    if outline.more == 0 {
        return Html::default();
    }
    let mut rows = Html::default();
    for alert in &outline.listed {
        let [class, color, shape] = Look::of(alert).slots();
        let page = notification.alert_page(alert);
        let headline = words::headline(alert);
        let slots =
            [class, color, shape, ("page", Slot::Text(&page)), ("headline", Slot::Text(&headline))];
        rows.push(&fill_part("more-row", &slots));
    }
    let left_out = outline.more - outline.listed.len();
    if left_out > 0 {
        rows.push(&text_part("paragraph", &format!("and {left_out} not listed here")));
    }
    let count = outline.more.to_string();
    fill_part("more", &[("count", Slot::Text(&count)), ("rows", Slot::Html(&rows))])
}
