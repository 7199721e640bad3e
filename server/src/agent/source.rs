//! Where numbers come from: files under `/proc`, `/sys` and the root of the filesystem.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// The roots of the trees that are read; others in tests and where a container mounts the host's.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    /// Usually `/proc`.
    pub(super) proc: PathBuf,
    /// Usually `/sys`.
    pub(super) sys: PathBuf,
    /// Usually `/`.
    pub(super) root: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into(), root: "/".into() }
    }
}

/// Reads files and remembers which are missing.
#[derive(Debug)]
pub(super) struct Source {
    /// Where to read.
    pub(super) roots: Roots,
    missing: BTreeSet<PathBuf>,
}

impl Source {
    pub(super) fn new(roots: Roots) -> Self {
        Self { roots, missing: BTreeSet::new() }
    }

    /// A file below `/proc`; `None`, logged once, when it cannot be read.
    pub(super) fn proc(&mut self, name: &str) -> Option<String> {
        self.read(self.roots.proc.join(name))
    }

    /// A file below the root.
    pub(super) fn root(&mut self, name: &str) -> Option<String> {
        self.read(self.roots.root.join(name))
    }

    /// The first word of a file below `/proc` as a number.
    pub(super) fn proc_number(&mut self, name: &str) -> Option<f64> {
        self.proc(name)?.split_whitespace().next()?.parse().ok()
    }

    /// The names in a folder; `None` when it cannot be read.
    pub(super) fn names(&mut self, folder: &Path) -> Option<Vec<String>> {
        match fs::read_dir(folder) {
            Ok(entries) => Some(
                entries
                    .flatten()
                    .filter_map(|entry| entry.file_name().into_string().ok())
                    .collect(),
            ),
            Err(error) => {
                self.note(folder.to_owned(), &error);
                None
            }
        }
    }

    fn read(&mut self, path: PathBuf) -> Option<String> {
        match fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                self.note(path, &error);
                None
            }
        }
    }

    fn note(&mut self, path: PathBuf, error: &io::Error) {
        if !self.missing.contains(&path) {
            let path_shown = path.display();
            tracing::info!(path = %path_shown, %error, "no host metrics from this file");
            self.missing.insert(path);
        }
    }

    /// What could not be read so far.
    #[cfg(test)]
    pub(super) fn missing(&self) -> usize {
        self.missing.len()
    }
}
