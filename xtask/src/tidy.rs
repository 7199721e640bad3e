//! `cargo xtask tidy`: rules of this workspace that the compiler and clippy cannot see.

mod imports;
mod migrations;
mod sources;

use crate::workspace;
use anyhow::{Result, bail};
use std::path::Path;

pub(crate) fn run(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        bail!("usage: cargo xtask tidy");
    }
    check()
}

/// Prints one line for each finding.
///
/// # Errors
/// When there are any.
pub(crate) fn check() -> Result<()> {
    let metadata = workspace::metadata()?;
    let mut findings = imports::check(&metadata.packages);
    findings.extend(sources::check(Path::new("."))?);
    findings.extend(migrations::check(Path::new("migrations"))?);
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} to put in order, as listed above", findings.len());
    }
    Ok(())
}
