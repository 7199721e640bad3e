//! The shapes that server and browser exchange over `/api/app`, and nothing else: no I/O, no platform
//! code, so that both the server and the WASM bundle can use them.
//!
//! Conventions: times are `*_ms`, milliseconds since the Unix epoch, UTC; ratios are 0 to 1; lists come
//! sorted as a page shows them. Charts carry PromQL: the browser asks `/api/v1/query_range` for the
//! page's own time range.

pub mod alert;
pub mod cardinality;
pub mod check;
pub mod error;
pub mod event;
pub mod host;
pub mod live;
pub mod monitor;
mod number;
pub mod overview;
pub mod panel;
pub mod runbook;
pub mod service;
pub mod session;
pub mod status;

pub use alert::{
    AlertDetail, AlertList, AlertState, AlertSummary, FailingRule, Notification, NotificationState,
    Transition,
};
pub use check::{Check, CheckDetail, CheckList, CheckStatus, CheckTransition};
pub use error::ApiError;
pub use event::{AlertType, Event, EventList, NewEvent, Priority};
pub use host::{Cell, Fact, HostPage, HostRow, Resource};
pub use live::LiveEvent;
pub use monitor::{DayBar, MonitorPage, MonitorRow, MonitorState, Outage, Uptime, Uptimes};
pub use overview::Overview;
pub use panel::{Panel, PanelQuery, Threshold, is_about};
pub use quantity::Unit;
pub use runbook::{Block, Runbook, RunbookRow};
pub use service::{ServicePage, ServiceRow};
pub use session::{Role, Session, SetupRequest, SignInRequest, User};
pub use status::{Counter, Receiver, Source, Status};

use serde::{Deserialize, Serialize};

/// How a service, a host or a resource fares. Shown by shape and word as well as by color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing fires; an alert may be pending.
    Ok,
    /// No data for a while.
    Unknown,
    /// Something fires with a severity below `page`.
    Warning,
    /// Something fires with severity `page` or `critical`.
    Critical,
}
