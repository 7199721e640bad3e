//! Tells whether the bundle on disk was made from the present sources.
//!
//! `run`, `build` and `test` all ask for the bundle; a build that only finds out that nothing
//! changed would cost seconds each time and touch files that the server embeds.

use crate::{command, files};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xxhash_rust::xxh3::Xxh3;

/// Everything the bundle is made of: the UI, the crates it may import, the versions of all others,
/// and the code that lays it out.
const SOURCES: [&str; 8] = [
    "web",
    "server/crates/api-types",
    "server/crates/chart",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "xtask/src/web.rs",
    "xtask/src/web",
];

/// A digest of the sources, the profile and the compiler.
///
/// # Errors
/// When a source cannot be read.
pub(crate) fn current(profile: &str) -> Result<String> {
    let mut sources = Vec::new();
    for source in SOURCES.map(Path::new) {
        if source.is_dir() {
            sources.extend(files::walk(source)?);
        } else if source.exists() {
            sources.push(source.to_path_buf());
        }
    }
    let compiler = command::capture(Command::new("rustc").arg("--version")).unwrap_or_default();
    let route = std::env::var_os("XTASK_WASM_ROUTE").unwrap_or_default();
    let mut digest = Xxh3::new();
    for word in [profile, &compiler, &route.to_string_lossy()] {
        update(&mut digest, word.as_bytes());
    }
    for path in sources {
        update(&mut digest, path.to_string_lossy().as_bytes());
        update(&mut digest, &files::read(&path)?);
    }
    Ok(format!("{:032x}", digest.digest128()))
}

/// Whether `dist` is there and was made from the sources with this digest.
///
/// # Errors
/// When the recorded digest cannot be read.
pub(crate) fn is_fresh(dist: &Path, stamp: &str) -> Result<bool> {
    let path = path(dist);
    Ok(dist.join("index.html").exists() && path.exists() && files::read_text(&path)? == stamp)
}

/// Records that `dist` was made from the sources with this digest.
///
/// # Errors
/// When the record cannot be written.
pub(crate) fn save(dist: &Path, stamp: &str) -> Result<()> {
    files::write(&path(dist), stamp.as_bytes())
}

/// Forgets the record, so that a build that fails half-way is not taken for a finished one.
pub(crate) fn clear(dist: &Path) -> Result<()> {
    let path = path(dist);
    if path.exists() {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Beside the folder, because the server embeds everything inside it.
fn path(dist: &Path) -> PathBuf {
    dist.with_extension("stamp")
}

/// Feeds the length too, so that moving a byte from one part to the next changes the digest.
fn update(digest: &mut Xxh3, part: &[u8]) {
    digest.update(&(part.len() as u64).to_le_bytes());
    digest.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_fresh_only_with_its_page_and_its_own_stamp() -> Result<()> {
        let folder = files::TestFolder::new();
        let dist = folder.path().join("web-dist");
        assert!(!is_fresh(&dist, "a")?, "nothing there");
        save(&dist, "a")?;
        assert!(!is_fresh(&dist, "a")?, "a stamp without its files");
        files::write(&dist.join("index.html"), b"page")?;
        assert!(is_fresh(&dist, "a")?, "both there");
        assert!(!is_fresh(&dist, "b")?, "sources changed");
        clear(&dist)?;
        assert!(!is_fresh(&dist, "a")?, "cleared");
        Ok(())
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let digest_of = |parts: &[&[u8]]| {
            let mut digest = Xxh3::new();
            for part in parts {
                update(&mut digest, part);
            }
            digest.digest128()
        };
        assert_ne!(digest_of(&[b"ab", b"c"]), digest_of(&[b"a", b"bc"]));
    }
}
