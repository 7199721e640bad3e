//! Runbooks: what to do when an alert fires.

use serde::{Deserialize, Serialize};

use crate::{AlertSummary, Panel};

/// A runbook in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookRow {
    /// The file's name without its ending; the last part of its URL.
    pub name: String,
    /// The first heading.
    pub title: String,
    /// The first paragraph, as plain text.
    pub summary: String,
    /// Names of the alerts that link to it.
    pub alerts: Vec<String>,
}

/// A part of a runbook in order of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Block {
    /// Markdown rendered to HTML by the server: safe, raw HTML in the source is escaped.
    Html {
        /// The markup.
        html: String,
    },
    /// A live chart.
    Panel {
        /// What to draw.
        panel: Panel,
    },
}

/// Answer of `GET /api/app/runbooks/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// The row of the list.
    pub row: RunbookRow,
    /// Its content.
    pub blocks: Vec<Block>,
    /// Alerts that link to it and are not over.
    pub active: Vec<AlertSummary>,
}
