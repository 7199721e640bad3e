//! The `StatsD` of npm with a backend that only adds up.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::load::Totals;

const TOTALS: &str = "totals.json";

/// Runs inside of the server. A real backend would send every value somewhere, which costs more.
const BACKEND: &str = r"'use strict';
const fs = require('fs');

exports.init = function (startup, config, events) {
  const totals = { flushes: 0, datagrams: 0, bad_lines: 0, counts: 0, timings: 0 };
  events.on('flush', function (time, metrics) {
    for (const name in metrics.counters) {
      if (name.startsWith('lg.')) totals.counts += metrics.counters[name];
    }
    for (const name in metrics.timer_counters) totals.timings += metrics.timer_counters[name];
    totals.datagrams += metrics.counters['statsd.packets_received'];
    totals.bad_lines += metrics.counters['statsd.bad_lines_seen'];
    totals.flushes += 1;
    fs.writeFileSync(config.totals, JSON.stringify(totals));
  });
  return true;
};
";

/// What the backend has written: sums since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
struct Books {
    flushes: u64,
    datagrams: u64,
    bad_lines: u64,
    counts: u64,
    timings: u64,
}

/// Writes the configuration; percentiles are as by default.
pub(crate) fn command(
    program: &Path,
    folder: &Path,
    address: SocketAddrV4,
    interval: Duration,
) -> anyhow::Result<Command> {
    let backend = folder.join("backend.js");
    fs::write(&backend, BACKEND).context("writing a backend")?;
    let configuration = json!({
        "address": address.ip(),
        "port": address.port(),
        "mgmt_address": "127.0.0.1",
        "mgmt_port": free_tcp_port()?,
        "flushInterval": interval.as_millis() as u64,
        "backends": [backend],
        "totals": folder.join(TOTALS),
    });
    let file = folder.join("config.js");
    fs::write(&file, configuration.to_string())?;
    let mut command = Command::new(program);
    command.arg(file);
    Ok(command)
}

fn free_tcp_port() -> anyhow::Result<u16> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(socket.local_addr()?.port())
}

/// Zeros before the first flush, and `None` while the file is being written.
fn books(folder: &Path) -> Option<Books> {
    let file = folder.join(TOTALS);
    if !file.exists() {
        return Some(Books::default());
    }
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// Waits until the books say what is looked for, three intervals at most.
fn wait_for(folder: &Path, interval: Duration, is_it: impl Fn(&Books) -> bool) -> Option<Books> {
    let deadline = Instant::now() + interval * 3;
    while Instant::now() < deadline {
        if let Some(books) = books(folder).filter(&is_it) {
            return Some(books);
        }
        sleep(Duration::from_millis(20));
    }
    None
}

/// Waits until a flush after this moment is done.
pub(crate) fn wait_for_flush(folder: &Path, interval: Duration) -> anyhow::Result<()> {
    let Some(before) = wait_for(folder, interval, |_| true) else {
        bail!("its books cannot be read");
    };
    let is_later = |books: &Books| books.flushes > before.flushes;
    wait_for(folder, interval, is_later).context("it does not flush")?;
    Ok(())
}

/// Compares all that was sent with what it says.
pub(crate) fn check_books(
    folder: &Path,
    interval: Duration,
    sent: &Totals,
    dropped: u64,
) -> anyhow::Result<()> {
    let read = sent.datagrams - dropped;
    let Some(books) = wait_for(folder, interval, |books| books.datagrams >= read) else {
        bail!("{read} datagrams were not dropped, it says {:?}", books(folder));
    };
    ensure!(books.datagrams == read, "{read} datagrams were not dropped, it says {books:?}");
    ensure!(books.bad_lines == 0, "it refused {} lines", books.bad_lines);
    if dropped == 0 {
        let all = (sent.counts, sent.timings);
        ensure!((books.counts, books.timings) == all, "{sent:?} was sent, it says {books:?}");
    }
    Ok(())
}
