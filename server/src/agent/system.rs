//! The machine as a whole: load, threads, file descriptors, pressure, uptime, and what it is.

use super::{collector::Output, source::Source};

/// Adds everything that has no part of its own.
pub(super) fn collect(source: &mut Source, output: &mut Output) {
    let cpu_text = source.proc("cpuinfo").unwrap_or_default();
    let processors = cpu_text.lines().filter(|line| line.starts_with("processor")).count();
    load(source, output, processors);
    threads(source, output);
    file_descriptors(source, output);
    pressure(source, output);
    if let Some(seconds) = source.proc_number("uptime") {
        output.gauge("host.uptime_seconds", &[], seconds);
    }
    info(source, output, &cpu_text, processors);
}

/// `/proc/loadavg`: `0.20 0.18 0.12 1/80 11206`.
fn load(source: &mut Source, output: &mut Output, processors: usize) {
    let Some(text) = source.proc("loadavg") else { return };
    let mut words = text.split_whitespace();
    for name in ["host.load1", "host.load5", "host.load15"] {
        let Some(load) = words.next().and_then(|word| word.parse::<f64>().ok()) else { return };
        output.gauge(name, &[], load);
        if name == "host.load1" && processors > 0 {
            output.gauge("host.load_per_cpu", &[], load / processors as f64);
        }
    }
    let threads = words.next().and_then(|word| word.split_once('/')?.1.parse::<f64>().ok());
    if let Some(threads) = threads {
        output.gauge("host.threads.count", &[], threads);
        // A thread needs a number as well, and there may be fewer of those.
        let limits = ["sys/kernel/threads-max", "sys/kernel/pid_max"];
        let limits = limits.map(|name| source.proc_number(name).unwrap_or(f64::INFINITY));
        let max = limits[0].min(limits[1]);
        output.gauge("host.threads.max", &[], max);
        output.ratio("host.threads.used_ratio", &[], threads, max);
    }
}

/// Every folder of `/proc` with a number for a name is a process.
fn threads(source: &mut Source, output: &mut Output) {
    let folder = source.roots.proc.clone();
    let Some(names) = source.names(&folder) else { return };
    let processes = names.iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit())).count();
    if processes > 0 {
        output.gauge("host.processes.count", &[], processes as f64);
    }
}

/// `/proc/sys/fs/file-nr`: allocated, free (always 0), the limit.
fn file_descriptors(source: &mut Source, output: &mut Output) {
    let Some(text) = source.proc("sys/fs/file-nr") else { return };
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [used, _, max] = numbers[..] else { return };
    output.gauge("host.file_descriptors.used", &[], used);
    output.gauge("host.file_descriptors.max", &[], max);
    output.ratio("host.file_descriptors.used_ratio", &[], used, max);
}

/// `/proc/pressure/*`: the share of the last 10 s in which some or all tasks waited for a resource.
/// Kernels without it have no such files.
fn pressure(source: &mut Source, output: &mut Output) {
    for (file, line, name) in [
        ("pressure/cpu", "some", "host.pressure.cpu_some_ratio"),
        ("pressure/memory", "some", "host.pressure.memory_some_ratio"),
        ("pressure/memory", "full", "host.pressure.memory_full_ratio"),
        ("pressure/io", "some", "host.pressure.io_some_ratio"),
        ("pressure/io", "full", "host.pressure.io_full_ratio"),
    ] {
        let percent = source.proc(file).and_then(|text| {
            let line = text.lines().find(|found| found.split(' ').next() == Some(line))?;
            let word = line.split(' ').find_map(|word| word.strip_prefix("avg10="))?;
            word.parse::<f64>().ok()
        });
        if let Some(percent) = percent {
            output.gauge(name, &[], percent / 100.0);
        }
    }
}

/// What the machine is, as tags of a gauge that is always 1.
fn info(source: &mut Source, output: &mut Output, cpu_text: &str, processors: usize) {
    let release = source.root("etc/os-release").unwrap_or_default();
    let os = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or("Linux", |name| name.trim_matches('"'));
    let kernel = source.proc("sys/kernel/osrelease").unwrap_or_default();
    let cpu_model = cpu_text
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':'))
        .map_or("", |(_, model)| model.trim());
    let processors = processors.to_string();
    let tags = [
        ("os", os),
        ("kernel", kernel.trim()),
        ("cpu_model", cpu_model),
        ("cpus", processors.as_str()),
    ];
    let known: Vec<_> = tags.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    output.gauge("host.info", &known, 1.0);
}
