//! `cargo xtask build`: the release binary with the web UI inside.

use crate::{command, progress, web, workspace};
use anyhow::{Result, bail};
use std::path::PathBuf;

pub(crate) fn run(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        bail!("usage: cargo xtask build");
    }
    println!("{}", build()?.display());
    Ok(())
}

/// Builds the bundle and then the server that embeds it; returns the server's path.
///
/// # Errors
/// When either does not compile.
pub(crate) fn build() -> Result<PathBuf> {
    web::build(web::Mode::Release)?;
    progress::step("server (release)", || {
        command::run(command::cargo().args(["build", "--release", "--package", "bellwether"]))
    })?;
    let name = format!("bellwether{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace::metadata()?.target_dir.join("release").join(name))
}
