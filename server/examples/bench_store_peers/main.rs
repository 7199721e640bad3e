//! The store beside its peers, all fed the same samples by remote write: `cargo xtask bench store`.
//!
//! Prometheus and VictoriaMetrics take part when their programs are installed (`prometheus`,
//! `victoria-metrics`); each row prints a figure for each system. The series are ten metrics of many
//! instances with eight labels each; their values are the mix of
//! `bench_store`: counters, rates, integer gauges, two-decimal gauges, timers, constants and means in
//! turn. Time is shifted so that the data ends now, which all of them accept in order.
//!
//! ```text
//! bench_store_peers           rate, new series, memory and crash at up to 100,000 series, about 5 min
//! bench_store_peers --long    with a million series and the bytes of 24 hours, about 25 min
//! bench_store_peers TEXT      only the rows whose name contains the text
//! ```
//!
//! Servers write below `TMPDIR`. CPU time is theirs alone; rates and waits are wall time, which wants a
//! quiet machine. Queries are not measured here.

#![expect(clippy::print_stdout, reason = "figures go to stdout")]

#[path = "../support/connection.rs"]
mod connection;
mod load;
mod rows;
mod seal;
#[path = "../../src/store.rs"]
#[expect(dead_code, reason = "the server measures how long it holds the writer; nobody does here")]
mod store;
#[path = "../../crates/tsdb/examples/bench_store/synthetic.rs"]
#[expect(dead_code, reason = "kinds of series that only the other benchmark has")]
mod synthetic;
#[path = "../support/systems.rs"]
#[expect(dead_code, reason = "nobody looks at the servers of this one from outside")]
mod systems;

use rows::ROWS;
use systems::System;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_long = arguments.iter().any(|argument| argument == "--long");
    let text = arguments.iter().find(|argument| !argument.starts_with("--"));
    let is_chosen = |row: &rows::Row| match text {
        Some(text) => row.name.contains(text.as_str()),
        None => is_long || !row.is_long,
    };
    let chosen: Vec<_> = ROWS.iter().filter(|row| is_chosen(row)).collect();
    if chosen.is_empty() {
        return Ok(());
    }
    let mut systems = vec![System::own(std::env::var_os("BELLWETHER_BINARY").map(Into::into))?];
    if !arguments.iter().any(|argument| argument == "--alone") {
        systems.extend(System::peers());
    }
    chosen.into_iter().try_for_each(|row| (row.run)(&systems))
}
