//! Datagrams that somebody made up to do harm: each costs little, is counted, and is logged seldom.

use std::{
    net::UdpSocket,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{load, report::Figure, rows::OWN_ADDRESS, server::Server};

pub(crate) const NAME: &str = "hostile datagrams";

const INTERVAL: Duration = Duration::from_secs(1);
const MAX_SERIES: u32 = 100_000;
/// How many of one kind are sent while it is measured, and the pause after each.
const COUNT: u32 = 2_000;
const PAUSE: Duration = Duration::from_millis(1);
/// Buffers that the first ones make are not what one costs.
const WARM_UP: u32 = 200;

/// What is sent, and whether it is something that a server may accept.
fn kinds() -> Vec<(&'static str, Vec<u8>, bool)> {
    let repeated = |part: &str, count: usize| part.repeat(count).into_bytes();
    let with_end = |mut bytes: Vec<u8>, end: &str| {
        bytes.extend_from_slice(end.as_bytes());
        bytes
    };
    vec![
        ("a rate of 1e-9", b"hostile.rate:1|c|@1e-9".to_vec(), false),
        ("a timer with a rate of 1e-9", b"hostile.timer:1|ms|@1e-9".to_vec(), false),
        ("a rate of 0", b"hostile.rate:1|c|@0".to_vec(), false),
        ("not a number", b"hostile.gauge:NaN|g".to_vec(), false),
        ("a name of 64 kB", with_end(repeated("n", 65_000), ":1|c"), false),
        ("60,000 colons", repeated(":", 60_000), false),
        ("60,000 line ends", repeated("\n", 60_000), true),
        (
            "30,000 values",
            with_end(with_end(b"hostile.values".to_vec(), &":1".repeat(30_000)), "|ms"),
            true,
        ),
        ("10,000 tags", with_end(b"hostile.tags:1|c|#a:b".to_vec(), &",a:b".repeat(10_000)), true),
        ("32,000 bytes that are no text", with_end(vec![0xff; 32_000], ":1|c"), false),
    ]
}

/// Sends each kind and measures what one costs.
pub(crate) fn run(program: &Path) -> anyhow::Result<()> {
    let server = Server::start(program, INTERVAL, MAX_SERIES)?;
    let socket = load::connect(server.statsd, OWN_ADDRESS)?;
    let figure = |work: String, value: f64, unit: &'static str, target: Option<f64>| {
        Figure { work, value, unit, target, better: "lower" }.print();
    };
    for (name, datagram, may_be_accepted) in kinds() {
        send(&socket, &datagram, WARM_UP)?;
        server.wait_for_flush()?;
        let books = server.books(OWN_ADDRESS)?;
        let used = server.process.used()?;
        let (resident, _) = server.process.resident_mb()?;
        let lines = server.process.log().lines().count();
        let started = Instant::now();
        send(&socket, &datagram, COUNT)?;
        server.wait_for_flush()?;
        let seconds = started.elapsed().as_secs_f64();
        let spent = server.process.used()?.since(&used).total;
        let grown = (server.process.resident_mb()?.0 - resident).max(0.0);
        let logged = server.process.log().lines().count() - lines;
        let after = server.books(OWN_ADDRESS)?;
        let read = after.datagrams - books.datagrams;
        let refused = after.refused - books.refused;
        let dropped = after.kernel_drops - books.kernel_drops;
        ensure!(read + dropped == u64::from(COUNT), "{name}: {read} read, {dropped} dropped");
        ensure!(may_be_accepted || refused >= read, "{name}: {refused} lines of {read} refused");
        println!(
            "{NAME}, {name}: {read} read, {dropped} dropped by the kernel, {refused} lines refused, \
             {:.0} us each, {:.0} kB more memory, {logged} log lines in {seconds:.1} s",
            spent / read as f64 * 1e6,
            grown * 1e3,
        );
        // Many values that are in order are work like any other.
        let target = (refused > 0).then_some(200.0);
        figure(format!("{NAME}, {name}"), spent / read as f64 * 1e6, "us each", target);
        figure(format!("{NAME}, {name}, memory"), grown * 1e3 / read as f64, "kB each", Some(64.0));
        figure(format!("{NAME}, {name}, log"), logged as f64 / seconds, "lines per s", Some(1.0));
    }
    // The server goes on as if nothing had been.
    socket.send(b"hostile.after:3|c")?;
    server.wait_for_flush()?;
    let stored = server.query("hostile_after")?;
    ensure!(stored == 3.0, "a count of 3 after all that is stored as {stored}");
    Ok(())
}

fn send(socket: &UdpSocket, datagram: &[u8], count: u32) -> anyhow::Result<()> {
    for _ in 0..count {
        socket.send(datagram)?;
        sleep(PAUSE);
    }
    Ok(())
}
