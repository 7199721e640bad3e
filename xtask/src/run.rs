//! `cargo xtask run`: build everything, then become the server.

use crate::{build, command, progress};
use anyhow::{Result, bail};
use std::process::Command;

const CONFIG: &str = "config/bellwether.toml";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let extra = match args.split_first() {
        None => &[],
        Some((dashes, extra)) if dashes == "--" => extra,
        Some(_) => {
            bail!("usage: cargo xtask run [-- ARGS], for example `-- --http 127.0.0.1:9090`")
        }
    };
    let server = build::build()?;
    let mut command = Command::new(server);
    command.args(["serve", "--config", CONFIG]).args(extra);
    progress::note(format!("starting {}; Ctrl-C stops it", command::shown(&command)));
    become_program(command)
}

/// Replaces this process, so that signals reach the server directly and its exit code is ours.
#[cfg(unix)]
fn become_program(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(anyhow::Error::new(error).context(format!("cannot start {}", command::shown(&command))))
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> Result<()> {
    command::run(&mut command)
}
