//! `cargo xtask test`: every check, in the order in which a mistake is cheapest to find.
//!
//! A failed step does not stop the others, except those that need what it makes. Nothing is
//! measured against a clock.
//!
//! `--long` has the tests that draw by lot do so more often: the server is killed 200 times, and
//! Prometheus is asked 20,000 queries.
//!
//! Every cargo call selects the same packages, the workspace without `xtask`, because cargo unites
//! the features of what is selected: another selection would compile the dependencies again.

mod tally;
pub(crate) mod tools;

use crate::progress::{self, AlreadyReported, Stopwatch};
use crate::{command, reference, tidy, web, workspace};
use anyhow::{Result, bail};
use std::process::Command;
use tally::Tally;

/// How often `--long` has the server killed while it writes, and how many queries it compares.
const LONG: [(&str, &str); 2] =
    [("BELLWETHER_TEST_KILLS", "200"), ("BELLWETHER_TEST_QUERIES", "20000")];

pub(crate) fn run(args: &[String]) -> Result<()> {
    let amounts: &[_] = match args {
        [] => &[],
        [option] if option == "--long" => &LONG,
        _ => bail!("usage: cargo xtask test [--long]"),
    };
    let stopwatch = Stopwatch::start();
    let target_dir = workspace::metadata()?.target_dir;
    let mut tally = Tally::default();

    let variables = tally.check("tools", || tools::prepare(&target_dir));
    tally.check("fmt", || command::run(command::cargo().args(["fmt", "--all", "--check"])));
    tally.check("tidy", tidy::check);
    tally.check("clippy", || command::run(&mut clippy()));
    tally.check("docs", || command::run(&mut docs()));
    // Before the server is compiled, which embeds it.
    let web_ui = tally.check("web UI", || web::update(web::Mode::Release));
    let built = tally
        .check("compile the tests", || command::run(cargo_test().args(["--tests", "--no-run"])));

    tally.suite("xtask tests", command::cargo().args(["test", "--package", "xtask"]));
    if built.is_some() {
        tally.suite("unit tests", cargo_test().args(["--lib", "--bins"]));
        tally.suite("doc tests", cargo_test().arg("--doc"));
        let server = target_dir.join("debug/bellwether");
        tally.check("docs/reference", || reference::check(Command::new(server)));
    } else {
        tally.skip(&["unit tests", "doc tests", "docs/reference"], "the tests do not compile");
    }
    if let (Some(variables), Some(())) = (variables, built) {
        tally.suite(
            "integration tests",
            cargo_test()
                .args(["--test", "it"])
                .envs(variables.clone())
                .envs(amounts.iter().copied()),
        );
        if web_ui.is_some() {
            tally.suite("browser tests", cargo_test().args(["--test", "browser"]).envs(variables));
        } else {
            tally.skip(&["browser tests"], "there is no web UI");
        }
    } else {
        let reason = "they do not compile or a tool is missing";
        tally.skip(&["integration tests", "browser tests"], reason);
    }

    progress::note(format!("everything took {}", stopwatch.elapsed()));
    for failure in &tally.failures {
        progress::note(failure);
    }
    println!("{tally}");
    if tally.failures.is_empty() { Ok(()) } else { Err(AlreadyReported.into()) }
}

fn clippy() -> Command {
    let mut cargo = command::cargo();
    cargo.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    cargo
}

fn docs() -> Command {
    let mut cargo = command::cargo();
    cargo.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    cargo
}

fn cargo_test() -> Command {
    let mut cargo = command::cargo();
    cargo.args(["test", "--workspace", "--exclude", "xtask", "--no-fail-fast"]);
    cargo
}
