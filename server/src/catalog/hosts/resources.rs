//! The resources of a host: utilization, saturation and errors of each.

use api_types::{Cell, Health, Resource};

use super::book::{Book, none, told};

/// All resources that the host's numbers tell of.
pub(super) fn resources(book: &Book) -> Vec<Resource> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::Labels;

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
}
