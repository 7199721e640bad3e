//! The present numbers of a host, and each of them as a cell of its table of resources.

use std::collections::{BTreeMap, BTreeSet};

use api_types::{Cell, Health};
use chart::Unit as Quantity;
use model::{Labels, Timestamp};

use crate::{catalog::ask, query::Queries};

/// From here on a resource is nearly, or fully, used up.
const BUSY: f64 = 0.8;
const FULL: f64 = 0.95;

/// All numbers of a host by metric and by device, mount, interface or database server.
pub(super) struct Book(pub(super) BTreeMap<&'static str, Vec<(Labels, f64)>>);

impl Book {
    pub(super) async fn read(queries: &Queries, selector: &str, now: Timestamp) -> Self {
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

    pub(super) fn rows(&self, metric: &str) -> &[(Labels, f64)] {
        self.0.get(metric).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn keys(&self, metric: &str, label: &str) -> BTreeSet<String> {
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

    pub(super) fn ratio(&self, metric: &str, key: &str, what: &str) -> Cell {
        let Some(value) = self.get(metric, key) else { return none("no data") };
        Cell {
            text: Quantity::Ratio.format(value),
            detail: format!("{metric}: {what}"),
            health: graded(value, BUSY, FULL),
            ratio: Some(value.clamp(0.0, 1.0)),
        }
    }

    pub(super) fn pressure(&self, metric: &str, what: &str) -> Option<Cell> {
        let value = self.get(metric, "")?;
        Some(Cell {
            text: Quantity::Ratio.format(value),
            detail: format!("{metric}: {what}, over ten seconds"),
            health: graded(value, 0.4, 0.8),
            ratio: Some(value.clamp(0.0, 1.0)),
        })
    }

    pub(super) fn load(&self) -> Cell {
        let Some(value) = self.get("host_load_per_cpu", "") else { return none("no data") };
        Cell {
            text: format!("{value:.2} per CPU"),
            detail: "host_load_per_cpu: tasks that run or wait, over one minute".to_owned(),
            health: graded(value, 1.5, 3.0),
            ratio: None,
        }
    }

    pub(super) fn plain(&self, metric: &str, key: &str, what: &str) -> Cell {
        let Some(value) = self.get(metric, key) else { return none("no data") };
        Cell {
            text: format!("{value:.1}"),
            detail: format!("{metric}: {what}"),
            health: Health::Ok,
            ratio: None,
        }
    }

    pub(super) fn count(&self, metric: &str, key: &str, what: &str) -> Cell {
        let Some(value) = self.get(metric, key) else { return none("no data") };
        Cell {
            text: format!("{:.0}", value.max(0.0)),
            detail: what.to_owned(),
            health: if value >= 0.5 { Health::Warning } else { Health::Ok },
            ratio: None,
        }
    }

    pub(super) fn traffic(&self, interface: &str) -> Cell {
        let Some(value) = self.get("traffic", interface) else { return none("no data") };
        Cell {
            text: Quantity::BytesPerSecond.format(value),
            detail: "received and sent, over one minute".to_owned(),
            health: Health::Ok,
            ratio: None,
        }
    }
}

pub(super) fn none(detail: &str) -> Cell {
    told("–", detail)
}

pub(super) fn told(text: &str, detail: &str) -> Cell {
    Cell { text: text.to_owned(), detail: detail.to_owned(), health: Health::Ok, ratio: None }
}

fn graded(value: f64, warning: f64, critical: f64) -> Health {
    match value {
        value if value >= critical => Health::Critical,
        value if value >= warning => Health::Warning,
        _ => Health::Ok,
    }
}
