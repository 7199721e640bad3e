//! Services: RED in a row, and a page of charts.

use std::collections::{BTreeMap, BTreeSet};

use api_types::{
    AlertSummary, Health, MonitorRow, Panel, PanelQuery, RunbookRow, ServicePage, ServiceRow, Unit,
};
use chart::Unit as Quantity;
use model::{MetricKind, Timestamp, labels::Quoted};
use promql::Range;

use super::{
    ask,
    inventory::{Inventory, Metric},
    red::{self, Red},
};
use crate::query::Queries;

const SPARK_SPAN_MS: i64 = 3_600_000;
const SPARK_STEP_MS: i64 = 60_000;
/// A service that sent nothing for this long is in an unknown state.
const SILENT_MS: i64 = 300_000;
/// Charts below the RED ones.
const MAX_MORE: usize = 12;

/// What rows need besides the inventory.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    /// Alerts by service.
    pub(crate) alerts: &'a BTreeMap<String, Vec<AlertSummary>>,
    /// Monitors by service.
    pub(crate) monitors: &'a BTreeMap<String, Vec<MonitorRow>>,
    pub(crate) now: Timestamp,
}

/// Numbers of all services, asked for with one query per metric and part.
#[derive(Debug, Default)]
struct Numbers {
    rate: BTreeMap<String, f64>,
    error_ratio: BTreeMap<String, f64>,
    p95: BTreeMap<String, f64>,
    last_seen: BTreeMap<String, f64>,
    spark: BTreeMap<String, Vec<Option<f64>>>,
}

/// The rows of the services named, or of all.
pub(crate) async fn rows(
    queries: &Queries,
    inventory: &Inventory,
    only: Option<&str>,
    around: &Around<'_>,
) -> Vec<ServiceRow> {
    let chosen: BTreeMap<&str, Red> = inventory
        .services
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name))
        .map(|(name, metrics)| (name.as_str(), red::choose(metrics)))
        .collect();
    let numbers = numbers(queries, &chosen, inventory, around.now).await;
    let mut rows: Vec<ServiceRow> = chosen.keys().map(|name| row(name, &numbers, around)).collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.health), row.name.clone()));
    rows
}

fn row(name: &str, numbers: &Numbers, around: &Around<'_>) -> ServiceRow {
    let alerts = around.alerts.get(name).map(Vec::as_slice).unwrap_or_default();
    let last_seen_ms = numbers.last_seen.get(name).map(|seconds| (seconds * 1000.0) as i64);
    let is_silent = last_seen_ms.is_none_or(|at| around.now - at > SILENT_MS);
    let health = super::health(alerts.iter());
    let monitors = around.monitors.get(name).map(Vec::as_slice).unwrap_or_default();
    ServiceRow {
        name: name.to_owned(),
        health: if is_silent && health == Health::Ok { Health::Unknown } else { health },
        rate: numbers.rate.get(name).copied(),
        error_ratio: numbers.error_ratio.get(name).copied(),
        p95_seconds: numbers.p95.get(name).copied(),
        sparkline: numbers.spark.get(name).cloned().unwrap_or_default(),
        // The worst of its monitors: one that is up does not make up for another.
        uptime_day: monitors
            .iter()
            .filter_map(|monitor| monitor.uptime.day.ratio)
            .min_by(f64::total_cmp),
        firing: super::firing(alerts),
        last_seen_ms,
    }
}

async fn numbers(
    queries: &Queries,
    chosen: &BTreeMap<&str, Red>,
    inventory: &Inventory,
    now: Timestamp,
) -> Numbers {
    let selector = "service!=\"\"";
    let ask = |expr: fn(&Red, &str) -> Option<String>| {
        // Services with the same metrics share a query; each takes its own number from it.
        let mut users: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, red) in chosen {
            if let Some(expr) = expr(red, selector) {
                users.entry(expr).or_default().push(name);
            }
        }
        async move {
            let mut numbers = BTreeMap::new();
            for (expr, names) in users {
                let found = ask::by_label(queries, "service", &expr, now).await;
                numbers
                    .extend(found.into_iter().filter(|(name, _)| names.contains(&name.as_str())));
            }
            numbers
        }
    };
    let mut numbers = Numbers {
        rate: ask(Red::rate_expr).await,
        error_ratio: ask(Red::error_ratio_expr).await,
        p95: ask(|red, selector| red.duration_expr(0.95, selector)).await,
        ..Numbers::default()
    };
    let range = Range { start: now - SPARK_SPAN_MS, end: now, step_ms: SPARK_STEP_MS };
    let rates: BTreeSet<String> =
        chosen.values().filter_map(|red| red.rate_expr(selector)).collect();
    for expr in rates {
        let found = ask::lines_by_label(queries, "service", &expr, range).await;
        for (name, line) in found {
            let is_its_own = chosen
                .get(name.as_str())
                .is_some_and(|red| red.rate_expr(selector).as_ref() == Some(&expr));
            if is_its_own {
                numbers.spark.insert(name, line);
            }
        }
    }
    let names: BTreeSet<&str> = chosen
        .keys()
        .filter_map(|service| inventory.services.get(*service)?.first())
        .map(|metric| metric.name.as_str())
        .collect();
    for name in names {
        let expr = format!("max by (service) (timestamp({name}{{service!=\"\"}}))");
        for (service, seconds) in ask::by_label(queries, "service", &expr, now).await {
            let known = numbers.last_seen.entry(service).or_insert(seconds);
            *known = known.max(seconds);
        }
    }
    numbers
}

/// A service's page.
pub(crate) fn page(
    row: ServiceRow,
    metrics: &[Metric],
    alerts: Vec<AlertSummary>,
    monitors: Vec<MonitorRow>,
    runbooks: Vec<RunbookRow>,
) -> ServicePage {
    let red = red::choose(metrics);
    ServicePage {
        verdict: verdict(&row, &alerts),
        red: red_panels(&red, &row.name),
        more: more_panels(&red, metrics, &row.name),
        metrics: metrics.iter().map(|metric| metric.name.clone()).collect(),
        row,
        alerts,
        monitors,
        runbooks,
    }
}

fn verdict(row: &ServiceRow, alerts: &[AlertSummary]) -> String {
    let state = match row.health {
        Health::Ok => "Healthy".to_owned(),
        Health::Unknown => return "No data for more than five minutes".to_owned(),
        Health::Warning | Health::Critical => match alerts.first() {
            Some(first) if alerts.len() == 1 => first.name.clone(),
            Some(first) => format!("{} and {} more", first.name, alerts.len() - 1),
            None => "Needs attention".to_owned(),
        },
    };
    let mut facts = Vec::new();
    if let Some(rate) = row.rate {
        facts.push(format!("{} requests", Quantity::PerSecond.format(rate)));
    }
    if let Some(ratio) = row.error_ratio {
        facts.push(format!("{} fail", Quantity::Ratio.format(ratio)));
    }
    if let Some(p95) = row.p95_seconds {
        facts.push(format!("p95 {}", Quantity::Seconds.format(p95)));
    }
    if facts.is_empty() { state } else { format!("{state}: {}", facts.join(", ")) }
}

fn red_panels(red: &Red, service: &str) -> Vec<Panel> {
    let selector = format!("service={}", Quoted(service));
    let single = |id: &str, title: &str, unit, expr: Option<String>, legend: &str| {
        expr.map(|expr| Panel {
            id: id.to_owned(),
            title: title.to_owned(),
            queries: vec![PanelQuery { expr, legend: legend.to_owned() }],
            unit,
            thresholds: Vec::new(),
            only: Vec::new(),
        })
    };
    let percentiles = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")];
    let duration: Vec<PanelQuery> = percentiles
        .into_iter()
        .filter_map(|(p, legend)| {
            let expr = red.duration_expr(p, &selector)?;
            Some(PanelQuery { expr, legend: legend.to_owned() })
        })
        .collect();
    let rate = single("rate", "Rate", Unit::PerSecond, red.rate_expr(&selector), "requests");
    let errors = single("errors", "Errors", Unit::Ratio, red.error_ratio_expr(&selector), "failed");
    let duration = (!duration.is_empty()).then(|| Panel {
        id: "duration".to_owned(),
        title: "Duration".to_owned(),
        queries: duration,
        unit: Unit::Seconds,
        thresholds: Vec::new(),
        only: Vec::new(),
    });
    [rate, errors, duration].into_iter().flatten().collect()
}

/// Charts of the other metrics: counters as rates, gauges as they are, histograms as p95.
fn more_panels(red: &Red, metrics: &[Metric], service: &str) -> Vec<Panel> {
    let selector = format!("{{service={}}}", Quoted(service));
    let is_red = |name: &str| {
        let rate = match &red.rate {
            Some(red::RateSource::Counter(metric) | red::RateSource::Histogram(metric)) => {
                Some(metric.as_str())
            }
            None => None,
        };
        rate == Some(name) || red.duration.as_ref().is_some_and(|(metric, _)| metric == name)
    };
    metrics
        .iter()
        // Monitors have a card of their own.
        .filter(|metric| !is_red(&metric.name) && !metric.name.starts_with("monitor_"))
        .take(MAX_MORE)
        .map(|metric| {
            let name = &metric.name;
            let (expr, unit) = match metric.kind {
                MetricKind::Counter => (format!("rate({name}{selector}[5m])"), Unit::PerSecond),
                MetricKind::Histogram => {
                    let expr = format!("histogram_quantile(0.95, rate({name}{selector}[5m]))");
                    let is_ms = metric.unit == "milliseconds";
                    (expr, if is_ms { Unit::Milliseconds } else { Unit::None })
                }
                MetricKind::Gauge | MetricKind::Unknown => {
                    (format!("{name}{selector}"), unit_of(name))
                }
            };
            Panel {
                id: format!("metric-{}", name.replace('_', "-")),
                title: name.clone(),
                queries: vec![PanelQuery { expr, legend: String::new() }],
                unit,
                thresholds: Vec::new(),
                only: Vec::new(),
            }
        })
        .collect()
}

fn unit_of(name: &str) -> Unit {
    match () {
        () if name.ends_with("_bytes") => Unit::Bytes,
        () if name.ends_with("_seconds") => Unit::Seconds,
        () if name.ends_with("_ratio") => Unit::Ratio,
        () => Unit::None,
    }
}
