//! Memory and swap: `/proc/meminfo`, `/proc/vmstat`.

use super::{collector::Output, source::Source};

/// Adds sizes, ratios, major faults and kills for want of memory.
pub(super) fn collect(source: &mut Source, output: &mut Output) {
    if let Some(text) = source.proc("meminfo") {
        let bytes = |name| value(&text, name).map(|kibibytes| kibibytes * 1024.0);
        if let (Some(total), Some(available)) = (bytes("MemTotal:"), bytes("MemAvailable:")) {
            output.gauge("host.memory.total_bytes", &[], total);
            output.gauge("host.memory.available_bytes", &[], available);
            output.ratio("host.memory.used_ratio", &[], total - available, total);
        }
        if let (Some(total), Some(free)) = (bytes("SwapTotal:"), bytes("SwapFree:")) {
            output.gauge("host.swap.total_bytes", &[], total);
            output.gauge("host.swap.used_bytes", &[], total - free);
            output.ratio("host.swap.used_ratio", &[], total - free, total);
        }
    }
    if let Some(text) = source.proc("vmstat") {
        for (name, field) in
            [("host.memory.major_faults", "pgmajfault"), ("host.memory.oom_kills", "oom_kill")]
        {
            if let Some(total) = value(&text, field) {
                output.counter(name, &[], total);
            }
        }
    }
}

/// The number behind a name at the start of a line.
fn value(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}
