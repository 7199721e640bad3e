//! The first page: the state of everything in a sentence, then in tables.

use std::collections::BTreeMap;

use api_types::{AlertState, Health, MonitorRow, MonitorState, Overview};

use super::{alerts, hosts, services};
use crate::app::App;

/// Puts the page together.
pub(crate) async fn overview(app: &App) -> Overview {
    let now = app.clock.now();
    let view = app.alerting.view();
    let rows = alerts::rows(&view, app.queries.store());
    let inventory = app.inventory.get(&app.queries, now).await;
    let monitors = app.monitors.rows(now);
    let by_service = alerts::by_label(&rows, "service");
    let around = services::Around {
        alerts: &by_service,
        monitors: &app.monitors.by_service(&monitors),
        now,
    };
    let services = services::rows(&app.queries, &inventory, None, &around).await;
    let by_host = alerts::by_label(&rows, "host");
    let hosts = hosts::rows(&app.queries, &inventory, &by_host, now).await;
    let firing: Vec<_> = rows
        .into_iter()
        .filter(|row| matches!(row.state, AlertState::Firing | AlertState::Recovering))
        .collect();
    let health = super::health(firing.iter())
        .max(services.iter().map(|row| row.health).max().unwrap_or(Health::Ok))
        .max(hosts.iter().map(|row| row.health).max().unwrap_or(Health::Ok));
    let needs_attention = |health: &Health| *health >= Health::Warning;
    let counts = Counts {
        services: services.len(),
        bad_services: services.iter().filter(|row| needs_attention(&row.health)).count(),
        hosts: hosts.len(),
        bad_hosts: hosts.iter().filter(|row| needs_attention(&row.health)).count(),
        bad_monitors: monitors.iter().filter(|row| row.state == MonitorState::Down).count(),
        firing: firing.len(),
    };
    Overview {
        health,
        verdict: counts.verdict(),
        firing,
        monitors: sorted(monitors),
        services,
        hosts,
        statsd_address: app.listeners.first().map(|l| l.endpoint.address()).unwrap_or_default(),
    }
}

#[derive(Debug, Default)]
struct Counts {
    services: usize,
    bad_services: usize,
    hosts: usize,
    bad_hosts: usize,
    bad_monitors: usize,
    firing: usize,
}

impl Counts {
    fn verdict(&self) -> String {
        let mut parts = Vec::new();
        if self.bad_services > 0 {
            parts.push(of(self.bad_services, self.services, "service"));
        }
        if self.bad_hosts > 0 {
            parts.push(of(self.bad_hosts, self.hosts, "host"));
        }
        if !parts.is_empty() {
            let verb = if self.bad_services + self.bad_hosts == 1 { "needs" } else { "need" };
            return format!("{} {verb} attention", parts.join(" and "));
        }
        match (self.bad_monitors, self.firing) {
            (0, 0) if self.services + self.hosts == 0 => "Waiting for the first metric".to_owned(),
            (0, 0) => "Everything is fine".to_owned(),
            (0, 1) => "1 alert fires".to_owned(),
            (0, firing) => format!("{firing} alerts fire"),
            (1, _) => "1 monitor is down".to_owned(),
            (down, _) => format!("{down} monitors are down"),
        }
    }
}

fn of(bad: usize, all: usize, what: &str) -> String {
    let plural = if all == 1 { "" } else { "s" };
    format!("{bad} of {all} {what}{plural}")
}

/// Those that are not up first, then by group and name.
fn sorted(mut monitors: Vec<MonitorRow>) -> Vec<MonitorRow> {
    let rank: BTreeMap<_, _> = [
        (MonitorState::Down as u8, 0),
        (MonitorState::Degraded as u8, 1),
        (MonitorState::Unknown as u8, 2),
    ]
    .into();
    monitors.sort_by_key(|row| rank.get(&(row.state as u8)).copied().unwrap_or(3));
    monitors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_a_sentence() {
        let base = Counts { services: 14, hosts: 1, ..Counts::default() };
        for (counts, verdict) in [
            (Counts::default(), "Waiting for the first metric"),
            (Counts { ..base }, "Everything is fine"),
            (Counts { bad_services: 2, firing: 3, ..base }, "2 of 14 services need attention"),
            (Counts { bad_hosts: 1, firing: 1, ..base }, "1 of 1 host needs attention"),
            (
                Counts { bad_services: 1, bad_hosts: 1, ..base },
                "1 of 14 services and 1 of 1 host need attention",
            ),
            (Counts { bad_monitors: 1, firing: 1, ..base }, "1 monitor is down"),
            (Counts { firing: 1, ..base }, "1 alert fires"),
        ] {
            assert_eq!(counts.verdict(), verdict);
        }
    }
}
