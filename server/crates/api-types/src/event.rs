//! Things that happened: deploys, restarts, what a person or a job reported.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What kind of news an event is. Shown by shape and word as well as by color.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertType {
    /// Something to know.
    #[default]
    Info,
    /// Something went well.
    Success,
    /// Something may go wrong.
    Warning,
    /// Something went wrong.
    Error,
}

impl AlertType {
    /// Every type, from the mildest to the worst.
    pub const ALL: [Self; 4] = [Self::Info, Self::Success, Self::Warning, Self::Error];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The type with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alert_type| alert_type.as_str() == word)
    }
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// As most.
    #[default]
    Normal,
    /// Routine.
    Low,
}

impl Priority {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// When it happened.
    pub at_ms: i64,
    /// What happened, in a line.
    pub title: String,
    /// The rest, with line breaks; may be empty.
    pub text: String,
    /// The host it is about; may be empty.
    pub host: String,
    /// The kind of system it comes from; may be empty.
    pub source: String,
    /// What kind of news it is.
    pub alert_type: AlertType,
    /// How much it matters.
    pub priority: Priority,
    /// Events with the same key belong together; may be empty.
    pub aggregation_key: String,
    /// Sorted by name.
    pub tags: Vec<(String, String)>,
}

/// Answer of `GET /api/app/events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventList {
    /// The newest first; of one moment the last stored first.
    pub events: Vec<Event>,
    /// The `cursor` of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// Body of `POST /api/app/events`; only the title is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// What happened, in a line.
    pub title: String,
    /// The rest.
    #[serde(default)]
    pub text: String,
    /// When it happened; now when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// The host it is about.
    #[serde(default)]
    pub host: String,
    /// The kind of system it comes from.
    #[serde(default)]
    pub source: String,
    /// What kind of news it is.
    #[serde(default)]
    pub alert_type: AlertType,
    /// How much it matters.
    #[serde(default)]
    pub priority: Priority,
    /// Events with the same key belong together.
    #[serde(default)]
    pub aggregation_key: String,
    /// Such as `service` and `version`.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_enough_and_a_misspelt_field_is_told() {
        let event: NewEvent = serde_json::from_str(r#"{"title": "Deployed"}"#).unwrap();
        assert_eq!(event, NewEvent { title: "Deployed".to_owned(), ..NewEvent::default() });
        let error = serde_json::from_str::<NewEvent>(r#"{"title": "a", "tag": {}}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `tag`"), "{error}");
    }

    #[test]
    fn words_on_the_wire_are_those_of_json() {
        for alert_type in AlertType::ALL {
            let word = alert_type.as_str();
            assert_eq!(serde_json::to_string(&alert_type).unwrap(), format!("\"{word}\""));
            assert_eq!(AlertType::parse(word), Some(alert_type));
        }
        assert_eq!(AlertType::parse("loud"), None);
    }
}
