//! Developer commands, run as `cargo xtask COMMAND`.
//!
//! Everything a clone needs to build, run and test itself is here, in Rust, so that a person, CI
//! and the container build take the same path. Missing tools are installed where that is possible
//! (rustup's targets for everyone, packages for root on Debian and Ubuntu); otherwise one line says
//! what to type.
//!
//! It deliberately knows nothing about metrics: it starts programs, lays out the browser bundle and
//! reads source files. It never asserts a duration, so a slow machine never fails.
//!
//! Entry points: one module per command, each with `run(args)`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results go to stdout, progress to stderr"
)]

mod apt;
mod bench;
mod build;
mod command;
mod doctor;
mod files;
mod fuzz;
mod progress;
mod reference;
mod run;
mod test;
mod tidy;
mod web;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  run [-- ARGS]   build the web UI and the server (release) and start it with config/bellwether.toml
  build           the same without starting: target/release/bellwether
  test [--long]   every check, as CI does it; the last line is `N passed, N failed`
  web [--dev]     build the web UI into target/web-dist (--dev: quick, larger, for the edit loop)
  gen [--check]   write docs/reference from the program (--check: only say whether it is stale)
  tidy            import table, file sizes, module docs, migration pairs
  bench [NAME]    benchmarks; figures on stdout and in target/bench/NAME.json
  fuzz [TARGET] [--seconds N]   hostile bytes for the decoders, a minute each
  doctor          which tools are here, which are missing, and how to get them";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().map_or(("help", &args[..]), |(c, r)| (c.as_str(), r));
    let result = workspace::enter().and_then(|()| match command {
        "run" => run::run(rest),
        "build" => build::run(rest),
        "test" => test::run(rest),
        "web" => web::run(rest),
        "gen" => reference::run(rest),
        "tidy" => tidy::run(rest),
        "bench" => bench::run(rest),
        "fuzz" => fuzz::run(rest),
        "doctor" => doctor::run(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(anyhow::anyhow!("no command `{other}`\n\n{HELP}")),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<progress::AlreadyReported>() {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
