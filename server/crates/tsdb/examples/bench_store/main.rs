//! The store alone, over an engine in memory: `cargo xtask bench store`.
//!
//! Prints as JSON lines what the rows of the table of targets come to that concern this crate: the
//! way of a flush, new series, bytes per sample, memory, replay, and how long a commit waits while the
//! store is maintained. Every row runs in a process of its own, so that none finds memory that another
//! one left behind. Speeds are per second of processor time of one core; they hold on a busy machine.
//!
//! ```text
//! bench_store           all rows but the week, about 3 min
//! bench_store --long    with the week
//! bench_store TEXT      only the rows whose name contains the text
//! ```
//!
//! Deliberately absent: SQL, files and HTTP, which cost more than the store itself.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod rows;
#[expect(dead_code, reason = "kinds of series that only `measure` shows one by one")]
mod synthetic;

use std::{error::Error, process::Command};

use rows::ROWS;

/// What the server uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = &arguments[..]
        && flag == "--row"
    {
        let row = ROWS.iter().find(|row| row.name == name).ok_or("no such row")?;
        return (row.run)();
    }
    let is_long = arguments.iter().any(|argument| argument == "--long");
    let text = arguments.iter().find(|argument| !argument.starts_with("--"));
    for row in ROWS {
        let is_chosen = match text {
            Some(text) => row.name.contains(text.as_str()),
            None => is_long || !row.is_long,
        };
        if is_chosen {
            let status =
                Command::new(std::env::current_exe()?).args(["--row", row.name]).status()?;
            if !status.success() {
                return Err(format!("the row {} failed ({status})", row.name).into());
            }
        }
    }
    Ok(())
}
