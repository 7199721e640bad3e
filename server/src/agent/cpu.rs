//! Processors: `/proc/stat`, times in ticks since the start.

use super::{collector::Output, source::Source};

/// The columns of the line `cpu`; those after them are contained in `user` and `nice`.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// Adds utilization, count, time by mode, and how many processes run or wait for a disk.
pub(super) fn collect(source: &mut Source, output: &mut Output) {
    let Some(text) = source.proc("stat") else { return };
    let is_one = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let count = text.lines().filter(is_one).count();
    if count > 0 {
        output.gauge("host.cpu.count", &[], count as f64);
    }
    for (name, field) in
        [("host.processes.running", "procs_running "), ("host.processes.blocked", "procs_blocked ")]
    {
        let found = text.lines().find_map(|line| line.strip_prefix(field)?.trim().parse().ok());
        if let Some(count) = found {
            output.gauge(name, &[], count);
        }
    }
    let Some(all) = text.lines().find_map(|line| line.strip_prefix("cpu ")) else { return };
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    let (mut total, mut idle) = (0.0, 0.0);
    for (mode, ticks) in MODES.into_iter().zip(all.split_whitespace()) {
        let Ok(ticks) = ticks.parse::<f64>() else { return };
        total += ticks;
        if matches!(mode, "idle" | "iowait") {
            idle += ticks;
        }
        output.counter_in("host.cpu.time_seconds", &[("mode", mode)], ticks, ticks_per_second);
    }
    let total = output.added("total", &[("cpu", "all")], total);
    let idle = output.added("idle", &[("cpu", "all")], idle);
    if let (Some(total), Some(idle)) = (total, idle) {
        output.ratio("host.cpu.utilization_ratio", &[], total - idle, total);
    }
}
