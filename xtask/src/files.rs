//! Reading and writing trees of files.

use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// File contents by path relative to some folder, with `/` between the parts.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// Every file below `folder`, sorted, without hidden files and folders and without `target`.
///
/// # Errors
/// When `folder` cannot be read.
pub(crate) fn walk(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') || name == "target" {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// # Errors
/// Names the file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// # Errors
/// Names the file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes `text`, making the folders above it.
///
/// # Errors
/// Names the file.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Every file below `folder` with its content; empty when the folder is not there.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn read_tree(folder: &Path) -> Result<Tree> {
    if !folder.exists() {
        return Ok(Tree::new());
    }
    let named = |path: PathBuf| {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        Ok((relative.to_string_lossy().replace('\\', "/"), read(&path)?))
    };
    walk(folder)?.into_iter().map(named).collect()
}

/// Makes `folder` hold exactly `tree`. A file that already has its content is left alone, so its
/// modification time does not make cargo build again.
///
/// # Errors
/// When a file cannot be read, written or removed.
pub(crate) fn write_tree(folder: &Path, tree: &Tree) -> Result<()> {
    let present = read_tree(folder)?;
    for stale in present.keys().filter(|name| !tree.contains_key(*name)) {
        let path = folder.join(stale);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    for (name, content) in tree.iter().filter(|(name, content)| present.get(*name) != Some(content))
    {
        write(&folder.join(name), content)?;
    }
    Ok(())
}

/// A folder that is removed with its content at the end of a test.
///
/// `tempfile` would do it too, but it changes features of libraries that `cargo xtask` has compiled
/// already, and so would compile half of them again.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct TestFolder(PathBuf);

#[cfg(test)]
impl TestFolder {
    pub(crate) fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("xtask-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary folder can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
impl Drop for TestFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the test's own folder can be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files.iter().map(|(n, c)| ((*n).to_owned(), c.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_written_tree_replaces_what_was_there() -> Result<()> {
        let folder = TestFolder::new();
        write_tree(folder.path(), &tree(&[("a.txt", "1"), ("b/c.txt", "2")]))?;
        let wanted = tree(&[("b/c.txt", "3"), ("d.txt", "4")]);
        write_tree(folder.path(), &wanted)?;
        assert_eq!(read_tree(folder.path())?, wanted);
        Ok(())
    }

    #[test]
    fn an_unchanged_file_keeps_its_modification_time() -> Result<()> {
        let folder = TestFolder::new();
        let path = folder.path().join("same.txt");
        write_tree(folder.path(), &tree(&[("same.txt", "1")]))?;
        let long_ago = std::time::UNIX_EPOCH;
        fs::File::options().write(true).open(&path)?.set_modified(long_ago)?;
        write_tree(folder.path(), &tree(&[("same.txt", "1")]))?;
        assert_eq!(fs::metadata(&path)?.modified()?, long_ago);
        Ok(())
    }

    #[test]
    fn hidden_files_and_build_output_are_not_walked() -> Result<()> {
        let folder = TestFolder::new();
        for name in ["seen.rs", ".hidden/a.rs", "target/b.rs"] {
            write(&folder.path().join(name), b"")?;
        }
        assert_eq!(walk(folder.path())?, [folder.path().join("seen.rs")]);
        Ok(())
    }
}
