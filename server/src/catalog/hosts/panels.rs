//! The charts of a host's page.

use api_types::{Panel, PanelQuery, Unit};

use super::book::Book;

/// Id, title, unit, and the queries with their legends.
type PanelRow = (&'static str, &'static str, Unit, Vec<(String, &'static str)>);

/// Charts of what every agent tells.
pub(super) fn panels(selector: &str) -> Vec<Panel> {
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
pub(super) fn panels_of_parts(book: &Book, selector: &str) -> Vec<Panel> {
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
    use std::collections::BTreeMap;

    use model::Labels;

    use super::*;

    #[test]
    fn every_chart_is_promql() {
        let selector = "{host=\"a\"}";
        let one = vec![(Labels::default(), 1.0)];
        let book = Book([("host_process_count", one.clone()), ("host_database_up", one)].into());
        let parts = panels_of_parts(&book, selector);
        assert_eq!(parts.len(), 3);
        assert!(panels_of_parts(&Book(BTreeMap::new()), selector).is_empty());
        for panel in panels(selector).into_iter().chain(parts) {
            for query in panel.queries {
                promql::parse(&query.expr).unwrap_or_else(|e| panic!("{}: {e}", query.expr));
            }
        }
        promql::parse(super::super::NETWORK).unwrap();
    }
}
