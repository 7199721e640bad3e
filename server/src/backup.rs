//! Backups: what the databases of a data folder held at one moment, in a folder or in one file.
//!
//! A backup is the three databases and a list of them with checksums. It holds everything but what is
//! in configuration files, which belong into version control.

mod archive;
mod make;
mod manifest;
mod restore;

pub(crate) use make::make;
pub(crate) use manifest::Manifest;
pub(crate) use restore::restore;

/// How far a long job has come, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) done_bytes: u64,
    pub(crate) total_bytes: u64,
}

/// Whether a backup is one file, told from its name.
fn is_archive(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar"))
}
