//! What is measured.

use std::thread;

use anyhow::anyhow;
use remote::Protocol;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    load::{Load, Shape},
    seal,
    synthetic::STEP_MS,
    systems::{Kind, Server, System, data_folder, now},
};

/// One measurement.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Only on demand.
    pub(crate) is_long: bool,
    pub(crate) run: fn(&[System]) -> Outcome,
}

type Outcome = anyhow::Result<()>;

const fn row(name: &'static str, run: fn(&[System]) -> Outcome) -> Row {
    Row { name, is_long: false, run }
}

const fn long(name: &'static str, run: fn(&[System]) -> Outcome) -> Row {
    Row { name, is_long: true, run }
}

pub(crate) const ROWS: &[Row] = &[
    row("peers-rate", |systems| systems.iter().try_for_each(rate)),
    row("peers-new-series", new_series),
    row("peers-resident-10k", |systems| resident(systems, 10_000, 360, 60.0)),
    row("peers-resident-100k", |systems| resident(systems, 100_000, 60, 110.0)),
    long("peers-resident-1m", |systems| resident(systems, 1_000_000, 6, 450.0)),
    row("peers-crash-10k", |systems| crash(systems, 10_000, 1_440, 0.3)),
    long("peers-crash-1m", |systems| crash(systems, 1_000_000, 6, 5.0)),
    row("peers-bytes-4h", |systems| bytes(systems, 4)),
    long("peers-bytes-24h", |systems| bytes(systems, 24)),
];

/// Series of one client, and of the usual day.
const SERIES: usize = 10_000;
const STEPS_PER_HOUR: usize = 360;
const NEW_SERIES: usize = 1_000_000;

/// Targets are ours alone.
fn figure(system: &System, work: &str, value: f64, unit: &str, target: f64, better: &str) {
    let target = (system.kind == Kind::Bellwether).then_some(target);
    let value = (value * 1e4).round() / 1e4;
    println!(
        "{}",
        json!({ "work": format!("{work}, {}", system.kind.as_str()), "value": value, "unit": unit,
                "target": target, "better": better })
    );
}

fn write(server: &Server, requests: &[Vec<u8>]) -> Outcome {
    write_as(server, Shape::USUAL.protocol, requests)
}

/// Sends requests one after the other over one connection.
fn write_as(server: &Server, protocol: Protocol, requests: &[Vec<u8>]) -> Outcome {
    let mut connection = server.connect()?;
    requests.iter().try_for_each(|request| connection.write(protocol, request))
}

/// The value of an instant query with at most one series, 0 when there is none. `at` in ms.
fn query(server: &Server, expression: &str, at: i64) -> anyhow::Result<f64> {
    let escaped: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
    let path = format!("/api/v1/query?query={escaped}&time={}&nocache=1", at as f64 / 1e3);
    let answer: serde_json::Value = serde_json::from_slice(server.connect()?.get(&path)?)?;
    let value = &answer["data"]["result"][0]["value"][1];
    value.as_str().map_or(Ok(0.0), |text| Ok(text.parse()?))
}

/// The time of the first of so many steps of which the last is now.
fn start_of(steps: usize) -> i64 {
    jiff::Timestamp::now().as_millisecond() - steps as i64 * STEP_MS
}

/// Writes of one client and of several, 10,000 series each. Requests of all systems are the same; ours
/// alone also gets those of 2.0, and small ones from eight clients, as a Prometheus sends them by
/// default. The first step makes the series and is not measured.
fn rate(system: &System) -> Outcome {
    let small = |protocol| (8, Shape { protocol, batch: 2_000 });
    let mut loads = vec![(1, Shape::USUAL), (2, Shape::USUAL)];
    if system.kind == Kind::Bellwether {
        let new = Shape { protocol: Protocol::V2, ..Shape::USUAL };
        loads.extend([small(Protocol::V1), (1, new), (2, new), small(Protocol::V2)]);
    }
    loads.into_iter().try_for_each(|(clients, shape)| rate_of(system, clients, shape))
}

fn rate_of(system: &System, clients: usize, shape: Shape) -> Outcome {
    const STEPS: usize = 300;
    let folder = TempDir::new()?;
    let server = system.start(folder.path())?;
    let mut loads: Vec<Load> =
        (0..clients).map(|client| Load::new(client, SERIES, start_of(STEPS))).collect();
    for load in &mut loads {
        write_as(&server, shape.protocol, &load.requests(1, shape))?;
    }
    let requests: Vec<_> = loads.iter_mut().map(|load| load.requests(STEPS - 1, shape)).collect();
    let (cpu, started) = (server.cpu_seconds()?, now());
    let server = &server;
    thread::scope(|scope| {
        let writers: Vec<_> = requests
            .iter()
            .map(|requests| scope.spawn(move || write_as(server, shape.protocol, requests)))
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().map_err(|_| anyhow!("a client panicked"))?)
    })?;
    let (wall, cpu) = (started.elapsed().as_secs_f64(), server.cpu_seconds()? - cpu);
    let millions = (clients * SERIES * (STEPS - 1)) as f64 / 1e6;
    let work = format!(
        "remote write {}, {clients} clients, {} samples a request",
        shape.protocol.as_str(),
        shape.batch
    );
    figure(system, &work, cpu / millions, "CPU-s per M samples", 0.35, "lower");
    let target = if clients == 1 { 1.8 } else { 3.0 };
    figure(system, &work, millions / wall, "M samples/s", target, "higher");
    Ok(())
}

/// A million series that were never seen before, one sample each.
fn new_series(systems: &[System]) -> Outcome {
    let requests = Load::new(0, NEW_SERIES, start_of(1)).requests(1, Shape::USUAL);
    for system in systems {
        let folder = TempDir::new()?;
        let server = system.start(folder.path())?;
        let cpu = server.cpu_seconds()?;
        write(&server, &requests)?;
        let cpu = server.cpu_seconds()? - cpu;
        figure(system, "new series", cpu * 1e6 / NEW_SERIES as f64, "CPU-s per M", 0.9, "lower");
    }
    Ok(())
}

/// What a server holds right after it took so many samples of so many series.
fn resident(systems: &[System], count: usize, steps: usize, target: f64) -> Outcome {
    for system in systems {
        let folder = TempDir::new()?;
        let server = system.start(folder.path())?;
        let mut load = Load::new(0, count, start_of(steps));
        for _ in 0..steps {
            write(&server, &load.requests(1, Shape::USUAL))?;
        }
        let work = format!("resident, {count} series, {steps} samples each");
        figure(system, &work, server.resident_mb()?, "MB", target, "lower");
        let each = server.resident_mb()? * 1e6 / count as f64;
        figure(
            system,
            &format!("{work}, each"),
            each,
            "bytes",
            target * 1e6 / count as f64,
            "lower",
        );
    }
    Ok(())
}

/// Ends a server right after its last acknowledgment, and starts it again.
fn crash(systems: &[System], count: usize, steps: usize, target: f64) -> Outcome {
    // Queries have limits on how many samples they may touch.
    let is_countable = count <= 100_000;
    for system in systems {
        let folder = TempDir::new()?;
        let server = system.start(folder.path())?;
        let mut load = Load::new(0, count, start_of(steps));
        for _ in 0..steps.div_ceil(STEPS_PER_HOUR) {
            write(&server, &load.requests(steps.min(STEPS_PER_HOUR), Shape::USUAL))?;
        }
        server.kill()?;
        let server = system.start(folder.path())?;
        let work = format!("kill -9 after {count} series, {steps} samples each");
        let ready = server.ready_after.as_secs_f64();
        figure(system, &format!("{work}: ready"), ready, "s", target, "lower");
        if is_countable {
            let found: f64 = (0..10)
                .map(|metric| {
                    let selector = format!("http_server_requests_{metric}_total[{}s]", steps * 20);
                    let expression = format!("sum(count_over_time({selector}))");
                    query(&server, &expression, load.next_ms)
                })
                .sum::<anyhow::Result<f64>>()?;
            let lost = (count * steps) as f64 - found;
            figure(system, &format!("{work}: lost"), lost, "samples", 0.0, "lower");
        }
    }
    Ok(())
}

/// Bytes per sample after so many hours, seals and merges included.
fn bytes(systems: &[System], hours: usize) -> Outcome {
    let folders = systems.iter().map(|_| TempDir::new()).collect::<Result<Vec<_>, _>>()?;
    let mut servers = Vec::new();
    for (system, folder) in systems.iter().zip(&folders) {
        servers.push(system.start(folder.path())?);
    }
    // Some minutes late: what is older than a day when it comes is too old for us.
    let mut load = Load::new(0, SERIES, start_of(hours * STEPS_PER_HOUR) + 5 * 60_000);
    for _ in 0..hours {
        let requests = load.requests(STEPS_PER_HOUR, Shape::USUAL);
        for server in &servers {
            write(server, &requests)?;
        }
    }
    for ((system, folder), server) in systems.iter().zip(&folders).zip(servers) {
        server.settle()?;
        server.stop()?;
        if system.kind == Kind::Bellwether {
            // What came since the last seal, which would go at the next one.
            seal::seal(&data_folder(folder.path()), load.next_ms)?;
        }
        let samples = (SERIES * hours * STEPS_PER_HOUR) as f64;
        let bytes = system.stored_bytes(folder.path())? as f64;
        let work = format!("bytes per sample after {hours} h");
        figure(system, &work, bytes / samples, "bytes", 1.25, "lower");
    }
    Ok(())
}
