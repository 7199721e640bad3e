//! States, told by shape, word and color: circle for good, triangle for a warning, diamond for
//! critical, ring for no data.

use api_types::{AlertState, AlertType, CheckStatus, Health, MonitorState};
use leptos::prelude::*;

/// A shape with its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The class that gives shape and color.
    pub(crate) class: &'static str,
    /// The state in a word.
    pub(crate) word: &'static str,
}

pub(crate) fn health(health: Health) -> Mark {
    match health {
        Health::Ok => Mark { class: "mark is-ok", word: "Healthy" },
        Health::Unknown => Mark { class: "mark is-unknown", word: "No data" },
        Health::Warning => Mark { class: "mark is-warning", word: "Warning" },
        Health::Critical => Mark { class: "mark is-critical", word: "Critical" },
    }
}

/// The state of an alert; how loud a firing one is depends on its severity.
pub(crate) fn alert(state: AlertState, severity: &str) -> Mark {
    let is_loud = matches!(severity, "critical" | "page");
    match state {
        AlertState::Firing if is_loud => Mark { class: "mark is-critical", word: "Firing" },
        AlertState::Firing => Mark { class: "mark is-warning", word: "Firing" },
        AlertState::Recovering => Mark { class: "mark is-info", word: "Recovering" },
        AlertState::Pending => Mark { class: "mark is-info", word: "Pending" },
        AlertState::Resolved => Mark { class: "mark is-ok", word: "Resolved" },
    }
}

pub(crate) fn monitor(state: MonitorState) -> Mark {
    match state {
        MonitorState::Up => Mark { class: "mark is-ok", word: "Up" },
        MonitorState::Degraded => Mark { class: "mark is-warning", word: "Degraded" },
        MonitorState::Down => Mark { class: "mark is-critical", word: "Down" },
        MonitorState::Unknown => Mark { class: "mark is-unknown", word: "Unknown" },
        MonitorState::Maintenance => Mark { class: "mark is-info", word: "Maintenance" },
        MonitorState::Paused => Mark { class: "mark is-unknown", word: "Paused" },
    }
}

pub(crate) fn event(alert_type: AlertType) -> Mark {
    match alert_type {
        AlertType::Info => Mark { class: "mark is-info", word: "Info" },
        AlertType::Success => Mark { class: "mark is-ok", word: "Success" },
        AlertType::Warning => Mark { class: "mark is-warning", word: "Warning" },
        AlertType::Error => Mark { class: "mark is-critical", word: "Error" },
    }
}

/// The status of a service check; one that is not heard of says so.
pub(crate) fn check(status: CheckStatus, is_stale: bool) -> Mark {
    match status {
        CheckStatus::Ok => Mark { class: "mark is-ok", word: "OK" },
        CheckStatus::Warning => Mark { class: "mark is-warning", word: "Warning" },
        CheckStatus::Critical => Mark { class: "mark is-critical", word: "Critical" },
        CheckStatus::Unknown if is_stale => Mark { class: "mark is-unknown", word: "Silent" },
        CheckStatus::Unknown => Mark { class: "mark is-unknown", word: "Unknown" },
    }
}

impl Mark {
    /// Shape and word.
    pub(crate) fn view(self) -> impl IntoView {
        view! { <span class=self.class>{self.word}</span> }
    }

    /// The shape alone; the word is for screen readers.
    pub(crate) fn shape(self) -> impl IntoView {
        view! {
            <span class=self.class title=self.word>
                <span class="sr">{self.word}</span>
            </span>
        }
    }
}
