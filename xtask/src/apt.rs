//! Packages of Debian and Ubuntu: installed when this runs as root, named in the error otherwise.

use crate::{command, progress};
use anyhow::{Result, bail};
use std::process::Command;

/// Whether [`install`] can do anything here.
pub(crate) fn is_usable() -> bool {
    command::find("apt-get").is_some() && is_root()
}

/// Installs `packages` without what they merely recommend.
///
/// # Errors
/// When this is not root on a Debian-like system, or when apt fails.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !is_usable() {
        bail!("{}", remedy(packages));
    }
    progress::step(&format!("apt-get install {list}"), || {
        command::run(apt_get().args(["-q", "update"]))?;
        command::run(
            apt_get().args(["-q", "-y", "--no-install-recommends", "install"]).args(packages),
        )
    })
}

/// What a person types to get `packages`.
pub(crate) fn remedy(packages: &[&str]) -> String {
    format!("sudo apt-get install --no-install-recommends {}", packages.join(" "))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    command::capture(Command::new("id").arg("-u")).is_ok_and(|uid| uid == "0")
}
