//! Hosts: USE in a row, and a page of resources and charts.

use std::collections::BTreeMap;

use api_types::{AlertState, AlertSummary, Fact, Health, HostPage, HostRow, Resource};
use chart::Unit as Quantity;
use model::{Timestamp, labels::Quoted};

use self::{
    book::Book,
    panels::{panels, panels_of_parts},
    resources::resources,
};
use super::{ask, inventory::Inventory};
use crate::query::Queries;

mod book;
mod panels;
mod resources;

/// A host that sent nothing for this long is in an unknown state.
const SILENT_MS: i64 = 60_000;
const NETWORK: &str = "sum by (host) (rate(host_network_received_bytes[1m])) \
     + sum by (host) (rate(host_network_sent_bytes[1m]))";

/// The rows of all hosts, those in trouble first.
pub(crate) async fn rows(
    queries: &Queries,
    inventory: &Inventory,
    alerts: &BTreeMap<String, Vec<AlertSummary>>,
    now: Timestamp,
) -> Vec<HostRow> {
    let by_host = |expr: &'static str| ask::by_label(queries, "host", expr, now);
    let cpu = by_host("host_cpu_utilization_ratio").await;
    let memory = by_host("host_memory_used_ratio").await;
    let disk = by_host("max by (host) (host_filesystem_used_ratio)").await;
    let load = by_host("host_load_per_cpu").await;
    let network = by_host(NETWORK).await;
    let seen = by_host("timestamp(host_cpu_utilization_ratio)").await;
    let mut rows: Vec<HostRow> = inventory
        .hosts
        .iter()
        .map(|name| {
            let alerts = alerts.get(name).map(Vec::as_slice).unwrap_or_default();
            let last_seen_ms = seen.get(name).map(|seconds| (seconds * 1000.0) as i64);
            let is_silent = last_seen_ms.is_none_or(|at| now - at > SILENT_MS);
            let health = super::health(alerts.iter());
            HostRow {
                name: name.clone(),
                health: if is_silent { health.max(Health::Unknown) } else { health },
                cpu_ratio: cpu.get(name).copied(),
                memory_ratio: memory.get(name).copied(),
                disk_ratio: disk.get(name).copied(),
                load_per_cpu: load.get(name).copied(),
                network_bytes_per_second: network.get(name).copied(),
                firing: super::firing(alerts),
                last_seen_ms,
            }
        })
        .collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.health), row.name.clone()));
    rows
}

/// A host's page.
pub(crate) async fn page(
    queries: &Queries,
    row: HostRow,
    alerts: Vec<AlertSummary>,
    now: Timestamp,
) -> HostPage {
    let selector = format!("{{host={}}}", Quoted(&row.name));
    let book = Book::read(queries, &selector, now).await;
    let resources = resources(&book);
    let mut panels = panels(&selector);
    panels.extend(panels_of_parts(&book, &selector));
    HostPage {
        verdict: verdict(&row, &resources, &alerts),
        facts: facts(queries, &selector, now).await,
        resources,
        panels,
        row,
        alerts,
    }
}

fn verdict(row: &HostRow, resources: &[Resource], alerts: &[AlertSummary]) -> String {
    if row.health == Health::Unknown {
        return "No data for more than a minute".to_owned();
    }
    let fires =
        |alert: &&AlertSummary| matches!(alert.state, AlertState::Firing | AlertState::Recovering);
    if let Some(first) = alerts.iter().find(fires) {
        return first.summary.clone();
    }
    let cells =
        |r: &'_ Resource| r.utilization.health.max(r.saturation.health).max(r.errors.health);
    let tight: Vec<&str> = resources
        .iter()
        .filter(|resource| cells(resource) >= Health::Warning)
        .map(|resource| resource.name.as_str())
        .collect();
    match tight[..] {
        [] => "All resources have room".to_owned(),
        _ => format!("Tight: {}", tight.join(", ")),
    }
}

async fn facts(queries: &Queries, selector: &str, now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push(Fact { name: name.to_owned(), value });
        }
    };
    let info = ask::numbers(queries, &format!("host_info{selector}"), now).await;
    let label = |name: &str| Some(info.first()?.0.get(name)?.to_owned());
    let number = |metric: &str| {
        let expr = format!("{metric}{selector}");
        async move { ask::number(queries, &expr, now).await }
    };
    add("System", label("os"));
    add("Kernel", label("kernel"));
    add("Processor", label("cpu_model"));
    add("CPUs", number("host_cpu_count").await.map(|count| format!("{count}")));
    let memory = number("host_memory_total_bytes").await;
    add("Memory", memory.map(|bytes| Quantity::Bytes.format(bytes)));
    let uptime = number("host_uptime_seconds").await;
    add("Up for", uptime.map(|seconds| Quantity::Seconds.format(seconds)));
    facts
}
