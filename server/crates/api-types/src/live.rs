//! What `/api/app/live` pushes as server-sent events; the event's name is the variant in snake case.

use serde::{Deserialize, Serialize};

use crate::{AlertState, CheckStatus, MonitorState};

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveEvent {
    /// A flush was committed: charts may fetch what is new.
    Tick {
        /// The flush's timestamp.
        at_ms: i64,
        /// Series in the flush.
        series: u64,
        /// Alerts that fire.
        firing: u32,
    },
    /// An alert changed its state.
    Alert {
        /// When.
        at_ms: i64,
        /// The episode.
        id: String,
        /// The alert's name.
        name: String,
        /// The state after it.
        to: AlertState,
    },
    /// A monitor changed its state.
    Monitor {
        /// When.
        at_ms: i64,
        /// The monitor's name.
        name: String,
        /// The state after it.
        to: MonitorState,
    },
    /// Events were stored.
    Events {
        /// When.
        at_ms: i64,
        /// How many.
        count: u32,
    },
    /// A service check changed its state.
    Check {
        /// When.
        at_ms: i64,
        /// The check's identity.
        id: String,
        /// The check's name.
        name: String,
        /// The status after it.
        to: CheckStatus,
    },
}
