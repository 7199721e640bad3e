//! Hosts: USE in a row, and a page of resources and charts.

use std::collections::{BTreeMap, BTreeSet};

use api_types::{
    AlertState, AlertSummary, Cell, Fact, Health, HostPage, HostRow, Panel, PanelQuery, Resource,
    Unit,
};
use chart::Unit as Quantity;
use model::{Labels, Timestamp, labels::Quoted};

use super::{ask, inventory::Inventory};
use crate::query::Queries;

/// A host that sent nothing for this long is in an unknown state.
const SILENT_MS: i64 = 60_000;
/// From here on a resource is nearly, or fully, used up.
const BUSY: f64 = 0.8;
const FULL: f64 = 0.95;

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

fn resources(book: &Book) -> Vec<Resource> {
    let mut resources = vec![
        Resource {
            name: "CPU".to_owned(),
            utilization: book.ratio("host_cpu_utilization_ratio", "", "time not idle"),
            saturation: book
                .pressure("host_pressure_cpu_some_ratio", "time some task waited for a CPU")
                .unwrap_or_else(|| book.load()),
            errors: none("not counted by the kernel"),
        },
        Resource {
            name: "Memory".to_owned(),
            utilization: book.ratio("host_memory_used_ratio", "", "not available to programs"),
            saturation: book
                .pressure("host_pressure_memory_some_ratio", "time some task waited for memory")
                .unwrap_or_else(|| book.ratio("host_swap_used_ratio", "", "swap in use")),
            errors: book.count("oom", "", "processes killed for lack of memory in the last hour"),
        },
    ];
    for device in book.keys("host_disk_utilization_ratio", "device") {
        resources.push(Resource {
            name: format!("Disk {device}"),
            utilization: book.ratio("host_disk_utilization_ratio", &device, "time busy"),
            saturation: book.plain("host_disk_queue_length", &device, "requests waiting"),
            errors: none("not counted by the kernel"),
        });
    }
    for mount in book.keys("host_filesystem_used_ratio", "mount") {
        resources.push(Resource {
            name: format!("Filesystem {mount}"),
            utilization: book.ratio("host_filesystem_used_ratio", &mount, "space in use"),
            saturation: book.ratio("host_filesystem_inodes_used_ratio", &mount, "inodes in use"),
            errors: none("not counted by the kernel"),
        });
    }
    for interface in book.keys("traffic", "interface") {
        resources.push(Resource {
            name: format!("Network {interface}"),
            utilization: book.traffic(&interface),
            saturation: book.count("drops", &interface, "packets dropped in the last hour"),
            errors: book.count("net_errors", &interface, "packets with errors in the last hour"),
        });
    }
    for (name, metric) in [
        ("File descriptors", "host_file_descriptors_used_ratio"),
        ("Threads", "host_threads_used_ratio"),
    ] {
        resources.push(Resource {
            name: name.to_owned(),
            utilization: book.ratio(metric, "", "of the most the system allows"),
            saturation: none("a limit has no queue"),
            errors: none("not counted by the kernel"),
        });
    }
    resources.extend(book.rows("host_database_up").iter().filter_map(|(labels, up)| {
        let server = labels.get("server")?;
        let system = match labels.get("system")? {
            "postgresql" => "PostgreSQL",
            "mysql" => "MySQL",
            other => other,
        };
        let used = "host_database_connections_used_ratio";
        let waiting = "host_database_connections_waiting";
        let is_up = *up >= 0.5;
        Some(Resource {
            name: format!("{system} {server}"),
            utilization: book.ratio(used, server, "of the connections it takes"),
            saturation: book.count(waiting, server, "connections that wait for a lock now"),
            errors: if is_up {
                book.count(
                    "refused",
                    server,
                    "connections refused in the last hour, it had too many",
                )
            } else {
                Cell { health: Health::Critical, ..told("down", "it does not answer the agent") }
            },
        })
    }));
    resources
}

/// All numbers of a host by metric and by device, mount, interface or database server.
struct Book(BTreeMap<&'static str, Vec<(Labels, f64)>>);

impl Book {
    async fn read(queries: &Queries, selector: &str, now: Timestamp) -> Self {
        const GAUGES: [&str; 16] = [
            "host_cpu_utilization_ratio",
            "host_load_per_cpu",
            "host_memory_used_ratio",
            "host_swap_used_ratio",
            "host_disk_utilization_ratio",
            "host_disk_queue_length",
            "host_filesystem_used_ratio",
            "host_filesystem_inodes_used_ratio",
            "host_file_descriptors_used_ratio",
            "host_threads_used_ratio",
            "host_pressure_cpu_some_ratio",
            "host_pressure_memory_some_ratio",
            "host_process_count",
            "host_database_up",
            "host_database_connections_used_ratio",
            "host_database_connections_waiting",
        ];
        let mut book = BTreeMap::new();
        for metric in GAUGES {
            let found = ask::numbers(queries, &format!("{metric}{selector}"), now).await;
            book.insert(metric, found);
        }
        let increase = |metric: &str| format!("increase({metric}{selector}[1h])");
        let rate = |metric: &str| format!("rate({metric}{selector}[1m])");
        for (key, expr) in [
            ("oom", increase("host_memory_oom_kills")),
            ("refused", increase("host_database_connections_refused")),
            (
                "drops",
                format!(
                    "{} + {}",
                    increase("host_network_receive_drops"),
                    increase("host_network_send_drops")
                ),
            ),
            (
                "net_errors",
                format!(
                    "{} + {}",
                    increase("host_network_receive_errors"),
                    increase("host_network_send_errors")
                ),
            ),
            (
                "traffic",
                format!(
                    "{} + {}",
                    rate("host_network_received_bytes"),
                    rate("host_network_sent_bytes")
                ),
            ),
        ] {
            book.insert(key, ask::numbers(queries, &expr, now).await);
        }
        Self(book)
    }

    fn rows(&self, metric: &str) -> &[(Labels, f64)] {
        self.0.get(metric).map(Vec::as_slice).unwrap_or_default()
    }

    fn keys(&self, metric: &str, label: &str) -> BTreeSet<String> {
        let values = self.rows(metric).iter().filter_map(|(labels, _)| labels.get(label));
        values.map(str::to_owned).collect()
    }

    /// The number of a metric; `key` is a device, mount, interface or database server, or empty for the
    /// host itself.
    fn get(&self, metric: &str, key: &str) -> Option<f64> {
        let is_it = |labels: &Labels| {
            let keys = ["device", "mount", "interface", "server"];
            key.is_empty() || keys.iter().any(|name| labels.get(name) == Some(key))
        };
        self.rows(metric).iter().find(|(labels, _)| is_it(labels)).map(|(_, value)| *value)
    }

    fn ratio(&self, metric: &str, key: &str, what: &str) -> Cell {
        let Some(value) = self.get(metric, key) else { return none("no data") };
        Cell {
            text: Quantity::Ratio.format(value),
            detail: format!("{metric}: {what}"),
            health: graded(value, BUSY, FULL),
            ratio: Some(value.clamp(0.0, 1.0)),
        }
    }

    fn pressure(&self, metric: &str, what: &str) -> Option<Cell> {
        let value = self.get(metric, "")?;
        Some(Cell {
            text: Quantity::Ratio.format(value),
            detail: format!("{metric}: {what}, over ten seconds"),
            health: graded(value, 0.4, 0.8),
            ratio: Some(value.clamp(0.0, 1.0)),
        })
    }

    fn load(&self) -> Cell {
        let Some(value) = self.get("host_load_per_cpu", "") else { return none("no data") };
        Cell {
            text: format!("{value:.2} per CPU"),
            detail: "host_load_per_cpu: tasks that run or wait, over one minute".to_owned(),
            health: graded(value, 1.5, 3.0),
            ratio: None,
        }
    }

    fn plain(&self, metric: &str, key: &str, what: &str) -> Cell {
        let Some(value) = self.get(metric, key) else { return none("no data") };
        Cell {
            text: format!("{value:.1}"),
            detail: format!("{metric}: {what}"),
            health: Health::Ok,
            ratio: None,
        }
    }

    fn count(&self, metric: &str, key: &str, what: &str) -> Cell {
        let Some(value) = self.get(metric, key) else { return none("no data") };
        Cell {
            text: format!("{:.0}", value.max(0.0)),
            detail: what.to_owned(),
            health: if value >= 0.5 { Health::Warning } else { Health::Ok },
            ratio: None,
        }
    }

    fn traffic(&self, interface: &str) -> Cell {
        let Some(value) = self.get("traffic", interface) else { return none("no data") };
        Cell {
            text: Quantity::BytesPerSecond.format(value),
            detail: "received and sent, over one minute".to_owned(),
            health: Health::Ok,
            ratio: None,
        }
    }
}

fn none(detail: &str) -> Cell {
    told("–", detail)
}

fn told(text: &str, detail: &str) -> Cell {
    Cell { text: text.to_owned(), detail: detail.to_owned(), health: Health::Ok, ratio: None }
}

fn graded(value: f64, warning: f64, critical: f64) -> Health {
    match value {
        value if value >= critical => Health::Critical,
        value if value >= warning => Health::Warning,
        _ => Health::Ok,
    }
}

/// Id, title, unit, and the queries with their legends.
type PanelRow = (&'static str, &'static str, Unit, Vec<(String, &'static str)>);

fn panels(selector: &str) -> Vec<Panel> {
    let gauge = |metric: &str| format!("{metric}{selector}");
    let rate = |metric: &str| format!("rate({metric}{selector}[1m])");
    let rows: [PanelRow; 9] = [
        (
            "cpu",
            "CPU utilization",
            Unit::Ratio,
            vec![(gauge("host_cpu_utilization_ratio"), "busy")],
        ),
        (
            "load",
            "Load",
            Unit::None,
            vec![
                (gauge("host_load1"), "1 min"),
                (gauge("host_load5"), "5 min"),
                (gauge("host_load15"), "15 min"),
            ],
        ),
        (
            "pressure",
            "Pressure stall",
            Unit::Ratio,
            vec![
                (gauge("host_pressure_cpu_some_ratio"), "CPU"),
                (gauge("host_pressure_memory_some_ratio"), "memory"),
                (gauge("host_pressure_io_some_ratio"), "I/O"),
            ],
        ),
        (
            "memory",
            "Memory",
            Unit::Ratio,
            vec![
                (gauge("host_memory_used_ratio"), "memory"),
                (gauge("host_swap_used_ratio"), "swap"),
            ],
        ),
        ("disk", "Disk utilization", Unit::Ratio, vec![(gauge("host_disk_utilization_ratio"), "")]),
        (
            "disk-traffic",
            "Disk traffic",
            Unit::BytesPerSecond,
            vec![
                (format!("sum ({})", rate("host_disk_read_bytes")), "read"),
                (format!("sum ({})", rate("host_disk_written_bytes")), "written"),
            ],
        ),
        ("filesystem", "Filesystems", Unit::Ratio, vec![(gauge("host_filesystem_used_ratio"), "")]),
        (
            "network",
            "Network traffic",
            Unit::BytesPerSecond,
            vec![
                (format!("sum ({})", rate("host_network_received_bytes")), "received"),
                (format!("sum ({})", rate("host_network_sent_bytes")), "sent"),
            ],
        ),
        (
            "network-errors",
            "Network errors and drops",
            Unit::PerSecond,
            vec![
                (format!("sum ({})", rate("host_network_receive_errors")), "receive errors"),
                (format!("sum ({})", rate("host_network_send_errors")), "send errors"),
                (format!("sum ({})", rate("host_network_receive_drops")), "receive drops"),
            ],
        ),
    ];
    drawn(rows.into())
}

/// Charts of what not every agent tells: processes by command, and database servers.
fn panels_of_parts(book: &Book, selector: &str) -> Vec<Panel> {
    // Many commands are known, most of them from another hour; a chart has room for the largest.
    let top = |metric: &str| vec![(format!("topk(5, {metric}{selector} > 0)"), "")];
    let mut rows: Vec<PanelRow> = Vec::new();
    if !book.rows("host_process_count").is_empty() {
        let (cpu, memory) = (top("host_process_cpu_ratio"), top("host_process_memory_bytes"));
        rows.push(("process-cpu", "Processes by CPU", Unit::Ratio, cpu));
        rows.push(("process-memory", "Processes by memory", Unit::Bytes, memory));
    }
    if !book.rows("host_database_up").is_empty() {
        let states = vec![(format!("host_database_connections{selector}"), "")];
        rows.push(("database-connections", "Database connections", Unit::None, states));
    }
    drawn(rows)
}

fn drawn(rows: Vec<PanelRow>) -> Vec<Panel> {
    rows.into_iter()
        .map(|(id, title, unit, queries)| Panel {
            id: id.to_owned(),
            title: title.to_owned(),
            queries: queries
                .into_iter()
                .map(|(expr, legend)| PanelQuery { expr, legend: legend.to_owned() })
                .collect(),
            unit,
            thresholds: Vec::new(),
            only: Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One series with the value 1.
    fn one(labels: &[(&str, &str)]) -> Vec<(Labels, f64)> {
        vec![(Labels::from_pairs(labels.iter().copied()), 1.0)]
    }

    #[test]
    fn a_database_server_is_a_resource() {
        let labels = [("system", "postgresql"), ("server", "db:5432")];
        let mut book = BTreeMap::from([
            ("host_database_up", one(&labels)),
            ("host_database_connections_used_ratio", one(&labels)),
            ("host_database_connections_waiting", one(&labels)),
        ]);
        let resource = |book: &BTreeMap<_, _>| resources(&Book(book.clone())).pop().unwrap();
        let found = resource(&book);
        assert_eq!(found.name, "PostgreSQL db:5432");
        let cells = [&found.utilization, &found.saturation, &found.errors];
        let health = [Health::Critical, Health::Warning, Health::Ok];
        assert_eq!(cells.map(|cell| cell.health), health, "{found:?}");
        book.insert("host_database_up", vec![(Labels::from_pairs(labels), 0.0)]);
        let errors = resource(&book).errors;
        assert_eq!((errors.text.as_str(), errors.health), ("down", Health::Critical));
    }

    #[test]
    fn every_chart_is_promql() {
        let selector = "{host=\"a\"}";
        let book = Book([("host_process_count", one(&[])), ("host_database_up", one(&[]))].into());
        let parts = panels_of_parts(&book, selector);
        assert_eq!(parts.len(), 3);
        assert!(panels_of_parts(&Book(BTreeMap::new()), selector).is_empty());
        for panel in panels(selector).into_iter().chain(parts) {
            for query in panel.queries {
                promql::parse(&query.expr).unwrap_or_else(|e| panic!("{}: {e}", query.expr));
            }
        }
        promql::parse(NETWORK).unwrap();
    }
}
