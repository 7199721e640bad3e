//! Network: `/proc/net/dev` by interface, and retransmits of TCP from `/proc/net/snmp`.

use super::{collector::Output, source::Source};

/// Metrics with their column behind the interface's name.
const COLUMNS: [(&str, usize); 6] = [
    ("host.network.received_bytes", 0),
    ("host.network.receive_errors", 2),
    ("host.network.receive_drops", 3),
    ("host.network.sent_bytes", 8),
    ("host.network.send_errors", 10),
    ("host.network.send_drops", 11),
];

/// Adds bytes, errors and drops by interface, and retransmits.
pub(super) fn collect(source: &mut Source, output: &mut Output) {
    for line in source.proc("net/dev").iter().flat_map(|text| text.lines()) {
        let Some((interface, numbers)) = line.split_once(':') else { continue };
        let interface = interface.trim();
        // The far ends of containers come and go, and their bytes pass a bridge that is counted.
        if interface == "lo" || interface.starts_with("veth") {
            continue;
        }
        let numbers: Vec<f64> = numbers.split_whitespace().map_while(|n| n.parse().ok()).collect();
        // An interface that never carried anything is there in name only.
        if numbers.iter().sum::<f64>() == 0.0 {
            continue;
        }
        for (name, column) in COLUMNS {
            if let Some(total) = numbers.get(column) {
                output.counter(name, &[("interface", interface)], *total);
            }
        }
    }
    if let Some(text) = source.proc("net/snmp")
        && let Some(total) = tcp_field(&text, "RetransSegs")
    {
        output.counter("host.network.tcp_retransmits", &[], total);
    }
}

/// A field of the two lines `Tcp:`, names above numbers.
fn tcp_field(text: &str, name: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let position = lines.next()?.split_whitespace().position(|field| field == name)?;
    lines.next()?.split_whitespace().nth(position)?.parse().ok()
}
