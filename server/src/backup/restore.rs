//! Bringing a backup back into a data folder that no server runs on.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::{
    Progress, archive,
    manifest::{self, DATABASES, FILE, Manifest},
};
use crate::app::folder::DataFolder;

/// Ends the name of a file that is complete and not in its place yet.
const READY: &str = ".restoring";

/// Puts the files of a backup into a data folder: all are read and checked before the first is replaced.
/// With `replace` they take the place of the databases that are there.
///
/// # Errors
/// When a server runs on the folder, when there are databases and `replace` is not set, when the backup
/// is damaged, or when the folder cannot be written. Until the files are put into their places nothing
/// has changed; a crash while they are leaves a mark by which a server refuses the folder.
pub(crate) fn restore(
    from: &Path,
    data: &Path,
    replace: bool,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Manifest> {
    // Before the folder is made, so that a wrong name leaves none behind.
    fs::metadata(from).with_context(|| format!("cannot read the backup {}", from.display()))?;
    let folder = DataFolder::claim(data)?;
    let there: Vec<&str> = DATABASES.into_iter().filter(|name| data.join(name).exists()).collect();
    if !there.is_empty() && !replace {
        bail!(
            "{} holds {} already; choose another folder with --data, or replace what it holds with --force",
            data.display(),
            there.join(", ")
        );
    }
    let staged = Staged::read(from, &folder, progress)?;
    staged.put_into_place().with_context(|| format!("cannot write to {}", data.display()))
}

/// Files of a backup that were read into the folder, under names of their own.
struct Staged<'a> {
    folder: &'a DataFolder,
    manifest: Manifest,
}

impl<'a> Staged<'a> {
    fn read(
        from: &Path,
        folder: &'a DataFolder,
        progress: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<Self> {
        let mut taken: Vec<String> = Vec::new();
        let mut done_bytes = 0;
        let mut take = |manifest: &Manifest, name: &str, input: &mut dyn Read| {
            let Some(entry) = manifest.files.iter().find(|entry| entry.name == name) else {
                bail!("the backup {} holds `{name}`, which it does not list", from.display());
            };
            let target = ready(folder, name);
            let mut output = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&target)
                .with_context(|| format!("cannot write {}", target.display()))?;
            let total_bytes = manifest.total_bytes();
            let found = manifest::digest(input, |piece| {
                done_bytes += piece.len() as u64;
                progress(Progress { done_bytes, total_bytes });
                output.write_all(piece)
            });
            let found = found.with_context(|| format!("cannot copy {name}"))?;
            output.sync_all()?;
            if found != (entry.bytes, entry.sha256.clone()) {
                bail!(
                    "{name} of the backup {} is damaged: its checksum does not match; use another backup",
                    from.display()
                );
            }
            taken.push(name.to_owned());
            Ok(())
        };
        let read = if from.is_dir() {
            read_folder(from, &mut take)
        } else {
            archive::unpack(from, |_| Ok(()), &mut take)
        };
        let manifest = read.and_then(|manifest| {
            let missing = manifest.files.iter().find(|entry| !taken.contains(&entry.name));
            match missing {
                Some(entry) => {
                    bail!("the backup {} is incomplete: {} is missing", from.display(), entry.name)
                }
                None => Ok(manifest),
            }
        });
        // Made first, so that what was read goes away when something is wrong.
        let mut staged = Self { folder, manifest: Manifest::new(String::new(), Vec::new()) };
        staged.manifest = manifest?;
        Ok(staged)
    }

    fn put_into_place(self) -> std::io::Result<Manifest> {
        self.folder.begin_restore()?;
        for name in DATABASES {
            let path = self.folder.path().join(name);
            // A log belongs to the file it was written for; beside another one it would spoil it.
            for ending in ["-wal", "-shm"] {
                remove_if_there(&db::beside(&path, ending))?;
            }
            if self.manifest.files.iter().any(|entry| entry.name == name) {
                fs::rename(ready(self.folder, name), &path)?;
            } else {
                remove_if_there(&path)?;
            }
        }
        self.folder.finish_restore()?;
        Ok(self.manifest.clone())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        for name in DATABASES {
            // In its place already, or of no use.
            drop(fs::remove_file(ready(self.folder, name)));
        }
    }
}

fn read_folder(
    from: &Path,
    take: &mut dyn FnMut(&Manifest, &str, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<Manifest> {
    let list = from.join(FILE);
    let text = fs::read(&list).with_context(|| {
        format!("{} is not a backup of Bellwether: {FILE} cannot be read", from.display())
    })?;
    let manifest = Manifest::parse(&text, from)?;
    for entry in &manifest.files {
        let path = from.join(&entry.name);
        let mut file = File::open(&path)
            .with_context(|| format!("the backup is incomplete: cannot read {}", path.display()))?;
        take(&manifest, &entry.name, &mut file)?;
    }
    Ok(manifest)
}

fn ready(folder: &DataFolder, name: &str) -> PathBuf {
    db::beside(&folder.path().join(name), READY)
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
