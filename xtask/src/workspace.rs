//! Where things are: the workspace's root, its packages and cargo's target folder.

use crate::command;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::path::PathBuf;

/// Where the browser bundle is written and where the server's build script looks for it, relative
/// to the workspace's root. `BELLWETHER_WEB_DIST` moves it.
const WEB_DIST: &str = "target/web-dist";

/// Makes the workspace's root the current folder, so that every path in here is relative to it.
///
/// # Errors
/// When the root cannot be entered.
pub(crate) fn enter() -> Result<()> {
    // Cargo sets the variable at run time; the built-in value is for a binary started by hand.
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest_dir.parent().context("xtask lies in a workspace")?;
    std::env::set_current_dir(root).with_context(|| format!("cannot enter {}", root.display()))
}

/// The folder of the browser bundle.
pub(crate) fn web_dist() -> PathBuf {
    std::env::var_os("BELLWETHER_WEB_DIST").map_or_else(|| WEB_DIST.into(), PathBuf::from)
}

/// What cargo knows about the workspace's own packages.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// Sorted by name.
    pub(crate) packages: Vec<Package>,
    /// Absolute.
    pub(crate) target_dir: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Names of its example programs.
    pub(crate) examples: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) is_dev: bool,
}

/// Reads the workspace's packages, without resolving or downloading what they depend on.
///
/// # Errors
/// When a Cargo.toml is broken.
pub(crate) fn metadata() -> Result<Metadata> {
    let text = command::capture(command::cargo().args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version=1",
    ]))?;
    let root: Value = serde_json::from_str(&text).context("reading `cargo metadata`")?;
    let mut packages: Vec<Package> = items(&root["packages"]).map(package).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Metadata { packages, target_dir: string(&root["target_directory"]).into() })
}

fn package(value: &Value) -> Package {
    Package {
        name: string(&value["name"]),
        dependencies: items(&value["dependencies"])
            .map(|d| Dependency { name: string(&d["name"]), is_dev: d["kind"] == "dev" })
            .collect(),
        examples: items(&value["targets"])
            .filter(|target| items(&target["kind"]).any(|kind| kind == "example"))
            .map(|target| string(&target["name"]))
            .collect(),
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
