//! `cargo xtask gen`: docs/reference, written by the program itself.
//!
//! The server knows its settings, metrics and API better than a page that someone keeps by hand,
//! so the pages are made by `bellwether reference`, and `test` fails when they are stale.

use crate::files::{self, Tree};
use crate::{command, progress, workspace};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "docs/reference";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut server = command::cargo();
    server.args(["run", "--quiet", "--package", "bellwether", "--"]);
    match args {
        [] => progress::step(FOLDER, || files::write_tree(Path::new(FOLDER), &generate(server)?)),
        [flag] if flag == "--check" => progress::step(FOLDER, || check(server)),
        _ => bail!("usage: cargo xtask gen [--check]"),
    }
}

/// Compares what `server` writes with what is in docs/reference.
///
/// # Errors
/// Names every page that differs.
pub(crate) fn check(server: Command) -> Result<()> {
    let stale = differences(&files::read_tree(Path::new(FOLDER))?, &generate(server)?);
    if !stale.is_empty() {
        bail!("{FOLDER} is stale, run `cargo xtask gen`: {}", stale.join(", "));
    }
    Ok(())
}

/// Runs `server reference --out …` into an empty folder and reads what it wrote.
fn generate(mut server: Command) -> Result<Tree> {
    let out: PathBuf = workspace::metadata()?.target_dir.join("reference");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot empty {}", out.display()))?;
    }
    command::run(server.args(["reference", "--out"]).arg(&out))?;
    let tree = files::read_tree(&out)?;
    if tree.is_empty() {
        bail!("`bellwether reference` wrote nothing to {}", out.display());
    }
    Ok(tree)
}

/// Names of pages that are missing, that differ or that should not be there, sorted.
fn differences(present: &Tree, wanted: &Tree) -> Vec<String> {
    let mut names: Vec<&String> = present.keys().chain(wanted.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| present.get(*name) != wanted.get(*name));
    names.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(pages: &[(&str, &str)]) -> Tree {
        pages.iter().map(|(n, c)| ((*n).to_owned(), c.as_bytes().to_vec())).collect()
    }

    #[test]
    fn every_kind_of_difference_is_named_once() {
        let present = tree(&[("gone.md", "1"), ("same.md", "2"), ("edited.md", "3")]);
        let wanted = tree(&[("same.md", "2"), ("edited.md", "4"), ("new.md", "5")]);
        assert_eq!(differences(&present, &wanted), ["edited.md", "gone.md", "new.md"]);
        assert!(differences(&wanted, &wanted).is_empty());
    }
}
