//! Services and hosts, found in the data: whatever sends with a `service` label is a service, whatever
//! sends host metrics is a host. Their pages are put together here, from queries like anybody could ask.

pub(crate) mod alerts;
pub(crate) mod ask;
pub(crate) mod hosts;
pub(crate) mod inventory;
pub(crate) mod overview;
pub(crate) mod red;
pub(crate) mod services;

use api_types::{AlertState, AlertSummary, Health};

/// The worst of what alerts say.
pub(crate) fn health<'a>(alerts: impl Iterator<Item = &'a AlertSummary>) -> Health {
    alerts.map(alert_health).max().unwrap_or(Health::Ok)
}

fn alert_health(alert: &AlertSummary) -> Health {
    match alert.state {
        // Nothing is known to be wrong before the hold duration is over.
        AlertState::Pending | AlertState::Resolved => Health::Ok,
        AlertState::Firing | AlertState::Recovering if is_urgent(&alert.severity) => {
            Health::Critical
        }
        AlertState::Firing | AlertState::Recovering => Health::Warning,
    }
}

/// Whether somebody is to act at once.
fn is_urgent(severity: &str) -> bool {
    matches!(severity, "page" | "critical")
}

/// How many alerts fire.
fn firing(alerts: &[AlertSummary]) -> u32 {
    let fires =
        |alert: &&AlertSummary| matches!(alert.state, AlertState::Firing | AlertState::Recovering);
    u32::try_from(alerts.iter().filter(fires).count()).unwrap_or(u32::MAX)
}
