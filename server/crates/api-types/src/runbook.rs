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
#[serde(tag = "kind", rename_all = "snake_case", try_from = "FlatBlock")]
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

/// A [`Block`] as it is read: serde's own way to read a tagged variant needs a parser for values of any
/// shape, which the browser would have to download.
#[derive(Deserialize)]
struct FlatBlock {
    html: Option<String>,
    panel: Option<Panel>,
}

impl TryFrom<FlatBlock> for Block {
    type Error = &'static str;

    fn try_from(block: FlatBlock) -> Result<Self, Self::Error> {
        match block {
            FlatBlock { html: Some(html), .. } => Ok(Self::Html { html }),
            FlatBlock { panel: Some(panel), .. } => Ok(Self::Panel { panel }),
            FlatBlock { .. } => Err("a block of a runbook with neither html nor panel"),
        }
    }
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
